"""Reading on in a journal that somebody writes: what came since the last look, each record with its place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from keystead.audit.disk import Disk, OsDisk, SegmentFile
from keystead.audit.groups import Records, read_groups, read_up_to
from keystead.audit.reader import SUFFIX, directory_of
from keystead.audit.segment import SECTOR, Header, Position, decode_header
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
    """What came next, durable: all `records`, notes too, which begin in segment `sequence`, and the place behind them.

    `gone` is set when records that were read before turned out to have been abandoned by the writer
    after a failure: those with this index and larger ones do not count, and come again.
    """

    cursor: Cursor
    gone: int | None = None
    records: Records | None = None
    sequence: int = 0

    @property
    def events(self) -> tuple[Located, ...]:
        """Those of the records that are events, each with its place."""
        if self.records is None:
            return ()
        sequence = self.sequence
        return tuple(
            [Located(index, sequence, offset, event) for index, offset, _, event in self.records.events()]
        )


def parts(
    root: Path, worker: str, cursor: Cursor | None, disk: Disk | None = None, durable: int = 0
) -> Iterator[Part]:
    """What is in a worker's journal behind `cursor` (None: from the oldest segment that is there), in order.

    Segments that were pruned are passed over. What is handed out was made durable before; records below number `durable` are
    known to be, so that nothing has to be synced for them.

    Raises:
        JournalError: the chain is broken, or a segment cannot be read.
    """
    disk = disk or OsDisk()
    directory = directory_of(root, worker)
    while True:
        part = _next(disk, directory, worker, cursor, durable)
        if part is None:
            return
        cursor = part.cursor
        yield part


def _next(disk: Disk, directory: Path, worker: str, cursor: Cursor | None, durable: int) -> Part | None:
    if cursor is None or not (directory / _name(cursor.sequence)).exists():
        return _from_oldest(disk, directory, worker, cursor)
    following = _header(disk, directory, worker, cursor.sequence + 1)
    if following is None:
        return _whole_groups(disk, directory, cursor, durable)
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


def _whole_groups(disk: Disk, directory: Path, cursor: Cursor, durable: int) -> Part | None:
    """The groups that are complete in a segment that is still written; None without any."""
    length = _CHUNK
    with _opened(disk, directory / _name(cursor.sequence)) as file:
        while file.read(1, cursor.offset) > b"\0":  # a marker begins with its kind
            data = file.read(length, cursor.offset)
            records, end = read_groups(data, _place(cursor), cursor.offset)
            if end.offset:
                if end.index > durable:
                    file.sync()
                return _part(records, cursor, end)
            if len(data) < length:
                break
            length *= _GROWTH  # the group is longer
    return None


def _place(cursor: Cursor) -> Position:
    """Where it is in what is read from there on."""
    return Position(0, cursor.index, cursor.chain)


def _rest(disk: Disk, directory: Path, cursor: Cursor, following: Header) -> Part:
    """What is left of a segment up to the place where the next one continues."""
    stop, at = following.start, _place(cursor)
    if at.same_record(stop):
        return Part(_start(following))
    if at.index >= stop.index:
        return Part(_start(following), gone=stop.index)
    with _opened(disk, directory / _name(cursor.sequence)) as file:
        # A piece first, so that whoever reads on can give way to calls in between.
        records, end = read_groups(file.read(_CHUNK, cursor.offset), at, cursor.offset)
        if end.offset and end.index < stop.index:
            file.sync()
            return _part(records, cursor, end)
        rest = read_up_to(file.read(following.size, cursor.offset), at, stop, cursor.offset)
        if rest is not None:
            file.sync()
            return Part(_start(following), None, rest, cursor.sequence)
    raise JournalError(
        f"journal segment {_name(cursor.sequence)}: the chain is broken behind offset {cursor.offset}"
    )


def _part(records: Records, cursor: Cursor, end: Position) -> Part:
    """The groups behind `cursor` in the same segment, up to `end`, an offset from the cursor's."""
    after = Cursor(cursor.sequence, cursor.offset + end.offset, end.index, end.chain)
    return Part(after, None, records, cursor.sequence)


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
