"""The few file operations that a journal needs, as Protocols so that tests can make each of them fail."""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import suppress
from pathlib import Path
from threading import Thread
from time import monotonic, sleep
from typing import Protocol

from keystead.errors import JournalError

_PRIVATE_FILE = 0o600
_PRIVATE_DIRECTORY = 0o700
_ZEROS = bytes(1 << 16)
"""Written at once: what is written at once, Linux keeps as one piece, and goes through all of it with each write into it."""
_SYNCED_AT_ONCE = 1 << 20
_PAUSE = 0.01
"""Seconds between attempts to take a lock."""
_UNKNOWN = frozenset({errno.EOPNOTSUPP, errno.ENOSYS})


class SegmentFile(Protocol):
    """One open file.

    Durability: what `write` returned for is durable once `sync` returned after it, not before. When
    either raises, any part of the unsynced bytes may or may not persist, and the object must not be
    written to again: after a failed sync the kernel may call lost pages clean.
    """

    def write(self, data: bytes, offset: int) -> int:
        """How many bytes of `data` were written at `offset`.

        Raises:
            OSError: the write failed.
        """
        ...

    def begin_sync(self) -> None:
        """Nothing; what was written is on its way to the disk, so that a sync has less to wait for."""
        ...

    def sync(self) -> None:
        """Nothing, once everything written is durable.

        Raises:
            OSError: whether anything unsynced persisted is unknown.
        """
        ...

    def write_through(self, data: bytes, offset: int) -> int:
        """How many bytes of `data` were written at `offset` and are durable; when it raises it is as with `sync`.

        Raises:
            OSError: the write failed, or whether anything unsynced persisted is unknown.
        """
        ...

    def read(self, length: int, offset: int) -> bytes:
        """Up to `length` bytes from `offset`; fewer only at the file's end.

        Raises:
            OSError: the disk cannot give them back.
        """
        ...

    def close(self) -> None:
        """Nothing; the file is no longer used."""
        ...


class Disk(Protocol):
    """Where segments live. Every method raises OSError when the disk refuses."""

    def create(self, path: Path, size: int) -> SegmentFile:
        """A new file of `size` durable zero bytes, replacing any file of that name."""
        ...

    def open(self, path: Path) -> SegmentFile:
        """An existing file."""
        ...

    def rename(self, old: Path, new: Path) -> None:
        """Nothing, once the new name is durable."""
        ...

    def move(self, old: Path, new: Path) -> None:
        """Nothing; the new name is there, and durable once `sync_names` returned for its directory."""
        ...

    def remove(self, path: Path) -> None:
        """Nothing, once the file is gone durably; also if there is none."""
        ...

    def names(self, directory: Path) -> list[str]:
        """The file names in `directory`, sorted."""
        ...

    def sync_names(self, directory: Path) -> None:
        """Nothing, once the names in `directory` are durable."""
        ...


class OsFile:
    """A `SegmentFile` of the operating system."""

    through = getattr(os, "RWF_DSYNC", 0)
    """The flag by which one system call writes and syncs (pwritev2(2)), in a third less time; 0 where it is not known."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write(self, data: bytes, offset: int) -> int:
        return os.pwrite(self._descriptor, data, offset)

    def begin_sync(self) -> None:
        if hasattr(
            os, "posix_fadvise"
        ):  # which has Linux begin to write dirty pages, and keep them meanwhile
            os.posix_fadvise(self._descriptor, 0, 0, os.POSIX_FADV_DONTNEED)

    def sync(self) -> None:
        os.fdatasync(self._descriptor)

    def write_through(self, data: bytes, offset: int) -> int:
        if OsFile.through:
            try:
                return os.pwritev(self._descriptor, (data,), offset, OsFile.through)
            except OSError as error:
                if error.errno not in _UNKNOWN:
                    raise
                OsFile.through = 0
        written = self.write(data, offset)
        if written == len(data):
            self.sync()
        return written

    def read(self, length: int, offset: int) -> bytes:
        parts = []
        while length and (part := os.pread(self._descriptor, length, offset)):
            parts.append(part)
            offset, length = offset + len(part), length - len(part)
        return b"".join(parts)

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def write_whole(file: SegmentFile, data: bytes, offset: int) -> None:
    """Nothing, once all of `data` is written (not yet durable).

    Raises:
        OSError: the write failed or was short, which a full disk or a quota does.
    """
    if file.write(data, offset) != len(data):
        raise _short()


def write_through(file: SegmentFile, data: bytes, offset: int) -> None:
    """Nothing, once all of `data` is durable.

    Raises:
        OSError: the write or the sync failed, or the write was short, which a full disk or a quota does.
    """
    if file.write_through(data, offset) != len(data):
        raise _short()


def _short() -> OSError:
    return OSError(errno.ENOSPC, "short write: is the disk full?")


def _made(path: Path) -> int:
    """The descriptor of a new file, which replaces one of that name."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        return os.open(path, flags, _PRIVATE_FILE)
    except FileExistsError:
        path.unlink()
        return os.open(path, flags, _PRIVATE_FILE)


