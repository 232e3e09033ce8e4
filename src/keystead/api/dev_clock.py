"""A clock for development that is moved for all processes at once: workers, and commands beside them.

It goes on from where it was after a restart, since time does not go back.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import time
from pathlib import Path
from typing import Final

from keystead.clock import Clock, ManualClock, SystemClock

_FILE: Final = "clock"
_BYTES: Final = 8


class SharedClock(ManualClock):
    """The host's clock plus an offset that lies in a file of the data directory, which every process maps."""

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self._handle = os.open(directory / _FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
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


def clock_of(directory: Path) -> Clock:
    """The clock of the deployment in the directory: the host's, unless a development server's was moved there."""
    return SharedClock(directory) if (directory / _FILE).exists() else SystemClock()


def forget_moved(directory: Path) -> None:
    """None; the deployment's clock is the host's from now on. Its server calls this once nobody else can be one."""
    (directory / _FILE).unlink(missing_ok=True)
