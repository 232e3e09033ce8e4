"""The log as others read it: its files as of one checkpoint, also beside a sequencer that goes on."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import suppress
from functools import cached_property
from typing import Final
from uuid import UUID

import msgspec

from keystead.audit.logfiles import Head, LogFiles
from keystead.errors import LogError
from keystead.tlog import Opening, Tile, hash_reader, inclusion, tile_at
from keystead.tlog.checkpoint import parse_checkpoint, parse_note
from keystead.tlog.merkle import HashReader
from keystead.tlog.tile import ENTRIES, WIDTH, decode_bundle, narrowed
from keystead.tlog.together import pairs_in, records_of

_ATTEMPTS: Final = 8
"""Looks for a tile that is followed by wider ones meanwhile."""


class Named(msgspec.Struct, frozen=True, gc=False):
    """What an entry is found by: its journal, the number of its first record there, and the ids of its events; a note has none.

    Of one event the id is `eventID`, of several they are in `events`.
    """

    journal: str
    index: int
    eventID: str = ""  # noqa: N815  the name in entries
    events: str = ""

    @property
    def records(self) -> range:
        """The numbers of all its records."""
        return records_of(self.index, self.events)

    @property
    def own_ids(self) -> list[bytes]:
        """The ids of several events themselves, 16 bytes each."""
        return [own for _, own in pairs_in(self.events)]

    def record(self, event_id: str) -> int:
        """The number of the record that is the event with this id, one of the entry's."""
        return self.index + (self.own_ids.index(_packed(event_id)) if self.events else 0)


_named: Final = msgspec.json.Decoder(Named).decode


class Proof(msgspec.Struct, frozen=True, omit_defaults=True):
    """That an entry is in the log, for whoever trusts the log's key: a receipt, as JSON. `openings` are the entry's."""

    index: int
    leaf: bytes
    checkpoint: str
    proof: list[bytes]
    openings: list[Opening] = []


class Published:
    """The log as one checkpoint tells it. What a method needs it reads from the files.

    `note` is the checkpoint with the signatures that it has by now, `cosignatures` how many of those are witnesses',
    `size` how many entries it is about.

    Raises:
        LogError: the checkpoint is damaged; from every method: a tile is missing or damaged.
        OSError: a file cannot be read; from every method.
    """

    def __init__(self, files: LogFiles, head: Head) -> None:
        self._files = files
        self._bundle: tuple[int, list[bytes]] = (-1, [])
        self.journals = head.journals
        self.note = files.note(head)
        parsed = parse_note(self.note)
        self.size = parse_checkpoint(parsed.text).size
        self.cosignatures = len(parsed.signatures) - 1

    @classmethod
    def newest(cls, files: LogFiles) -> Published | None:
        """The log as of now, None if nothing was published yet. All files that the head tells of are there."""
        head = files.head()
        return None if head is None else cls(files, head)

    @classmethod
    def witnessed(cls, files: LogFiles) -> Published | None:
        """The log as of the newest checkpoint that witnesses signed, None if there is none."""
        note = files.witnessed()
        return None if note is None else cls(files, Head(note, {}))

    @cached_property
    def _hashes(self) -> HashReader:
        return hash_reader(self.size, self.read)

    def read(self, tile: Tile) -> bytes:
        """The bytes of a tile or bundle of this tree; those of a wider one's beginning, once one has followed it."""
        for _ in range(_ATTEMPTS):
            for version in (tile, Tile(tile.level, tile.index), *self._files.partial(tile)):
                with suppress(FileNotFoundError):
                    data = self._files.load(version)
                    return data if version.width == tile.width else narrowed(version, data, tile.width)
        raise LogError(f"log/{tile.path} is missing")

    def has(self, number: int) -> bool:
        """Whether the entries of a bundle are there; those of the oldest may be pruned."""
        return (number + 1) * WIDTH > self.size or self._files.exists(Tile(ENTRIES, number))

    def pruned(self) -> str | None:
        """The note of what is pruned by now, None if nothing is."""
        return self._files.pruned()

    def last_witnessed(self) -> str | None:
        """The newest checkpoint that witnesses signed, None if there is none or it is of a larger tree than this."""
        log = Published.witnessed(self._files)
        return None if log is None or log.size > self.size else log.note

    def entry(self, index: int) -> bytes:
        """Entry number `index`."""
        number, inner = divmod(index, WIDTH)
        return self.bundle(number)[inner]

    def bundle(self, number: int) -> list[bytes]:
        """The entries of a bundle; the last one asked for is kept."""
        if self._bundle[0] != number:
            tile = tile_at(ENTRIES, number, self.size)
            self._bundle = number, decode_bundle(self.read(tile), tile.width)
        return self._bundle[1]

    def prove(self, index: int) -> Proof:
        """The entry with the path from it to the checkpoint's root."""
        path = inclusion(index, self.size, self._hashes)
        return Proof(index, self.entry(index), self.note, path)

    def newest_first(self) -> Iterator[tuple[int, Named]]:
        """What all entries that are there are called, with their numbers."""
        for number in reversed(range(-(-self.size // WIDTH))):
            if not self.has(number):
                return
            entries = self.bundle(number)
            for inner in reversed(range(len(entries))):
                yield number * WIDTH + inner, named(entries[inner])

    def places(self, event_ids: Collection[str], most: int | None = None) -> dict[str, int]:
        """The number of the entry of each of these events that is among the newest `most`."""
        found: dict[str, int] = {}
        packed = {_packed(event_id): event_id for event_id in event_ids}
        lowest = 0 if most is None else self.size - most
        for number, name in self.newest_first():
            if len(found) == len(event_ids) or number < lowest:
                break
            if name.eventID in event_ids:
                found[name.eventID] = number
            elif name.events:
                found |= {packed[own]: number for own in packed.keys() & name.own_ids}
        return found

    def place(self, journal: str, index: int) -> int | None:
        """The number of the entry of a journal's record; None if the log does not have it, or no more.

        A journal's records are in the order of their numbers: that halves what is to be searched at each step.
        """
        low, high = 0, -(-self.size // WIDTH)
        while low < high:
            middle = (low + high) // 2
            if not self.has(middle):
                low = middle + 1
                continue
            at, there = self._records(journal, middle, high)
            inner = next((inner for inner, records in there if index in records), None)
            if inner is not None:
                return at * WIDTH + inner
            if there and index >= max(records.stop for _, records in there):
                low = at + 1
            else:
                high = middle
        return None

    def _records(self, journal: str, start: int, end: int) -> tuple[int, list[tuple[int, range]]]:
        """The first bundle from `start` on with records of the journal, and where in it which are."""
        for number in range(start, end):
            names = enumerate(map(named, self.bundle(number)))
            found = [(inner, name.records) for inner, name in names if name.journal == journal]
            if found:
                return number, found
        return end, []


def _packed(event_id: str) -> bytes:
    """The id as it is in entries of several events; empty if it has not the form of one."""
    try:
        data = UUID(event_id)
    except ValueError:
        return b""
    return data.bytes if str(data) == event_id else b""


def named(entry: bytes) -> Named:
    """What the entry is found by.

    Raises:
        LogError: it is no entry.
    """
    try:
        return _named(entry)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise LogError("an entry of the log is damaged") from None
