"""Requests like one before them on their connection: what a client sends differs in a few values only.

Nothing is judged here. The reader has judged one request; of the next, whatever that judgement looked at has
to be the same bytes, and then the parser calls none of our functions on its way. What is unlike in anything is
left to the reader, which finds what it would have found without this.
"""

from __future__ import annotations

import operator
from typing import Final

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from keystead.http import head
from keystead.http.limits import SLICE, Limits
from keystead.wire.http import Request

_JUDGED: Final = ("connection", "host", "proxy-connection")
"""Headers whose values decide something beside the length of the body."""
_SPECIAL: Final = frozenset({"expect", "transfer-encoding", "upgrade"})
"""Headers that make a request one of a kind."""
_LINE_END: Final = b"\r\n"
_HEAD_END: Final = b"\r\n\r\n"


class Likeness:
    """What requests have alike with `request`, which was all of `data`; made by `likeness_of`.

    Attributes:
        closing_line: the header line that tells the client what becomes of the connection.
    """

    __slots__ = (
        "_bodies",
        "_certificate",
        "_fields",
        "_judged",
        "_judgement",
        "_line",
        "_method",
        "_most",
        "_names",
        "_parser",
        "_peer",
        "_secure",
        "_spelled",
        "_target",
        "_tls",
        "closing_line",
        "on_body",
        "on_header",
    )

    def __init__(self, limits: Limits, data: bytes, request: Request, closing_line: str) -> None:
        self.closing_line = closing_line
        self._fields: dict[bytes, bytes] = {}
        self._bodies: list[bytes] = []
        # All that the parser calls. A name that is repeated leaves no trace in `fields`, so `read` counts the lines.
        self.on_header, self.on_body = self._fields.__setitem__, self._bodies.append
        self._parser = HttpRequestParser(self)
        self._parser.feed_data(data)
        self._spelled = tuple(self._fields)
        self._names = tuple(request.headers)
        spelled = dict(zip(self._names, self._spelled, strict=False))
        self._judged = operator.itemgetter(*[spelled[name] for name in _JUDGED if name in spelled])
        self._judgement = self._judged(self._fields)
        self._line = data[: data.index(_LINE_END) + len(_LINE_END)]
        # Within every limit on a part: the head's counts four bytes beside name and value, and a line may have three.
        self._most = min(SLICE, limits.max_header_bytes - len(self._names), limits.max_body)
        self._method, self._target = request.method, request.target
        self._peer, self._secure = request.peer, request.secure
        self._certificate, self._tls = request.certificate, request.tls
        self._fields.clear()
        self._bodies.clear()

    def read(self, data: bytes) -> Request | None:
        """The request that is all of `data`; None if it is not alike, and then this reads nothing any more."""
        fields = self._fields
        if len(data) > self._most or not data.startswith(self._line):
            return None
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade):
            return None
        end = data.find(_HEAD_END)
        if (
            tuple(fields) != self._spelled
            or data.count(_LINE_END, 0, end) != len(fields)  # no name twice
            or self._judged(fields) != self._judgement
        ):
            return None
        headers = dict(zip(self._names, head.texts(fields.values()), strict=False))
        # The parser's own first body: where it is all that follows the first head, it is that head's, whose length is told
        # right, and no other head has left its values in `fields`.
        body = self._bodies.pop(0) if self._bodies else b""
        length = len(body)
        if len(data) != end + len(_HEAD_END) + length or headers["content-length"] != str(length):
            return None
        fields.clear()  # what a client sent is not kept while it is silent
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
    if "content-length" not in names or not _SPECIAL.isdisjoint(names):
        return None
    likeness = Likeness(limits, data, request, closing_line)
    return likeness if likeness.read(data) == request else None
