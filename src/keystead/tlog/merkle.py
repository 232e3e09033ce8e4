"""Merkle tree hashes (RFC 6962 section 2.1, with SHA-256), and what a whole tree can be told from.

A tree of any size is a row of *complete* subtrees, one for each binary digit 1 of its size, the largest on the left.
Whoever knows their hashes (a compact range) knows the root, and can go on appending.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256
from struct import unpack
from typing import Final

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = sha256(b"").digest()
"""The root of a tree without leaves."""

_LEAF: Final = b"\x00"
_NODE: Final = b"\x01"
_PAIR_BYTES: Final = 2 * HASH_BYTES
_PAIR: Final = f"{_PAIR_BYTES}s"

HashReader = Callable[[int, int], bytes]
"""`(level, index)` → the hash over the `2**level` leaves from number `index * 2**level` on."""


def leaf_hash(entry: bytes) -> bytes:
    """The hash of a leaf that holds `entry`."""
    return sha256(_LEAF + entry).digest()


def leaf_hashes(entries: Iterable[bytes]) -> list[bytes]:
    """The same of many."""
    sha, leaf = sha256, _LEAF
    return [sha(leaf + entry).digest() for entry in entries]


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of a node above two others."""
    return sha256(_NODE + left + right).digest()


def complete_root(hashes: Iterable[bytes]) -> bytes:
    """The hash above `hashes`, whose number is a power of two."""
    return row_root(b"".join(hashes))


def row_root(row: bytes) -> bytes:
    """The same of hashes that stand one after the other, as in a tile."""
    sha, node = sha256, _NODE
    while len(row) > HASH_BYTES:
        pairs = unpack(_PAIR * (len(row) // _PAIR_BYTES), row)
        row = b"".join([sha(node + pair).digest() for pair in pairs])
    return row


def join(subtrees: Sequence[bytes]) -> bytes:
    """The root of the tree that is made of these subtrees, the largest first."""
    if not subtrees:
        return EMPTY_ROOT
    *larger, root = subtrees
    for subtree in reversed(larger):
        root = node_hash(subtree, root)
    return root


def subtrees(start: int, end: int) -> Iterator[tuple[int, int]]:
    """(level, index) of the complete subtrees that make up the leaves `start` ≤ n < `end`, from left to right.

    `start` is a multiple of the largest power of two that is below `end - start`, or of `end - start` itself: as
    every range that RFC 6962 hashes starts.
    """
    while start < end:
        level = (end - start).bit_length() - 1
        yield level, start >> level
        start += 1 << level


def range_hash(start: int, end: int, read: HashReader) -> bytes:
    """MTH(D[start:end]) of RFC 6962; see `subtrees` for what ranges there are.

    Raises:
        Whatever `read` raises.
    """
    return join([read(level, index) for level, index in subtrees(start, end)])
