"""The journals of workers that are no longer run: what a crash left of theirs in the outbox is journaled."""

from __future__ import annotations

from pathlib import Path

import structlog

from keystead.audit import outbox
from keystead.audit.commit import Committer
from keystead.audit.journal import Journal
from keystead.errors import JournalError
from keystead.storage.store import Store

log = structlog.get_logger("keystead.journal")


def orphans(directory: Path, workers: int) -> list[str]:
    """Who has a journal in the data directory and is none of so many workers (w0, w1, ...); names, sorted."""
    current = {f"w{number}" for number in range(workers)}
    names = (entry.name for entry in (directory / "journal").iterdir() if entry.is_dir())
    return sorted(name for name in names if name not in current)


def take_up(store: Store, directory: Path, workers: int) -> list[str]:
    """The orphans' names, after an attempt to journal what they left; see `take_up_one`.

    Raises:
        StorageError: the store cannot be read or written.
    """
    left = orphans(directory, workers)
    for worker in left:
        take_up_one(store, directory, worker)
    return left


def take_up_one(store: Store, directory: Path, worker: str) -> int:
    """How many events of a worker that is no longer run were missing in its journal and now are there.

    A journal that is damaged, or that somebody writes after all, is told in the log and left alone: the rows
    stay in the outbox, and the evidence of those who are run is not concerned.

    Raises:
        StorageError: the store cannot be read or written.
    """
    if not store.transaction().scan(outbox.OUTBOX, f"{worker}/", limit=1):
        return 0  # not even opened: each opening may add a note to it
    try:
        committer = Committer(store, Journal.open(directory, worker), lambda _: None)
        try:
            return committer.recover()
        finally:
            committer.close()
    except JournalError as error:
        log.error("a journal that no worker writes cannot be taken up", worker=worker, reason=str(error))
        return 0
