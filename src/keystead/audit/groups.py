"""Many records of a segment at once, as columns: for whoever reads on, several times as fast as a frame for each.

Every hash is checked, as `segment.walk` does.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Final

import msgspec

from keystead.audit.change import Change, split
from keystead.audit.segment import (
    LONGEST_PAYLOAD,
    MARKER,
    MARKER_FRAME,
    MARKER_WORD,
    PREFIX,
    Kind,
    Position,
    align,
    walk,
)

_NOTE: Final = Kind.NOTE << 28
_MARKER: Final = Kind.MARKER << 28
_WORD: Final = len(MARKER_WORD)
_CHAIN: Final = PREFIX.size


class Records(msgspec.Struct, frozen=True, gc=False):
    """Records in a row, from number `first` on: their bytes, and where in the segment each begins.

    Most are events alone. `odd` are the places in the row of the others with their kind: notes, and events beside which
    there is what a change wrote.
    """

    first: int
    texts: list[bytes]
    offsets: list[int]
    odd: dict[int, Kind]

    def parts(self, place: int) -> tuple[bytes, Change | None]:
        """The event or note at a place in the row, and what stands beside it."""
        return split(self.texts[place])

    def events(self) -> Iterator[tuple[int, int, bytes]]:
        """Of each event its number, where its own bytes begin, and these."""
        rows = zip(range(self.first, self.first + len(self.texts)), self.offsets, self.texts, strict=True)
        if not self.odd:
            yield from rows
            return
        for place, (index, offset, text) in enumerate(rows):
            kind = self.odd.get(place)
            if kind is None:
                yield index, offset, text
            elif kind is Kind.EVENT:
                event, change = split(text)
                beside = 0 if change is None else len(change.writes)
                yield index, offset + len(text) - beside - len(event), event


def read_groups(data: bytes, start: Position, base: int) -> tuple[Records, Position]:
    """The records of the complete groups at the start of `data`, which is at `base` in its segment; and the place behind them.

    `start.offset` is 0: places are told from the start of `data`.
    """
    found, at = Records(start.index, [], [], {}), start
    while (group := _group(data, at)) is not None:
        (chain, end), count = group, len(found.texts)
        last = _take(data, at.offset + MARKER_FRAME, end, chain, base, found)
        following = align(end)
        if last is None:
            del found.texts[count:], found.offsets[count:]
            odd = {place: kind for place, kind in found.odd.items() if place < count}
            return msgspec.structs.replace(found, odd=odd), at
        at = Position(following, start.index + len(found.texts), last)
        if any(data[end:following]):
            break
    return found, at


def read_up_to(data: bytes, start: Position, stop: Position, base: int) -> Records | None:
    """The records up to `stop`, which may be within a group; as above. None if they do not lead there."""
    found, last = Records(start.index, [], [], {}), 0
    for frame in walk(data, start):
        if frame.kind is not Kind.MARKER:
            begin = last + PREFIX.size
            if frame.kind is Kind.NOTE or frame.change is not None:
                found.odd[len(found.texts)] = frame.kind
            found.texts.append(data[begin : frame.after.offset])
            found.offsets.append(base + begin)
        last = frame.after.offset
        if frame.after.same_record(stop):
            return found
    return None


def _group(data: bytes, at: Position) -> tuple[bytes, int] | None:
    """The hash of the marker at this place, and where its group ends; None if no complete group is there."""
    begin = at.offset + _CHAIN
    marker, told = data[begin : at.offset + MARKER_FRAME], data[at.offset + _WORD : begin]
    if len(marker) < MARKER.size or data[at.offset : at.offset + _WORD] != MARKER_WORD:
        return None
    index, chain, length, _ = MARKER.unpack(marker)
    end = at.offset + length
    if (index, chain) != (at.index, at.chain) or not at.offset + MARKER_FRAME <= end <= len(data):
        return None
    return (told, end) if sha256(chain + MARKER_WORD + marker).digest() == told else None


def _take(data: bytes, offset: int, end: int, chain: bytes, base: int, found: Records) -> bytes | None:
    """The hash of the last record before `end`, all of which were added to `found`; None if one of them is not sound."""
    texts, offsets, unpack, hashed = found.texts, found.offsets, PREFIX.unpack_from, sha256
    while offset < end - _CHAIN:
        word, told = unpack(data, offset)
        begin = offset + _CHAIN
        behind = begin + (word & LONGEST_PAYLOAD)
        text = data[begin:behind]
        if not begin < behind <= end or word >= _MARKER:
            return None
        if hashed(chain + data[offset : offset + _WORD] + text).digest() != told:
            return None
        if word >= _NOTE or not text[0]:
            found.odd[len(texts)] = Kind(word >> 28)
        texts.append(text)
        offsets.append(base + begin)
        offset, chain = behind, told
    return chain if offset == end else None
