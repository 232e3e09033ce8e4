"""The outbox: events of changes, stored in the same batch as the change until the journal has them too."""

from __future__ import annotations

import msgspec

from keystead.audit import change as change_records
from keystead.audit.journal import Journal
from keystead.storage.store import Store
from keystead.storage.table import Table, join


class OutboxRow(msgspec.Struct, frozen=True):
    """One event (or note) that the journal may not have yet; if it has it, then at index `since` or later.

    `writes` are the digests of what its change wrote, `commit` is the store's that made it, 0 if that is not known.
    """

    event: bytes
    since: int = 0
    writes: bytes = b""
    note: bool = False
    commit: int = 0


# Keys are "<worker>/<20 digits>": a worker repairs its own rows only, in the order it wrote them. Notes of
# changes that no worker made (`notes`) wait at "+/<id>": no worker has that name.
OUTBOX: Table[OutboxRow] = Table("outbox", OutboxRow, evident=False)


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
    # Which commit made a change is not known any more, only that it was none after this one.
    commit = store.commit_number
    missing = dict(_record(row, commit) for _, row in rows)
    for frame in journal.frames(min(row.since for _, row in rows)):
        missing.pop(frame.payload, None)
    journal.append(list(missing.values()))
    # A crash here: the next repair finds these events in the journal and only deletes the rows.
    delete(store, [row_key for row_key, _ in rows])
    return len(missing)


def _record(row: OutboxRow, commit: int) -> tuple[bytes, bytes]:
    """The row's event, and the record that the journal is to have of it."""
    event, change = change_records.split(row.event)
    if change is not None:  # a note, which came with its digests
        return event, row.event
    return event, change_records.join(event, row.writes, commit, exact=False, note=row.note)


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
