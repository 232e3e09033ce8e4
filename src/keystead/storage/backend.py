"""What Keystead asks of a database: an ordered key-value store with an atomic, conditional batch.

A backend is not trusted. It may be read and written by others; `barrier` and `tree` notice every
change that Keystead did not make. What a backend must give is stated here, and
`tests/storage/test_storage_backends.py` holds every entry of `BACKENDS` to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from hashlib import sha256
from pathlib import Path
from typing import Protocol

import msgspec

DIGEST_BYTES = 16


def digest(value: bytes) -> bytes:
    """The first 16 bytes of SHA-256 of `value`: how a stored value is named in conditions and in the tree.

    16 bytes suffice: who wants to replace a value needs a second preimage (2^128 trials), since the
    values are ciphertext that nobody else can choose.
    """
    return sha256(value).digest()[:DIGEST_BYTES]


class Batch(msgspec.Struct, frozen=True):
    """Writes that happen together or not at all, if the conditions hold.

    `conditions` maps a key to the digest of the value that it must have now, or None for "absent".
    `writes` maps a key to its new value, or None for "delete".
    """

    conditions: Mapping[bytes, bytes | None]
    writes: Mapping[bytes, bytes | None]


class Backend(Protocol):
    """An ordered map from bytes to bytes.

    Guarantees:
        Durability: what `commit` wrote survives a crash of the process and of the machine once it
            returned. After StorageUnavailable the batch is there entirely or not at all.
        Ordering: keys are ordered as unsigned bytes. Commits are totally ordered; a read that starts
            after a commit returned sees it.
        Concurrency: every method may be called from any thread; commits exclude each other, also
            between processes where the backend can be shared. A read never waits for a commit.
        Retries: none here. The caller runs the transaction again (StorageConflict), or reads anew to
            learn what happened (StorageUnavailable).
        Trust: none. Nothing secret is handed over unsealed, nothing that comes back is believed.
        Erasure: after `checkpoint` the bytes of deleted and replaced values are in no file of it.
    """

    def get(self, key: bytes) -> bytes | None:
        """The value at `key`, or None.

        Raises:
            StorageUnavailable: the database cannot be read.
        """
        ...

    def get_each(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """The value at each of `keys` (None: there is none), for less than as many calls of `get`.

        Another process may commit in between, so they need not all be of one commit.

        Raises:
            StorageUnavailable: the database cannot be read.
        """
        ...

    def scan(
        self, start: bytes, end: bytes, limit: int | None, reverse: bool = False
    ) -> list[tuple[bytes, bytes]]:
        """Keys and values from `start` (inclusive) to `end` (exclusive), at most `limit`, in order.

        With `reverse` the order is descending, so `limit` keeps the last ones.

        Raises:
            StorageUnavailable: the database cannot be read.
        """
        ...

    def commit(self, batch: Batch) -> None:
        """None once the whole batch is durable.

        Raises:
            StorageConflict: a condition does not hold; nothing was written.
            StorageUnavailable: the write failed, or may have; nothing in between.
        """
        ...

    def turn(self) -> AbstractContextManager[None]:
        """A block during which no other process commits, if it takes turns too; it waits for its own.

        Who reads, builds a batch on it and commits it within a turn finds that the conditions still hold. It
        is a courtesy that saves work: what makes a commit right are its conditions.
        """
        ...

    def generation(self) -> int:
        """A number that is another one after each commit of any process that shares the database.

        It is changed after the commit and before `commit` returns. Cheap: asked before each cached read.
        """
        ...

    def checkpoint(self) -> None:
        """None once deleted and replaced values are scrubbed from every file.

        Raises:
            StorageUnavailable: it could not be finished now; ask again.
        """
        ...

    def backup(self, path: Path) -> None:
        """None once a consistent copy is durable at `path`, taken while the store is in use.

        Raises:
            StorageError: `path` exists, or this backend keeps nothing.
            StorageUnavailable: the copy could not be written.
        """
        ...

    def close(self) -> None:
        """None; the files are closed and no other method may be called any more."""
        ...
