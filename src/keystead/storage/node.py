"""A node of the store's tree: sorted keys with a value each.

    packed = kind (1 byte) ‖ 0 ‖ count (2) ‖ prefix length (4) ‖ ends (4 each) ‖ prefix ‖ key ‖ value ‖ key ‖ value ‖ …

Integers are little-endian. The prefix that all keys share stands once, and what is left of each key is followed by its value.
`ends` says where the first key begins (0) and where each key and each value ends, counted from the first key.

Leaves are kept as they were opened: of one that is read for a single place, taking sixty-four entries apart
would be most of the work, and would take three times the memory. Branches are asked all the time, and kept as lists.
"""

from __future__ import annotations

import struct
import sys
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import accumulate, chain, pairwise
from typing import NamedTuple

import msgspec

_LEAF, _BRANCH = 1, 2
_HEAD = struct.Struct("<BxHI")
_END_BYTES = 4
_FOREIGN = sys.byteorder == "big"

# Stores of schema version 1 have nodes in MessagePack, and keep them until each is written again.
_MESSAGE_PACK = 0x93
_LONGEST_DIGEST = 16  # a reference is longer
_decode = msgspec.msgpack.Decoder(tuple[bytes, list[bytes], list[bytes]]).decode


class Run(NamedTuple):
    """Some entries of a node that follow each other, and the key after them (None: they are its last)."""

    keys: list[bytes]
    values: list[bytes]
    following: bytes | None


class Node:
    """Sorted keys with a value each.

    In a leaf: places, and the digest of the value stored there. In a branch: the lowest place under each
    child, and the child's reference. The lists are shared and never changed.
    """

    __slots__ = ("keys", "values")

    def __init__(self, keys: list[bytes], values: list[bytes]) -> None:
        self.keys = keys
        self.values = values

    def lists(self) -> Node:
        """The node itself: it consists of them."""
        return self

    def at(self, key: bytes) -> bytes | None:
        """The value of exactly this key, or None."""
        index = bisect_left(self.keys, key)
        return self.values[index] if index < len(self.keys) and self.keys[index] == key else None

    def run(self, start: bytes, most: int | None) -> Run:
        """The entries from `start` on, at most so many."""
        first = bisect_left(self.keys, start)
        end = len(self.keys) if most is None else min(first + most, len(self.keys))
        following = self.keys[end] if end < len(self.keys) else None
        return Run(self.keys[first:end], self.values[first:end], following)

    def packed(self, *, leaf: bool) -> bytes:
        """The node as bytes."""
        keys, values = self.keys, self.values
        skip = shared(keys[0], keys[-1]) if keys else 0
        rest = [key[skip:] for key in keys]
        lengths = map(len, chain.from_iterable(zip(rest, values, strict=True)))
        ends = _stored(array("I", accumulate(lengths, initial=0)))
        head = _HEAD.pack(_LEAF if leaf else _BRANCH, len(keys), skip)
        prefix = keys[0][:skip] if keys else b""
        return b"".join((head, ends, prefix, *chain.from_iterable(zip(rest, values, strict=True))))


class Leaf:
    """A leaf that is read from its bytes."""

    __slots__ = ("_packed",)

    def __init__(self, packed: bytes) -> None:
        self._packed = packed

    def lists(self) -> Node:
        """Its keys and values, made anew each time."""
        return unpacked(self._packed)

    def at(self, key: bytes) -> bytes | None:
        """The value of exactly this key, or None."""
        packed = self._packed
        if packed[0] == _MESSAGE_PACK:
            return unpacked(packed).at(key)
        _, count, skip = _HEAD.unpack_from(packed)
        ends, start = _ends(packed, count)
        first = start + skip
        if packed[start:first] != key[:skip]:
            return None
        rest = key[skip:]
        found = packed.find(rest, first) - first
        if found < 0:
            return None
        # The first place where it stands is nearly always the key itself. Where it is not, whoever chose the keys could
        # have let it stand at thousands of places, so they are not looked at one after the other.
        index = bisect_right(ends, found) - 1 if rest else 0
        if index % 2 or index >= 2 * count or ends[index] != found or ends[index + 1] != found + len(rest):
            index = 2 * bisect_left(
                range(count), rest, key=lambda at: packed[first + ends[2 * at] : first + ends[2 * at + 1]]
            )
            if index == 2 * count or packed[first + ends[index] : first + ends[index + 1]] != rest:
                return None
        return packed[first + ends[index + 1] : first + ends[index + 2]]

    def run(self, start: bytes, most: int | None) -> Run:
        """The entries from `start` on, at most so many; no others are taken apart."""
        packed = self._packed
        if packed[0] == _MESSAGE_PACK:
            return unpacked(packed).run(start, most)
        _, count, skip = _HEAD.unpack_from(packed)
        ends, at = _ends(packed, count)
        first = at + skip
        prefix = packed[at:first]
        index = bisect_left(
            range(count),
            start,
            key=lambda at: prefix + packed[first + ends[2 * at] : first + ends[2 * at + 1]],
        )
        end = count if most is None else min(index + most, count)
        bounds = [first + bound for bound in ends[2 * index : 2 * end + 2]]
        parts = [packed[begin:stop] for begin, stop in pairwise(bounds)]
        keys = [prefix + rest for rest in parts[::2]]
        return Run(keys[: end - index], parts[1::2], keys[-1] if end < count else None)


def read(packed: bytes) -> Node | Leaf:
    """The node that was packed."""
    if packed[0] == _LEAF:
        return Leaf(packed)
    node = unpacked(packed)
    branch = packed[0] == _BRANCH or max(map(len, node.values), default=0) > _LONGEST_DIGEST
    return node if branch else Leaf(packed)


def unpacked(packed: bytes) -> Node:
    """The node that was packed, as lists."""
    if packed[0] == _MESSAGE_PACK:
        prefix, rest, values = _decode(packed)
        return Node([prefix + key for key in rest], values)
    _, count, skip = _HEAD.unpack_from(packed)
    ends, start = _ends(packed, count)
    prefix, first = packed[start : start + skip], start + skip
    bounds = [first + end for end in ends]
    parts = [packed[begin:end] for begin, end in pairwise(bounds)]
    return Node([prefix + key for key in parts[::2]], parts[1::2])


def shared(one: bytes, other: bytes) -> int:
    """How many bytes both begin with."""
    for index, (mine, theirs) in enumerate(zip(one, other, strict=False)):
        if mine != theirs:
            return index
    return min(len(one), len(other))


def _ends(packed: bytes, count: int) -> tuple[Sequence[int], int]:
    """Where keys and values end, and where the prefix begins."""
    start = _HEAD.size + _END_BYTES * (2 * count + 1)
    if _FOREIGN:
        return struct.unpack_from(f"<{2 * count + 1}I", packed, _HEAD.size), start
    return memoryview(packed)[_HEAD.size : start].cast("I"), start


def _stored(ends: array[int]) -> bytes:
    if _FOREIGN:
        ends.byteswap()
    return ends.tobytes()
