"""What an entry says of the records that a change wrote: keyed digests, which tell nobody else anything."""

from __future__ import annotations

import hmac
from typing import Final

from keystead.crypto.derive import subkey
from keystead.crypto.secret import SECRET_ACCESS, Opaque, Secret

PLACE_BYTES: Final = 16
TABLE_BYTES: Final = 4
_STATE: Final = "keystead state 1"

Write = tuple[bytes, bytes]
"""A record that a change wrote: its place and the digest of its value, by `StateDigests`; empty for a deletion."""


class StateDigests(Opaque):
    """What a leaf says of records that a change wrote, so that the store can be held against the log later."""

    __slots__ = ("_key", "_tables")

    def __init__(self, salt_key: Secret) -> None:
        self._key = subkey(salt_key.expose(SECRET_ACCESS), _STATE)
        self._tables: dict[str, bytes] = {}

    def table(self, table: str) -> bytes:
        """4 bytes that stand for a table: the first of the places of all its records."""
        found = self._tables.get(table)
        if found is None:
            found = self._tables[table] = hmac.digest(self._key, table.encode(), "sha256")[:TABLE_BYTES]
        return found

    def place(self, table: str, key: bytes) -> bytes:
        """16 bytes that stand for a record's table and key."""
        record = hmac.digest(self._key, table.encode() + b"\0" + key, "sha256")
        return self.table(table) + record[: PLACE_BYTES - TABLE_BYTES]

    def write(self, table: str, key: bytes, value: bytes | None) -> Write:
        """The record's place and the digest of its encoded value, None if it was deleted."""
        if value is None:
            return self.place(table, key), b""
        digest = hmac.digest(self._key, table.encode() + b"\0" + key + b"\0" + value, "sha256")
        return self.place(table, key), digest
