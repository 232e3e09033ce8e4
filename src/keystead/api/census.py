"""What there is in the deployment, counted now and then by the worker that leads."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from keystead.api.schedule import DUE
from keystead.clock import Clock
from keystead.storage import Store, Table, Tally

INTERVAL: Final = 60.0
"""Seconds between counts."""
_SLICE: Final = 0.05
"""Seconds that are spent on a count at a time. The first count opens every key once, some 25,000 of them a second."""

Census = dict[str, dict[str, float]]
"""Numbers by the metric's name and its one label, "" where it has none."""


class Counting:
    """Counts keys by state, and what is due, a little at a time. A thread's work, of one thread at a time."""

    def __init__(self, store: Store, keys: Table[Any], clock: Clock, state: Callable[[Any], str]) -> None:
        self._store = store
        self._clock = clock
        self._keys = Tally(store, keys, state)
        self._due = Tally(store, DUE)
        self._left: list[Tally[Any]] = []

    def go_on(self) -> Census | None:
        """What there is; None if that is not counted to the end yet: then call again, best after a while.

        Raises:
            errors.StorageError: the store cannot be read.
        """
        until, left = time.monotonic() + _SLICE, self._left or [self._due, self._keys]
        self._left = []  # after a failure it starts anew
        while left:
            if not left[-1].go_on(lambda: time.monotonic() < until):
                self._left = left
                return None
            left.pop()
        first = self._store.transaction().scan(DUE, "", limit=1)
        overdue = max(0.0, self._clock.now() - first[0][1].at) if first else 0.0
        return {
            "keystead_keys": {name: float(number) for name, number in self._keys.counts.items()},
            "keystead_due_rows": {"": float(self._due.counts.get("", 0))},
            "keystead_due_overdue_seconds": {"": overdue},
        }
