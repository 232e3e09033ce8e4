"""Reading ahead: records that requests name are in memory, packed, before anybody asks for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any

from keystead.errors import StorageTampered
from keystead.storage.backend import digest
from keystead.storage.shelf import Shelf, Shelves
from keystead.storage.store import Store
from keystead.storage.table import Table
from keystead.storage.tree import Span
from keystead.storage.view import State


class ReadAhead:
    """Fills the store's shelves with records of tables that are read `together`, and its cache of nodes with their leaves.

    A leaf's records are read once for each version of the leaf, so after the first walk only what changed is read. What
    does not open, or is not what the leaf says, is left out: whoever asks for it reads it, and hears of it.

    One thread at a time may use it.
    """

    def __init__(self, store: Store, tables: Iterable[Table[Any]], most: int) -> None:
        """At most so many bytes of packed records are kept; the leaves have their own bound, as all nodes have."""
        self._store = store
        self._ranges = sorted(chain.from_iterable(_ranges(table) for table in tables if table.together))
        self._most = most
        self._known: dict[Span, Shelf] = {}
        self._seen: State | None = None
        self._walk: Iterator[None] | None = None

    def go_on(self, may: Callable[[], bool]) -> bool:
        """Whether all is read; else go on with it, leaf by leaf, as long as `may`, and the next time.

        Raises:
            StorageTampered: the database is not as Keystead left it.
            StorageUnavailable: the database cannot be read.
        """
        if self._walk is None and (not self._most or self._store.view.fresh() is self._seen):
            return True
        walk, self._walk = self._walk or self._read(), None  # after a failure it starts anew
        for _ in walk:
            if not may():
                self._walk = walk
                return False
        return True

    def _read(self) -> Iterator[None]:
        seen, spans = self._store.view.consistent(self._spans)
        known: dict[Span, Shelf] = {}
        left, starts, shelves = self._most, list[bytes](), list[Shelf | None]()
        for span in spans:
            shelf = self._known.get(span) or self._shelf(span)
            left -= shelf.size
            starts.append(span.start)
            if left < 0:
                shelves.append(None)  # nothing from here on
                break
            shelves.append(shelf)
            known[span] = shelf
            yield
        self._store.rows.shelves = Shelves(starts, shelves)
        self._known, self._seen = known, seen

    def _spans(self, state: State) -> tuple[State, list[Span]]:
        leaves = self._store.nodes.leaves
        return state, [span for range_ in self._ranges for span in leaves(state.root, *range_, state.barrier)]

    def _shelf(self, span: Span) -> Shelf:
        """The records of one leaf; none if the leaf was replaced meanwhile, or is not what it should be."""
        store, barrier = self._store, self._store.view.fresh().barrier
        try:
            found = store.nodes.load(span.reference, barrier).run(span.start, None)
            # Index entries have no record.
            versions = {
                place: version
                for place, version in zip(found.keys, found.values, strict=True)
                if version and place < span.end
            }
            stored = store.backend.scan(span.start, span.end, len(versions)) if versions else ()
            return Shelf(
                [
                    (versions[place], barrier.open(place, sealed))
                    for place, sealed in stored
                    if versions.get(place) == digest(sealed)
                ]
            )
        except StorageTampered:
            return Shelf(())


def _ranges(table: Table[Any]) -> Iterator[tuple[bytes, bytes]]:
    """Where the table's records and index entries are."""
    yield table.rows("")
    for index in table.indexes:
        yield table.entries(index, "")
