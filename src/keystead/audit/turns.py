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
            stack.enter_context(_turn(directory, fcntl.LOCK_SH))
        yield


@contextlib.contextmanager
def pruning(directory: Path, *, wait: bool) -> Iterator[bool]:
    """A block that may prune, as nobody checks the evidence meanwhile; False if somebody does and `wait` is not set.

    Raises:
        OSError: the journals' directory cannot be opened or locked.
    """
    with _turn(directory, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB)) as mine:
        yield mine


@contextlib.contextmanager
def _turn(directory: Path, how: int) -> Iterator[bool]:
    try:
        handle = os.open(directory / "journal", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:  # there is no evidence yet, nothing of which could go
        yield True
        return
    try:
        yield _taken(handle, how)
    finally:
        os.close(handle)


def _taken(handle: int, how: int) -> bool:
    try:
        fcntl.flock(handle, how)
    except BlockingIOError:
        return False
    return True
