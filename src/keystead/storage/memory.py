"""A backend that forgets: for `--ephemeral` and for tests."""

from __future__ import annotations

import contextlib
import itertools
import threading
from bisect import bisect_left, insort
from collections.abc import Sequence
from pathlib import Path

from keystead.errors import StorageConflict, StorageError
from keystead.storage.backend import Batch, digest


class MemoryBackend:
    """A sorted map in this process; a commit is as durable as the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards _values and _keys together
        self._values: dict[bytes, bytes] = {}
        self._keys: list[bytes] = []
        self._commits = itertools.count(1)
        self._generation = 0

    def get(self, key: bytes) -> bytes | None:
        with self._lock:  # never the half of a batch
            return self._values.get(key)

    def get_each(self, keys: Sequence[bytes]) -> list[bytes | None]:
        return [self.get(key) for key in keys]

    def scan(
        self, start: bytes, end: bytes, limit: int | None, reverse: bool = False
    ) -> list[tuple[bytes, bytes]]:
        with self._lock:
            found = self._keys[bisect_left(self._keys, start) : bisect_left(self._keys, end)]
            ordered = found[::-1] if reverse else found
            return [(key, self._values[key]) for key in ordered[:limit]]

    def commit(self, batch: Batch) -> None:
        with self._lock:
            for key, expected in batch.conditions.items():
                value = self._values.get(key)
                if (None if value is None else digest(value)) != expected:
                    raise StorageConflict("a stored value is not the one that was read")
            for key, value in batch.writes.items():
                self._write(key, value)
            self._generation = next(self._commits)

    def _write(self, key: bytes, value: bytes | None) -> None:
        if value is not None:
            if key not in self._values:
                insort(self._keys, key)
            self._values[key] = value
        elif key in self._values:
            del self._values[key]
            del self._keys[bisect_left(self._keys, key)]

    def turn(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def generation(self) -> int:
        return self._generation

    def checkpoint(self) -> None:
        """None; nothing was ever written down."""

    def backup(self, path: Path) -> None:
        raise StorageError(f"{path}: a store in memory cannot be backed up")

    def close(self) -> None:
        """None; the values go with the object."""
