"""A number in a shared page of memory that tells every process that somebody has committed, and whose turn it is.

Asking SQLite costs a system call or two; reading eight mapped bytes costs a tenth of a microsecond,
which is what a cached read can afford. The file decides nothing alone: it says *look again*, and what
is then read is verified. Who freezes it can keep a worker from looking, which is why `Store.refresh`
looks anyway and is called every second or so.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import threading
from collections.abc import Iterator
from pathlib import Path

BYTES = 8


class Generation:
    """The shared number beside a database; writing it is atomic (one aligned 8-byte store)."""

    def __init__(self, path: Path) -> None:
        """Map the file, which is created if it is missing.

        Raises:
            OSError: the file cannot be created or mapped.
        """
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.fchmod(handle, 0o600)
            if os.fstat(handle).st_size < BYTES:
                os.ftruncate(handle, BYTES)
            self._map = mmap.mmap(handle, BYTES)
        except BaseException:
            os.close(handle)
            raise
        self._handle = handle
        self._turn = threading.Lock()
        self.numbers = memoryview(self._map).cast("Q")
        """The number, as the only item: whoever reads it very often saves a call."""
        # A process that died between its commit and its bump left others with an old number; the one
        # that takes its place makes good for it.
        self.bump()

    def read(self) -> int:
        """The number as it is now."""
        number: int = self.numbers[0]
        return number

    def bump(self) -> None:
        """None; the number is another one.

        It is drawn at random instead of counted: two processes that count at once could both
        write the same number, and the second commit would go unnoticed.
        """
        self.numbers[0] = int.from_bytes(os.urandom(BYTES), "big")

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """A block that only one thread of all processes is in; the others wait for it, in order.

        The kernel ends the turn of a process that dies.
        """
        with self._turn:  # flock(2) tells processes apart, not threads
            fcntl.flock(self._handle, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(self._handle, fcntl.LOCK_UN)

    def close(self) -> None:
        """None; the page is unmapped."""
        os.close(self._handle)
        self.numbers.release()
        self._map.close()
