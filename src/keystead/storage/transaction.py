"""A transaction: what an operation read (as conditions) and what it wants written, gathered in memory."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from keystead.storage.table import R, Table
from keystead.storage.write import COUNTERS, Counter, Write

_NEITHER = b""
"""What no stored record has for a version."""


class Entry:
    """A record as it was read: where, which version (digest), and the era in which that was true.

    An absent record has no digest and no record.
    """

    __slots__ = ("digest", "era", "place", "record")

    def __init__(self, place: bytes, digest: bytes | None, record: msgspec.Struct | None) -> None:
        self.place = place
        self.digest = digest
        self.record = record
        self.era = -1


class Reader(Protocol):
    """What a transaction reads from: the committed state. `Store` is the one there is."""

    def lookup(self, table: Table[Any], key: str) -> Entry:
        """The record with this key, as it is committed now."""
        ...

    def unproved(self, table: Table[R], key: str) -> R | None:
        """The record as it is stored, which may be one of before; None if there is none or it does not open."""
        ...

    def read_rows(self, table: Table[R], start: bytes, end: bytes, limit: int | None) -> list[tuple[str, R]]:
        """Keys and records whose places are from `start` to `end` (exclusive), in order."""
        ...

    def read_entries(self, start: bytes, end: bytes, limit: int | None) -> list[bytes]:
        """The places of index entries or records from `start` to `end` (exclusive), in order."""
        ...


class Transaction:
    """Reads committed records, remembers which versions it saw, and gathers writes.

    It belongs to one thread until it is committed, and is committed once. What `get` returned must still
    hold when the transaction commits, else the commit answers StorageConflict and the operation runs
    again with a new transaction. Scans and counts are not conditions.

    Every method that reads may raise StorageTampered and StorageUnavailable; every method that takes a
    key raises ValueError for a NUL in it.
    """

    __slots__ = ("_reader", "bumps", "conditions", "writes")

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.conditions: dict[bytes, bytes | None] = {}
        self.writes: dict[tuple[str, str], Write] = {}
        self.bumps: dict[str, int] = {}

    def anew(self) -> Transaction:
        """A new transaction on the same store, which has read and written nothing yet."""
        return Transaction(self._reader)

    def get(self, table: Table[R], key: str) -> R | None:
        """The record, or None; this transaction's own write if there is one.

        The same object is returned as long as nobody writes the record.
        """
        if self.writes:
            own = self.writes.get((table.name, key))
            if own is not None:
                return own.record  # type: ignore[return-value]  # a table's key holds its own type only
        entry = self._reader.lookup(table, key)
        self.conditions.setdefault(entry.place, entry.digest)
        return entry.record  # type: ignore[return-value]  # as above

    def entry(self, table: Table[Any], key: str) -> Entry:
        """The committed record with its place and version: a condition, as with `get`; own writes are not seen."""
        entry = self._reader.lookup(table, key)
        self.conditions.setdefault(entry.place, entry.digest)
        return entry

    def require(self, place: bytes, digest: bytes | None) -> None:
        """None; the transaction commits only if the record at `place` has this version, which may be one of before."""
        if self.conditions.setdefault(place, digest) != digest:
            self.conditions[place] = _NEITHER  # it has seen another one, and none is both

    def unproved(self, table: Table[R], key: str) -> R | None:
        """The record as it is stored: one that was written for this key, but nothing proves that it is the newest.

        None if there is none, or it cannot be opened here. For who can tell by something else that it is the right one, and
        asks `get` if it is not. It is no condition, and this transaction's own writes are not seen.
        """
        return self._reader.unproved(table, key)

    def put(self, table: Table[R], key: str, record: R) -> None:
        """None; the record will be stored, whatever is there (unless `get` has seen it before).

        Raises:
            TypeError: the record holds what MessagePack cannot express.
        """
        place = table.place(key)
        self.writes[table.name, key] = Write(
            table, key, place, record, table.encode(record), table.entries_of(key, record)
        )

    def insert(self, table: Table[R], key: str, record: R) -> None:
        """None; the record will be stored if there is none at that key when the transaction commits.

        Raises:
            TypeError: the record holds what MessagePack cannot express.
        """
        self.conditions.setdefault(table.place(key), None)
        self.put(table, key, record)

    def delete(self, table: Table[Any], key: str) -> None:
        """None; there will be no record at that key (nor need there be one now)."""
        self.writes[table.name, key] = Write(table, key, table.place(key), None, b"", frozenset())

    def scan(
        self,
        table: Table[R],
        prefix: str,
        after: str | None = None,
        limit: int | None = None,
        *,
        start: str | None = None,
    ) -> list[tuple[str, R]]:
        """Keys that start with `prefix`, with their records, in the order of their UTF-8 bytes.

        `after` is the last key that the caller has already, `start` the first that it wants. Shows committed
        records only; a long answer may show a commit that happened meanwhile in its later part.
        """
        first, end = _rows_after(table, prefix, after)
        if start is not None:
            first = max(first, table.place(start))
        return self._reader.read_rows(table, first, end, limit)

    def scan_keys(
        self, table: Table[Any], prefix: str, after: str | None = None, limit: int | None = None
    ) -> list[str]:
        """The keys that `scan` would show; their records are not read."""
        found = self._reader.read_entries(*_rows_after(table, prefix, after), limit)
        return [table.key(place) for place in found]

    def scan_index(
        self,
        table: Table[Any],
        index: str,
        prefix: str,
        after: tuple[str, str] | None = None,
        limit: int | None = None,
    ) -> list[tuple[str, str]]:
        """(index text, record key) of the index's entries whose text starts with `prefix`, in order.

        `after` is the last pair that the caller has already. Shows committed records only.

        Raises:
            KeyError: the table has no such index.
        """
        start, end = table.entries(index, prefix)
        if after is not None:
            start = max(start, _next(table.entry(index, *after)))
        found = self._reader.read_entries(start, end, limit)
        return [table.split_entry(index, place) for place in found]

    def find(
        self, table: Table[Any], index: str, value: str, after: str | None = None, limit: int | None = None
    ) -> list[str]:
        """The keys of the records that the index finds by exactly `value`, in order.

        `after` is the last key that the caller has already. Shows committed records only.

        Raises:
            KeyError: the table has no such index.
        """
        start, end = table.equal_entries(index, value)
        if after is not None:
            start = max(start, _next(table.entry(index, value, after)))
        found = self._reader.read_entries(start, end, limit)
        return [table.split_entry(index, place)[1] for place in found]

    def bump(self, name: str, delta: int) -> None:
        """None; the counter will be `delta` more. Bumps of several transactions add up, without conflict."""
        self.bumps[name] = self.bumps.get(name, 0) + delta

    def count(self, name: str) -> int:
        """The counter's committed value (0 if it was never bumped) and this transaction's own bumps."""
        record = self._reader.lookup(COUNTERS, name).record
        committed = record.value if isinstance(record, Counter) else 0
        return committed + self.bumps.get(name, 0)


def _rows_after(table: Table[Any], prefix: str, after: str | None) -> tuple[bytes, bytes]:
    """The places of the keys with this prefix that follow `after`: first (inclusive) and end (exclusive)."""
    first, end = table.rows(prefix)
    return first if after is None else max(first, _next(table.place(after))), end


def _next(place: bytes) -> bytes:
    # The first place after this one: keys hold no NUL, so nothing lies between.
    return place + b"\0"
