"""The bytes of a journal segment: encoding and checking, without any I/O.

A segment is `size` bytes, zero where nothing was written yet:

    header   one 512-byte sector (`Header`)
    group    at a multiple of 512 bytes: one marker frame, then the frames of one append, which hold a record each,
             or a run of events that are alike (`runs`)
    …        zeros from the end of a group to the next multiple of 512

    frame  = u32 word ‖ 32-byte chain hash ‖ payload
    word   = kind (4 bits) ‖ payload length (28 bits), big-endian as every integer here
    chain hash = SHA-256(previous chain hash ‖ word ‖ payload)

A marker's payload repeats where the group stands (index ‖ chain hash before it), so a marker proves
itself, and tells the group's length in bytes and its anchor. That tells damage from a crash apart: a crash tears the
last group only, hence a sound marker beyond the first broken byte means that records
which had been made durable were changed afterwards.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from enum import IntEnum
from hashlib import sha256

import msgspec

from keystead.audit.change import NOTES, Change, split
from keystead.audit.runs import MARK, kept, middles, read_run
from keystead.audit.told import Record
from keystead.errors import JournalError

FORMAT_VERSION = 2
"""That of new segments. Those of version 1 are read as ever, but have no runs and are not gone on with."""
_READABLE = range(1, FORMAT_VERSION + 1)
SECTOR = 512
MAGIC = b"KSJOURNL"
LONGEST_PAYLOAD = (1 << 28) - 1

_HEADER = struct.Struct(">8sII32sQQQ32s32s")
_WORD = struct.Struct(">I")
PREFIX = struct.Struct(">I32s")
MARKER = struct.Struct(">Q32sIQ")
_DIGEST_LENGTH = 32
_LONGEST_WORKER = 32
MARKER_FRAME = PREFIX.size + MARKER.size


class Kind(IntEnum):
    """What a frame holds. Events and notes are records and take an index; a marker takes none."""

    EVENT = 0
    NOTE = 1
    MARKER = 2


_KINDS = tuple(Kind)
_WITHIN = b""
"""The chain's hash at a place within a run: nothing continues from there."""
MARKER_WORD = _WORD.pack(Kind.MARKER << 28 | MARKER.size)
_TEXT = b"\1"
"""Records of changes begin with less; all others are texts, and runs of them."""


class Position(msgspec.Struct, frozen=True, gc=False):
    """A place between two records.

    `offset` is in bytes from the segment's start, `index` that of the next record, `chain` the
    hash of the frame before (or what the segment continues from).
    """

    offset: int
    index: int
    chain: bytes

    def same_record(self, other: Position) -> bool:
        """Whether both lie between the same two records, whatever segment they are in."""
        return self.index == other.index and self.chain == other.chain


class Header(msgspec.Struct, frozen=True):
    """A segment's first sector: whose it is, which one, what it continues from, and the anchor then."""

    worker: str
    sequence: int
    size: int
    first_index: int
    anchor: int
    chain: bytes
    version: int = FORMAT_VERSION

    @property
    def start(self) -> Position:
        """The place before the segment's first record."""
        return Position(SECTOR, self.first_index, self.chain)

    @property
    def name(self) -> str:
        """The segment's file name."""
        return f"{self.sequence:08d}.seg"


class Frame(msgspec.Struct, frozen=True, gc=False):
    """One record as read back; `after` is the place behind it.

    The `payload` is the event or note alone; `change` is what stands beside it in the record of a change.
    """

    index: int
    kind: Kind
    payload: bytes
    after: Position
    change: Change | None = None


class Marker(msgspec.Struct, frozen=True, gc=False):
    """A group's first frame: what it continues from, its length in bytes and its anchor."""

    index: int
    chain: bytes
    length: int
    anchor: int


def genesis(worker: str) -> bytes:
    """The chain hash that a worker's first segment continues from."""
    return sha256(b"keystead journal 1\0" + worker.encode()).digest()


