"""Committed records: read with proof, and kept decoded until exactly the commit that changes them."""

from __future__ import annotations

import contextlib
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from threading import get_ident
from typing import Any, NamedTuple

from keystead.errors import StorageTampered
from keystead.storage.backend import Backend, digest
from keystead.storage.barrier import describe
from keystead.storage.cache import Recent
from keystead.storage.shelf import Shelves
from keystead.storage.table import R, Table
from keystead.storage.transaction import Entry
from keystead.storage.tree import NUMBER_BYTES, Nodes, node_place
from keystead.storage.view import State, View

_MOST_RANGES = 1_000
_LONGEST_RANGE = 128


class Ranges(NamedTuple):
    """Short answers of one state, by their range of places; the next state starts with none."""

    state: State
    rows: dict[tuple[bytes, bytes], list[Any]]
    places: dict[tuple[bytes, bytes], list[bytes]]


class NotInMemoryError(Exception):
    """A record would have to be read from the database, and is to be read together with others: `table`, `key`."""

    def __init__(self, table: Table[Any], key: str) -> None:
        super().__init__(table, key)
        self.table = table
        self.key = key


class Rows:
    """Reads for any thread; `settle` is told of this process's own commits by the one that made them."""

    def __init__(self, backend: Backend, view: View, nodes: Nodes, most: int) -> None:
        self._backend = backend
        self._generation = backend.generation
        self._view = view
        self._nodes = nodes
        self._records: Recent[tuple[str, str], Entry] = Recent(most)
        self._ranges = Ranges(view.state, {}, {})
        self._interrupted = 0  # the thread that is not to wait for single records
        self.shelves = Shelves()
        """Records that were read ahead, of tables that are read `together`; whoever reads ahead replaces the whole."""

    def lookup(self, table: Table[Any], key: str) -> Entry:
        """The record with this key as it is committed now; what `Transaction.get` asks.

        Raises:
            NotInMemoryError: this thread is `interrupting`, and the record would have to be read.
            StorageTampered: the stored record is not the one that was written.
            StorageUnavailable: the database cannot be read.
        """
        view = self._view
        # The generation first: if it was asked after the entry was found, another thread could take
        # note of a commit in between, and the record of before would pass for the newest.
        if self._generation() == view.seen:
            entry = self._records.hot.get((table.name, key))
            if entry is not None and entry.era == view.era:
                return entry
        return self._look(table, key)

    def _look(self, table: Table[Any], key: str) -> Entry:
        """The record whose entry is not there, or perhaps not the newest. Apart: a closure makes a function slower."""
        # One that is in memory only has to be found in its leaf again.
        interrupted = table.together and self._interrupted == get_ident()
        if interrupted and not self._has(table, key):
            raise NotInMemoryError(table, key)
        return self._view.consistent(lambda state: self.read_entry(state, table, key))

    def _has(self, table: Table[Any], key: str) -> bool:
        """Whether the record is in memory, decoded or packed, unless it was changed."""
        if self._records.peek((table.name, key)) is not None:
            return True
        return self.shelves.around(table.place(key)) is not None

    @contextlib.contextmanager
    def interrupting(self) -> Iterator[None]:
        """A block in which this thread does not read single records of tables that are read `together`.

        One thread at a time can do so; the others read as always.
        """
        self._interrupted = get_ident()
        try:
            yield
        finally:
            self._interrupted = 0

    def fetch(self, wanted: Iterable[NotInMemoryError]) -> None:
        """None; the records that were wanted are in memory, if they are there and proved: else whoever asks hears of it."""
        # Whatever is wrong, even a defect, is no business of those who want something else.
        with contextlib.suppress(Exception):
            state = self._view.fresh()
            self._fetch(state, {each.table.place(each.key): each.table for each in wanted})

    def _fetch(self, state: State, wanted: Mapping[bytes, Table[Any]]) -> None:
        nodes, barrier = self._nodes, state.barrier
        leaves = [nodes.leaf(state.root, place, barrier) for place in wanted]
        unknown = [reference for reference in dict.fromkeys(leaves) if nodes.known(reference) is None]
        asked = [node_place(reference[:NUMBER_BYTES]) for reference in unknown]
        stored = self._backend.get_each([*asked, *wanted])
        read = {
            reference: nodes.opened(reference, sealed, barrier)
            for reference, sealed in zip(unknown, stored, strict=False)
        }
        versions = [
            (read.get(reference) or nodes.load(reference, barrier)).at(place)
            for place, reference in zip(wanted, leaves, strict=True)
        ]
        # Each step for all of them before the next: code that has just run runs two to three times as fast.
        proved = [
            (table, place, version, sealed)
            for (place, table), version, sealed in zip(
                wanted.items(), versions, stored[len(unknown) :], strict=True
            )
            if sealed is not None and _is_version(sealed, version)
        ]
        opened = [barrier.open(place, sealed) for _, place, _, sealed in proved]
        entries = [
            (table, Entry(place, version, table.decode(value)))
            for (table, place, version, _), value in zip(proved, opened, strict=True)
        ]
        for table in dict.fromkeys(wanted.values()):
            self._remember(state, table, [entry for of, entry in entries if of is table])

    def read_entry(self, state: State, table: Table[Any], key: str) -> Entry:
        """The record with this key in `state`.

        Raises:
            StorageTampered: the database does not show `state` (any more).
            StorageUnavailable: the database cannot be read.
        """
        place, nodes = table.place(key), self._nodes
        reference, known = nodes.leaf(state.root, place, state.barrier), self._records.peek((table.name, key))
        if known is None and nodes.known(reference) is None:
            # Both are needed: asked for together they take two thirds of the time.
            node, sealed = self._backend.get_each((node_place(reference[:NUMBER_BYTES]), place))
            version = nodes.opened(reference, node, state.barrier).at(place)
        else:
            version = nodes.load(reference, state.barrier).at(place)
            if known is not None and known.digest == version:
                self._remember(state, table, [known])
                return known
            ahead = self._ahead(table, place, version)
            if ahead is not None:
                self._remember(state, table, [ahead])
                return ahead
            sealed = self._backend.get(place)
        entry = self._verified(state, table, place, version, sealed)
        if version is not None:
            self._remember(state, table, [entry])
        return entry

    def unproved(self, table: Table[R], key: str) -> R | None:
        """The record as it is stored, which may be one of before; None if there is none or it does not open.

        Raises:
            StorageUnavailable: the database cannot be read.
        """
        place = table.place(key)
        sealed = self._backend.get(place)
        try:
            return None if sealed is None else table.decode(self._view.fresh().barrier.open(place, sealed))
        except StorageTampered:  # or the barrier was rotated meanwhile
            return None

    def read_rows(self, table: Table[R], start: bytes, end: bytes, limit: int | None) -> list[tuple[str, R]]:
        """Keys and records from place `start` to `end` (exclusive), in order, at most `limit`.

        Raises:
            StorageTampered: a row is changed, missing, or was added by somebody else.
            StorageUnavailable: the database cannot be read.
        """
        ranges = self._newest_ranges()
        known = ranges.rows.get((start, end)) if limit is None else None
        if known is not None:
            return known.copy()
        found: list[tuple[str, R]] = []
        position: bytes | None = start
        while position is not None and (limit is None or len(found) < limit):
            here, left = position, None if limit is None else limit - len(found)
            state, entries, position = self._view.consistent(lambda s: self._rows(s, table, here, end, left))  # noqa: B023  # runs before the loop goes on
            found.extend((table.key(entry.place), entry.record) for entry in entries)  # type: ignore[misc]  # a table's rows hold its own type only
            if limit is None and here == start and position is None and state is ranges.state:
                _keep(ranges.rows, (start, end), found.copy())
        return found

    def pass_by(self, table: Table[R], start: bytes, end: bytes) -> list[R]:
        """The records from place `start` to `end` (exclusive), read without keeping them: others are needed sooner.

        Raises:
            StorageTampered: a row is changed, missing, or was added by somebody else.
            StorageUnavailable: the database cannot be read.
        """
        found: list[R] = []
        position: bytes | None = start
        while position is not None:
            here = position
            _, entries, position = self._view.consistent(
                lambda s: self._rows(s, table, here, end, None, keep=False)  # noqa: B023  runs before the loop goes on
            )
            found.extend(entry.record for entry in entries)  # type: ignore[misc]  # a table's rows hold its own type only
        return found

    def read_entries(self, start: bytes, end: bytes, limit: int | None) -> list[bytes]:
        """The places of index entries or records from `start` to `end` (exclusive), in order, at most `limit`.

        The tree proves them, so no record is read.

        Raises:
            StorageTampered: the database is not as Keystead left it.
            StorageUnavailable: the database cannot be read.
        """
        ranges = self._newest_ranges()
        known = ranges.places.get((start, end)) if limit is None else None
        if known is not None:
            return known.copy()
        found: list[bytes] = []
        position: bytes | None = start
        while position is not None and position < end and (limit is None or len(found) < limit):
            here, left = position, None if limit is None else limit - len(found)
            state, chunk = self._view.consistent(
                lambda s: (s, self._nodes.chunk(s.root, here, s.barrier, left))  # noqa: B023  # runs before the loop goes on
            )
            found.extend(chunk.keys[: bisect_left(chunk.keys, end)])
            position = chunk.end
            whole = here == start and (position is None or position >= end)
            if limit is None and whole and state is ranges.state:
                _keep(ranges.places, (start, end), found.copy())
        return found

    def _newest_ranges(self) -> Ranges:
        """What is remembered of the newest state."""
        state, ranges = self._view.fresh(), self._ranges
        if ranges.state is not state:
            ranges = self._ranges = Ranges(state, {}, {})
        return ranges

    def _rows(
        self,
        state: State,
        table: Table[Any],
        start: bytes,
        end: bytes,
        limit: int | None,
        *,
        keep: bool = True,
    ) -> tuple[State, list[Entry], bytes | None]:
        """The state that was read, the rows of one leaf from `start` on, and where to go on (None: nowhere)."""
        chunk = self._nodes.chunk(state.root, start, state.barrier, limit)
        inside = bisect_left(chunk.keys, end)
        last = inside < len(chunk.keys) or chunk.end is None or chunk.end >= end
        stop = end if last or chunk.end is None else chunk.end
        places, versions = chunk.keys[:inside], chunk.values[:inside]
        entries = self._known(table, places, versions)
        if not entries:
            stored = self._backend.scan(start, stop, len(places) + 1)
            check_places(places, [place for place, _ in stored])
            entries = [
                self._verified(state, table, place, version, sealed)
                for (place, sealed), version in zip(stored, versions, strict=True)
            ]
        if keep:
            self._remember(state, table, entries)
        return state, entries, None if last else stop

    def _known(self, table: Table[Any], places: list[bytes], versions: list[bytes]) -> list[Entry]:
        """The rows, if every one of them is in memory in this version; else none."""
        entries = []
        for place, version in zip(places, versions, strict=True):
            entry = self._records.peek((table.name, table.key(place)))
            if entry is None or entry.digest != version:
                entry = self._ahead(table, place, version)
            if entry is None:
                return []
            entries.append(entry)
        return entries

    def _ahead(self, table: Table[Any], place: bytes, version: bytes | None) -> Entry | None:
        """The record if it was read ahead in this version, which the tree has for it: it was proved and opened then."""
        shelf = self.shelves.around(place) if table.together else None
        value = None if shelf is None or version is None else shelf.value(version)
        return None if value is None else Entry(place, version, table.decode(value))

    def _verified(
        self, state: State, table: Table[Any], place: bytes, version: bytes | None, sealed: bytes | None
    ) -> Entry:
        """The entry for `sealed`, if the tree knows just that at this place (None: nothing there)."""
        if not _is_version(sealed, version):
            raise StorageTampered(f"{describe(place)}: not what Keystead wrote there")
        if sealed is None:
            return Entry(place, None, None)
        return Entry(place, version, table.decode(state.barrier.open(place, sealed)))

    def _remember(self, state: State, table: Table[Any], entries: list[Entry]) -> None:
        if not table.remembered:
            return
        # Under the lock, and only while `state` is the newest: a reader that was overtaken by a commit
        # must not put the record of before into the cache.
        with self._view.lock:
            if self._view.state is state:
                for entry in entries:
                    entry.era = self._view.era
                    self._records.put((table.name, table.key(entry.place)), entry)

    def settle(self, before: State, after: State, written: Mapping[tuple[str, str], Entry]) -> None:
        """None; `after` is the newest state, and the cache holds what it has instead of what it replaced."""
        with self._view.lock:
            for slot in written:
                self._records.drop(slot)
            # A reader may have found the new head already; then its state is the one to keep.
            if self._view.state is before:
                self._view.state = after
                for slot, entry in written.items():
                    if entry.record is not None:
                        entry.era = self._view.era
                        self._records.put(slot, entry)


def _is_version(sealed: bytes | None, version: bytes | None) -> bool:
    """Whether what is stored is just what the tree knows at its place (None: nothing there)."""
    return (None if sealed is None else digest(sealed)) == version


def _keep(known: dict[tuple[bytes, bytes], list[Any]], place: tuple[bytes, bytes], found: list[Any]) -> None:
    """None; `found` is remembered if it is short."""
    if len(found) <= _LONGEST_RANGE:
        if len(known) >= _MOST_RANGES:
            known.clear()
        known[place] = found


def check_places(expected: Iterable[bytes], stored: Iterable[bytes]) -> None:
    """None if the stored rows are at the expected places.

    Raises:
        StorageTampered: a row is missing, or somebody else added one.
    """
    known, there = set(expected), set(stored)
    for place in sorted(known - there):
        raise StorageTampered(f"{describe(place)}: missing")
    for place in sorted(there - known):
        raise StorageTampered(f"{describe(place)}: not what Keystead wrote there")
