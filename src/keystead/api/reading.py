"""Reading that remembers what it read, so that what was made of it can be kept until that changes."""

from __future__ import annotations

from typing import Any, TypeAlias, TypeVar

import msgspec

from keystead.storage import Table, Transaction

R = TypeVar("R", bound=msgspec.Struct)
Version: TypeAlias = tuple[bytes, bytes | None]
"""A record's place, and the digest of what is stored there, None if nothing is."""
Noted: TypeAlias = tuple[Table[Any], str, Version]


class Reading:
    """Gets of one transaction, noted down: which records, and which versions of them are committed."""

    __slots__ = ("_tx", "noted")

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self.noted: list[Noted] = []

    def get(self, table: Table[R], key: str) -> R | None:
        """The record, or None; which one it was is noted."""
        tx = self._tx
        entry = tx.entry(table, key)
        # Of one look: between two of them it could be changed.
        record: R | None = tx.get(table, key) if tx.writes else entry.record  # type: ignore[assignment]  # a table holds its own type only
        self.noted.append((table, key, (entry.place, entry.digest)))
        return record

    def versions(self) -> tuple[Version, ...]:
        """Of all that was read, so far."""
        return tuple([version for _, _, version in self.noted])


class Kept(msgspec.Struct, gc=False):
    """Something made of records, and the state of the store for which it is known to hold."""

    value: Any
    noted: list[Noted]
    stamp: tuple[int, int]
    """The store's generation and era, read before the records were."""

    def holds(self, tx: Transaction, stamp: tuple[int, int]) -> bool:
        """Whether every record that it was made of is still the same."""
        if stamp == self.stamp:
            return True
        # By version: who writes a record as it was keeps the object, but ends what rests on its version.
        if any(tx.entry(table, key).digest != digest for table, key, (_, digest) in self.noted):
            return False
        self.stamp = stamp
        return True
