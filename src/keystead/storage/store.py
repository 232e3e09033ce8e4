"""The store: records read with proof, cached exactly, and written by group commit."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from keystead.entropy import Entropy, SystemEntropy
from keystead.errors import StorageConflict, StorageError, StorageTampered, StorageUnavailable
from keystead.storage import upkeep
from keystead.storage.backend import Backend, Batch
from keystead.storage.barrier import Barrier, RootSeal
from keystead.storage.group import Group, first_batch
from keystead.storage.rows import Rows
from keystead.storage.transaction import Transaction
from keystead.storage.tree import Nodes
from keystead.storage.upkeep import Verification
from keystead.storage.view import State, View

RECORDS = 50_000
NODES = 8_000
# Each attempt that fails means that another process has committed, so somebody gets on.
ATTEMPTS = 100

T = TypeVar("T")


def _unheard(_place: bytes, _value: bytes) -> None:
    """What hears of records where nobody wants to."""


class Store:
    """Tables over a backend that is not trusted.

    Reads may run on any thread. `commit` is meant for one writer thread (others wait for it). A commit
    is durable when it returns, and every process that shares the backend sees it at its next read.
    """

    def __init__(self, backend: Backend, root: bytes, entropy: Entropy, records: int, nodes: int) -> None:
        self.backend = backend
        self.entropy = entropy
        self.root_seal = RootSeal(root)
        self.view = View(backend, self.root_seal, entropy)
        self.nodes = Nodes(backend.get, nodes)
        self.rows = Rows(backend, self.view, self.nodes, records)
        self.last_commit = 0  # the number of the newest commit that this process made itself
        self.reseal_position = 0, b""  # the epoch to which `reseal` brings everything, and how far it is
        self._writing = threading.Lock()  # one commit at a time

    @classmethod
    def create(
        cls,
        backend: Backend,
        root: bytes,
        entropy: Entropy | None = None,
        *,
        records: int = RECORDS,
        nodes: int = NODES,
    ) -> Store:
        """A new, empty store, sealed under the 32-byte root key.

        Raises:
            StorageError: there is a store already.
            StorageUnavailable: the database cannot be written.
        """
        entropy = entropy or SystemEntropy()
        barrier = Barrier.create(entropy)
        try:
            backend.commit(first_batch(barrier, RootSeal(root).seal(barrier, entropy)))
        except StorageConflict:
            raise StorageError("there is a store already") from None
        return cls(backend, root, entropy, records, nodes)

    @classmethod
    def open(
        cls,
        backend: Backend,
        root: bytes,
        entropy: Entropy | None = None,
        *,
        records: int = RECORDS,
        nodes: int = NODES,
    ) -> Store:
        """The store that is there. At most twice `records` and `nodes` are kept in memory.

        Raises:
            StorageError: the root key does not open it.
            StorageTampered: there is none, or its head is not one that Keystead wrote.
            StorageUnavailable: the database cannot be read.
        """
        return cls(backend, root, entropy or SystemEntropy(), records, nodes)

    # ------------------------------------------------------------------ reading

    def transaction(self) -> Transaction:
        """A new transaction."""
        return Transaction(self.rows)

    @property
    def commit_number(self) -> int:
        """How many commits the store has seen, of all processes; it only grows.

        Raises:
            StorageTampered: the database went back to an older state.
            StorageUnavailable: the database cannot be read.
        """
        return self.view.fresh().head.number

    def expect_at_least(self, number: int) -> None:
        """None if the store is not older than commit `number`.

        The caller kept the number elsewhere (in the journal): nothing inside a database can tell that
        the whole of it was put back.

        Raises:
            StorageTampered: the database is an older copy.
            StorageUnavailable: the database cannot be read.
        """
        if self.commit_number < number:
            raise StorageTampered(
                f"the database was put back: it is at commit {self.commit_number}, evidence is at {number}"
            )

    def refresh(self) -> None:
        """None; what other processes committed is seen even if the shared generation was tampered with.

        Raises:
            StorageTampered: the database went back to an older state.
            StorageUnavailable: the database cannot be read.
        """
        self.view.reload()

    # ------------------------------------------------------------------ writing

    def commit(self, transactions: Sequence[Transaction]) -> list[StorageConflict | None]:
        """For each transaction None (it is durable) or its conflict (nothing of it was written).

        They are applied in order as one physical commit; one that no longer holds, against the committed
        state and those before it, leaves the others alone.

        Raises:
            StorageTampered: what had to be read is not what Keystead wrote; nothing was written.
            StorageUnavailable: the commit failed, or may have; the caller cannot know.
        """

        def build(state: State) -> tuple[Group, list[StorageConflict | None]]:
            group = self.group(state)
            return group, [group.admit(transaction) for transaction in transactions]

        return self.write(build)

    def run(self, operation: Callable[[Transaction], T]) -> T:
        """What `operation` returns, once its transaction is durable; it runs again after a conflict.

        Raises:
            StorageConflict: it conflicted every time.
            StorageTampered: the database is not as Keystead left it.
            StorageUnavailable: the commit failed, or may have.
        """
        conflict: StorageConflict | None = None
        for _ in range(ATTEMPTS):
            transaction = self.transaction()
            result = operation(transaction)
            (conflict,) = self.commit([transaction])
            if conflict is None:
                return result
        raise conflict or StorageConflict

    def group(self, state: State, barrier: Barrier | None = None) -> Group:
        """An empty group on `state`."""
        return Group(state, self.nodes, self.rows.read_entry, barrier)

    def write(self, build: Callable[[State], tuple[Group, T]]) -> T:
        """The second value of `build`, once the group that it built is durable.

        It is built again if another process committed meanwhile.

        Raises:
            StorageTampered: what had to be read is not what Keystead wrote; nothing was written.
            StorageUnavailable: the commit failed, or may have.
        """

        def prepare(state: State) -> tuple[Group, T, Batch | None]:
            group, result = build(state)
            return group, result, group.batch() if group.changed else None

        with self._writing, self.backend.turn():
            for _ in range(ATTEMPTS):
                group, result, batch = self.view.consistent(prepare)
                if batch is None or self._written(group, batch):
                    return result
        raise StorageUnavailable("other processes commit all the time; nothing was written")

    def _written(self, group: Group, batch: Batch) -> bool:
        """Whether the group is durable; else another process came first."""
        try:
            self.backend.commit(batch)
        except StorageConflict:
            self.view.reload()
            return False
        except BaseException:
            # Unknown whether it persisted: whoever reads next looks at the head.
            self.view.doubt()
            raise
        # A crash here loses no commit: the next process to open the database reads this head.
        self.last_commit = group.following.head.number
        self.nodes.keep(group.fresh.items())
        self.rows.settle(group.state, group.following, group.entries)
        return True

    # ------------------------------------------------------------------- upkeep

    def rotate_barrier(self) -> int:
        """The number of a new epoch, under which everything is sealed from now on.

        What is stored stays under its epoch until `reseal` has come by.

        Raises:
            StorageUnavailable: the commit failed, or may have.
        """
        return upkeep.rotate(self)

    def reseal(self, limit: int = 500) -> bool:
        """Whether everything is under the newest epoch (and older epochs are gone); else call again.

        Re-seals at least one and about `limit` rows in one commit, on a store in use.

        Raises:
            StorageTampered: a row is not what Keystead wrote.
            StorageUnavailable: the commit failed, or may have.
        """
        return upkeep.reseal(self, limit)

    def rekey(self, root: bytes) -> None:
        """None; the store opens with the new 32-byte root key only. Re-seals one record.

        Other processes that have the store open must open it again before the next rotation.

        Raises:
            StorageUnavailable: the commit failed, or may have: either root key may be the one.
        """
        upkeep.rekey(self, RootSeal(root))

    def verify_all(self, seen: upkeep.Seen = _unheard) -> Verification:
        """What a walk over every node and every row found; it reads past all caches.

        `seen` hears of each record that is in order: its place and its encoded value.

        Raises:
            StorageUnavailable: the database cannot be read.
        """
        return upkeep.verify(self, seen)

    def checkpoint(self) -> None:
        """None once the bytes of deleted and replaced records are in no file of the database.

        Raises:
            StorageUnavailable: it could not be finished now; ask again.
        """
        self.backend.checkpoint()

    def backup(self, path: Path) -> None:
        """None once a consistent copy of the database, as sealed as it is, is durable at `path`.

        Raises:
            StorageError: `path` exists, or the backend keeps nothing.
            StorageUnavailable: the copy could not be written.
        """
        self.backend.backup(path)

    def close(self) -> None:
        """None; the backend is closed."""
        self.backend.close()
