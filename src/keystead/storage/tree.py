"""A Merkle B+ tree over the places of all records: what makes an untrusted database answer truthfully.

    head ── root node ── … ── leaf: place → digest of the value that is stored there

A node is sealed like any value and named in its parent by number and digest, up to the head of the
store, so a node can be neither changed nor replaced by an older one. A leaf lists *every* place of its
range in order, so it also shows what is missing from a range and what does not belong there: an
answer cannot be shortened. Index entries live in leaves only (their digest is empty); the database
holds no row for them.

Nodes are written in place (the number stays, the digest changes). A reader that follows an old root
may meet a newer node; it fails as if the node were tampered with, and `Store` tells the two apart.
Nodes split above `MOST` entries and are merged with a neighbour below `FEWEST`.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby, pairwise
from typing import NamedTuple

import msgspec

from keystead.errors import StorageTampered
from keystead.storage.backend import digest
from keystead.storage.barrier import Barrier, describe
from keystead.storage.cache import Recent

MOST = 64
FEWEST = 16
NUMBER_BYTES = 8
INDEX_ENTRY = b""  # what a leaf says of an index entry: that it is there


class Node(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Sorted keys with a value each.

    In a leaf: places, and the digest of the value stored there. In a branch: the lowest place under each
    child, and the child's reference (number ‖ digest). The lists are shared and never changed.
    """

    keys: list[bytes]
    values: list[bytes]


class Root(NamedTuple):
    """Where reading starts: the reference of the top node and how many branches are above a leaf."""

    reference: bytes
    height: int


class Chunk(NamedTuple):
    """A run of entries of one leaf, complete up to (not including) `end`; None is the end of the tree."""

    keys: list[bytes]
    values: list[bytes]
    end: bytes | None


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Node).decode


def node_place(number: bytes) -> bytes:
    """Where the node with this 8-byte number is stored."""
    return b"n" + number


class Nodes:
    """Reads nodes: verified against their parent, opened, and kept by digest (so never out of date)."""

    def __init__(self, read: Callable[[bytes], bytes | None], most: int) -> None:
        self._read = read
        self._known: Recent[bytes, Node] = Recent(most)

    def load(self, reference: bytes, barrier: Barrier) -> Node:
        """The node that `reference` names.

        Raises:
            StorageTampered: the stored node is not the one named.
        """
        node = self._known.get(reference)
        if node is not None:
            return node
        place = node_place(reference[:NUMBER_BYTES])
        sealed = self._read(place)
        if sealed is None or digest(sealed) != reference[NUMBER_BYTES:]:
            raise StorageTampered(f"{describe(place)}: not what Keystead wrote there")
        node = _decode(barrier.open(place, sealed))
        self._known.put(reference, node)
        return node

    def keep(self, fresh: Iterable[tuple[bytes, Node]]) -> None:
        """None; nodes that were just written need not be read."""
        for reference, node in fresh:
            self._known.put(reference, node)

    def find(self, root: Root, place: bytes, barrier: Barrier) -> bytes | None:
        """The digest that the tree has for `place`, or None.

        Raises:
            StorageTampered: a node on the way is not the one its parent names.
        """
        node = self.load(root.reference, barrier)
        for _ in range(root.height):
            node = self.load(node.values[bisect_right(node.keys, place) - 1], barrier)
        index = bisect_left(node.keys, place)
        if index < len(node.keys) and node.keys[index] == place:
            return node.values[index]
        return None

    def chunk(self, root: Root, start: bytes, barrier: Barrier) -> Chunk:
        """What the leaf around `start` has from there on.

        Raises:
            StorageTampered: a node on the way is not the one its parent names.
        """
        node = self.load(root.reference, barrier)
        end: bytes | None = None
        for _ in range(root.height):
            index = bisect_right(node.keys, start)
            end = node.keys[index] if index < len(node.keys) else end
            node = self.load(node.values[index - 1], barrier)
        first = bisect_left(node.keys, start)
        return Chunk(node.keys[first:], node.values[first:], end)

    def references(self, root: Root, barrier: Barrier) -> Iterable[bytes]:
        """The references of all nodes, parents first.

        Raises:
            StorageTampered: a node is not the one its parent names.
        """
        pending = [(root.reference, root.height)]
        while pending:
            reference, height = pending.pop()
            yield reference
            node = self.load(reference, barrier)
            if height:
                pending.extend((child, height - 1) for child in node.values)


class _Item(NamedTuple):
    """A child while its parent is edited: untouched (`node` None) or with new content, not yet sealed."""

    low: bytes
    reference: bytes  # of a touched child only the number counts
    node: Node | None


Change = tuple[bytes, bytes | None]


