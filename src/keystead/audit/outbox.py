"""The outbox: events of changes, stored in the same batch as the change until the journal has them too."""

from __future__ import annotations

import msgspec

from keystead.audit.journal import Journal
from keystead.storage.store import Store
from keystead.storage.table import Table, join


class OutboxRow(msgspec.Struct, frozen=True):
    """One event that the journal may not have yet; if it has it, then at index `since` or later."""

    event: bytes
    since: int = 0


# Keys are "<worker>/<20 digits>": a worker repairs its own rows only, in the order it wrote them.
OUTBOX: Table[OutboxRow] = Table("outbox", OutboxRow)


def key(worker: str, sequence: int) -> str:
    """The row's key; keys of one worker sort by `sequence`."""
    return join(worker, f"{sequence:020d}")


def repair(store: Store, journal: Journal) -> int:
    """How many events were missing in the journal and have been appended; the outbox is empty afterwards.

    Called before anything else writes for this worker.

    Raises:
        JournalError: the journal cannot be read or written.
        StorageError: the store cannot.
    """
    rows = store.transaction().scan(OUTBOX, f"{journal.worker}/")
    if not rows:
        return 0
    missing = dict.fromkeys(row.event for _, row in rows)
    for _, event in journal.read(min(row.since for _, row in rows)):
        missing.pop(event, None)
    journal.append(list(missing))
    # A crash here: the next repair finds these events in the journal and only deletes the rows.
    delete(store, [row_key for row_key, _ in rows])
    return len(missing)


def delete(store: Store, keys: list[str]) -> None:
    """Nothing; the rows are gone durably.

    Raises:
        StorageError: they may still be there.
    """
    transaction = store.transaction()
    for row_key in keys:
        transaction.delete(OUTBOX, row_key)
    conflict = store.commit([transaction])[0]
    if conflict is not None:
        raise conflict
