"""Reading journal segments back, checking every hash on the way; takes no lock and writes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from keystead.audit.disk import Disk, OsDisk
from keystead.audit.segment import (
    SECTOR,
    Frame,
    Header,
    Kind,
    Position,
    check_worker,
    decode_header,
    genesis,
    group_end,
    read_marker,
    sound_marker_beyond,
    walk,
)
from keystead.errors import JournalError

T = TypeVar("T")

SUFFIX = ".seg"
_TRIES: Final = 3


class Tail(msgspec.Struct, frozen=True):
    """How the newest segment ends.

    `at` is the place behind the last sound frame, `data` the segment up to there, `beyond` what follows
    without the zeros at its end. `clean` means that nothing is torn: the last group is complete, only zeros
    follow, and the file has its full length. `anchor` is the largest that the segment tells.
    """

    at: Position
    anchor: int
    data: bytes
    beyond: bytes
    clean: bool


def directory_of(root: Path, worker: str) -> Path:
    """Where a worker's segments are.

    Raises:
        ValueError: `worker` cannot be a directory name.
    """
    check_worker(worker)
    return root / "journal" / worker


def _load(disk: Disk, path: Path, length: int) -> bytes:
    try:
        file = disk.open(path)
        try:
            return file.read(length, 0)
        finally:
            file.close()
    except OSError as error:
        raise JournalError(f"journal segment {path.name}: cannot be read: {error.strerror}") from error


def headers(disk: Disk, directory: Path, worker: str) -> tuple[Header, ...]:
    """The headers of a worker's segments, oldest first; empty when there are none.

    Raises:
        JournalError: a header is damaged, of another worker, or does not follow the one before.
    """
    try:
        names = [name for name in disk.names(directory) if name.endswith(SUFFIX)]
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise JournalError(f"journal {directory}: cannot be read: {error.strerror}") from error
    found = tuple(decode_header(_load(disk, directory / name, SECTOR), name) for name in names)
    for name, header in zip(names, found, strict=True):
        if header.name != name or header.worker != worker:
            raise JournalError(f"journal segment {name}: is {header.name} of worker {header.worker}")
    if found and found[0].sequence == 0 and found[0].chain != genesis(worker):
        raise JournalError(f"journal segment {names[0]}: does not start worker {worker}'s chain at offset 0")
    for before, after in pairwise(found):
        if after.sequence != before.sequence + 1 or after.first_index < before.first_index:
            raise JournalError(f"journal segment {after.name}: does not follow {before.name}")
    return found


def tail(disk: Disk, directory: Path, header: Header) -> Tail:
    """How the newest segment ends.

    Raises:
        JournalError: the chain is broken before the last group, or the segment cannot be read.
    """
    data = _load(disk, directory / header.name, header.size)
    at, end, anchor = header.start, SECTOR, header.anchor
    for frame in walk(data, at):
        marker = read_marker(frame)
        if marker is not None:
            end, anchor = group_end(frame, marker), max(anchor, marker.anchor)
        at = frame.after
    if sound_marker_beyond(data, at) is not None:
        raise _broken(header, at)
    beyond = data[at.offset :].rstrip(b"\0")
    clean = at.offset == end and not beyond and len(data) == header.size
    return Tail(at, anchor, data[: at.offset], beyond, clean)


def _broken(header: Header, at: Position) -> JournalError:
    return JournalError(f"journal segment {header.name}: the chain is broken at offset {at.offset}")


def frames(
    disk: Disk, directory: Path, segments: Sequence[Header], end: Position, from_index: int = 0
) -> Iterator[Frame]:
    """Records from `from_index` on up to `end`, oldest first.

    Each segment is checked from its header to the place where the next one continues; what lies beyond
    in an abandoned segment was never acknowledged and is no evidence.

    Raises:
        JournalError: the chain is broken; the message names segment and offset.
    """
    stops = [*(header.start for header in segments[1:]), end]
    for header, stop in zip(segments, stops, strict=True):
        if stop.index <= from_index and stop is not end:
            continue
        for frame in segment_frames(disk, directory, header, stop):
            if frame.index >= from_index:
                yield frame


def segment_frames(disk: Disk, directory: Path, header: Header, stop: Position) -> Iterator[Frame]:
    """The records of one segment up to `stop`, which is where the next one continues.

    Raises:
        JournalError: the chain is broken; the message names segment and offset.
    """
    at = header.start
    if not at.same_record(stop):
        for frame in walk(_load(disk, directory / header.name, header.size), at):
            at = frame.after
            if frame.kind is not Kind.MARKER:
                yield frame
            if at.same_record(stop):
                break
    if not at.same_record(stop):
        raise _broken(header, at)


def read_journal(root: Path, worker: str, from_index: int = 0, disk: Disk | None = None) -> Iterator[Frame]:
    """Every sound record of a worker's journal, notes too; also beside a running writer.

    Beside a running writer the last records may be some whose callers are not answered yet.

    Raises:
        JournalError: the chain is broken; the message names segment and offset.
        ValueError: `worker` is no worker's name.
    """
    disk = disk or OsDisk()
    directory = directory_of(root, worker)
    segments, end = settled(lambda: _extent(disk, directory, worker))
    if end is not None:
        yield from frames(disk, directory, segments, end, from_index)


def _extent(disk: Disk, directory: Path, worker: str) -> tuple[tuple[Header, ...], Position | None]:
    segments = headers(disk, directory, worker)
    return segments, tail(disk, directory, segments[-1]).at if segments else None


def settled(read: Callable[[], T]) -> T:
    """What `read` returns.

    A segment is not read at one instant: beside a writer the groups that came while it was read may look
    torn apart. Then it is read again; what is really broken stays so.
    """
    for _ in range(_TRIES - 1):
        try:
            return read()
        except JournalError:
            continue
    return read()
