"""Any request at all: the claim parser gives a claim or an API error, and no forgery verifies.

Run with `python fuzz/fuzz_sigv4.py [libFuzzer options] [corpus directory]`; needs atheris.
"""

from __future__ import annotations

import sys

from keystead.errors import ApiError, InvalidSignature
from keystead.wire import sigv4
from keystead.wire.http import Request

KEY = sigv4.SigningKey(bytes(32))
NOW = 1_440_938_160.0  # 2015-08-30T12:36:00Z


def request_of(data: bytes) -> Request:
    """Target, then `name: value` lines, then after an empty line the body."""
    head, _, body = data.partition(b"\n\n")
    target, *lines = head.decode("latin-1").split("\n")
    pairs = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs if name.strip()}
    return Request("POST", target or "/", headers, body, "192.0.2.1", secure=True)


def one_input(data: bytes) -> None:
    """Raises only if a promise is broken."""
    request = request_of(data)
    try:
        claim = sigv4.parse(request)
    except ApiError:
        return
    for rules in (sigv4.STANDARD, sigv4.S3):
        try:
            sigv4.verify(claim, request, KEY, NOW, rules)
        except InvalidSignature:
            continue
        raise AssertionError("a forged signature was accepted")


def main() -> None:
    """Fuzz until stopped."""
    import atheris  # noqa: PLC0415 -- tests run `one_input` without it

    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
