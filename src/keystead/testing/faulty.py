"""A backend whose chosen commits fail, in the two ways a commit can fail."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from enum import Enum
from pathlib import Path

from keystead.errors import StorageUnavailable
from keystead.storage import Backend, Batch


class Fault(Enum):
    """What happens to the batch of a commit that raises StorageUnavailable."""

    LOST = "the write was lost"
    PERSISTED = "the write persisted, though reported lost"
    DISK_FULL = "no space is left: this write and all after it are lost"


class FaultyBackend:
    """`inner`, with faults by number of the commit (the first one is 1); reads are never touched."""

    def __init__(self, inner: Backend, faults: dict[int, Fault] | None = None) -> None:
        self.inner = inner
        self.faults = faults or {}
        self.commits = 0
        self.full = False

    def fail_next(self, fault: Fault) -> None:
        """None; the next commit fails so."""
        self.faults[self.commits + 1] = fault

    def get(self, key: bytes) -> bytes | None:
        return self.inner.get(key)

    def get_each(self, keys: Sequence[bytes]) -> list[bytes | None]:
        return self.inner.get_each(keys)

    def scan(
        self, start: bytes, end: bytes, limit: int | None, reverse: bool = False
    ) -> list[tuple[bytes, bytes]]:
        return self.inner.scan(start, end, limit, reverse)

    def commit(self, batch: Batch) -> None:
        self.commits += 1
        fault = self.faults.get(self.commits)
        self.full = self.full or fault is Fault.DISK_FULL
        if self.full:
            raise StorageUnavailable("no space left on device (injected)")
        if fault is not Fault.LOST:
            self.inner.commit(batch)
        if fault is not None:
            raise StorageUnavailable(f"injected: {fault.value}")

    def turn(self) -> AbstractContextManager[None]:
        return self.inner.turn()

    def generation(self) -> int:
        return self.inner.generation()

    def checkpoint(self) -> None:
        self.inner.checkpoint()

    def backup(self, path: Path) -> None:
        self.inner.backup(path)

    def close(self) -> None:
        self.inner.close()
