"""Streams of chunks, cut anew into pieces of a wanted size."""

from __future__ import annotations

from collections.abc import Iterable

from keystead.crypto.frames import Buffer
from keystead.errors import BlobTruncated
from keystead.wire.rooms import Rooms

_NOTHING = memoryview(b"")


class Cutter:
    """Cuts `chunks` into pieces. A piece within one chunk is a view of it, so chunks must never be changed.

    However small the chunks are, no more than one of them and one piece is in memory. Pieces of `most` bytes at most can
    be taken.
    """

    def __init__(self, chunks: Iterable[Buffer], most: int) -> None:
        self._chunks = iter(chunks)
        self._rest = _NOTHING
        self._rooms = Rooms(most)

    def take(self, size: int) -> Buffer:
        """The next `size` bytes; fewer only at the end."""
        if len(self._rest) >= size:
            return self._cut(size)
        piece, filled = _NOTHING, 0
        for chunk in self._chunks:
            if not filled:
                if not self._rest and len(chunk) >= size:
                    self._rest = memoryview(chunk)
                    return self._cut(size)
                piece = self._rooms.take(size)
                filled = _put(piece, 0, self._rest)
            self._rest = memoryview(chunk)
            filled = _put(piece, filled, self._cut(size - filled))
            if filled == size:
                return piece
        return piece[:filled] if filled else self._cut(size)

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
        piece, self._rest = self._rest[:size], self._rest[size:] or _NOTHING  # an empty view is one, too
        return piece


def _put(piece: memoryview, at: int, part: memoryview) -> int:
    """Where the piece ends, now that the part is in it."""
    end = at + len(part)
    piece[at:end] = part
    return end
