"""A store of blobs that behaves as badly as stores do, and a file system that fails at a chosen step."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from enum import Enum
from pathlib import Path
from typing import TypeVar

from keystead.crypto.frames import Buffer
from keystead.errors import BlobMissing, BlobsUnavailable
from keystead.objects import Blobs, Stored
from keystead.objects.files import Files, OsFiles

_T = TypeVar("_T")


class BlobFault(Enum):
    """What a store does with the next call that it concerns."""

    LOST = "put: refused, and nothing is there"
    PERSISTED = "put: refused, though the blob is there"
    REFUSED = "read or delete: refused"
    MISSING = "read: no such blob"
    SHORT = "read: one byte less than was asked for"
    FLIPPED = "read: one bit is another one"
    ENDLESS = "read: more bytes than were asked for"
    BROKEN = "read: it fails after the first piece"
    SWAPPED = "read: the bytes of another blob"


class FaultyBlobs:
    """`inner`, with faults: `fault` says what the next calls do, until it is None again.

    `before` is called before each call, with the method's name: a test can make it wait, and so be a slow store.
    """

    def __init__(self, inner: Blobs) -> None:
        self.inner = inner
        self.fault: BlobFault | None = None
        self.before: Callable[[str], None] = lambda _method: None
        self.other: str | None = None
        """The name of the blob whose bytes SWAPPED gives."""

    def put(self, name: str, chunks: Iterable[Buffer]) -> int:
        self.before("put")
        if self.fault is BlobFault.LOST:
            for _ in chunks:  # a store refuses when it has taken what was sent
                pass
            raise BlobsUnavailable("injected")
        size = self.inner.put(name, chunks)
        if self.fault is BlobFault.PERSISTED:
            raise BlobsUnavailable("injected")
        return size

    def read(self, name: str, start: int, length: int) -> Iterator[Buffer]:
        self.before("read")
        match self.fault:
            case BlobFault.REFUSED:
                raise BlobsUnavailable("injected")
            case BlobFault.MISSING:
                raise BlobMissing("injected")
            case BlobFault.SHORT:
                yield from self.inner.read(name, start, length - 1)
            case BlobFault.FLIPPED:
                yield from _flipped(self.inner.read(name, start, length))
            case BlobFault.ENDLESS:
                yield from self.inner.read(name, start, length)
                yield bytes(1)
            case BlobFault.BROKEN:
                yield next(iter(self.inner.read(name, start, length)))[: length // 2]
                raise BlobsUnavailable("injected")
            case BlobFault.SWAPPED:
                yield from self.inner.read(self.other or name, start, length)
            case _:
                yield from self.inner.read(name, start, length)

    def delete(self, name: str) -> None:
        self.before("delete")
        if self.fault is BlobFault.REFUSED:
            raise BlobsUnavailable("injected")
        self.inner.delete(name)

    def stored(self) -> Iterator[Stored]:
        return self.inner.stored()

    def sweep(self, name: str) -> None:
        self.inner.sweep(name)

    def close(self) -> None:
        self.inner.close()


def _flipped(pieces: Iterator[Buffer]) -> Iterator[Buffer]:
    """`pieces` with one bit changed, in the middle of the first."""
    first = bytearray(next(pieces))
    first[len(first) // 2] ^= 1
    yield bytes(first)
    yield from pieces


class Step(Enum):
    """How a step of a file system ends that does not go well."""

    REFUSED = "an input or output error, and nothing was done"
    DONE = "an input or output error, though it was done"
    FULL = "no space left"
    KILLED_BEFORE = "the process is gone before it"
    KILLED_AFTER = "the process is gone after it"


class FaultyFiles:
    """The operating system's files, with the step of number `at` (the first is 1) ending as `how` says."""

    def __init__(self, at: int = 0, how: Step = Step.REFUSED) -> None:
        self._inner: Files = OsFiles()
        self._at, self._how = at, how
        self.steps: list[str] = []

    def _step(self, name: str, act: Callable[[], _T]) -> _T:
        self.steps.append(name)
        if len(self.steps) != self._at:
            return act()
        if self._how is Step.KILLED_BEFORE:
            os.kill(os.getpid(), signal.SIGKILL)
        if self._how is Step.KILLED_AFTER:
            with suppress(OSError):
                act()
            os.kill(os.getpid(), signal.SIGKILL)
        if self._how is Step.DONE:
            act()
        number = errno.ENOSPC if self._how is Step.FULL else errno.EIO
        raise OSError(number, os.strerror(number))

    def make_directory(self, path: Path) -> None:
        self._step("make_directory", lambda: self._inner.make_directory(path))

    def create(self, path: Path) -> int:
        return self._step("create", lambda: self._inner.create(path))

    def write(self, descriptor: int, data: Buffer) -> None:
        self._step("write", lambda: self._inner.write(descriptor, data))

    def begin_sync(self, descriptor: int, start: int, length: int) -> None:
        self._inner.begin_sync(descriptor, start, length)

    def sync(self, descriptor: int) -> None:
        self._step("sync", lambda: self._inner.sync(descriptor))

    def close(self, descriptor: int) -> None:
        self._step("close", lambda: self._inner.close(descriptor))

    def rename(self, old: Path, new: Path) -> None:
        self._step("rename", lambda: self._inner.rename(old, new))

    def sync_names(self, directory: Path) -> None:
        self._step("sync_names", lambda: self._inner.sync_names(directory))

    def remove(self, path: Path) -> None:
        self._step("remove", lambda: self._inner.remove(path))
