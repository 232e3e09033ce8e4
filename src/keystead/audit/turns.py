"""Turns at the evidence: who checks all of it, and who prunes it, keep out of each other's way.

A check that lasts would otherwise take for missing what goes meanwhile. The turns are locks of the directory of journals,
which also somebody may take who cannot write there; the kernel ends them with their process, however that ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def unpruned(directory: Path) -> Iterator[None]:
    """A block in which nothing of the data directory's evidence is pruned; many may have one at once.

    Where there are no locks nobody prunes either, and whoever may not open the directory is told so by the check itself.
    """
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            stack.enter_context(_at_evidence(directory, fcntl.LOCK_SH))
        yield


@contextlib.contextmanager
def pruning(directory: Path, *, wait: bool) -> Iterator[bool]:
    """A block that may prune, as nobody checks the evidence meanwhile; False if somebody does and `wait` is not set.

    Raises:
        OSError: the journals' directory cannot be opened or locked.
    """
    with _at_evidence(directory, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB)) as mine:
        yield mine


@contextlib.contextmanager
def turn(path: Path, how: int, flags: int = os.O_RDWR | os.O_CREAT) -> Iterator[bool]:
    """A block with the lock (flock(2)) of the file at `path`, opened with `flags`; False if another has it and `how` does not wait.

    Raises:
        OSError: it cannot be opened or locked.
    """
    handle = os.open(path, flags | os.O_CLOEXEC, 0o600)
    try:
        yield _taken(handle, how)
    finally:
        os.close(handle)


@contextlib.contextmanager
def _at_evidence(directory: Path, how: int) -> Iterator[bool]:
    with contextlib.ExitStack() as stack:
        mine = True
        with contextlib.suppress(FileNotFoundError):  # there is no evidence yet, nothing of which could go
            mine = stack.enter_context(turn(directory / "journal", how, os.O_RDONLY | os.O_DIRECTORY))
        yield mine


def _taken(handle: int, how: int) -> bool:
    try:
        fcntl.flock(handle, how)
    except BlockingIOError:
        return False
    return True
