"""Many records of a segment at once, as columns: for whoever reads on, several times as fast as a frame for each.

Every hash is checked, as `segment.walk` does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import sha256
from itertools import repeat
from typing import Final, NamedTuple

import msgspec

from keystead.audit.change import Change, split
from keystead.audit.runs import MARK, Run, count, middles, read_run
from keystead.audit.segment import (
    LONGEST_PAYLOAD,
    MARKER,
    MARKER_FRAME,
    MARKER_WORD,
    PREFIX,
    Kind,
    Position,
    align,
)
from keystead.tlog import Alike, Stretch, events_of

_NOTE: Final = Kind.NOTE << 28
_MARKER: Final = Kind.MARKER << 28
_WORD: Final = len(MARKER_WORD)
_CHAIN: Final = PREFIX.size
_RUN: Final = MARK[0]

WITHIN: Final = 48
"""Above this bit, where an event is tells which event of a run it is, from 1 on; below, where in the segment its record is."""

_OFFSET: Final = (1 << WITHIN) - 1


class Row(NamedTuple):
    """Places in a row, from `start` to before `end`, of the events of one run: like the event at place `like`.

    `length` is that of the run's record.
    """

    start: int
    end: int
    like: int
    run: Run
    length: int


class Located(NamedTuple):
    """Events: their places in the row; where they are in the segment (see `WITHIN`), and how many bytes to read there; and all of them."""

    places: list[int]
    offsets: list[int]
    lengths: list[int]
    stretches: list[Stretch]


class Records(msgspec.Struct, frozen=True, gc=False):
    """Records in a row, from number `first` on: their bytes, and where in the segment each begins (see `WITHIN`).

    Most are events alone. `odd` are the places in the row of the others with their kind: notes, and events beside which
    there is what a change wrote. Of the events of `runs` the bytes are what differs.
    """

    first: int
    texts: list[bytes]
    offsets: list[int]
    odd: dict[int, Kind]
    runs: list[Row]
    around: dict[tuple[int, int, int], tuple[bytes, bytes, bytes]] = {}
    """How events were cut by now to which runs are alike: their places, heads and tails, and before, between and behind these."""

    def parts(self, place: int) -> tuple[bytes, Change | None]:
        """The event or note at a place in the row that is not in a run, and what stands beside it."""
        return split(self.texts[place])

    def stretches(self, start: int, end: int) -> Iterator[tuple[int, int, Row | None]]:
        """The places from `start` to before `end`, in runs and (None) between them."""
        for run in self.runs:
            if run.end <= start:
                continue
            if run.start >= end:
                break
            if start < run.start:
                yield start, run.start, None
            start = max(start, run.start)
            yield start, min(run.end, end), run
            start = min(run.end, end)
        if start < end:
            yield start, end, None

    def alike(self, row: Row, start: int, end: int, since: int = 0) -> Alike:
        """Those of the run's events that are at the places from `start` to before `end`; places count from `since`."""
        key = row.like, row.run.head, row.run.tail
        if key not in self.around:
            place, head, tail = key
            like = self.texts[place]
            self.around[key] = like[:head], like[head:tail], like[tail:]
        return Alike(row.like - since, *self.around[key], self.texts[start:end])

    def events(self) -> Iterator[tuple[int, int, int, bytes]]:
        """Of each event its number, where it is, how many bytes are to be read there, and its own bytes."""
        found = self.located(0)
        events = [event for each in found.stretches for event in events_of(each)]
        for place, offset, length, event in zip(
            found.places, found.offsets, found.lengths, events, strict=True
        ):
            yield self.first + place, offset, length, event

    def located(self, since: int) -> Located:
        """Where the events from place `since` on are, and what they are."""
        found = Located([], [], [], [])
        numbers: dict[int, int] = {}
        for start, end, row in self.stretches(since, len(self.texts)):
            if row is not None:
                like = numbers.get(row.like, -1)
                found.stretches.append(self.alike(row, start, end)._replace(like=like))
                found.places.extend(range(start, end))
                found.offsets.extend(self.offsets[start:end])
                found.lengths.extend(repeat(row.length, end - start))
                continue
            places = [place for place in range(start, end) if self.odd.get(place) is not Kind.NOTE]
            numbers.update((place, number) for number, place in enumerate(places, len(found.places)))
            told = [self._told(place) for place in places]
            found.stretches.append([event for _, event in told])
            found.places.extend(places)
            found.offsets.extend([offset for offset, _ in told])
            found.lengths.extend([len(event) for _, event in told])
        return found

    def _told(self, place: int) -> tuple[int, bytes]:
        """Of an event that is in no run where its own bytes begin, and these."""
        offset, text = self.offsets[place], self.texts[place]
        if place not in self.odd:
            return offset, text
        event, change = split(text)
        beside = 0 if change is None else len(change.writes)
        return offset + len(text) - beside - len(event), event


