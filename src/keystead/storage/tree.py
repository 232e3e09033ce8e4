"""A Merkle B+ tree over the places of all records: what makes an untrusted database answer truthfully.

    head ── root node ── … ── leaf: place → digest of the value that is stored there

A node is sealed like any value and named in its parent by number and digest, up to the head of the
store, so a node can be neither changed nor replaced by an older one. A leaf lists *every* place of its
range in order, so it also shows what is missing from a range and what does not belong there: an
answer cannot be shortened. Index entries live in leaves only (their digest is empty); the database
holds no row for them.

Nodes are written in place (the number stays, the digest changes). A reader that follows an old root
may meet a newer node; it fails as if the node were tampered with, and `Store` tells the two apart.
Nodes split above `MOST_IN_…` entries and are merged with a neighbour below `FEWEST`.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby, pairwise
from typing import NamedTuple

from keystead.errors import StorageTampered
from keystead.storage.backend import digest
from keystead.storage.barrier import Barrier, describe
from keystead.storage.cache import Recent
from keystead.storage.node import Leaf, Node, read, shared

# A commit writes each leaf it touches and all branches above it. Small leaves keep that cheap, and wide
# branches keep it at two levels of branches up to some 800,000 entries.
MOST_IN_LEAF = 64
MOST_IN_BRANCH = 160
FEWEST = 16
NUMBER_BYTES = 8
INDEX_ENTRY = b""  # what a leaf says of an index entry: that it is there


class Root(NamedTuple):
    """Where reading starts: the reference of the top node and how many branches are above a leaf."""

    reference: bytes
    height: int


class Chunk(NamedTuple):
    """A run of entries of one leaf, complete up to (not including) `end`; None is the end of the tree."""

    keys: list[bytes]
    values: list[bytes]
    end: bytes | None


class Span(NamedTuple):
    """One leaf's reference and the part of a range that it covers, from `start` to `end` (exclusive)."""

    reference: bytes
    start: bytes
    end: bytes


def node_place(number: bytes) -> bytes:
    """Where the node with this 8-byte number is stored."""
    return b"n" + number


