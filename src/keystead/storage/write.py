"""What a transaction wants changed, as values: records written whole, and counters moved by differences."""

from __future__ import annotations

from typing import Any

import msgspec

from keystead.storage.table import Table


class Counter(msgspec.Struct, frozen=True, gc=False):
    """A number that transactions change by differences."""

    value: int


COUNTERS: Table[Counter] = Table("counters", Counter, evident=False)  # counts of what is evident


class Write(msgspec.Struct, frozen=True):
    """A record to be stored (`record` None: deleted), encoded in the thread that asked for it."""

    table: Table[Any]
    key: str
    place: bytes
    record: msgspec.Struct | None
    value: bytes
    entries: frozenset[bytes]
