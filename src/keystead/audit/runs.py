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

from keystead.tlog.alike import REQUEST, TWO_IDS

MARK: Final = b"\1"
_HEAD: Final = struct.Struct(">BIIIII")
_SHORTEST: Final = _HEAD.size + 1

_TOGETHER: Final = 16 << 20
"""Bytes of all events of a run."""
_MOST: Final = 8
"""Ways to be like an earlier event of the group that are tried."""
_SEVERAL: Final = 8
"""Events of a group that are worth being put in order."""
_ASKED: Final = b',"requestParameters":'


class Run(NamedTuple):
    """What the record of a run tells, but for the middles: offsets and sizes in bytes."""

    mark: int
    back: int
    head: int
    tail: int
    length: int
    size: int


class _Way(NamedTuple):
    """A way to be like an event: where its record begins, its length, and what is before and behind the middle."""

    at: int
    length: int
    before: bytes
    behind: bytes


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


def kept(records: Sequence[bytes], gap: int) -> list[bytes]:
    """The records of a group as the journal keeps them, with `gap` bytes before each record.

    Raises:
        ValueError: one begins as only runs do.
    """
    found, ways, at = list[bytes](), list[_Way](), 0
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
            found.append(_run(way, alike, at))
            at += gap + len(found[-1])
        way = next((each for each in ways if _fits(record, each)), None)
        if way is None:
            ways = [*_ways(record, at), *ways][:_MOST]
            found.append(record)
            at, size = at + gap + len(record), -1
        else:
            alike, size, before, behind = [record], len(record), way.before, way.behind
            most = _TOGETHER // size
    if way is not None:
        found.append(_run(way, alike, at))
    return found


def in_likeness(records: list[bytes]) -> list[bytes]:
    """Events of uses that wait together, those in a row that are alike; few as they are.

    None of their calls was answered before another one came, so their order tells nothing. They begin with who did what, when.
    """
    return sorted(records) if len(records) >= _SEVERAL else records


def _run(way: _Way, alike: list[bytes], at: int) -> bytes:
    """The record of these events, which begins at `at`."""
    head, behind = len(way.before), len(way.behind)
    end = len(alike[0]) - behind
    told = _HEAD.pack(MARK[0], at - way.at, head, way.length - behind, way.length, end - head)
    return told + b"".join([event[head:end] for event in alike])


def _fits(record: bytes, way: _Way) -> bool:
    fits = len(way.before) + len(way.behind) < len(record) <= _TOGETHER
    return fits and record.startswith(way.before) and record.endswith(way.behind)


def _ways(event: bytes, at: int) -> list[_Way]:
    """How others may be like this event: in all but their ids, or in all but these and what was asked and answered."""
    if event.startswith(MARK):
        raise ValueError("a record of the journal begins as an event, a note or a change does")
    named, asked = event.rfind(REQUEST), event.find(_ASKED)
    ids = named + len(REQUEST)
    behind = event[ids + TWO_IDS :]
    if not event.startswith(b"{") or not 0 < asked < named or not behind:
        return []
    return [_Way(at, len(event), event[:head], behind) for head in (ids, asked + len(_ASKED))]
