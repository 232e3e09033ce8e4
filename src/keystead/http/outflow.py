"""The body of an answer that is made while it is sent, and how much of it is missing."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence

from keystead.wire.http import Buffer, Source


class Outflow:
    """`length` bytes from `source` to `transport`; all on the loop's thread.

    Attributes:
        left: bytes that are missing.
    """

    __slots__ = ("_descriptor", "_source", "_transport", "left")

    def __init__(self, source: Source, length: int, transport: asyncio.Transport) -> None:
        self.left = length
        self._source = source
        self._transport = transport
        # What TLS encrypts only the transport can send.
        plain = transport.get_extra_info("sslcontext") is None and transport.get_extra_info("socket")
        self._descriptor = plain.fileno() if plain else -1

    def pull(self, take: Callable[[Sequence[Buffer] | None], None]) -> None:
        """None; `take` gets the next piece."""
        self._source.pull(take)

    def send(self, piece: Sequence[Buffer] | None) -> bool:
        """Whether the piece is one that was promised; if so it is on its way."""
        size = sum(map(len, piece or ()))
        if not piece or not 0 < size <= self.left:
            return False
        self.left -= size
        sent = self._send_now(piece)
        if sent < size:
            self._transport.writelines(_behind(piece, sent))
        return True

    def _send_now(self, piece: Sequence[Buffer]) -> int:
        """How much of the piece the system has taken.

        A transport sends while it holds the interpreter's lock, which the threads that make the next piece wait for.
        """
        if self._descriptor < 0 or self._transport.is_closing() or self._transport.get_write_buffer_size():
            return 0
        try:
            return os.writev(self._descriptor, piece)
        except OSError:  # it has no room, or the connection is broken, which the transport will find too
            return 0

    def close(self) -> None:
        """None; nothing more is made."""
        self._source.close()


def _behind(piece: Sequence[Buffer], sent: int) -> list[Buffer]:
    """The parts of the piece behind its first `sent` bytes."""
    left: list[Buffer] = []
    for part in piece:
        if sent < len(part):
            left.append(memoryview(part)[sent:])
        sent = max(0, sent - len(part))
    return left
