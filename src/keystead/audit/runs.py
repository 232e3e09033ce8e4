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
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from keystead.audit.told import Record, Told
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


def kept(records: Sequence[Record], gap: int) -> list[bytes]:
    """The records of a group as the journal keeps them, with `gap` bytes before each record.

    Raises:
        ValueError: one begins as only runs do.
    """
    found, ways, at = list[bytes](), list[_Way](), 0
    alike, way, before, behind, size, most = list[bytes](), None, b"", b"", -1, 0
    for record in records:
        if (
            type(record) is Told
            and record.before is before
            and record.behind is behind
            and len(record.middle) == size
            and len(alike) < most
        ):
            alike.append(record.middle)
            continue
        text = bytes(record)
        middle = None if way is None else _middle(text, way)
        if middle is not None and len(middle) == size and len(alike) < most:
            alike.append(middle)
            continue
        if way is not None:
            found.append(_run(way, alike, at))
            at += gap + len(found[-1])
        way, middle = next(((each, own) for each in ways if (own := _middle(text, each))), (None, b""))
        if way is None:
            ways, before = [*_ways(record, text, at), *ways][:_MOST], b""
            found.append(text)
            at += gap + len(text)
        else:
            alike, size, most = [middle], len(middle), _TOGETHER // len(text)
            before, behind = way.before, way.behind
    if way is not None:
        found.append(_run(way, alike, at))
    return found


def in_likeness(told: Iterable[Record]) -> list[Record]:
    """Events of uses that wait together, those in a row that are alike; few as they are.

    None of their calls was answered before another one came, so their order tells nothing. They begin with who did what, when.
    """
    records = list(told)
    return sorted(records, key=_beginning) if len(records) >= _SEVERAL else records


def _beginning(record: Record) -> bytes:
    return record.before if type(record) is Told else bytes(record)


def _run(way: _Way, alike: Sequence[bytes], at: int) -> bytes:
    """The record, which begins at `at`, of events with these middles."""
    head, behind = len(way.before), len(way.behind)
    told = _HEAD.pack(MARK[0], at - way.at, head, way.length - behind, way.length, len(alike[0]))
    return told + b"".join(alike)


def _middle(text: bytes, way: _Way) -> bytes | None:
    """In what the record differs from the event; None if not that alone."""
    if not len(way.before) + len(way.behind) < len(text) <= _TOGETHER:
        return None
    if not (text.startswith(way.before) and text.endswith(way.behind)):
        return None
    return text[len(way.before) : len(text) - len(way.behind)]


def _ways(record: Record, event: bytes, at: int) -> list[_Way]:
    """How others may be like the record, whose bytes are `event`: in all but their ids, or in all but these and what was asked and answered."""
    if event.startswith(MARK):
        raise ValueError("a record of the journal begins as an event, a note or a change does")
    named, asked = event.rfind(REQUEST), event.find(_ASKED)
    ids = named + len(REQUEST)
    before, behind = event[:ids], event[ids + TWO_IDS :]
    if not event.startswith(b"{") or not 0 < asked < named or not behind:
        return []
    if type(record) is Told and (record.before, record.behind) == (before, behind):
        before, behind = record.before, record.behind  # so that others are known by them
    parts = before, event[: asked + len(_ASKED)]
    return [_Way(at, len(event), part, behind) for part in parts]