class Nodes:
    """Reads nodes: verified against their parent, opened, and kept by digest (so never out of date)."""

    def __init__(self, read: Callable[[bytes], bytes | None], most: int) -> None:
        self._read = read
        self._known: Recent[bytes, Node | Leaf] = Recent(most)

    def load(self, reference: bytes, barrier: Barrier) -> Node | Leaf:
        """The node that `reference` names.

        Raises:
            StorageTampered: the stored node is not the one named.
        """
        node = self._known.get(reference)
        if node is not None:
            return node
        return self.opened(reference, self._read(node_place(reference[:NUMBER_BYTES])), barrier)

    def known(self, reference: bytes) -> Node | Leaf | None:
        """The node that `reference` names if it need not be read."""
        return self._known.get(reference)

    def opened(self, reference: bytes, sealed: bytes | None, barrier: Barrier) -> Node | Leaf:
        """The node that `reference` names, which was found stored as `sealed`.

        Raises:
            StorageTampered: it is not the one named.
        """
        place = node_place(reference[:NUMBER_BYTES])
        if sealed is None or digest(sealed) != reference[NUMBER_BYTES:]:
            raise StorageTampered(f"{describe(place)}: not what Keystead wrote there")
        node = read(barrier.open(place, sealed))
        self._known.put(reference, node)
        return node

    def keep(self, fresh: Iterable[tuple[bytes, Node | Leaf]]) -> None:
        """None; nodes that were just written need not be read."""
        for reference, node in fresh:
            self._known.put(reference, node)

    def find(self, root: Root, place: bytes, barrier: Barrier) -> bytes | None:
        """The digest that the tree has for `place`, or None.

        Raises:
            StorageTampered: a node on the way is not the one its parent names.
        """
        return self.load(self.leaf(root, place, barrier), barrier).at(place)

    def leaf(self, root: Root, place: bytes, barrier: Barrier) -> bytes:
        """The reference of the leaf that shows whether there is something at `place`.

        Raises:
            StorageTampered: a branch on the way is not the one its parent names.
        """
        reference = root.reference
        for _ in range(root.height):
            node = self.load(reference, barrier).lists()
            reference = node.values[bisect_right(node.keys, place) - 1]
        return reference

    def chunk(self, root: Root, start: bytes, barrier: Barrier, most: int | None = None) -> Chunk:
        """What the leaf around `start` has from there on, at most so many entries.

        Raises:
            StorageTampered: a node on the way is not the one its parent names.
        """
        reference, end = root.reference, None
        for _ in range(root.height):
            node = self.load(reference, barrier).lists()
            index = bisect_right(node.keys, start)
            end = node.keys[index] if index < len(node.keys) else end
            reference = node.values[index - 1]
        keys, values, following = self.load(reference, barrier).run(start, most)
        return Chunk(keys, values, end if following is None else following)

    def leaves(self, root: Root, start: bytes, end: bytes, barrier: Barrier) -> Iterable[Span]:
        """The leaves between `start` and `end` (exclusive), in order; only branches are read for it.

        Raises:
            StorageTampered: a branch on the way is not the one its parent names.
        """
        pending = [(Span(root.reference, start, end), root.height)]
        while pending:
            span, height = pending.pop()
            if not height:
                yield span
                continue
            node = self.load(span.reference, barrier).lists()
            first = max(bisect_right(node.keys, span.start) - 1, 0)
            last = bisect_left(node.keys, span.end)
            lows = [span.start, *node.keys[first + 1 : last], span.end]
            spans = map(Span, node.values[first:last], lows, lows[1:])
            pending.extend((child, height - 1) for child in reversed(list(spans)))

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
                pending.extend((child, height - 1) for child in node.lists().values)


class _Children(NamedTuple):
    """The children of a branch while it is edited, as three lists of one length.

    A node stands where a child was touched; of that child's reference only the number counts.
    """

    lows: list[bytes]
    references: list[bytes]
    nodes: list[Node | None]

    def splice(self, index: int, count: int, other: _Children) -> None:
        """None; `other` stands instead of the `count` children from `index` on."""
        self.lows[index : index + count] = other.lows
        self.references[index : index + count] = other.references
        self.nodes[index : index + count] = other.nodes


Change = tuple[bytes, bytes | None]


