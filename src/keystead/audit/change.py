"""What a change wrote: a digest of each record, kept beside the event in the journal.

A record of the journal is an event or a note (JSON, which begins with `{`), or for a change

    0x00 "kc" ‖ mark ‖ u64 commit ‖ u32 length of the event ‖ event ‖ for each record that it wrote: place ‖ flag ‖ digest

with a 16-byte place and flag 1 and a 32-byte digest, or flag 0 and nothing for a record that was deleted. Both
are keyed (HMAC-SHA-256), so that the log tells who has no key neither which record it was nor what it
holds. `commit` is the store's commit that made the change (mark 0), or the newest that may have made it, where
that was not known any more (mark 1): journals of several workers are not in the order of commits. Marks 2 and
3 tell the same of a change that has a note instead of an event, because no call made it. Tables that are
not `evident` leave no digests: they hold what no event tells of.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import msgspec

from keystead.tlog import StateDigests

if TYPE_CHECKING:
    from keystead.storage.transaction import Transaction  # the log's process has no use for a store

_MAGIC = b"\0kc"
_INEXACT, _NOTE = 1, 2
NOTES = (_MAGIC + bytes([_NOTE]), _MAGIC + bytes([_NOTE | _INEXACT]))
"""What the records of changes with a note begin with."""
_HEAD = struct.Struct(">3sBQI")
_PLACE = 16
_DIGEST = 32
_STORED, _DELETED = b"\1", b"\0"

Write = tuple[bytes, bytes]
"""A record's place and digest, both keyed; an empty digest tells that it was deleted."""


class Change(msgspec.Struct, frozen=True, gc=False):
    """What stands beside a change's event or note: `commit` made it, or is the newest that may have (not `exact`)."""

    commit: int
    exact: bool
    writes: bytes


def digests_of(digests: StateDigests, transaction: Transaction) -> bytes:
    """What tells of all evident records that the transaction writes; empty without any."""
    return encode_writes(
        digests.write(write.table.name, write.key.encode(), None if write.record is None else write.value)
        for write in transaction.writes.values()
        if write.table.evident
    )


def encode_writes(writes: Iterable[Write]) -> bytes:
    """The writes as they stand in a record."""
    return b"".join(place + (_STORED + digest if digest else _DELETED) for place, digest in writes)


def join(event: bytes, writes: bytes, commit: int, *, exact: bool = True, note: bool = False) -> bytes:
    """The journal's record of an event (or note) and what its change wrote; the event alone without any."""
    if not writes:
        return event
    mark = _INEXACT * (not exact) | _NOTE * note
    return _HEAD.pack(_MAGIC, mark, commit, len(event)) + event + writes


def note_record(note: bytes, commit: int) -> bytes:
    """The journal's record of a note of what changed no record; `commit` is the store's newest."""
    return _HEAD.pack(_MAGIC, _INEXACT | _NOTE, commit, len(note)) + note


def split(record: bytes) -> tuple[bytes, Change | None]:
    """The event or note, and what `join` was given besides (None: nothing stands beside it)."""
    if not record.startswith(_MAGIC) or len(record) < _HEAD.size:
        return record, None
    _, mark, commit, length = _HEAD.unpack_from(record)
    end = _HEAD.size + length
    return record[_HEAD.size : end], Change(commit, not mark & _INEXACT, record[end:])


def decode_writes(writes: bytes) -> Iterator[Write]:
    """The writes that `encode_writes` was given; ends at what is none."""
    at = 0
    while at + _PLACE < len(writes):
        place, stored = writes[at : at + _PLACE], writes[at + _PLACE] == _STORED[0]
        at += _PLACE + 1
        yield place, writes[at : at + _DIGEST] if stored else b""
        at += _DIGEST * stored
