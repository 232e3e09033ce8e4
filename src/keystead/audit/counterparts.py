"""The record that each entry of the log was made of: the journals, read once, in the order in which the log names them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from keystead.audit.logfiles import Head
from keystead.audit.reader import read_journal
from keystead.audit.segment import Frame
from keystead.errors import JournalError

_TRIES: Final = 3


class Gone(msgspec.Struct):
    """Entries in a row of one journal whose records are not there: numbers of entries and of records."""

    entry: int
    last_entry: int
    record: int
    last_record: int


Passed = Callable[[str, Frame], None]
"""Hears of each record that is passed over, with its journal: no entry that can be read is of it."""


class Journal:
    """One worker's records. `following` is the record whose entry comes next, None after entries that cannot be read."""

    def __init__(self, directory: Path, worker: str, kept_from: int, passed: Passed) -> None:
        self.worker = worker
        self._passed = passed
        self.kept_from = kept_from
        self.following: int | None = 0
        self.gone: Gone | None = None
        self.broken: str | None = None
        self._frames: Iterator[Frame] = iter(())
        self._next: Frame | None = None
        self._open(directory)

    def _open(self, directory: Path) -> None:
        """Nothing. Beside a writer the newest segment may look torn at first; what is really broken stays so."""
        for _ in range(_TRIES):
            self._frames, self.broken = read_journal(directory, self.worker), None
            self._step()
            if self.broken is None:
                return

    def _step(self) -> None:
        try:
            self._next = next(self._frames, None)
        except JournalError as error:
            self._next, self.broken = None, str(error)

    def take(self, index: int) -> Frame | None:
        """The record with this index, None if it is not there; those before it are passed over."""
        while self._next is not None and self._next.index < index:
            self._passed(self.worker, self._next)
            self._step()
        if self._next is None or self._next.index > index:
            return None
        found = self._next
        self._step()
        return found

    def rest(self, index: int) -> Iterator[Frame]:
        """The records from `index` on."""
        found = self.take(index)
        while found is not None:
            yield found
            found = self.take(found.index + 1)


class Counterparts:
    """The journals of all workers. `find` hears of what does not fit; `pruned` counts entries without a record."""

    def __init__(
        self, directory: Path, kept_from: Mapping[str, int], find: Callable[[str], None], passed: Passed
    ) -> None:
        self._directory = directory
        self._kept_from = kept_from
        self._find = find
        self._passed = passed
        self._journals: dict[str, Journal] = {}
        self._lost = False
        self.pruned = 0

    def _journal(self, worker: str) -> Journal:
        if worker not in self._journals:
            journal = Journal(self._directory, worker, self._kept_from.get(worker, 0), self._passed)
            journal.following = None if self._lost else 0
            self._journals[worker] = journal
        return self._journals[worker]

    def take(self, number: int, worker: str, records: range) -> list[Frame | None]:
        """The records that entry `number` says that it is of, None for each that is not there."""
        try:
            journal = self._journal(worker)
        except ValueError:
            self._find(f"entry {number} is of a journal that cannot be")
            return [None] * len(records)
        if not self._in_order(number, journal, records):
            return [None] * len(records)  # they were passed already
        frames = [journal.take(index) for index in records]
        missing = [index for index, frame in zip(records, frames, strict=True) if frame is None]
        if journal.broken is None:
            self._miss(number, journal, missing)
        return frames

    def _in_order(self, number: int, journal: Journal, records: range) -> bool:
        """Whether the entry comes after those of all records before."""
        first, following = records.start, journal.following
        journal.following = max(records.stop, following or 0)
        if following is None or first == following:
            return True
        place = f"entry {number} is of record {told(records)} of journal {journal.worker}"
        if first > following:
            self._find(f"{place}: record {_range(following, first - 1)} has no entry before it")
        else:
            self._find(f"{place}, which has an entry already, or is not in its order")
        return first > following

    def _miss(self, number: int, journal: Journal, missing: Sequence[int]) -> None:
        self.pruned += any(index < journal.kept_from for index in missing)
        for index in missing:
            if index < journal.kept_from:
                continue
            if journal.gone is not None and journal.gone.last_record == index - 1:
                journal.gone.last_entry, journal.gone.last_record = number, index
            else:
                self._tell_gone(journal)
                journal.gone = Gone(number, number, index, index)

    def _tell_gone(self, journal: Journal) -> None:
        gone, journal.gone = journal.gone, None
        if gone is not None:
            records, entries = _range(gone.record, gone.last_record), _range(gone.entry, gone.last_entry)
            self._find(
                f"journal {journal.worker}: record {records} is gone; in the log it is entry {entries}"
            )

    def pass_over(self, following: Mapping[str, int]) -> None:
        """Nothing; entries that are pruned were passed, behind all of which each journal's next record is known."""
        for worker, index in following.items():
            self._journal(worker).following = index

    def lose_track(self) -> None:
        """Nothing; entries could not be read, of whatever records they are."""
        for journal in self._journals.values():
            journal.following = None
        self._lost = True

    def finish(self, head: Head) -> None:
        """Nothing; the log must have come as far in each journal as its head says."""
        for worker, index in head.journals.items():
            journal = self._journal(worker)
            if journal.following is not None and journal.following != index:
                self._find(
                    f"log/head has come to record {index} of journal {worker}, the entries to {journal.following}"
                )
            journal.following = index
        for journal in self._journals.values():
            self._tell_gone(journal)
            if journal.broken is not None:
                self._find(
                    f"journal {journal.worker}: {journal.broken}; no entry behind that could be compared"
                )

    def rest(self, workers: Sequence[str]) -> Iterator[tuple[str, Frame]]:
        """The records that no entry was made of yet."""
        for worker in workers:
            journal = self._journal(worker)
            for frame in journal.rest(journal.following or 0):
                yield worker, frame


def told(records: Sequence[int]) -> str:
    """The numbers of records in words, from the lowest on."""
    first, *_, last = (*records, records[-1])
    return _range(first, last) if last - first < len(records) else ", ".join(map(str, records))


def _range(first: int, last: int) -> str:
    return f"{first}" if first == last else f"{first} to {last}"
