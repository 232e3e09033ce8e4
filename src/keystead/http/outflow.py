"""The body of an answer that is made while it is sent, and how much of it is missing."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Sequence

from keystead.wire.http import Buffer, Source, Take


class Outflow:
    """`length` bytes from `source` to `transport`; all on the loop's thread but `offer`.

    Attributes:
        left: bytes that are missing.
    """

    __slots__ = ("_descriptor", "_direct", "_gone", "_lock", "_source", "_transport", "left")

    def __init__(self, source: Source, length: int, transport: asyncio.Transport) -> None:
        self.left = length
        self._source = source
        self._transport = transport
        # What TLS encrypts only the transport can send.
        plain = transport.get_extra_info("sslcontext") is None and transport.get_extra_info("socket")
        self._descriptor = plain.fileno() if plain else -1
        self._gone = 0  # how much the system has taken of the piece that was offered and not taken whole
        self._lock = threading.Lock()  # guards the descriptor against its end while something is sent
        self._direct = False  # whether `offer` may send

    def pull(self, take: Take) -> None:
        """None; pieces are sent as they are made, until `take` gets one that is not sent as a whole, or the last."""
        self._direct = self._is_idle()
        self._source.pull(take, self.offer)

    def offer(self, piece: Sequence[Buffer] | None) -> bool:
        """Whether the piece is sent and others are missing; if not, it is to be given to `send`.

        So the thread that has made a piece sends it: without a turn of the loop, and from its own core's cache.

        Concurrency: any thread, one at a time, between `pull` and what its `take` gets.
        """
        size = _size(piece)
        with self._lock:
            if not piece or not self._direct or not 0 < size <= self.left:
                return False
            self._gone = self._write(piece)
        if self._gone < size or size == self.left:
            return False
        self.left -= size
        self._gone = 0
        return True

    def send(self, piece: Sequence[Buffer] | None) -> bool:
        """Whether the piece is one that was promised; if so it is on its way."""
        size = _size(piece)
        if not piece or not 0 < size <= self.left:
            return False
        self.left -= size
        sent, self._gone = self._gone, 0
        if not sent and self._is_idle():
            sent = self._write(piece)
        if sent < size:
            self._transport.writelines(_behind(piece, sent))
        return True

    def _is_idle(self) -> bool:
        """Whether nothing waits in the transport, nor must go through it, so that others may send in its place."""
        transport = self._transport
        return self._descriptor >= 0 and not transport.is_closing() and not transport.get_write_buffer_size()

    def _write(self, piece: Sequence[Buffer]) -> int:
        """How much of the piece the system has taken.

        A transport sends while it holds the interpreter's lock, which the threads that make the next piece wait for.
        """
        try:
            return os.writev(self._descriptor, piece)
        except OSError:  # it has no room, or the connection is broken, which the transport will find too
            return 0

    def close(self) -> None:
        """None; nothing more is made or sent: what the descriptor means next is not this connection."""
        with self._lock:
            self._direct = False
        self._source.close()


def _size(piece: Sequence[Buffer] | None) -> int:
    return sum(map(len, piece or ()))


def _behind(piece: Sequence[Buffer], sent: int) -> list[Buffer]:
    """The parts of the piece behind its first `sent` bytes."""
    left: list[Buffer] = []
    for part in piece:
        if sent < len(part):
            left.append(memoryview(part)[sent:])
        sent = max(0, sent - len(part))
    return left