def align(offset: int) -> int:
    """The first multiple of a sector that is not before `offset`."""
    return -(-offset // SECTOR) * SECTOR


def check_worker(worker: str) -> None:
    """Nothing.

    Raises:
        ValueError: `worker` cannot be a directory name and a header's 32-byte field at once.
    """
    plain = worker.isascii() and worker.replace("-", "").replace("_", "").isalnum()
    if not plain or len(worker) > _LONGEST_WORKER:
        raise ValueError(f"a worker's name is 1 to {_LONGEST_WORKER} letters, digits, '-' or '_': {worker!r}")


def encode_header(header: Header) -> bytes:
    """The header as one sector; its last field is the SHA-256 of those before it."""
    fields = _HEADER.pack(
        MAGIC,
        header.version,
        header.size,
        header.worker.encode(),
        header.sequence,
        header.first_index,
        header.anchor,
        header.chain,
        bytes(_DIGEST_LENGTH),
    )[:-_DIGEST_LENGTH]
    return (fields + sha256(fields).digest()).ljust(SECTOR, b"\0")


def decode_header(sector: bytes, name: str) -> Header:
    """The header in a segment's first sector; `name` is the segment's name for messages.

    Raises:
        JournalError: it is not a header, has been changed, or is of a newer format.
    """
    raw = sector[: _HEADER.size]
    if len(sector) < SECTOR or sector[SECTOR:] or any(sector[_HEADER.size :]) or raw[:8] != MAGIC:
        raise JournalError(f"journal segment {name}: not a segment header at offset 0")
    _, version, size, worker, sequence, first, anchor, chain, digest = _HEADER.unpack(raw)
    if sha256(raw[:-_DIGEST_LENGTH]).digest() != digest:
        raise JournalError(f"journal segment {name}: the header at offset 0 was changed")
    if version not in _READABLE:
        raise JournalError(
            f"journal segment {name}: format {version}, this program reads {FORMAT_VERSION} and older ones"
        )
    return Header(worker.rstrip(b"\0").decode(), sequence, size, first, anchor, chain, version)


# ------------------------------------------------------------------------------ writing


def group_length(sizes: Sequence[int]) -> int:
    """Bytes that one group of records of these lengths takes, its marker included."""
    return MARKER_FRAME + PREFIX.size * len(sizes) + sum(sizes)


def longest_record(size: int) -> int:
    """Bytes of the longest record that fits in an empty segment of `size` bytes."""
    return min(LONGEST_PAYLOAD, size - SECTOR - group_length([0]))


def count_fitting(room: int, sizes: Sequence[int]) -> int:
    """How many records of these lengths, from the first on, fit as one group in `room` bytes."""
    if group_length(sizes) <= room:
        return len(sizes)
    left = room - MARKER_FRAME
    for count, size in enumerate(sizes):
        left -= PREFIX.size + size
        if left < 0:
            return count
    return len(sizes)


def encode_group(
    at: Position, records: Sequence[Record], anchor: int = 0, kind: Kind = Kind.EVENT
) -> tuple[bytes, Position]:
    """The group's bytes, to be written at `at.offset` (a multiple of a sector), and the place after it.

    Each record holds 1 to `LONGEST_PAYLOAD` bytes, which the journal has checked.
    """
    texts = kept(records, PREFIX.size) if kind is Kind.EVENT else list(map(bytes, records))
    length = group_length(list(map(len, texts)))
    marker = MARKER.pack(at.index, at.chain, length, anchor)
    chain, digest = sha256(at.chain + MARKER_WORD + marker).digest(), sha256
    parts = [MARKER_WORD, chain, marker]
    for word, record in zip(_words(texts, kind), texts, strict=True):
        chain = digest(chain + word + record).digest()
        parts += (word, chain, record)
    after = Position(align(at.offset + length), at.index + len(records), chain)
    return b"".join(parts), after


def _words(records: Sequence[bytes], kind: Kind) -> list[bytes]:
    """The word before each record."""
    if not records or min(records) >= _TEXT:
        return list(map(_WORD.pack, map((kind << 28).__or__, map(len, records))))
    kinds = (Kind.NOTE if record.startswith(NOTES) else kind for record in records)
    return [_WORD.pack(of << 28 | len(record)) for of, record in zip(kinds, records, strict=True)]


# ------------------------------------------------------------------------------ reading


def _frame(data: bytes, at: Position) -> Frame | None:
    """The frame that stands at `at` and continues the chain from there, if one does."""
    if at.offset + PREFIX.size > len(data):
        return None
    word, chain = PREFIX.unpack_from(data, at.offset)
    start, kind, length = at.offset + PREFIX.size, word >> 28, word & LONGEST_PAYLOAD
    payload = data[start : start + length]
    if not length or len(payload) < length or kind > Kind.MARKER:
        return None
    if sha256(at.chain + _WORD.pack(word) + payload).digest() != chain:
        return None
    after = Position(start + length, at.index + (kind != Kind.MARKER), chain)
    if kind == Kind.MARKER:
        return Frame(at.index, Kind.MARKER, payload, after)
    return Frame(at.index, Kind(kind), *_beside(payload, after))


def _beside(record: bytes, after: Position) -> tuple[bytes, Position, Change | None]:
    payload, change = split(record)
    return payload, after, change


def read_marker(frame: Frame) -> Marker | None:
    """The marker that `frame` holds, if it holds one."""
    if frame.kind is not Kind.MARKER or len(frame.payload) != MARKER.size:
        return None
    marker = Marker(*MARKER.unpack(frame.payload))
    return marker if marker.length >= MARKER_FRAME else None


def group_end(frame: Frame, marker: Marker) -> int:
    """The offset where the group ends whose marker `frame` is."""
    return frame.after.offset - MARKER_FRAME + marker.length


def walk(data: bytes, start: Position) -> Iterator[Frame]:
    """The sound frames from `start` (a group's place) on, markers too; ends before the first that is not."""
    at = start
    while (first := _frame(data, at)) is not None:
        marker = read_marker(first)
        if marker is None or (marker.index, marker.chain) != (at.index, at.chain):
            return
        yield first
        end, inner = group_end(first, marker), first.after
        for frame in _records(data, inner, end):
            yield frame
            inner = frame.after
        following = align(end)
        if inner.offset != end or any(data[end:following]):
            return
        at = Position(following, inner.index, inner.chain)


def _records(data: bytes, start: Position, end: int) -> Iterator[Frame]:
    """The sound records from `start` on that end at `end` or before. As `_frame`, in one step for many."""
    offset, index, chain = start.offset, start.index, start.chain
    last, events = min(end, len(data)), dict[int, bytes]()
    while offset + PREFIX.size <= last:
        word, told = PREFIX.unpack_from(data, offset)
        kind, begin = word >> 28, offset + PREFIX.size
        behind = begin + (word & LONGEST_PAYLOAD)
        record = data[begin:behind]
        if not record or behind > last or kind >= Kind.MARKER:
            return
        if sha256(chain + data[offset : offset + _WORD.size] + record).digest() != told:
            return
        offset, chain = behind, told
        if record.startswith(MARK) and kind == Kind.EVENT:
            found = run_of(record, begin, events)
            if not found:
                return
            index += len(found)
            for number, event in enumerate(found[:-1], index - len(found)):
                yield Frame(number, Kind.EVENT, event, Position(begin, number + 1, _WITHIN))
            yield Frame(index - 1, Kind.EVENT, found[-1], Position(offset, index, chain))
            continue
        if kind == Kind.EVENT and record >= _TEXT:
            events[begin] = record
        index += 1
        yield Frame(index - 1, _KINDS[kind], *_beside(record, Position(offset, index, chain)))


def run_of(record: bytes, begin: int, events: Mapping[int, bytes]) -> list[bytes]:
    """The events of a run, which begins at `begin`; none if it is like none of the group's, told by where their records begin."""
    run = read_run(record)
    base = None if run is None else events.get(begin - run.back)
    if run is None or base is None or len(base) != run.length:
        return []
    before, behind = base[: run.head], base[run.tail :]
    return [before + middle + behind for middle in middles(record, run)]


def sound_marker_beyond(data: bytes, stop: Position) -> int | None:
    """The offset of a marker at or after `stop` that proves itself and is not older; None without one."""
    for offset in range(align(stop.offset), len(data) - MARKER_FRAME + 1, SECTOR):
        if data[offset : offset + _WORD.size] != MARKER_WORD:
            continue
        index, chain, *_ = MARKER.unpack_from(data, offset + PREFIX.size)
        place = Position(offset, index, chain)
        if index >= stop.index and _frame(data, place) is not None:
            return offset
    return None