class OsDisk:
    """A `Disk` of the operating system: files are readable by their owner only."""

    def create(self, path: Path, size: int) -> OsFile:
        file = OsFile(_made(path))
        try:
            for offset in range(0, size, len(_ZEROS)):
                part = _ZEROS[: size - offset]
                write_whole(file, part, offset)
                end = offset + len(part)
                if not end % _SYNCED_AT_ONCE or end == size:
                    # In pieces, so that a group commit beside it never waits for the whole file.
                    file.sync()
        except OSError:
            file.close()
            with suppress(OSError):  # the first error is the one to tell; an unused file does no harm
                path.unlink()  # on a full disk the zeros must not keep the room they took
            raise
        return file

    def open(self, path: Path) -> OsFile:
        return OsFile(os.open(path, os.O_RDWR | os.O_CLOEXEC))

    def rename(self, old: Path, new: Path) -> None:
        self.move(old, new)
        self.sync_names(new.parent)

    def move(self, old: Path, new: Path) -> None:
        old.rename(new)

    def remove(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        self.sync_names(path.parent)

    def names(self, directory: Path) -> list[str]:
        return sorted(entry.name for entry in directory.iterdir())

    def sync_names(self, directory: Path) -> None:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def make_directory(disk: Disk, directory: Path) -> None:
    """Nothing, once `directory` and its parents exist durably.

    Raises:
        OSError: one of them cannot be made.
    """
    if not directory.parent.is_dir():
        make_directory(disk, directory.parent)
    directory.mkdir(mode=_PRIVATE_DIRECTORY, exist_ok=True)
    disk.sync_names(directory.parent)


class Lock:
    """The right to write in a directory; ends with the process, however it ends."""

    patience = 1.0
    """Seconds: whoever only asks whether somebody writes there has the lock for a moment."""

    def __init__(self, directory: Path, *, asking: bool = False, patience: float = 0.0) -> None:
        """Take it, within so many seconds; `asking` for it only, it keeps nobody else from asking.

        Raises:
            JournalError: another process has it.
            OSError: there is no such directory.
        """
        self._descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        how, end = fcntl.LOCK_SH if asking else fcntl.LOCK_EX, monotonic() + patience
        while not (taken := self._taken(how)) and monotonic() < end:
            sleep(_PAUSE)
        if not taken:
            self.release()
            raise JournalError(
                f"journal {directory}: another process writes it; does a server run there already?"
            )

    def _taken(self, how: int) -> bool:
        try:
            fcntl.flock(self._descriptor, how | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def release(self) -> None:
        """Nothing; another process may take the lock."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class Spare:
    """The next segment's file, zero-filled ahead by a thread so that no group waits for it."""

    def __init__(self, disk: Disk, path: Path, size: int, *, ahead: bool) -> None:
        self._disk = disk
        self.path = path
        self._size = size
        self._ahead = ahead
        self._thread: Thread | None = None
        self._file: SegmentFile | None = None

    def prepare(self) -> None:
        """Nothing; the file is made meanwhile (not at all when preparing ahead is off)."""
        if self._ahead and self._thread is None and self._file is None:
            self._thread = Thread(target=self._make, name="journal-spare", daemon=True)
            self._thread.start()

    def _make(self) -> None:
        with suppress(OSError):  # take() tries again and tells the writer, who can act on it
            self._file = self._disk.create(self.path, self._size)

    def take(self) -> SegmentFile:
        """The file; the caller renames it. Waits for the thread, or makes the file now.

        Raises:
            OSError: it cannot be made.
        """
        self._join()
        file, self._file = self._file, None
        return file if file is not None else self._disk.create(self.path, self._size)

    def discard(self) -> None:
        """Nothing; a prepared file is left for the next start to replace."""
        self._join()
        if self._file is not None:
            self._file.close()
            self._file = None

    def _join(self) -> None:
        if self._thread is not None:
            self._thread.join()
            self._thread = None
