"""Streams of chunks, cut anew into pieces of a wanted size."""

from __future__ import annotations

from collections.abc import Iterable

from keystead.crypto.frames import Buffer
from keystead.errors import BlobTruncated

_NOTHING = memoryview(b"")


class Cutter:
    """Cuts `chunks` into pieces. A piece within one chunk is a view of it, so chunks must never be changed.

    However small the chunks are, no more than one of them and one piece is in memory.
    """

    def __init__(self, chunks: Iterable[Buffer]) -> None:
        self._chunks = iter(chunks)
        self._rest = _NOTHING

    def take(self, size: int) -> Buffer:
        """The next `size` bytes; fewer only at the end."""
        if len(self._rest) >= size:
            return self._cut(size)
        piece: bytearray | None = None
        for chunk in self._chunks:
            if piece is None:
                if not self._rest and len(chunk) >= size:
                    self._rest = memoryview(chunk)
                    return self._cut(size)
                piece = bytearray(self._rest)
            self._rest = memoryview(chunk)
            piece += self._cut(size - len(piece))
            if len(piece) == size:
                return piece
        if piece is None:
            return self._cut(size)
        return piece

    def exactly(self, size: int) -> Buffer:
        """The next `size` bytes.

        Raises:
            BlobTruncated: There are fewer.
        """
        piece = self.take(size)
        if len(piece) != size:
            raise BlobTruncated("the store gave less than the blob had")
        return piece

    def _cut(self, size: int) -> memoryview:
        piece, self._rest = self._rest[:size], self._rest[size:]
        return piece
