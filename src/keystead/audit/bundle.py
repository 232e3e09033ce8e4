"""Bundles: a log as one file to hand over, with as much of its events opened as its owner wants to show."""

from __future__ import annotations

import gzip
import io
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from keystead.audit.published import Published, named
from keystead.audit.reader import read_journal
from keystead.audit.segment import Frame, Kind
from keystead.errors import LogError
from keystead.tlog import Opening, Salts, Tile, VerifierKey, open_pruned, openings, tiles_of
from keystead.tlog.tile import ENTRIES

EVENT: Final = "event"
ALL: Final = "all"
"""What can be opened besides the values at a pointer: the whole event; it and each value."""

_LEVEL: Final = 6
_MODE: Final = 0o644


def events_of(directory: Path, entry: bytes, record: int | None = None) -> list[bytes]:
    """The events that an entry commits to, as their journal has them; only that one which is `record`, if it is given.

    Raises:
        LogError: the entry is of no event, or the journal does not have one of them any more.
        JournalError: the journal cannot be read.
    """
    name = named(entry)
    records = name.records if record is None else range(record, record + 1)
    frames = read_journal(directory, name.journal, records.start)
    return [_event(next(frames, None), name.journal, index) for index in records]


def _event(frame: Frame | None, journal: str, index: int) -> bytes:
    if frame is None or frame.index != index:
        raise LogError(f"journal {journal} does not have record {index} any more")
    if frame.kind is not Kind.EVENT:
        raise LogError(f"record {index} of journal {journal} is a note: there is nothing to open")
    return frame.payload


def chosen(
    events: Iterable[bytes], entry: bytes, index: int, salts: Salts, wanted: Sequence[str]
) -> list[Opening]:
    """The openings of `events` of an `entry` that are `wanted`: `event`, `all`, or what is at and below a pointer.

    `index` is the entry's number. What events that share the entry have alike is opened once.

    Raises:
        LogError: the entry is damaged.
    """
    found = [
        opening
        for event in events
        for opening in openings(event, entry, index, salts)
        if any(_covers(pointer, opening) for pointer in wanted)
    ]
    return list(dict.fromkeys(found))


def _covers(wanted: str, opening: Opening) -> bool:
    if wanted == EVENT:
        return not opening.pointer
    return wanted in {ALL, opening.pointer} or opening.pointer.startswith(f"{wanted}/")


def pack(
    file: BinaryIO, log: Published, key: VerifierKey, shown: Iterable[Opening], *, compress: bool
) -> int:
    """How many openings are in the bundle that was written to `file`: a tar file, by gzip if `compress`.

    The same log and openings give the same bytes. Openings of one entry must stand together.

    Raises:
        LogError: a tile is missing and not pruned, or damaged.
        OSError: something cannot be read or written.
    """
    with ExitStack() as stack:
        out: BinaryIO = file
        if compress:
            packed = gzip.GzipFile(filename="", mode="wb", compresslevel=_LEVEL, fileobj=file, mtime=0)
            out = stack.enter_context(packed)  # type: ignore[assignment]  # a file of bytes, typed as its own class
        tar = stack.enter_context(tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT))
        for name, data in _files(log, key):
            tar.addfile(_member(name, len(data)), io.BytesIO(data))
        with tempfile.TemporaryFile() as lines:
            count = 0
            for opening in shown:
                lines.write(msgspec.json.encode(opening) + b"\n")
                count += 1
            if count:
                member = _member("openings.jsonl", lines.tell())
                lines.seek(0)
                tar.addfile(member, lines)
    return count


def _files(log: Published, key: VerifierKey) -> Iterator[tuple[str, bytes]]:
    yield "keys.txt", f"{key.text}\n".encode()
    yield "log/checkpoint", log.note.encode()
    witnessed = log.last_witnessed()
    if witnessed is not None:
        yield "checkpoints/witnessed", witnessed.encode()
    missing = list[Tile]()
    for tile in tiles_of(log.size):
        if tile.level == ENTRIES and not log.has(tile.index):
            missing.append(tile)
        else:
            yield f"log/{tile.path}", log.read(tile)
    note = log.pruned()  # told before anything is removed, so what is missing is in this one
    bundles = 0 if note is None else open_pruned(note, key.name, [key]).bundles
    for tile in missing:
        if tile.index >= bundles:
            raise LogError(f"log/{tile.path} is missing, and was not pruned")
    if note is not None:
        yield "log/pruned", note.encode()


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, _MODE
    return member