class Edit:
    """One commit's changes to the tree: gathers sealed nodes in `writes`, decoded ones in `fresh`."""

    def __init__(self, nodes: Nodes, barrier: Barrier, next_number: int) -> None:
        self._nodes = nodes
        self._barrier = barrier
        self.next_number = next_number
        self.writes: dict[bytes, bytes | None] = {}
        self.fresh: dict[bytes, Node | Leaf] = {}

    def create(self) -> Root:
        """The root of a tree without entries, its node in `writes`."""
        return Root(self._seal(self._new_number(), Node([], []), 0), 0)

    def apply(self, root: Root, changes: Sequence[Change]) -> Root:
        """The root of the tree after `changes` (sorted by place; None deletes), its nodes in `writes`.

        Raises:
            StorageTampered: a node on the way is not the one its parent names.
        """
        height = root.height
        top = self._edited(b"", root.reference, height, changes)
        while len(top.lows) > 1:
            height += 1
            top = self._pieces(b"", self._new_number(), height, self._sealed(top, height - 1))
        if not top.lows:
            return self.create()
        (reference,) = self._sealed(top, height).values
        node = self._node(reference)
        while height and len(node.values) == 1:
            self._drop(reference)
            (reference,) = node.values
            node = self._node(reference)
            height -= 1
        return Root(reference, height)

    def _edited(self, low: bytes, reference: bytes, height: int, changes: Sequence[Change]) -> _Children:
        """What takes the node's place: one child, several after a split, none if nothing is left."""
        node = self._node(reference)
        if not height:
            return self._pieces(low, reference, height, _merged(node, changes))
        children = _Children(list(node.keys), list(node.values), [None] * len(node.keys))
        shift, small = 0, False
        for index, group in groupby(changes, lambda change: bisect_right(node.keys, change[0]) - 1):
            at = index + shift
            pieces = self._edited(children.lows[at], children.references[at], height - 1, list(group))
            children.splice(at, 1, pieces)
            shift += len(pieces.lows) - 1
            small = small or any(piece and len(piece.keys) < FEWEST for piece in pieces.nodes)
        if small:
            self._balance(children, height - 1)
        if children.lows:
            children.lows[0] = low
        return self._pieces(low, reference, height, self._sealed(children, height - 1))

    def _balance(self, children: _Children, height: int) -> None:
        """None; no touched child has fewer than FEWEST entries unless it is alone."""
        lows, references, nodes = children
        index = 0
        while index < len(nodes):
            node = nodes[index]
            if node is None or len(node.keys) >= FEWEST or len(nodes) == 1:
                index += 1
                continue
            index = max(index - 1, 0)  # its left neighbour; the first one takes the right
            left = nodes[index] or self._node(references[index])
            right = nodes[index + 1] or self._node(references[index + 1])
            self._drop(references[index + 1])
            both = Node([*left.keys, *right.keys], [*left.values, *right.values])
            children.splice(index, 2, self._pieces(lows[index], references[index], height, both))

    def _pieces(self, low: bytes, reference: bytes, height: int, node: Node) -> _Children:
        """The node's entries in as many even nodes as they need; the first one keeps the number."""
        keys, values = node.keys, node.values
        if not keys:
            self._drop(reference)
            return _Children([], [], [])
        most = MOST_IN_BRANCH if height else MOST_IN_LEAF
        if len(keys) <= most:
            return _Children([low], [reference], [node])
        count = -(-len(keys) // most)
        bounds = [len(keys) * piece // count for piece in range(count + 1)]
        # Below a branch's key lie others that it does not show, so only a leaf's can be shortened.
        lows = [keys[i] if height else _separator(keys[i - 1], keys[i]) for i in bounds[1:-1]]
        return _Children(
            [low, *lows],
            [reference, *(self._new_number() for _ in bounds[1:-1])],
            [Node(keys[begin:end], values[begin:end]) for begin, end in pairwise(bounds)],
        )

    def _sealed(self, children: _Children, height: int) -> Node:
        """The branch of these children, which are so high; those that were touched are written."""
        references = [
            reference if node is None else self._seal(reference, node, height)
            for reference, node in zip(children.references, children.nodes, strict=True)
        ]
        return Node(children.lows, references)

    def _seal(self, reference: bytes, node: Node, height: int) -> bytes:
        """The reference of the node, which is written under the number in `reference`."""
        number = reference[:NUMBER_BYTES]
        place = node_place(number)
        packed = node.packed(leaf=not height)
        sealed = self._barrier.seal(place, packed)
        self.writes[place] = sealed
        self.fresh[number + digest(sealed)] = node if height else Leaf(packed)
        return number + digest(sealed)

    def _node(self, reference: bytes) -> Node:
        return (self.fresh.get(reference) or self._nodes.load(reference, self._barrier)).lists()

    def _drop(self, reference: bytes) -> None:
        self.writes[node_place(reference[:NUMBER_BYTES])] = None

    def _new_number(self) -> bytes:
        number = self.next_number.to_bytes(NUMBER_BYTES, "big")
        self.next_number += 1
        return number


def _merged(leaf: Node, changes: Sequence[Change]) -> Node:
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
    return Node(keys, values)


def _separator(before: bytes, first: bytes) -> bytes:
    """The shortest text that sorts after `before` and not after `first`: branches stay small."""
    return first[: shared(before, first) + 1]
