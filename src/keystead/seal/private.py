"""Files that only their owner may read, replaced in one step."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from keystead.errors import SealError


def write(path: Path, content: bytes) -> None:
    """None once `content` is durable at `path` with mode 0600; what was there stays until then.

    Raises:
        SealError: the file cannot be written.
    """
    partial = path.with_name(path.name + ".partial")
    try:
        partial.unlink(missing_ok=True)
        handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(handle)
        # A crash before this line leaves the old file; after it, the new one.
        partial.rename(path)
        sync_directory(path.parent)
    except OSError as error:
        raise SealError(f"{path} cannot be written: {error.strerror}") from error


def rename(source: Path, target: Path) -> None:
    """None once `source` durably stands in the place of `target`.

    Raises:
        SealError: it cannot be renamed.
    """
    try:
        source.rename(target)
        sync_directory(target.parent)
    except OSError as error:
        raise SealError(f"{source} cannot be renamed to {target.name}: {error.strerror}") from error


def sync_directory(directory: Path) -> None:
    """None once the names in the directory are on the disk.

    Raises:
        OSError: it cannot be opened or synchronised.
    """
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read(path: Path) -> bytes:
    """The content of a file that nobody but its owner may read or write.

    Raises:
        SealError: the file is missing, unreadable, not a plain file, or open to others.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise SealError(f"{path} cannot be read: {error.strerror}") from error
    with os.fdopen(handle, "rb") as file:
        mode = os.fstat(handle).st_mode
        if not stat.S_ISREG(mode):
            raise SealError(f"{path} is not a plain file")
        if mode & 0o077:
            found = stat.S_IMODE(mode)
            raise SealError(f"{path} may be used by others (mode {found:04o}): chmod 600 {path}")
        return file.read()
