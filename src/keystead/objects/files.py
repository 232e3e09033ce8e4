"""The few file operations that a directory of blobs needs, as a Protocol so that tests can make each of them fail."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, Protocol

from keystead.crypto.frames import Buffer

_PRIVATE_FILE: Final = 0o600
_PRIVATE_DIRECTORY: Final = 0o700


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
