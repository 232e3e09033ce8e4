"""Parts of journals that the log has read just now, handed to the index, which so need not read and check them again."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final, NamedTuple

from keystead.audit.follow import Cursor, Part
from keystead.audit.index import Source

_MOST: Final = 8 << 20
"""Bytes of a journal that are kept for an index which gives way to calls; what it takes up later it reads by itself."""


class Handed:
    """Belongs to one thread. `journals` tells what is in the journals themselves, where nothing else does."""

    def __init__(self, journals: Source) -> None:
        self._journals = journals
        self._kept: dict[str, deque[_Kept]] = {}
        self._read: dict[str, Cursor] = {}
        self._bytes = 0

    def hand(self, worker: str, part: Part) -> None:
        """None; the part of the worker's journal was read, all of it, behind the one before."""
        before, cursor = self._read.get(worker), part.cursor
        self._read[worker] = cursor
        if part.records is not None:
            sequence, first, texts = part.sequence, part.records.first, part.records.texts
        elif before is not None:
            sequence, first, texts = before.sequence, before.index, []
        else:
            return
        kept = _Kept(part, sequence, first, sum(map(len, texts)))
        self._kept.setdefault(worker, deque()).append(kept)
        self._bytes += kept.size
        while self._bytes > _MOST:
            self._drop(max(self._kept, key=lambda each: len(self._kept[each])))

    def parts(self, worker: str, cursor: Cursor | None) -> Iterator[Part]:
        """What came behind the place, as `follow.parts` has it, up to where the log has read.

        The first may begin before the place.

        Raises:
            JournalError: the journal cannot be read.
        """
        while cursor is not None and (part := self._following(worker, cursor)) is not None:
            cursor = part.cursor
            yield part
        read = self._read.get(worker)
        if cursor is None or read is None or not _has_all(cursor, read):
            yield from self._journals(worker, cursor)

    def _following(self, worker: str, cursor: Cursor) -> Part | None:
        """What is kept of the records right behind the place; what lies before it is dropped."""
        kept = self._kept.get(worker)
        while kept and _order(kept[0].part.cursor) <= _order(cursor):
            self._drop(worker)
        return kept[0].part if kept and kept[0].has(cursor) else None

    def _drop(self, worker: str) -> None:
        self._bytes -= self._kept[worker].popleft().size


class _Kept(NamedTuple):
    part: Part
    sequence: int
    first: int
    size: int

    def has(self, cursor: Cursor) -> bool:
        """Whether the place is in the part: what a segment has under a number stays, what another has may differ."""
        return cursor.sequence == self.sequence and cursor.index >= self.first and self.part.gone is None


def _order(cursor: Cursor) -> tuple[int, int]:
    return cursor.index, cursor.sequence


def _has_all(cursor: Cursor, read: Cursor) -> bool:
    """Whether who is at the place has all that was read: it is beyond, or at the same record."""
    return cursor.index > read.index or (cursor.index == read.index and cursor.chain == read.chain)
