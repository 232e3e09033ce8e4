"""A clock for development that is moved for all worker processes at once."""

from __future__ import annotations

import fcntl
import mmap
import os
import time
from pathlib import Path

from keystead.clock import ManualClock

_BYTES = 8


class SharedClock(ManualClock):
    """The host's clock plus an offset that lies in a file which every worker maps."""

    def __init__(self, path: Path, *, fresh: bool = False) -> None:
        super().__init__()
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if fresh:
            os.ftruncate(self._handle, 0)
        os.ftruncate(self._handle, _BYTES)
        self._shared = memoryview(mmap.mmap(self._handle, _BYTES)).cast("d")

    def now(self) -> float:
        return time.time() + self._shared[0]

    def advance(self, seconds: float) -> None:
        if seconds < 0:
            raise ValueError("time does not go back")
        fcntl.flock(self._handle, fcntl.LOCK_EX)
        try:
            self._shared[0] += seconds
        finally:
            fcntl.flock(self._handle, fcntl.LOCK_UN)
