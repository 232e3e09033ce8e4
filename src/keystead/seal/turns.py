"""Turns at what protects the root key: whoever reads it sees its key, `root.sealed` and the store as of one moment.

A change of it takes several steps, between which some of these are new and some are not. The turns are locks of the data
directory itself; the kernel ends them with their process, however that ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from keystead.errors import SealError


@contextlib.contextmanager
def steady(directory: Path) -> Iterator[None]:
    """A block in which nobody changes what protects the root key; many may have one at once, also within another.

    Raises:
        SealError: the directory cannot be opened or locked.
    """
    with _directory(directory) as handle:
        _take(directory, handle, fcntl.LOCK_SH)
        yield


@contextlib.contextmanager
def changing(directory: Path, waits: Callable[[], None]) -> Iterator[None]:
    """A block that changes it and in which nobody else reads it; `waits` is called if somebody does so far.

    Raises:
        SealError: the directory cannot be opened or locked.
    """
    with _directory(directory) as handle:
        if not _take(directory, handle, fcntl.LOCK_EX | fcntl.LOCK_NB):
            waits()
            _take(directory, handle, fcntl.LOCK_EX)
        yield


def _take(directory: Path, handle: int, how: int) -> bool:
    """Whether the turn was taken; not if another has it and it is not waited for."""
    try:
        fcntl.flock(handle, how)
    except BlockingIOError:
        return False
    except OSError as error:  # a network mount without locks
        raise SealError(f"{directory} cannot be locked: {error.strerror}") from error
    return True


@contextlib.contextmanager
def _directory(path: Path) -> Iterator[int]:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise SealError(f"{path} cannot be opened: {error.strerror}") from error
    try:
        yield handle
    finally:
        os.close(handle)
