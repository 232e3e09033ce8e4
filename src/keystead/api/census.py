"""What there is in the deployment, counted now and then by the worker that leads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from keystead.api.schedule import DUE
from keystead.storage import Store, Table

INTERVAL: Final = 60.0
"""Seconds between counts: each looks at every key."""

Census = dict[str, dict[str, float]]
"""Numbers by the metric's name and its one label, "" where it has none."""


def count(store: Store, keys: Table[Any], now: float, state: Callable[[Any], str]) -> Census:
    """Keys by state, and what is due. A thread's work: it takes microseconds for each key.

    Raises:
        errors.StorageError: the store cannot be read.
    """
    tx = store.transaction()
    states = Counter(state(key) for _, key in tx.scan(keys, ""))
    due = tx.scan(DUE, "")
    overdue = max(0.0, now - due[0][1].at) if due else 0.0
    return {
        "keystead_keys": {name: float(number) for name, number in states.items()},
        "keystead_due_rows": {"": float(len(due))},
        "keystead_due_overdue_seconds": {"": overdue},
    }
