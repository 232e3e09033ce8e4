"""Counting the records of a table, again and again, at the price of what changed in between."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Generic

from keystead.storage.store import Store
from keystead.storage.table import R, Table
from keystead.storage.tree import Span


class Tally(Generic[R]):
    """How many records of a table there are, by what `name` says of each.

    What is in a leaf of the store's tree is counted once for each version of the leaf: a reference names its
    content. So the first count looks at every record, each later one at the leaves that changed.

    One thread at a time may use it.
    """

    def __init__(self, store: Store, table: Table[R], name: Callable[[R], str] | None = None) -> None:
        """Without `name` records are counted by their places alone, under the empty name."""
        self._store = store
        self._table = table
        self._name = name
        self._known: dict[bytes, Mapping[str, int]] = {}
        self._walk: Iterator[None] | None = None
        self.counts: Mapping[str, int] = {}
        """What the last finished count found."""

    def go_on(self, may: Callable[[], bool]) -> bool:
        """Whether a count is finished; else go on with it, leaf by leaf, as long as `may`, and the next time.

        What is changed meanwhile is counted or not.

        Raises:
            StorageTampered: the database is not as Keystead left it.
            StorageUnavailable: the database cannot be read.
        """
        walk, self._walk = self._walk or self._count(), None  # after a failure it starts anew
        for _ in walk:
            if not may():
                self._walk = walk
                return False
        return True

    def _count(self) -> Iterator[None]:
        start, end = self._table.rows("")
        nodes, view = self._store.nodes, self._store.view
        spans = view.consistent(lambda state: list(nodes.leaves(state.root, start, end, state.barrier)))
        known: dict[bytes, Mapping[str, int]] = {}
        total: Counter[str] = Counter()
        for span in spans:
            found = self._known.get(span.reference)
            known[span.reference] = self._look(span) if found is None else found
            total.update(known[span.reference])
            yield
        self._known, self.counts = known, total

    def _look(self, span: Span) -> Mapping[str, int]:
        if self._name is not None:
            return Counter(map(self._name, self._store.rows.pass_by(self._table, span.start, span.end)))
        nodes = self._store.nodes
        leaf = self._store.view.consistent(lambda state: nodes.chunk(state.root, span.start, state.barrier))
        return {"": bisect_left(leaf.keys, span.end)}
