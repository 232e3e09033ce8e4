"""Changes that no call makes: an operator's on the command line, a seed's, and the server's own. They leave notes.

Those that concern the evidence itself leave an event instead.

Whoever writes to the store beside a server has no journal. So a note with the digests of what was written goes into
the outbox, in the same commit, and whoever leads moves it from there to its journal within a second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import ceil
from typing import TypeVar

import msgspec

from keystead.audit.change import decode_writes, digests_of, encode_writes, join
from keystead.audit.custody import open_log_keys
from keystead.audit.event import event_time
from keystead.audit.outbox import OUTBOX, OutboxRow
from keystead.entropy import Entropy, new_uuid
from keystead.storage.store import Store
from keystead.storage.transaction import Transaction
from keystead.tlog import StateDigests

T = TypeVar("T")

WAITING = "+/"
_MOST_WRITES = 400
"""In one note, whose leaf has to hold them."""


def note_of(what: str, now: float, entropy: Entropy) -> bytes:
    """The note of a change; `what` says in a few words of ours what made it, and names nobody."""
    return msgspec.json.encode(
        {"note": "change", "what": what, "time": event_time(int(now)), "id": new_uuid(entropy)}
    )


def clock_note(seconds: float, now: float, entropy: Entropy) -> bytes:
    """The note that the clock, which tells `now` still, is about to be moved ahead (development only).

    The entries after it tell times that nobody else's clock has reached, which else would be a sign of forgery.
    """
    time = event_time(int(now))
    return msgspec.json.encode(
        {"note": "clock", "advanced": ceil(seconds), "time": time, "id": new_uuid(entropy)}
    )


def run_noted(
    store: Store, operation: Callable[[Transaction], T], *, what: str, now: float, entropy: Entropy
) -> T:
    """What `operation` returns, once its changes are durable together with their note; see `Store.run`.

    Raises:
        errors.StorageError: the store cannot be read or written.
    """
    digests = open_log_keys(store, entropy).digests

    def noted(tx: Transaction) -> T:
        result = operation(tx)
        add_notes(tx, digests, what, now, entropy)
        return result

    return run_dated(store, noted)


def run_dated(store: Store, operation: Callable[[Transaction], T]) -> T:
    """What `operation` returns, once its changes are durable with what it let wait for a journal; see `Store.run`.

    Raises:
        errors.StorageError: the store cannot be read or written.
    """
    places: list[str] = []

    def watched(tx: Transaction) -> T:
        result = operation(tx)
        places[:] = [key for table, key in tx.writes if table == OUTBOX.name and key.startswith(WAITING)]
        return result

    result = store.run(watched)
    _date(store, places, store.last_commit)
    return result


def _date(store: Store, places: list[str], commit: int) -> None:
    """Nothing; what still waits at `places` tells that `commit` made its change.

    A crash before: it is only known then that no later commit than the one that took it made it.
    """
    tx = store.transaction()
    rows = [(place, row) for place in places if (row := tx.get(OUTBOX, place)) is not None]
    for place, row in rows:
        tx.put(OUTBOX, place, msgspec.structs.replace(row, commit=commit))
    if rows:
        store.commit([tx])  # a conflict: somebody has just taken them


def add_notes(tx: Transaction, digests: StateDigests, what: str, now: float, entropy: Entropy) -> None:
    """Nothing; the transaction also stores notes of all evident records that it has written so far."""
    for writes in _parts(digests_of(digests, tx)):
        _add(tx, OutboxRow(note_of(what, now, entropy), writes=writes, note=True), entropy)


def add_event(tx: Transaction, digests: StateDigests, event: bytes, entropy: Entropy) -> None:
    """Nothing; the transaction also stores the event, to be journaled with digests of what it has written so far."""
    _add(tx, OutboxRow(event, writes=digests_of(digests, tx)), entropy)


def _add(tx: Transaction, row: OutboxRow, entropy: Entropy) -> None:
    tx.put(OUTBOX, WAITING + new_uuid(entropy), row)


def _parts(writes: bytes) -> Iterator[bytes]:
    found = list(decode_writes(writes))
    for start in range(0, len(found), _MOST_WRITES):
        yield encode_writes(found[start : start + _MOST_WRITES])


def waiting(tx: Transaction, limit: int) -> list[str]:
    """The outbox keys of notes and events that no journal has yet."""
    return [key for key, _ in tx.scan(OUTBOX, WAITING, limit=limit)]


def take(tx: Transaction, key: str, commit: int) -> bytes | None:
    """The record of what waits at `key`, which the transaction deletes; None if it is gone.

    `commit` is the store's newest: where the row does not tell, the change was made by none after it.
    """
    row = tx.get(OUTBOX, key)
    if row is None:
        return None
    tx.delete(OUTBOX, key)
    return join(row.event, row.writes, row.commit or commit, exact=bool(row.commit), note=row.note)