def event_at(read: Callable[[int, int], bytes], offset: int, length: int) -> bytes | None:
    """The event that `Records.events` told to be there, in the segment of which `read` gives so many bytes at an offset.

    None if there is none any more.
    """
    number, at = offset >> WITHIN, offset & _OFFSET
    record = read(at, length)
    if not number:
        return record
    run = read_run(record) if record.startswith(MARK) else None
    if run is None or number > count(record, run):
        return None
    like = read(at - run.back, run.length)
    return like[: run.head] + middles(record, run)[number - 1] + like[run.tail :]


def read_groups(data: bytes, start: Position, base: int) -> tuple[Records, Position]:
    """The records of the complete groups at the start of `data`, which is at `base` in its segment; and the place behind them.

    `start.offset` is 0: places are told from the start of `data`.
    """
    found, at = Records(start.index, [], [], {}, []), start
    while (group := _group(data, at)) is not None and group[1] <= len(data):
        (chain, end), whole = group, len(found.texts)
        last = _take(data, at.offset + MARKER_FRAME, end, chain, base, found)
        following = align(end)
        if last.offset != end:
            return _first(found, whole), at
        at = Position(following, last.index, last.chain)
        if any(data[end:following]):
            break
    return found, at


def read_up_to(data: bytes, start: Position, stop: Position, base: int) -> Records | None:
    """The records up to `stop`, which may be within a group; as above. None if they do not lead there."""
    found, at = Records(start.index, [], [], {}, []), start
    while (group := _group(data, at)) is not None:
        chain, end = group
        last = _take(data, at.offset + MARKER_FRAME, min(end, len(data)), chain, base, found, stop)
        if last.same_record(stop):
            return found
        following = align(end)
        if last.offset != end or any(data[end:following]):
            break
        at = Position(following, last.index, last.chain)
    return None


def _first(found: Records, whole: int) -> Records:
    """The first so many of the records; no run is cut."""
    odd = {place: kind for place, kind in found.odd.items() if place < whole}
    runs = [run for run in found.runs if run.end <= whole]
    return Records(found.first, found.texts[:whole], found.offsets[:whole], odd, runs)


def _group(data: bytes, at: Position) -> tuple[bytes, int] | None:
    """The hash of the marker at this place, and where its group ends, also beyond `data`; None if no marker is there."""
    begin = at.offset + _CHAIN
    marker, told = data[begin : at.offset + MARKER_FRAME], data[at.offset + _WORD : begin]
    if len(marker) < MARKER.size or data[at.offset : at.offset + _WORD] != MARKER_WORD:
        return None
    index, chain, length, _ = MARKER.unpack(marker)
    if (index, chain) != (at.index, at.chain) or length < MARKER_FRAME:
        return None
    return (told, at.offset + length) if sha256(chain + MARKER_WORD + marker).digest() == told else None


def _take(
    data: bytes, offset: int, end: int, chain: bytes, base: int, found: Records, stop: Position | None = None
) -> Position:
    """The place behind the last sound record before `end`, or at `stop`; all records up to there were added to `found`."""
    texts, offsets, unpack, hashed = found.texts, found.offsets, PREFIX.unpack_from, sha256
    events: dict[int, int] = {}  # of this group: the place of each in the row, by where its record begins
    while offset < end - _CHAIN:
        if stop is not None and chain == stop.chain and found.first + len(texts) == stop.index:
            break
        word, told = unpack(data, offset)
        begin = offset + _CHAIN
        behind = begin + (word & LONGEST_PAYLOAD)
        text = data[begin:behind]
        if not begin < behind <= end or word >= _MARKER:
            break
        if hashed(chain + data[offset : offset + _WORD] + text).digest() != told:
            break
        if word < _NOTE and text[0] == _RUN:
            if not _take_run(text, begin, base, events, found):
                break
        else:
            if word >= _NOTE or not text[0]:
                found.odd[len(texts)] = Kind(word >> 28)
            elif word < _NOTE:
                events[begin] = len(texts)
            texts.append(text)
            offsets.append(base + begin)
        offset, chain = behind, told
    return Position(offset, found.first + len(texts), chain)


def _take_run(text: bytes, begin: int, base: int, events: dict[int, int], found: Records) -> bool:
    """Whether the record, which begins at `begin`, is a run, whose events were added to `found`."""
    run = read_run(text)
    like = None if run is None else events.get(begin - run.back)
    if run is None or like is None or len(found.texts[like]) != run.length:
        return False
    start, alike = len(found.texts), middles(text, run)
    found.texts.extend(alike)
    first = base + begin + (1 << WITHIN)
    found.offsets.extend(range(first, first + (len(alike) << WITHIN), 1 << WITHIN))
    found.runs.append(Row(start, start + len(alike), like, run, len(text)))
    return True
