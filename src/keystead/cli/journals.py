"""What commands do with journals that a server may be writing: check them, and copy them up to a commit."""

from __future__ import annotations

from pathlib import Path

import msgspec

from keystead import errors
from keystead.audit import reader
from keystead.audit.disk import OsDisk
from keystead.audit.segment import Header, Kind, align, group_end, read_marker, walk
from keystead.seal import private


class Checked(msgspec.Struct, frozen=True):
    """A journal whose every hash was checked: its records, those that are events, and its newest anchor."""

    worker: str
    segments: int
    records: int
    events: int
    anchor: int


def check(directory: Path, worker: str) -> Checked:
    """What the worker's journal in the data directory holds.

    Raises:
        errors.JournalError: the chain is broken; the message names segment and offset.
    """
    return reader.settled(lambda: _check(directory, worker))


def anchor(directory: Path, worker: str) -> int:
    """The commit of the store that the worker's journal knows to have been.

    Raises:
        errors.JournalError: the newest segment cannot be read, or its chain is broken.
    """
    return reader.settled(lambda: _anchor(*_headers(directory, worker)))


def _headers(directory: Path, worker: str) -> tuple[Path, tuple[Header, ...]]:
    place = reader.directory_of(directory, worker)
    return place, reader.headers(OsDisk(), place, worker)


def _anchor(place: Path, segments: tuple[Header, ...]) -> int:
    return reader.tail(OsDisk(), place, segments[-1]).anchor if segments else 0


def _check(directory: Path, worker: str) -> Checked:
    place, segments = _headers(directory, worker)
    newest = _anchor(place, segments)
    records = events = 0
    for frame in reader.read_journal(directory, worker):
        records += 1
        events += frame.kind is Kind.EVENT
    return Checked(worker, len(segments), records, events, newest)


def copy(source: Path, worker: str, target: Path, commit: int) -> None:
    """None; the data directory `target` has the worker's journal as it was at commit `commit` of the store.

    Groups that were journaled after a later commit are left out: with them the copied store would look older
    than its evidence. Every change up to `commit` has its event in what is copied, or in the outbox of
    the copied store, if that was copied before (a row leaves the outbox by a commit after its group).

    Raises:
        errors.JournalError: the journal cannot be read.
        errors.SealError: the copy cannot be written.
    """
    place, segments = _headers(source, worker)
    kept = [header for header in segments if header.anchor <= commit]
    directory = reader.directory_of(target, worker)
    for header in kept:
        data = _content(place / header.name)
        if header is kept[-1]:
            data = _until(data, header, commit)
        private.write(directory / header.name, data)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise errors.JournalError(f"journal segment {path.name}: cannot be read: {error.strerror}") from None


def _until(data: bytes, header: Header, commit: int) -> bytes:
    """The segment with whole groups of at most this anchor, and zeros behind them."""
    end, whole = header.start.offset, header.start.offset
    for frame in walk(data, header.start):
        marker = read_marker(frame)
        if marker is not None:
            if marker.anchor > commit:
                break
            end = group_end(frame, marker)
        if frame.after.offset == end:
            whole = align(end)
    return data[:whole].ljust(header.size, b"\0")
