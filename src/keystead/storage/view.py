"""What this process knows of the committed state, and how it finds out that there is a newer one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import NamedTuple, TypeVar

import msgspec

from keystead.entropy import Entropy
from keystead.errors import StorageTampered
from keystead.storage.backend import Backend
from keystead.storage.barrier import Barrier, RootSeal, UnknownEpoch, describe
from keystead.storage.tree import Root

HEAD = b"s"
EPOCHS = b"b"

T = TypeVar("T")


class Head(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The one record that every commit replaces: how many commits there were, and the tree they made."""

    number: int
    reference: bytes
    height: int
    next_node: int


class State(NamedTuple):
    """One committed state. Two states are the same one if and only if they are the same object."""

    head: Head
    root: Root
    barrier: Barrier
    raw: bytes  # the head as it is stored: what a commit is conditioned on


encode_head = msgspec.msgpack.Encoder().encode
_decode_head = msgspec.msgpack.Decoder(Head).decode


def opened(raw: bytes, barrier: Barrier) -> State:
    """The state whose stored head is `raw`.

    Raises:
        StorageTampered: Keystead did not write it.
    """
    head = _decode_head(barrier.open(HEAD, raw))
    return State(head, Root(head.reference, head.height), barrier, raw)


class View:
    """The newest state this process has seen; it never goes back to an older one.

    `lock` guards `state`, `seen` and `era` together, and the record cache's insertions: a record enters
    the cache only while the state it was read from is still the newest one. `era` counts the states that
    other processes made: what was cached in an earlier era must be looked up in the tree again.
    """

    def __init__(self, backend: Backend, root_seal: RootSeal, entropy: Entropy) -> None:
        """Read the head.

        Raises:
            StorageError: there is no store, or the root key does not open it.
            StorageTampered: the head is not one that Keystead wrote.
            StorageUnavailable: the database cannot be read.
        """
        self._backend = backend
        self.root_seal = root_seal
        self._entropy = entropy
        self.lock = threading.Lock()
        self.era = 0
        self.seen: int | None = backend.generation()
        self.state = self._read(self.barrier())

    def fresh(self) -> State:
        """The newest committed state.

        Raises:
            StorageTampered: the database went back to an older state.
            StorageUnavailable: the database cannot be read.
        """
        if self._backend.generation() != self.seen:
            return self.reload()
        return self.state

    def reload(self) -> State:
        """The newest committed state, read even if the generation says that nothing changed.

        Raises:
            StorageTampered: the database went back to an older state.
            StorageUnavailable: the database cannot be read.
        """
        # The lock is held while the head is read: else a slow reader could hold an old head against
        # a state that the writer installed meanwhile, and take that for a rollback.
        with self.lock:
            # Noted before the head is read, so that a commit in between is noticed the next time.
            generation = self._backend.generation()
            if self._backend.get(HEAD) != self.state.raw:
                state = self._read(self.state.barrier)
                if state.head.number <= self.state.head.number:
                    raise StorageTampered(
                        f"{describe(HEAD)}: commit {self.state.head.number} was there, "
                        f"now it is commit {state.head.number}"
                    )
                self.state = state
                self.era += 1
            self.seen = generation
            return self.state

    def doubt(self) -> None:
        """None; whether the last commit persisted is unknown, so the next use reads the head."""
        self.seen = None

    def consistent(self, read: Callable[[State], T]) -> T:
        """What `read` returns on one committed state.

        While it reads, another commit may replace nodes and rows; what is then met does not fit the
        state and looks tampered with. It was tampered with if the head is still the same afterwards,
        since every commit replaces the head in the same batch.

        Raises:
            StorageTampered: the database is not as Keystead left it.
            StorageUnavailable: the database cannot be read.
        """
        state = self.fresh()
        while True:
            try:
                return read(state)
            except StorageTampered:
                newer = self.reload()
                if newer is state:
                    raise
                state = newer

    def _read(self, barrier: Barrier) -> State:
        raw = self._backend.get(HEAD)
        while raw is not None:
            try:
                return opened(raw, barrier)
            except UnknownEpoch:
                # Another process rotated the barrier. Its list is read after the head, so it can be
                # too new for this head as well: then the head has changed too.
                barrier = self.barrier()
                again = self._backend.get(HEAD)
                if again == raw:
                    return opened(raw, barrier)
                raw = again
        raise StorageTampered(f"{describe(HEAD)}: missing")

    def barrier(self) -> Barrier:
        """The list of epochs as it is stored now.

        Raises:
            StorageError: the root key does not open it.
            StorageTampered: it is missing.
            StorageUnavailable: the database cannot be read.
        """
        sealed = self._backend.get(EPOCHS)
        if sealed is None:
            raise StorageTampered(f"{describe(EPOCHS)}: missing")
        return self.root_seal.open(sealed, self._entropy)
