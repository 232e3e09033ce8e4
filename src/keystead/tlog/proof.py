"""Proofs: that an entry is in a tree, and that a tree is an older one with entries appended.

Made as RFC 6962 sections 2.1.1 and 2.1.2 define them, checked by the algorithms of RFC 9162 sections 2.1.3.2 and
2.1.4.2: two ways to the same hashes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from keystead.errors import LogError
from keystead.tlog.merkle import EMPTY_ROOT, HASH_BYTES, HashReader, node_hash, range_hash

LONGEST: Final = 63
"""Hashes of the longest proof that C2SP tlog-witness lets a client send."""


def inclusion(index: int, size: int, read: HashReader) -> list[bytes]:
    """The proof that leaf `index` is in the tree of `size` leaves.

    Raises:
        LogError: the tree has no such leaf.
        Whatever `read` raises.
    """
    if not 0 <= index < size:
        raise LogError("the tree has no such leaf")
    steps: list[tuple[int, int]] = []
    start, end = 0, size
    while end - start > 1:
        middle = _middle(start, end)
        if index < middle:
            steps.append((middle, end))
            end = middle
        else:
            steps.append((start, middle))
            start = middle
    return [range_hash(*step, read) for step in reversed(steps)]


def consistency(old: int, new: int, read: HashReader) -> list[bytes]:
    """The proof that the tree of `new` leaves is that of `old` leaves with more appended; empty from 0 or to itself.

    Raises:
        LogError: the new tree is smaller.
        Whatever `read` raises.
    """
    if not 0 <= old <= new:
        raise LogError("the new tree is smaller than the old one")
    if old in {0, new}:
        return []
    steps: list[tuple[int, int]] = []
    start, end = 0, new
    while end != old:
        middle = _middle(start, end)
        if old <= middle:
            steps.append((middle, end))
            end = middle
        else:
            steps.append((start, middle))
            start = middle
    if start:  # the old tree's root is known to whoever checks, only if it is a node of the new tree
        steps.append((start, end))
    return [range_hash(*step, read) for step in reversed(steps)]


def _middle(start: int, end: int) -> int:
    """Where the tree over these leaves divides: after the largest power of two that is smaller than their number."""
    return start + (1 << (end - start - 1).bit_length() - 1)


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Nothing, if the leaf with the hash `leaf` is number `index` in the tree with this size and root.

    Raises:
        LogError: the proof does not show it.
    """
    if not 0 <= index < size or not _well_formed(proof):
        raise LogError("the inclusion proof is malformed")
    node, last, found = index, size - 1, leaf
    for sibling in proof:
        if not last:
            raise LogError("the inclusion proof is too long")
        if node & 1 or node == last:
            found = node_hash(sibling, found)
            node, last = _up_to_right(node, last)
        else:
            found = node_hash(found, sibling)
        node, last = node >> 1, last >> 1
    if last or found != root:
        raise LogError("the inclusion proof does not lead to the root")


def verify_consistency(old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Nothing, if the tree of `new` leaves with `new_root` is that of `old` leaves with `old_root`, grown.

    Raises:
        LogError: the proof does not show it.
    """
    if not 0 <= old <= new or not _well_formed(proof):
        raise LogError("the consistency proof is malformed")
    if old in {0, new}:
        if proof or old_root != (new_root if old else EMPTY_ROOT):
            raise LogError("the roots differ")
        return
    hashes = _rest(old, old_root, proof)
    old_node, node, last = next(hashes), old - 1, new - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    new_node = old_node
    for sibling in hashes:
        if not last:
            raise LogError("the consistency proof is too long")
        if node & 1 or node == last:
            old_node, new_node = node_hash(sibling, old_node), node_hash(sibling, new_node)
            node, last = _up_to_right(node, last)
        else:
            new_node = node_hash(new_node, sibling)
        node, last = node >> 1, last >> 1
    if last or (old_node, new_node) != (old_root, new_root):
        raise LogError("the consistency proof does not lead to the roots")


def _well_formed(proof: Sequence[bytes]) -> bool:
    return all(len(part) == HASH_BYTES for part in proof)


def _rest(old: int, old_root: bytes, proof: Sequence[bytes]) -> Iterator[bytes]:
    """The proof with the old root before it where the old tree is a node of the new one: left out of the proof then.

    Raises:
        LogError: the proof is empty.
    """
    if not proof:
        raise LogError("the consistency proof is too short")
    return iter(proof if old & (old - 1) else [old_root, *proof])


def _up_to_right(node: int, last: int) -> tuple[int, int]:
    """Both moved up to where the node is a right child, or the leftmost."""
    while node and not node & 1:
        node, last = node >> 1, last >> 1
    return node, last
