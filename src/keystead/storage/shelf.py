"""Opened records, packed: what is in memory of those that nobody has asked for yet.

A shelf has the records of one leaf of the tree, each under its version (the digest of the sealed record, as the leaf
has it), so what it gives is never out of date: a record that was replaced has another version, and is not on it. Records of one
table are much alike, so each stands as what it has that the first one does not. That takes a third of the room,
and bytes are nothing that the garbage collector would have to look at.
"""

from __future__ import annotations

import zlib
from array import array
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from keystead.storage.backend import DIGEST_BYTES

# 4 KiB of window and little memory: a record is short. Raw, since what is proved needs no checksum.
_WINDOW = -12
_MEMORY = 5


class Shelf:
    """Records by their versions."""

    __slots__ = ("_ends", "_first", "_packed", "_versions")

    def __init__(self, records: Sequence[tuple[bytes, bytes]]) -> None:
        """Of each record its version and its encoded value."""
        self._first = records[0][1] if records else b""
        packer = zlib.compressobj(1, zlib.DEFLATED, _WINDOW, _MEMORY, zlib.Z_DEFAULT_STRATEGY, self._first)
        packed = []
        for _, value in records:
            one = packer.copy()
            packed.append(one.compress(value) + one.flush())
        self._versions = b"".join(version for version, _ in records)
        self._ends = array("I", accumulate(map(len, packed), initial=0))
        self._packed = b"".join(packed)

    @property
    def size(self) -> int:
        """The bytes that it takes."""
        return (
            sum(map(len, (self._versions, self._first, self._packed))) + len(self._ends) * self._ends.itemsize
        )

    def value(self, version: bytes) -> bytes | None:
        """The encoded record of this version, or None."""
        at, rest = divmod(self._versions.find(version), DIGEST_BYTES)
        # Digests that together show another one in their middle would be a marvel; that one is read, then.
        if at < 0 or rest:
            return None
        packed = self._packed[self._ends[at] : self._ends[at + 1]]
        return zlib.decompressobj(_WINDOW, self._first).decompress(packed)


class Shelves(NamedTuple):
    """Shelves in the order of their places, and the first place of each."""

    starts: Sequence[bytes] = ()
    shelves: Sequence[Shelf | None] = ()

    def around(self, place: bytes) -> Shelf | None:
        """The shelf that has the record at `place`, if any has it."""
        index = bisect_right(self.starts, place) - 1
        return self.shelves[index] if index >= 0 else None
