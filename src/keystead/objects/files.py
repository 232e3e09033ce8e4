"""The few file operations that a directory of blobs needs, as a Protocol so that tests can make each of them fail."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final, Protocol

from keystead.crypto.frames import Buffer

_PRIVATE_FILE: Final = 0o600
_PRIVATE_DIRECTORY: Final = 0o700
_SYNC_FILE_RANGE_WRITE: Final = 2  # linux/fs.h


class Files(Protocol):
    """Each of these raises OSError when the file system refuses."""

    def make_directory(self, path: Path) -> None:
        """None; `path` is a directory, and its name not durable yet."""
        ...

    def create(self, path: Path) -> int:
        """The descriptor of a new, empty file."""
        ...

    def write(self, descriptor: int, data: Buffer) -> None:
        """None; all of `data` is appended, and not durable yet."""
        ...

    def begin_sync(self, descriptor: int, start: int, length: int) -> None:
        """None; the system may begin to write these bytes to the disk. Nothing is durable by it, and it never fails."""
        ...

    def sync(self, descriptor: int) -> None:
        """None, once what was written is durable."""
        ...

    def close(self, descriptor: int) -> None:
        """None; the descriptor is used no more."""
        ...

    def rename(self, old: Path, new: Path) -> None:
        """None; the file has its new name, which is not durable yet."""
        ...

    def sync_names(self, directory: Path) -> None:
        """None, once the names in `directory` are durable."""
        ...

    def remove(self, path: Path) -> None:
        """None; no file has this name."""
        ...


class OsFiles:
    """`Files` of the operating system: readable by their owner only."""

    def make_directory(self, path: Path) -> None:
        # `parents=True` would make those above with the process's usual rights.
        for missing in reversed([each for each in (path, *path.parents) if not each.exists()]):
            missing.mkdir(mode=_PRIVATE_DIRECTORY, exist_ok=True)

    def create(self, path: Path) -> int:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _PRIVATE_FILE)

    def write(self, descriptor: int, data: Buffer) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]

    def begin_sync(self, descriptor: int, start: int, length: int) -> None:
        _sync_file_range()(descriptor, start, length, _SYNC_FILE_RANGE_WRITE)

    def sync(self, descriptor: int) -> None:
        os.fdatasync(descriptor)

    def close(self, descriptor: int) -> None:
        os.close(descriptor)

    def rename(self, old: Path, new: Path) -> None:
        old.rename(new)

    def sync_names(self, directory: Path) -> None:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def remove(self, path: Path) -> None:
        path.unlink(missing_ok=True)


@cache
def _sync_file_range() -> Callable[[int, int, int, int], object]:
    """Linux's system call of this name, which Python does not offer; elsewhere nothing. What goes wrong, the sync tells."""
    function = getattr(ctypes.CDLL(None), "sync_file_range", None)
    if function is None:
        return lambda *_: None
    function.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
    found: Callable[[int, int, int, int], object] = function
    return found
