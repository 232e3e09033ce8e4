"""Reading on in a journal that somebody writes: what came since the last look, each record with its place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from keystead.audit.disk import Disk, OsDisk, SegmentFile
from keystead.audit.reader import SUFFIX, directory_of
from keystead.audit.segment import (
    SECTOR,
    Frame,
    Header,
    Kind,
    Position,
    align,
    decode_header,
    group_end,
    walk,
)
from keystead.audit.segment import read_marker as marker_of
from keystead.errors import JournalError

_CHUNK: Final = 256 << 10
_GROWTH: Final = 8


class Cursor(msgspec.Struct, frozen=True):
    """How far a journal was read: a place at which a group begins, or will."""

    sequence: int
    offset: int
    index: int
    chain: bytes


class Located(msgspec.Struct, frozen=True, gc=False):
    """One event and where its bytes are: segment and offset from the segment's start."""

    index: int
    sequence: int
    offset: int
    payload: bytes


class Part(msgspec.Struct, frozen=True):
    """What came next, durable: all `records`, notes too, and the place behind them.

    `gone` is set when records that were read before turned out to have been abandoned by the writer
    after a failure: those with this index and larger ones do not count, and come again.
    """

    cursor: Cursor
    gone: int | None = None
    records: tuple[Frame, ...] = ()
    begin: Cursor | None = None

    @property
    def events(self) -> tuple[Located, ...]:
        """Those of the records that are events, each with its place."""
        begin = self.begin
        if begin is None:
            return ()
        return tuple(
            Located(frame.index, begin.sequence, begin.offset + _begin(frame), frame.payload)
            for frame in self.records
            if frame.kind is Kind.EVENT
        )


def parts(root: Path, worker: str, cursor: Cursor | None, disk: Disk | None = None) -> Iterator[Part]:
    """What is in a worker's journal behind `cursor` (None: from the oldest segment that is there), in order.

    Segments that were pruned are passed over. What is handed out was made durable before.

    Raises:
        JournalError: the chain is broken, or a segment cannot be read.
    """
    disk = disk or OsDisk()
    directory = directory_of(root, worker)
    while True:
        part = _next(disk, directory, worker, cursor)
        if part is None:
            return
        cursor = part.cursor
        yield part


def _next(disk: Disk, directory: Path, worker: str, cursor: Cursor | None) -> Part | None:
    if cursor is None or not (directory / _name(cursor.sequence)).exists():
        return _from_oldest(disk, directory, worker, cursor)
    following = _header(disk, directory, worker, cursor.sequence + 1)
    if following is None:
        return _whole_groups(disk, directory, cursor)
    return _rest(disk, directory, cursor, following)


def _from_oldest(disk: Disk, directory: Path, worker: str, cursor: Cursor | None) -> Part | None:
    """The start of the oldest segment behind `cursor`, whose own segment is not there."""
    after = -1 if cursor is None else cursor.sequence
    try:
        numbers = sorted(int(name[: -len(SUFFIX)]) for name in disk.names(directory) if _numbered(name))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise JournalError(f"journal {directory}: cannot be read: {error.strerror}") from error
    oldest = next((number for number in numbers if number > after), None)
    header = None if oldest is None else _header(disk, directory, worker, oldest)
    return None if header is None else Part(_start(header))


def _numbered(name: str) -> bool:
    return name.endswith(SUFFIX) and name[: -len(SUFFIX)].isdecimal()


def _name(sequence: int) -> str:
    return f"{sequence:08d}{SUFFIX}"


def _start(header: Header) -> Cursor:
    return Cursor(header.sequence, SECTOR, header.first_index, header.chain)


def _header(disk: Disk, directory: Path, worker: str, sequence: int) -> Header | None:
    name = _name(sequence)
    try:
        with _opened(disk, directory / name) as file:
            header = decode_header(file.read(SECTOR, 0), name)
    except FileNotFoundError:
        return None
    if header.worker != worker or header.sequence != sequence:
        raise JournalError(f"journal segment {name}: is {header.name} of worker {header.worker}")
    return header


def _whole_groups(disk: Disk, directory: Path, cursor: Cursor) -> Part | None:
    """The groups that are complete in a segment that is still written; None without any."""
    length = _CHUNK
    with _opened(disk, directory / _name(cursor.sequence)) as file:
        while True:
            data = file.read(length, cursor.offset)
            frames, end = _groups(data, Position(0, cursor.index, cursor.chain))
            if end.offset:
                file.sync()
                return _part(frames, cursor, end)
            if len(data) < length or not any(data[:4]):
                return None
            length *= _GROWTH  # the group is longer


def _groups(data: bytes, start: Position) -> tuple[list[Frame], Position]:
    """The frames of the complete groups at the start of `data`, and the place behind them."""
    found: list[Frame] = []
    whole, stop, end = 0, -1, start
    for frame in walk(data, start):
        if frame.kind is Kind.MARKER and (marker := marker_of(frame)) is not None:
            stop = group_end(frame, marker)
        found.append(frame)
        if frame.after.offset == stop:
            whole, end = len(found), Position(align(stop), frame.after.index, frame.after.chain)
    return found[:whole], end


def _rest(disk: Disk, directory: Path, cursor: Cursor, following: Header) -> Part:
    """What is left of a segment up to the place where the next one continues."""
    stop, at = following.start, Position(0, cursor.index, cursor.chain)
    if at.same_record(stop):
        return Part(_start(following))
    if at.index >= stop.index:
        return Part(_start(following), gone=stop.index)
    found: list[Frame] = []
    with _opened(disk, directory / _name(cursor.sequence)) as file:
        # A piece first, so that whoever reads on can give way to calls in between.
        frames, end = _groups(file.read(_CHUNK, cursor.offset), at)
        if end.offset and end.index < stop.index:
            file.sync()
            return _part(frames, cursor, end)
        data = file.read(following.size, cursor.offset)
        for frame in walk(data, at):
            found.append(frame)
            if frame.after.same_record(stop):
                file.sync()
                return Part(_start(following), None, _records(found), cursor)
    raise JournalError(
        f"journal segment {_name(cursor.sequence)}: the chain is broken behind offset {cursor.offset}"
    )


def _records(frames: list[Frame]) -> tuple[Frame, ...]:
    return tuple(frame for frame in frames if frame.kind is not Kind.MARKER)


def _part(frames: list[Frame], cursor: Cursor, end: Position) -> Part:
    """The groups behind `cursor` in the same segment, up to `end`, an offset from the cursor's."""
    after = Cursor(cursor.sequence, cursor.offset + end.offset, end.index, end.chain)
    return Part(after, None, _records(frames), cursor)


@contextmanager
def _opened(disk: Disk, path: Path) -> Iterator[SegmentFile]:
    try:
        file = disk.open(path)
        try:
            yield file
        finally:
            file.close()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise JournalError(f"journal segment {path.name}: cannot be read: {error.strerror}") from error


def _begin(frame: Frame) -> int:
    """Where the event's own bytes begin: behind it in its record are the digests of what it changed."""
    beside = 0 if frame.change is None else len(frame.change.writes)
    return frame.after.offset - beside - len(frame.payload)
