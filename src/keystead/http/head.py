"""Judgements on a request's header section that llhttp leaves to its caller: pure functions of its parts.

Two programs that read one stream differently are how requests get smuggled, so whatever could be
read in two ways is refused.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

from keystead.http import refusal as refusals
from keystead.http.refusal import Refusal

METHODS: Final = {
    name.encode(): name for name in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH")
}
VERSIONS: Final = frozenset({"1.0", "1.1"})

_ONCE: Final = frozenset(
    {
        "authorization",
        "content-encoding",
        "content-length",
        "content-type",
        "date",
        "expect",
        "host",
        "transfer-encoding",
        "x-amz-content-sha256",
        "x-amz-date",
        "x-amz-security-token",
        "x-amz-target",
    }
)
"""Names that a request may carry once: a joined value would mean something else to another reader."""

_OFTEN_SENT: Final = (
    "Accept",
    "Accept-Encoding",
    "Amz-Sdk-Invocation-Id",
    "Amz-Sdk-Request",
    "Authorization",
    "Connection",
    "Content-Encoding",
    "Content-Length",
    "Content-Type",
    "Expect",
    "Host",
    "Transfer-Encoding",
    "User-Agent",
    "X-Amz-Content-SHA256",
    "X-Amz-Date",
    "X-Amz-Security-Token",
    "X-Amz-Target",
    "X-Amz-User-Agent",
    "X-Amzn-Trace-Id",
)


class _Spellings(dict[bytes, str]):
    """Names in lower case. A fixed table: one that learned could be filled with junk."""

    def __missing__(self, name: bytes) -> str:
        return name.lower().decode("latin-1")


_lower_case: Final = _Spellings(
    {
        spelling.encode(): name.lower()
        for name in _OFTEN_SENT
        for spelling in (name, name.lower(), name.replace("SHA", "Sha"))
    }
).__getitem__
"""A header's name in lower case; those that SDKs send are looked up."""

# RFC 9110 section 7.2, RFC 3986 section 3.2.2; no comma, which a proxy that joins two Hosts leaves.
_HOST: Final = re.compile(r"(?:[A-Za-z0-9._~%!$&'()*+;=-]*|\[[0-9A-Fa-fv:.]+\])(?::[0-9]*)?")
_ABSOLUTE: Final = re.compile(r"https?://([^/?#]+)(.*)", re.IGNORECASE)


class RefusedError(Exception):
    """The request is not handed on; `refusal` is what its client is told."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


def check_method(method: bytes) -> str:
    """The method's name.

    Raises:
        RefusedError: it is CONNECT, or none that any AWS API uses (RFC 9110 section 9.1 asks for 501).
    """
    name = METHODS.get(method)
    if name is None:
        raise RefusedError(refusals.NO_CONNECT if method == b"CONNECT" else refusals.BAD_METHOD)
    return name


def join_fields(fields: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """The headers by lower-case name, in order, the values of a repeated one joined (RFC 9110 section 5.2).

    Raises:
        RefusedError: a header that may occur once is repeated, or a value has a line break.
    """
    if not fields:
        return {}
    names, values = zip(*fields, strict=True)
    lines = texts(values)
    if len(lines) != len(names) + 1:
        raise RefusedError(refusals.MALFORMED)
    headers = dict(zip(map(_lower_case, names), lines, strict=False))
    return headers if len(headers) == len(fields) else _join_repeated(names, lines)


def texts(values: Collection[bytes]) -> list[str]:
    """The values as text without white space around them, and one empty text; more if one has a line break."""
    # All in one step, each with an end of line, which llhttp lets none of them contain.
    text = b"\n".join(values) + b"\n"
    if b" \n" in text or b"\t\n" in text:  # llhttp has removed the white space before a value only
        text = b"\n".join([value.rstrip(b" \t") for value in values]) + b"\n"
    return text.decode("latin-1").split("\n")


def _join_repeated(names: tuple[bytes, ...], lines: list[str]) -> dict[str, str]:
    values: dict[str, list[str]] = {}
    for name, line in zip(names, lines, strict=False):
        values.setdefault(_lower_case(name), []).append(line)
    for once in _ONCE.intersection(values):
        if len(values[once]) > 1:
            raise RefusedError(refusals.NO_HOST if once == "host" else refusals.REPEATED_HEADER)
    return {name: ",".join(several) for name, several in values.items()}


def check_host(host: str | None, version: str) -> None:
    """Nothing; an HTTP/1.1 request has a Host, and whoever sends one sends a valid one (RFC 9112 section 3.2).

    Raises:
        RefusedError: it is missing or not a host.
    """
    if version == "1.1" if host is None else not _HOST.fullmatch(host):
        raise RefusedError(refusals.NO_HOST)


def check_coding(coding: str, version: str) -> None:
    """Nothing; `coding` is chunked alone (RFC 9112 section 6.1).

    Raises:
        RefusedError: it is not (another coding hides where the body ends), or the request is
            HTTP/1.0, whose other readers know no codings.
    """
    if version != "1.1":
        raise RefusedError(refusals.BAD_FRAMING)
    if coding.lower() != "chunked":
        raise RefusedError(refusals.BAD_CODING)


def awaits_continue(expectation: str, version: str) -> bool:
    """Whether the client waits for an interim answer; HTTP/1.0 never does (RFC 9110 section 10.1.1).

    Raises:
        RefusedError: something else is expected.
    """
    if expectation.lower() != "100-continue":
        raise RefusedError(refusals.BAD_EXPECTATION)
    return version == "1.1"


def origin_form(target: str, host: str) -> str:
    """The path and query of an absolute-form `target`.

    RFC 9112 section 3.2.2 has servers accept that form; here only when it names the host that the
    Host header names, because a signature covers the header.

    Raises:
        RefusedError: it names another host, has a fragment, or is in another form.
    """
    absolute = _ABSOLUTE.fullmatch(target)
    if target.startswith("/"):
        path = target
    elif absolute is not None and absolute[1].lower() == host.lower():
        path = absolute[2] if absolute[2].startswith("/") else "/" + absolute[2]
    else:
        raise RefusedError(refusals.BAD_TARGET)
    if "#" in path:
        raise RefusedError(refusals.BAD_TARGET)
    return path
