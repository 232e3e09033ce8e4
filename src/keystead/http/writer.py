"""Answers to bytes: the status line, the headers the door owns, and a check against response splitting."""

from __future__ import annotations

from email.utils import formatdate
from http import HTTPStatus
from typing import Final

from keystead.clock import Clock
from keystead.wire.http import Response

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"

_STATUS_LINES: Final = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}
_FIRST_FINAL: Final = 200  # below: interim answers, which are the door's business
_DOORS_OWN: Final = frozenset({"connection", "content-length", "date", "transfer-encoding"})
_BODILESS: Final = frozenset({204, 304})
_OWN_LINES: Final = 4  # status, Date, Content-Length, empty line


class Writer:
    """Writes answers; keeps the Date of the current second.

    The date is the given clock's: AWS SDKs correct a skewed clock by it before they sign again.
    """

    __slots__ = ("_clock", "_date", "_second")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._second = -1
        self._date = ""

    def encode(self, response: Response, connection: str, *, head: bool = False) -> bytes:
        """The bytes of `response`; `connection` is empty or one whole header line.

        `head`: the request was HEAD, so the body stays away and its length is told (RFC 9110
        section 9.3.2); an answer without body may then state the length itself.

        Raises:
            ValueError: a header would end its line or is not Latin-1, or the status is not a final one.
        """
        if response.status < _FIRST_FINAL:
            raise ValueError("not a final status")
        body = response.body
        lines = _STATUS_LINES.get(response.status) or f"HTTP/1.1 {response.status} \r\n"
        count = _OWN_LINES + bool(connection)
        length = f"Content-Length: {len(body) if response.source is None else response.length}\r\n"
        for name, value in response.headers:
            if name.lower() not in _DOORS_OWN:
                lines += f"{name}: {value}\r\n"
                count += 1
            elif head and not body and name.lower() == "content-length":
                length = f"Content-Length: {int(value)}\r\n"
        if response.status in _BODILESS:
            body, length, count = b"", "", count - 1  # RFC 9110 section 8.6
        lines += f"{self._date_line()}{length}{connection}\r\n"
        if lines.count("\n") != count or lines.count("\r") != count or "\0" in lines:
            raise ValueError("a header of the answer holds a line break")
        if head:
            body = b""
        return lines.encode("latin-1") + body

    def _date_line(self) -> str:
        second = int(self._clock.now())
        if second != self._second:
            self._date = f"Date: {formatdate(second, usegmt=True)}\r\n"  # RFC 9110 section 5.6.7
            self._second = second
        return self._date
