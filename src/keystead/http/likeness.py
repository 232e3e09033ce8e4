"""Requests like one before them on their connection: what a client sends differs in a few values only.

Nothing is judged here, and nothing parsed. The parser and the reader have judged one request; the next one is taken if it is
the same bytes but for values of headers that decide nothing about the message, and these are of visible ASCII and spaces, which
every reader takes as they are (RFC 9110 section 5.5). Its length is told by the one header that may, and is that of the rest.
What is unlike in anything is left to the reader, which finds what it would have found without this.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import getitem, itemgetter
from typing import Final

from keystead.http.limits import SLICE, Limits
from keystead.wire.http import Request

_JUDGED: Final = ("connection", "host", "proxy-connection")
"""Headers whose values decide something beside the length of the body."""
_SPECIAL: Final = frozenset({"expect", "transfer-encoding", "upgrade"})
"""Headers that make a request one of a kind."""
_LINE_END: Final = "\r\n"
_HEAD_END: Final = b"\r\n\r\n"
_HEAD_END_LENGTH: Final = len(_HEAD_END)
_PLAIN: Final = bytes(range(0x20, 0x7F))
"""What values are of that no two readers take differently."""
_starts = str.startswith
_cut: Final[Callable[[str, slice], str]] = getitem
_strip: Final[Callable[[str], str]] = str.strip


class Likeness:
    """What requests have alike with `request`, which was all of `data`; made by `likeness_of`.

    Attributes:
        closing_line: the header line that tells the client what becomes of the connection.
    """

    __slots__ = (
        "_begins",
        "_behind",
        "_certificate",
        "_ends",
        "_judged",
        "_judgement",
        "_line",
        "_method",
        "_most",
        "_names",
        "_peer",
        "_secure",
        "_start",
        "_target",
        "_tls",
        "closing_line",
    )

    def __init__(self, limits: Limits, data: bytes, request: Request, closing_line: str) -> None:
        self.closing_line = closing_line
        line, *fields = data[: data.index(_HEAD_END)].decode("latin-1").split(_LINE_END)
        self._line = f"{line}{_LINE_END}".encode("latin-1")
        self._start = len(self._line)
        self._names = tuple(request.headers)
        self._begins = [f"{field.partition(':')[0]}: " for field in fields]
        self._behind = [slice(len(begin), None) for begin in self._begins]
        # With so many ends of lines, and none within a value, there are as many lines as names.
        self._ends = _LINE_END.encode() * len(self._names)
        self._judged = itemgetter(*[name for name in _JUDGED if name in request.headers])
        self._judgement = self._judged(request.headers)
        # Within every limit on a part.
        self._most = min(SLICE, limits.max_header_bytes, limits.max_body)
        self._method, self._target = request.method, request.target
        self._peer, self._secure = request.peer, request.secure
        self._certificate, self._tls = request.certificate, request.tls

    def read(self, data: bytes) -> Request | None:
        """The request that is all of `data`; None if it is not alike."""
        if len(data) > self._most or not data.startswith(self._line):
            return None
        end = data.find(_HEAD_END)
        head = data[:end]
        if end < 0 or head.translate(None, _PLAIN) != self._ends:
            return None
        fields = str(head[self._start :], "ascii").split(_LINE_END)
        if not all(map(_starts, fields, self._begins)):
            return None
        # In steps that take all values at once: a loop takes twice as long. White space in them is spaces only.
        headers = dict(zip(self._names, map(_strip, map(_cut, fields, self._behind)), strict=True))
        body = data[end + _HEAD_END_LENGTH :]
        # The length as everybody writes it, of all that is there: nothing of another request.
        if self._judged(headers) != self._judgement or headers["content-length"] != str(len(body)):
            return None
        return Request(
            self._method,
            self._target,
            headers,
            body,
            self._peer,
            self._secure,
            self._certificate,
            self._tls,
        )


def likeness_of(limits: Limits, data: bytes, request: Request, closing_line: str) -> Likeness | None:
    """What others may have alike with `request`, which was all of `data`; None where it is one of a kind.

    `closing_line` tells the client that the connection stays.
    """
    names = request.headers.keys()
    if not {"content-length", "host"} <= names or not _SPECIAL.isdisjoint(names):
        return None
    likeness = Likeness(limits, data, request, closing_line)
    return likeness if likeness.read(data) == request else None
