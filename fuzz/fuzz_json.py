"""Any body at all: decoding and validating give a request or an API error, which tells no value.

Run with `python fuzz/fuzz_json.py [libFuzzer options] [corpus directory]`; needs atheris.
"""

from __future__ import annotations

import sys

from keystead.errors import ApiError, Serialization, Validation
from keystead.wire.models import kms
from keystead.wire.protocols import json
from keystead.wire.validate import validate

NAMES = sorted(kms.OPERATIONS)
LONGEST_SAID = 200


def answer(name: str, body: bytes) -> ApiError | None:
    """What the operation's caller is told before anything is done; None if all is in order."""
    try:
        validate(json.decode(kms.SERVICE, name, body))
    except (Serialization, Validation) as error:
        return error
    return None


def one_input(data: bytes) -> None:
    """Raises only if a promise is broken. The first byte chooses the operation."""
    error = answer(NAMES[data[0] % len(NAMES)] if data else NAMES[0], data[1:])
    if error is None:
        return
    assert error.message
    assert error.__context__ is None, "an exception that may hold plaintext hangs on"
    if isinstance(error, Serialization):
        assert len(error.message) < LONGEST_SAID
    else:
        assert " detected: Value" in error.message


def main() -> None:
    """Fuzz until stopped."""
    import atheris  # noqa: PLC0415 -- tests run `one_input` without it

    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
