"""The journals of workers that are no longer run: what a crash left of theirs in the outbox is journaled."""

from __future__ import annotations

from pathlib import Path

import structlog

from keystead.audit import outbox, reader
from keystead.audit.acknowledged import acknowledged
from keystead.audit.commit import Committer
from keystead.audit.disk import OsDisk
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
    try:
        left = store.transaction().scan(outbox.OUTBOX, f"{worker}/", limit=1)
        if not left and _settled(directory, worker):
            return 0  # not even opened: each opening may add a note to it
        committer = Committer(store, Journal.open(directory, worker), lambda _: None)
        try:
            return committer.recover()
        finally:
            committer.close()
    except (JournalError, OSError) as error:
        log.error("a journal that no worker writes cannot be taken up", worker=worker, reason=str(error))
        return 0


def _settled(directory: Path, worker: str) -> bool:
    """Whether everybody may rely on every record of the journal, because whoever wrote it last said so.

    Raises:
        JournalError: it is damaged.
        OSError: it cannot be read.
    """
    place = reader.directory_of(directory, worker)
    segments = reader.headers(OsDisk(), place, worker)
    if not segments:
        return True
    tail = reader.tail(OsDisk(), place, segments[-1])
    return tail.clean and acknowledged(directory, worker) == tail.at.index