class Edit:
    """One commit's changes to the tree: gathers sealed nodes in `writes`, decoded ones in `fresh`."""

    def __init__(self, nodes: Nodes, barrier: Barrier, next_number: int) -> None:
        self._nodes = nodes
        self._barrier = barrier
        self.next_number = next_number
        self.writes: dict[bytes, bytes | None] = {}
        self.fresh: dict[bytes, Node] = {}

    def apply(self, root: Root, changes: Sequence[Change]) -> Root:
        """The root of the tree after `changes` (sorted by place; None deletes), its nodes in `writes`.

        Raises:
            StorageTampered: a node on the way is not the one its parent names.
        """
        reference, height = root
        items = self._edited(_Item(b"", reference, None), height, changes)
        while len(items) > 1:
            items = self._pieces(b"", self._new_number(), *self._sealed(items))
            height += 1
        if not items:
            return self.create()
        (item,) = items
        node, reference = self._node(item), self._seal(item)
        while height and len(node.values) == 1:
            self._drop(reference)
            reference = node.values[0]
            node = self._node(_Item(b"", reference, None))
            height -= 1
        return Root(reference, height)

    def create(self) -> Root:
        """The root of a tree without entries, its node in `writes`."""
        return Root(self._seal(_Item(b"", self._new_number(), Node([], []))), 0)

    def _edited(self, item: _Item, height: int, changes: Sequence[Change]) -> list[_Item]:
        """What takes the node's place: one item, several after a split, none if nothing is left."""
        node = self._node(item)
        if not height:
            return self._pieces(item.low, item.reference, *_merged(node, changes))
        items = [_Item(low, child, None) for low, child in zip(node.keys, node.values, strict=True)]
        shift = 0
        for index, group in groupby(changes, lambda change: bisect_right(node.keys, change[0]) - 1):
            replaced = self._edited(items[index + shift], height - 1, list(group))
            items[index + shift : index + shift + 1] = replaced
            shift += len(replaced) - 1
        self._balance(items)
        if not items:
            return self._pieces(item.low, item.reference, [], [])
        items[0] = items[0]._replace(low=item.low)
        return self._pieces(item.low, item.reference, *self._sealed(items))

    def _balance(self, items: list[_Item]) -> None:
        """None; no touched item has fewer than FEWEST entries unless it is alone."""
        index = 0
        while index < len(items):
            node = items[index].node
            if node is None or len(node.keys) >= FEWEST or len(items) == 1:
                index += 1
                continue
            index = max(index - 1, 0)  # its left neighbour; the first one takes the right
            left, right = items[index], items[index + 1]
            one, other = self._node(left), self._node(right)
            self._drop(right.reference)
            items[index : index + 2] = self._pieces(
                left.low, left.reference, [*one.keys, *other.keys], [*one.values, *other.values]
            )

    def _pieces(self, low: bytes, reference: bytes, keys: list[bytes], values: list[bytes]) -> list[_Item]:
        """The entries in as many even nodes as they need; the first one keeps the number."""
        if not keys:
            self._drop(reference)
            return []
        count = -(-len(keys) // MOST)
        bounds = [len(keys) * piece // count for piece in range(count + 1)]
        return [
            _Item(
                keys[begin] if begin else low,
                self._new_number() if begin else reference,
                Node(keys[begin:end], values[begin:end]),
            )
            for begin, end in pairwise(bounds)
        ]

    def _sealed(self, items: list[_Item]) -> tuple[list[bytes], list[bytes]]:
        return [item.low for item in items], [self._seal(item) for item in items]

    def _seal(self, item: _Item) -> bytes:
        """The reference of the item, whose node is written if it was touched."""
        if item.node is None:
            return item.reference
        number = item.reference[:NUMBER_BYTES]
        place = node_place(number)
        sealed = self._barrier.seal(place, _encode(item.node))
        self.writes[place] = sealed
        reference = number + digest(sealed)
        self.fresh[reference] = item.node
        return reference

    def _node(self, item: _Item) -> Node:
        if item.node is not None:
            return item.node
        fresh = self.fresh.get(item.reference)
        return fresh if fresh is not None else self._nodes.load(item.reference, self._barrier)

    def _drop(self, reference: bytes) -> None:
        self.writes[node_place(reference[:NUMBER_BYTES])] = None

    def _new_number(self) -> bytes:
        number = self.next_number.to_bytes(NUMBER_BYTES, "big")
        self.next_number += 1
        return number


def _merged(leaf: Node, changes: Sequence[Change]) -> tuple[list[bytes], list[bytes]]:
    keys, values = list(leaf.keys), list(leaf.values)
    for place, value in changes:
        index = bisect_left(keys, place)
        there = index < len(keys) and keys[index] == place
        if value is None:
            if there:
                del keys[index], values[index]
        elif there:
            values[index] = value
        else:
            keys.insert(index, place)
            values.insert(index, value)
    return keys, values
