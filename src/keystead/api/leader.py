"""Which of several workers does what is to be done once for all: the one that holds a lock.

The kernel ends the lock with its process, however that ends, so there is never more than one leader, and a
moment after the leader's end another worker leads.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Final

from keystead import errors

FILE: Final = "leader"


class Leader:
    """This worker's claim to lead. It belongs to one thread."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / FILE
        self._handle: int | None = None

    def leads(self) -> bool:
        """Whether this worker leads, after an attempt if it has not until now.

        Raises:
            errors.JournalError: the lock's file cannot be opened.
        """
        if self._handle is not None:
            return True
        try:
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise errors.JournalError(f"{self._path} cannot be opened: {error.strerror}") from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
            return False
        self._handle = handle
        return True

    def resign(self) -> None:
        """None; another worker may lead."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
