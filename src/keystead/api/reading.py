"""Reading that remembers what it read, so that what was made of it can be kept until that changes."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from keystead.storage import Table, Transaction

R = TypeVar("R", bound=msgspec.Struct)


class Reading:
    """Gets of one transaction, noted down."""

    __slots__ = ("_tx", "noted")

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self.noted: list[tuple[Table[Any], str, msgspec.Struct | None]] = []

    def get(self, table: Table[R], key: str) -> R | None:
        """The record, or None; which one it was is noted."""
        record = self._tx.get(table, key)
        self.noted.append((table, key, record))
        return record


class Kept(msgspec.Struct, gc=False):
    """Something made of records, and the state of the store for which it is known to hold."""

    value: Any
    noted: list[tuple[Table[Any], str, msgspec.Struct | None]]
    stamp: tuple[int, int]
    """The store's generation and era, read before the records were."""

    def holds(self, tx: Transaction, stamp: tuple[int, int]) -> bool:
        """Whether every record that it was made of is still the same."""
        if stamp == self.stamp:
            return True
        # The store returns the same object as long as nobody writes the record.
        if any(tx.get(table, key) is not record for table, key, record in self.noted):
            return False
        self.stamp = stamp
        return True

    def require(self, tx: Transaction) -> None:
        """None; the transaction commits only if every record is still the same then."""
        for table, key, _ in self.noted:
            tx.get(table, key)
