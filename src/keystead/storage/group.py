"""Several transactions on their way to one physical commit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from keystead.errors import StorageConflict
from keystead.storage.backend import Batch, digest
from keystead.storage.barrier import Barrier, describe
from keystead.storage.node import Leaf, Node
from keystead.storage.table import Table
from keystead.storage.transaction import Entry, Transaction
from keystead.storage.tree import INDEX_ENTRY, Edit, Nodes
from keystead.storage.view import EPOCHS, HEAD, Head, State, encode_head
from keystead.storage.write import COUNTERS, Counter, Write

ReadEntry = Callable[[State, Table[Any], str], Entry]


class Group:
    """What a commit would change in `state`; nothing is written before its batch goes to the backend.

    Reading methods raise StorageTampered also if another process has just committed: `Store` sorts
    that out and starts a new group.
    """

    def __init__(self, state: State, nodes: Nodes, read: ReadEntry, barrier: Barrier | None = None) -> None:
        """Start from `state`; with `barrier`, everything written is sealed by that one instead."""
        self.state = state
        self.barrier = barrier or state.barrier
        self.fresh: dict[bytes, Node | Leaf] = {}
        self.following = state  # after `batch`: the state it leads to
        self.entries: dict[tuple[str, str], Entry] = {}
        self._nodes = nodes
        self._read = read
        self._changes: dict[bytes, bytes | None] = {}
        self._writes: dict[bytes, bytes | None] = {}

    @property
    def changed(self) -> bool:
        """Whether there is anything to write."""
        return bool(self._changes) or bool(self._writes)

    def admit(self, transaction: Transaction) -> StorageConflict | None:
        """None if the transaction joined the group, else why it cannot.

        Its conditions are held against the committed state and the transactions that joined before.
        """
        for place, expected in transaction.conditions.items():
            if self._version(place) != expected:
                return StorageConflict(f"{describe(place)} has changed")
        for write in transaction.writes.values():
            self._store(write)
        for name, delta in transaction.bumps.items():
            self._bump(name, delta)
        return None

    def reseal(self, place: bytes, value: bytes) -> None:
        """None; the row at `place` gets the same value under this group's barrier."""
        self._put(place, value)

    def touch(self, place: bytes, version: bytes) -> None:
        """None; the leaf that holds `place` will be written anew, unchanged."""
        self._changes.setdefault(place, version)

    def write(self, place: bytes, sealed: bytes) -> None:
        """None; `sealed` will be stored at a place that is not in the tree."""
        self._writes[place] = sealed

    def batch(self) -> Batch:
        """The physical commit with its new head (which leads to `following`, with the nodes in `fresh`)."""
        head = self.state.head
        edit = Edit(self._nodes, self.barrier, head.next_node)
        root = edit.apply(self.state.root, sorted(self._changes.items()))
        self.fresh = edit.fresh
        successor = Head(head.number + 1, root.reference, root.height, edit.next_number)
        raw = self.barrier.seal(HEAD, encode_head(successor))
        self.following = State(successor, root, self.barrier, raw)
        writes = {**self._writes, **edit.writes, HEAD: raw}
        # Every commit replaces the head, so this one condition covers everything that was read.
        return Batch({HEAD: digest(self.state.raw)}, writes)

    def _version(self, place: bytes) -> bytes | None:
        if place in self._changes:
            return self._changes[place]
        return self._nodes.find(self.state.root, place, self.barrier)

    def _record(self, table: Table[Any], key: str) -> msgspec.Struct | None:
        entry = self.entries.get((table.name, key)) or self._read(self.state, table, key)
        return entry.record

    def _store(self, write: Write) -> None:
        table, key = write.table, write.key
        before: frozenset[bytes] = frozenset()
        if table.indexes:
            old = self._record(table, key)
            before = frozenset() if old is None else table.entries_of(key, old)
        for entry in before - write.entries:
            self._changes[entry] = None
        for entry in write.entries - before:
            self._changes[entry] = INDEX_ENTRY
        version = None if write.record is None else self._put(write.place, write.value)
        if version is None:
            self._delete(write.place)
        self.entries[table.name, key] = Entry(
            write.place, version, write.record if table.remembered else None
        )

    def _put(self, place: bytes, value: bytes) -> bytes:
        sealed = self.barrier.seal(place, value)
        version = digest(sealed)
        self._writes[place] = sealed
        self._changes[place] = version
        return version

    def _delete(self, place: bytes) -> None:
        self._writes[place] = None
        self._changes[place] = None

    def _bump(self, name: str, delta: int) -> None:
        record = self._record(COUNTERS, name)
        before = record.value if isinstance(record, Counter) else 0
        after = Counter(before + delta)
        place = COUNTERS.place(name)
        self._store(Write(COUNTERS, name, place, after, COUNTERS.encode(after), frozenset()))


def first_batch(barrier: Barrier, sealed_epochs: bytes) -> Batch:
    """The commit that makes an empty store; it fails if there is one already."""
    edit = Edit(_no_nodes(), barrier, 1)
    root = edit.create()
    head = barrier.seal(HEAD, encode_head(Head(1, root.reference, root.height, edit.next_number)))
    return Batch({HEAD: None, EPOCHS: None}, {**edit.writes, EPOCHS: sealed_epochs, HEAD: head})


def _no_nodes() -> Nodes:
    return Nodes(lambda _place: None, 1)
