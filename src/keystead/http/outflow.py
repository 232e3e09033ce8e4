"""The body of an answer that is made while it is sent: how much of it is missing, and whose memory is free again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from keystead.wire.http import Buffer, Source


class Outflow:
    """`length` bytes from `source` to `transport`; all on the loop's thread.

    Attributes:
        left: bytes that are missing.
    """

    __slots__ = ("_sent", "_source", "_transport", "left")

    def __init__(self, source: Source, length: int, transport: asyncio.Transport) -> None:
        self.left = length
        self._source = source
        self._transport = transport
        self._sent: Sequence[Buffer] = ()

    def pull(self, take: Callable[[Sequence[Buffer] | None], None]) -> None:
        """None; `take` gets the next piece."""
        # A transport that still holds bytes reads them from where they were made; what it has not sent is not given back.
        if self._sent and not self._transport.get_write_buffer_size():
            self._source.give_back(self._sent)
        self._sent = ()
        self._source.pull(take)

    def send(self, piece: Sequence[Buffer] | None) -> bool:
        """Whether the piece is one that was promised; if so it is on its way."""
        size = sum(map(len, piece or ()))
        if not piece or not 0 < size <= self.left:
            return False
        self.left -= size
        self._sent = piece
        self._transport.writelines(piece)
        return True

    def close(self) -> None:
        """None; nothing more is made."""
        self._sent = ()
        self._source.close()
