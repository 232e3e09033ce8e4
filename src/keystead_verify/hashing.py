"""Merkle trees by RFC 6962, and the checking of proofs by RFC 9162."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Final

WIDTH: Final = 256
EMPTY: Final = sha256().digest()

SubtreeReader = Callable[[int, int], bytes]
"""(level, index) → the hash over the 2**level leaves from index * 2**level on."""


def leaf(entry: bytes) -> bytes:
    """The hash of an entry as a leaf."""
    return sha256(b"\x00" + entry).digest()


def above(left: bytes, right: bytes) -> bytes:
    """The hash of the node above two."""
    return sha256(b"\x01" + left + right).digest()


def pairwise_root(row: Sequence[bytes]) -> bytes:
    """The root over any number of hashes (one at least) as RFC 6962 defines it.

    Pairing neighbours level by level and carrying an odd one up gives the same tree as the RFC's recursion.
    """
    while len(row) > 1:
        odd = row[-1:] if len(row) % 2 else ()
        pairs = iter(row[: len(row) - len(odd)])
        row = [sha256(b"\x01" + left + right).digest() for left, right in zip(pairs, pairs, strict=True)]
        row.extend(odd)
    return row[0]


class Tree:
    """A tree that grows by whole rows of 256 hashes; what is full of a level is handed to `on_tile`."""

    def __init__(self, on_tile: Callable[[int, int, Sequence[bytes]], None]) -> None:
        self._on_tile = on_tile
        self._edges: list[list[bytes]] = []
        self._filled: list[int] = []

    def add(self, hashes: Sequence[bytes], level: int = 0) -> None:
        """None; up to 256 hashes, which do not cross the end of a tile, are in the tree."""
        if level == len(self._edges):
            self._edges.append([])
            self._filled.append(0)
        edge = self._edges[level]
        edge.extend(hashes)
        if len(edge) == WIDTH:
            self._on_tile(level, self._filled[level], edge)
            root = pairwise_root(edge)
            self._edges[level] = []
            self._filled[level] += 1
            self.add((root,), level + 1)

    def finish(self) -> None:
        """None; the partial tiles were handed over too."""
        for level, edge in enumerate(self._edges):
            if edge:
                self._on_tile(level, self._filled[level], edge)

    def root(self, more: Sequence[bytes] = ()) -> bytes:
        """The root, as if `more` leaf hashes (no more than fill the tile) were there too."""
        found: bytes | None = None
        for level, edge in enumerate(self._edges or [[]]):
            row = [*edge, *more] if level == 0 else list(edge)
            if row:
                found = pairwise_root(row) if found is None else _join(row, found)
        return EMPTY if found is None else found


def _join(row: Sequence[bytes], right: bytes) -> bytes:
    """The root over complete subtrees of one size and, to their right, smaller ones with the root `right`."""
    count = len(row)
    while count:
        step = count & -count
        right = above(pairwise_root(row[count - step : count]), right)
        count -= step
    return right


# ------------------------------------------------------------------------------ proofs


def _divide(count: int) -> int:
    """The largest power of two below `count`."""
    return 1 << (count - 1).bit_length() - 1


def _span(start: int, count: int, read: SubtreeReader) -> bytes:
    """MTH of `count` leaves from `start` on."""
    if count & (count - 1) == 0:
        level = count.bit_length() - 1
        return read(level, start >> level)
    left = _divide(count)
    return above(_span(start, left, read), _span(start + left, count - left, read))


def root(size: int, read: SubtreeReader) -> bytes:
    """The root of the tree of `size` leaves."""
    return _span(0, size, read) if size else EMPTY


def inclusion(index: int, size: int, read: SubtreeReader, start: int = 0) -> list[bytes]:
    """RFC 6962 section 2.1.1: PATH(index, D[start : start + size])."""
    if size == 1:
        return []
    left = _divide(size)
    if index < left:
        return [*inclusion(index, left, read, start), _span(start + left, size - left, read)]
    return [*inclusion(index - left, size - left, read, start + left), _span(start, left, read)]


def consistency(
    old: int, size: int, read: SubtreeReader, start: int = 0, *, known: bool = True
) -> list[bytes]:
    """RFC 6962 section 2.1.2: SUBPROOF(old, D[start : start + size], known), for 0 < old <= size."""
    if old == size:
        return [] if known else [_span(start, size, read)]
    left = _divide(size)
    if old <= left:
        return [*consistency(old, left, read, start, known=known), _span(start + left, size - left, read)]
    rest = consistency(old - left, size - left, read, start + left, known=False)
    return [*rest, _span(start, left, read)]


def includes(leaf_hash: bytes, index: int, size: int, proof: Sequence[bytes], expected: bytes) -> bool:
    """Whether the proof leads from the leaf to the expected root (RFC 9162 section 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    node, last, found = index, size - 1, leaf_hash
    for sibling in proof:
        if last == 0:
            return False
        if node % 2 == 1 or node == last:
            found = above(sibling, found)
            while node % 2 == 0 and node != 0:
                node, last = node >> 1, last >> 1
        else:
            found = above(found, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and found == expected


def grew(old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the proof shows that the new tree starts with the old one (RFC 9162 section 2.1.4.2)."""
    if old in {0, new}:
        return not proof and old_root == (new_root if old else EMPTY)
    if not 0 < old < new or not proof:
        return False
    path = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    node, last = old - 1, new - 1
    while node % 2 == 1:
        node, last = node >> 1, last >> 1
    old_found = new_found = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if node % 2 == 1 or node == last:
            old_found, new_found = above(sibling, old_found), above(sibling, new_found)
            while node % 2 == 0 and node != 0:
                node, last = node >> 1, last >> 1
        else:
            new_found = above(new_found, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and old_found == old_root and new_found == new_root
