"""Blobs as files of a directory: the embedded default.

    DIR/incoming/NAME   a put that runs, or was broken off
    DIR/ab/NAME         a blob; `ab` are the first two digits of its name

A file gets its place when it is whole and synced, and `put` returns when the new name is synced too. So whatever
happens in between, a blob is whole or not there.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NoReturn

from keystead.crypto.frames import FRAME_BITS, HEADER_BYTES, TAG_BYTES, Buffer
from keystead.errors import BlobMissing, BlobsFull, BlobsUnavailable, BlobTruncated
from keystead.objects.blobs import NAME, Stored, check_name
from keystead.objects.files import Files, OsFiles
from keystead.wire.rooms import Rooms

_FRAME_BYTES: Final = (1 << FRAME_BITS) + TAG_BYTES
"""Pieces end where frames of the usual size do, so that none has to be put together from two."""
_AHEAD_BYTES: Final = 2 << 20
"""What is written is given to the disk in portions of so many bytes, so that the sync at the end has little left to do."""
_INCOMING: Final = "incoming"
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class DirectoryBlobs:
    """A `Blobs` in the directory `path`, which is made if it is missing; processes may share it.

    A blob that was deleted just before the machine (not the process) crashed can be back afterwards: as an orphan,
    which the scrubber finds.

    Raises:
        BlobsUnavailable: The directory cannot be made.
    """

    def __init__(self, path: Path, files: Files | None = None) -> None:
        self._path = path
        self._files = files or OsFiles()
        self._incoming = path / _INCOMING
        with _told(f" {path} cannot be made"):
            if not self._incoming.is_dir():
                self._files.make_directory(self._incoming)
                self._files.sync_names(path)
                self._files.sync_names(path.parent)

    def put(self, name: str, chunks: Iterable[Buffer]) -> int:
        place = self._place(name)
        temporary = self._incoming / name
        with _told():
            descriptor = self._files.create(temporary)
        try:
            size = self._write(descriptor, chunks)
            with _told():
                self._publish(temporary, place)
        except BaseException:
            # Nothing names this blob. If it cannot be removed either, the scrubber will find it.
            for left in (temporary, place):
                with suppress(OSError):
                    self._files.remove(left)
            raise
        return size

    def _write(self, descriptor: int, chunks: Iterable[Buffer]) -> int:
        """The bytes written and synced; the descriptor is closed. What `chunks` raises goes through as it is."""
        size = begun = 0
        try:
            for chunk in chunks:
                with _told():
                    self._files.write(descriptor, chunk)
                size += len(chunk)
                del chunk  # its memory can be used again for the next one
                if size - begun >= _AHEAD_BYTES:
                    self._files.begin_sync(descriptor, begun, size - begun)
                    begun = size
            with _told():
                self._files.sync(descriptor)
        finally:
            with _told():
                self._files.close(descriptor)
        return size

    def _publish(self, temporary: Path, place: Path) -> None:
        try:
            self._files.rename(temporary, place)
        except FileNotFoundError:
            self._files.make_directory(place.parent)
            self._files.sync_names(self._path)
            self._files.rename(temporary, place)
        self._files.sync_names(place.parent)

    def read(self, name: str, start: int, length: int) -> Iterator[Buffer]:
        descriptor = self._open(name)
        rooms = Rooms(min(length, HEADER_BYTES + _FRAME_BYTES))
        try:
            while length:
                room = rooms.take(min(length, _until_frames_end(start)))
                with _told():
                    size = os.preadv(descriptor, [room], start)
                if not size:
                    raise BlobTruncated("the blob ends before what was asked for")
                start, length = start + size, length - size
                yield room[:size]
                del room  # it can be used again when whoever took the piece has let go of it, too
        finally:
            os.close(descriptor)

    def _open(self, name: str) -> int:
        try:
            return os.open(self._place(name), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            raise BlobMissing("the store has no such blob") from None
        except OSError as error:
            _tell(error)

    def delete(self, name: str) -> None:
        with _told():
            self._files.remove(self._place(name))

    def stored(self) -> Iterator[Stored]:
        with _told():
            directories = sorted(entry.path for entry in os.scandir(self._path) if entry.is_dir())
        for directory in map(Path, directories):
            yield from self._listed(directory, whole=directory != self._incoming)

    def _listed(self, directory: Path, *, whole: bool) -> Iterator[Stored]:
        with _told():
            names = sorted(path.name for path in directory.iterdir() if NAME.fullmatch(path.name))
        for name in names:
            try:
                status = (directory / name).lstat()
            except FileNotFoundError:  # deleted or published since
                continue
            except OSError as error:
                _tell(error)
            yield Stored(name, status.st_size, status.st_mtime, whole)

    def sweep(self, name: str) -> None:
        """None; what a `put` of `name` left behind when it was broken off is gone.

        Raises:
            BlobsUnavailable: It cannot be removed.
        """
        with _told():
            self._files.remove(self._incoming / check_name(name))

    def close(self) -> None:
        """None; nothing is kept open."""

    def _place(self, name: str) -> Path:
        return self._path / check_name(name)[:2] / name


def _until_frames_end(start: int) -> int:
    """How many bytes from `start` on end with a frame: the first together with the header."""
    if start < HEADER_BYTES:
        return HEADER_BYTES - start + _FRAME_BYTES
    return _FRAME_BYTES - (start - HEADER_BYTES) % _FRAME_BYTES


@contextmanager
def _told(what: str = "") -> Iterator[None]:
    try:
        yield
    except OSError as error:
        _tell(error, what)


def _tell(error: OSError, what: str = "") -> NoReturn:
    kind = BlobsFull if error.errno in _FULL else BlobsUnavailable
    raise kind(f"the directory of objects{what}: {error.strerror or 'failed'}") from None
