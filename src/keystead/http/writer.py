"""Answers to bytes: the status line, the headers the door owns, and a check against response splitting."""

from __future__ import annotations

from collections.abc import Sequence
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import Final

from keystead.clock import Clock
from keystead.wire.http import Response

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"

_STATUS_LINES: Final = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}
_FIRST_FINAL: Final = 200  # below: interim answers, which are the door's business
_DOORS_OWN: Final = frozenset({"connection", "content-length", "date", "transfer-encoding"})
_BODILESS: Final = frozenset({204, 304})
_FEW: Final = 4
"""Headers that the answers of most APIs have at most: a request id, and what all of them have alike."""
_MEMOISED: Final = 256  # forms of answers


class Writer:
    """Writes answers; keeps the Date of the current second, and what answers have alike that were written in it.

    The date is the given clock's: AWS SDKs correct a skewed clock by it before they sign again.
    """

    __slots__ = ("_clock", "_date", "_forms", "_second")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._second = -1
        self._date = ""
        self._forms: dict[tuple[object, ...], tuple[str, str]] = {}

    def encode(self, response: Response, connection: str, *, head: bool = False) -> bytes:
        """The bytes of `response`; `connection` is empty or one whole header line.

        `head`: the request was HEAD, so the body stays away and its length is told (RFC 9110
        section 9.3.2); an answer without body may then state the length itself.

        Raises:
            ValueError: a header would end its line or is not Latin-1, or the status is not a final one.
        """
        second = int(self._clock.now())
        if second != self._second:
            self._begin(second)
        headers, body = response.headers, response.body
        if head or response.source is not None or not headers:
            return self._encode(response, connection, head=head)
        name, value = headers[0]
        form = self._forms.get((response.status, name, headers[1:])) or self._form(response)
        if form is None or not value.isprintable():
            return self._encode(response, connection, head=head)
        before, after = form
        lines = f"{before}{value}{after}{len(body)}\r\n{connection}\r\n"
        return lines.encode("latin-1") + body

    def _form(self, response: Response) -> tuple[str, str] | None:
        """What stands around the value of the first header, and from there up to the length of the body."""
        (name, _), others = response.headers[0], response.headers[1:]
        around = _around(response.status, name, others) if len(others) < _FEW else None
        if around is None:
            return None
        if len(self._forms) >= _MEMOISED:
            self._forms.clear()
        form = around[0], f"{around[1]}{self._date}Content-Length: "
        self._forms[response.status, name, others] = form
        return form

    def _encode(self, response: Response, connection: str, *, head: bool) -> bytes:
        """The same of any answer."""
        body = response.body
        lines = _status_line(response.status) + _lines(response.headers)
        length = f"Content-Length: {len(body) if response.source is None else response.length}\r\n"
        if head and not body:
            for name, value in response.headers:
                if name.lower() == "content-length":
                    length = f"Content-Length: {int(value)}\r\n"
        if response.status in _BODILESS:
            body, length = b"", ""  # RFC 9110 section 8.6
        lines += f"{self._date}{length}{connection}\r\n"
        return lines.encode("latin-1") + (b"" if head else body)

    def _begin(self, second: int) -> None:
        self._date = f"Date: {formatdate(second, usegmt=True)}\r\n"  # RFC 9110 section 5.6.7
        self._second = second
        self._forms.clear()


def _status_line(status: int) -> str:
    if status < _FIRST_FINAL:
        raise ValueError("not a final status")
    return _STATUS_LINES.get(status) or f"HTTP/1.1 {status} \r\n"


def _lines(headers: Sequence[tuple[str, str]]) -> str:
    """A line for each header but the door's own."""
    own = [f"{name}: {value}\r\n" for name, value in headers if name.lower() not in _DOORS_OWN]
    lines, count = "".join(own), len(own)
    if lines.count("\n") != count or lines.count("\r") != count or "\0" in lines:
        raise ValueError("a header of the answer holds a line break")
    return lines


@lru_cache(_MEMOISED)
def _around(status: int, name: str, others: tuple[tuple[str, str], ...]) -> tuple[str, str] | None:
    """What stands before and after the value of an answer's first header; None where there is more to look at.

    That value is new in each answer (its request id), the rest is what many have alike.
    """
    if status in _BODILESS or not name.isprintable() or name.lower() in _DOORS_OWN:
        return None
    return f"{_status_line(status)}{name}: ", f"\r\n{_lines(others)}"
