"""What of the evidence is gone, by what the store remembers of it: a server begins none anew by itself.

Journals and log vouch for each other, and journals for the store. Where both are gone only the store knows that there were any.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from keystead.audit.disk import OsDisk
from keystead.audit.journal import Journal
from keystead.audit.log import expect_logged
from keystead.audit.logfiles import LogFiles
from keystead.audit.logkeys import LogKeys
from keystead.audit.reader import directory_of, headers, tail
from keystead.errors import JournalError

_WAY_OUT: Final = "put it back, or let evidence begin anew by `keystead audit begin-anew`"


def missing(directory: Path, keys: LogKeys | None, known: Mapping[str, int]) -> Iterator[str]:
    """A line for each journal that ends before the index that the store knows (`known`, by worker), and for the log.

    Raises:
        JournalError: a journal is damaged.
    """
    for worker, index in sorted(known.items()):
        there = _end(directory, worker)
        if there < index:
            yield _short(worker, index, there)
    files = LogFiles(directory)
    if keys is not None and keys.begun and not files.begun and not files.written:
        yield "log: it is gone; the store knows that there was one"


def open_journal(directory: Path, worker: str, keys: LogKeys | None, known: int) -> Journal:
    """The worker's journal, which has all that log and store know of it: it is made only where there was no evidence.

    A journal that was deleted or cut off would use its numbers again, for other records.

    Raises:
        JournalError: it has not, or there is neither journal nor log, and there were; or as `Journal.open`.
    """
    if keys is not None and keys.begun and not LogFiles(directory).begun and not _journaled(directory):
        # Before a journal is made: the next start would find it.
        raise JournalError(f"{directory}: journals and log are gone, and the store knows of them: {_WAY_OUT}")
    journal = Journal.open(directory, worker)
    expect_logged(directory, journal)
    if journal.next_index < known:
        journal.abandon()
        raise JournalError(f"{_short(worker, known, journal.next_index)}: {_WAY_OUT}")
    return journal


def _short(worker: str, known: int, there: int) -> str:
    was = "it was deleted, cut off or put back"
    return f"journal {worker}: the store knows {known} records of it, {there} are there: {was}"


def _journaled(directory: Path) -> bool:
    """Whether any journal has a record."""
    place = directory / "journal"
    return place.exists() and any(
        _end(directory, entry.name) > 0 for entry in place.iterdir() if entry.is_dir()
    )


def _end(directory: Path, worker: str) -> int:
    """The index behind the journal's last record; 0 if it is not there."""
    place, disk = directory_of(directory, worker), OsDisk()
    segments = headers(disk, place, worker)
    return tail(disk, place, segments[-1]).at.index if segments else 0
