"""Owns what is kept, on databases that are not trusted.

Ordered key-value backends, the barrier that seals every value to its place, the Merkle tree that shows
every change Keystead did not make, and tables with indexes, counters and group commit on top. It knows
nothing of keys, policies or accounts: a record is a struct with a key. Where the root key comes from is
the business of `seal`.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import msgspec

from keystead.storage.ahead import ReadAhead
from keystead.storage.backend import Backend, Batch, digest
from keystead.storage.cache import Recent
from keystead.storage.memory import MemoryBackend
from keystead.storage.rows import NotInMemoryError
from keystead.storage.sqlite import SqliteBackend
from keystead.storage.store import Store
from keystead.storage.table import Table, join, split
from keystead.storage.tally import Tally
from keystead.storage.transaction import Transaction
from keystead.storage.upkeep import Verification


class BackendKind(msgspec.Struct, frozen=True):
    """How a backend is opened, and whether another process (or a later one) finds what it holds."""

    open: Callable[[Path], Backend]
    durable: bool


BACKENDS: Mapping[str, BackendKind] = MappingProxyType(
    {
        "memory": BackendKind(lambda _path: MemoryBackend(), durable=False),
        "sqlite": BackendKind(SqliteBackend, durable=True),
    }
)

__all__ = [
    "BACKENDS",
    "Backend",
    "BackendKind",
    "Batch",
    "MemoryBackend",
    "NotInMemoryError",
    "ReadAhead",
    "Recent",
    "SqliteBackend",
    "Store",
    "Table",
    "Tally",
    "Transaction",
    "Verification",
    "digest",
    "join",
    "split",
]
