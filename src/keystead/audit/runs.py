"""Runs: events of a group that are like one before them, kept in one record by what differs.

Calls of one client differ in few things, and each of their events would take a kilobyte to be hashed, written and read. So
the journal keeps events in a row that are alike in one record with one hash:

    0x01 ‖ u32 back ‖ u32 head ‖ u32 tail ‖ u32 length ‖ u32 size ‖ middles of `size` bytes each

They are like the event whose record begins `back` bytes before this one, in the same group, and has `length` bytes: each is
its first `head` bytes, a middle, and its bytes from `tail` on. It stands alone (JSON, which begins with `{`), so there is
nothing to be followed further. Where to cut is the writer's choice; who reads need not know it. Together they have 16 MiB at
most, so that a forged record does not fill the memory of whoever checks it.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final, NamedTuple

MARK: Final = b"\1"
_HEAD: Final = struct.Struct(">BIIIII")
_SHORTEST: Final = _HEAD.size + 1

_TOGETHER: Final = 16 << 20
"""Bytes of all events of a run."""
_MOST: Final = 8
"""Ways to be like an earlier event of the group that are tried."""
_ASKED: Final = b',"requestParameters":'
_REQUEST: Final = b',"requestID":"'
_ID: Final = len("00000000-0000-4000-8000-000000000000")
_IDS: Final = len(_REQUEST) + 2 * _ID + len('","eventID":"')
"""Bytes of both ids of an event, with the names before them."""


class Run(NamedTuple):
    """What the record of a run tells, but for the middles: offsets and sizes in bytes."""

    mark: int
    back: int
    head: int
    tail: int
    length: int
    size: int


class _Way(NamedTuple):
    """A way to be like an event: where its record begins, what is before and behind the middle, and where that is."""

    at: int
    before: bytes
    behind: bytes
    head: int
    tail: int
    length: int


class Kept(NamedTuple):
    """A record as the journal keeps it: its bytes, and how many events it holds."""

    record: bytes
    events: int


def read_run(record: bytes) -> Run | None:
    """What the record tells; None if it begins with `MARK` and is no run all the same."""
    if len(record) < _SHORTEST:
        return None
    run = Run(*_HEAD.unpack_from(record))
    sound = run.head <= run.tail <= run.length and run.size and not (len(record) - _HEAD.size) % run.size
    if not sound or count(record, run) * (run.head + run.size + run.length - run.tail) > _TOGETHER:
        return None
    return run


def middles(record: bytes, run: Run) -> tuple[bytes, ...]:
    """What differs, of each of the run's events."""
    return struct.unpack_from(f"{run.size}s" * count(record, run), record, _HEAD.size)


def count(record: bytes, run: Run) -> int:
    """How many events it holds: at least one."""
    return (len(record) - _HEAD.size) // run.size


def kept(records: Sequence[bytes], gap: int) -> list[Kept]:
    """The events of a group as the journal keeps them, with `gap` bytes before each record.

    Raises:
        ValueError: one begins as only runs do.
    """
    found, ways, at = list[Kept](), list[_Way](), 0
    alike, way, size, most = list[bytes](), None, -1, 0
    before = behind = b""
    for record in records:
        if (
            len(record) == size
            and record.startswith(before)
            and record.endswith(behind)
            and len(alike) < most
        ):
            alike.append(record)
            continue
        if way is not None:
            at = _close(found, way, alike, at, gap)
        way = next((each for each in ways if _fits(record, each)), None)
        if way is None:
            ways = [*_ways(record, at), *ways][:_MOST]
            found.append(Kept(record, 1))
            at, size = at + gap + len(record), -1
        else:
            alike, size, before, behind = [record], len(record), way.before, way.behind
            most = _TOGETHER // size
    if way is not None:
        _close(found, way, alike, at, gap)
    return found


def _close(found: list[Kept], way: _Way, alike: list[bytes], at: int, gap: int) -> int:
    """Where the next record begins; that of these events, which begins at `at`, is added to those found."""
    start, end = way.head, len(alike[0]) - len(way.behind)
    head = _HEAD.pack(MARK[0], at - way.at, way.head, way.tail, way.length, end - start)
    record = head + b"".join([event[start:end] for event in alike])
    found.append(Kept(record, len(alike)))
    return at + gap + len(record)


def _fits(record: bytes, way: _Way) -> bool:
    fits = len(way.before) + len(way.behind) < len(record) <= _TOGETHER
    return fits and record.startswith(way.before) and record.endswith(way.behind)


def _ways(event: bytes, at: int) -> list[_Way]:
    """How others may be like this event: in all but their ids, or in all but these and what was asked and answered."""
    if event.startswith(MARK):
        raise ValueError("a record of the journal begins as an event, a note or a change does")
    ids, asked = event.rfind(_REQUEST), event.find(_ASKED)
    tail = ids + _IDS
    if not event.startswith(b"{") or not 0 < asked < ids or tail >= len(event):
        return []
    heads = ids + len(_REQUEST), asked + len(_ASKED)
    return [_Way(at, event[:head], event[tail:], head, tail, len(event)) for head in heads]
