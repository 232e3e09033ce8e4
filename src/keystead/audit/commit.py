"""Group commit without a timer: what gathered while the last write ran is the next group.

Calls hand in what must be durable before they are answered; one thread per worker makes each
group durable with at most one commit of the store and one sync of the journal.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import chain, repeat, starmap
from operator import attrgetter
from queue import SimpleQueue
from threading import Thread, get_ident
from typing import Final

import msgspec

from keystead.audit import outbox
from keystead.audit.change import digests_of, join
from keystead.audit.gathering import ENOUGH, Gathering
from keystead.audit.journal import Journal
from keystead.audit.runs import in_likeness
from keystead.audit.told import Record
from keystead.errors import JournalError, OperatorError, StorageError, StorageUnavailable
from keystead.storage.store import Store
from keystead.storage.transaction import Transaction
from keystead.tlog import StateDigests

LARGEST_LIMIT = 8192
_CLEANING_INTERVAL = 4096
"""Records after which journaled rows are deleted without waiting for a change, so that a repair reads little."""

Done = Callable[[Exception | None], None]

_RECORDS: Final = attrgetter("records")
_TRANSACTION: Final = attrgetter("transaction")
_DONE: Final = attrgetter("done")
"""In one step for a whole group: what the writer does for each record, the loop waits for."""


class Submission(msgspec.Struct, frozen=True, gc=False):
    """One call's evidence and change; `done` hears on the loop's thread how it went, exactly once.

    `records` empty means that there is nothing to tell, `transaction` None that nothing changed. A call has more
    than one record if it is told to more than one account, or did more than one thing. `done` gets None (all
    durable), StorageConflict (nothing was written: run the operation again with a new transaction), or JournalError
    or StorageUnavailable (do not answer; the change may persist, and if so all its events will too).
    With `note` the record is no event but the note of a change that no call made.
    """

    records: tuple[Record, ...]
    transaction: Transaction | None
    done: Done
    note: bool = False


def _never() -> bool:
    """What tells that nothing is coming where nobody knows."""
    return False


def _unseen(_calls: int, _seconds: float) -> None:
    """What hears of groups where nobody counts them."""


class _Failure(msgspec.Struct, frozen=True):
    """Why nothing is accepted: `state` for people, `error` for callers."""

    state: str
    error: OperatorError


def _failure(error: OperatorError) -> _Failure:
    what = "journal" if isinstance(error, JournalError) else "storage"
    return _Failure(f"{what} failed: {error}", error)


class Committer:
    """The writer of one worker: owns its journal and is the only one that commits to the store.

    Guarantees: results come in the order of submission, and so do events of a group with a change; an event is in the
    journal, once, before its call hears None; of a change that persisted, it is there or in the outbox at every
    instant. Concurrency: `submit` from any thread; the others from the thread that builds and ends the worker. After a
    failure the next submission makes one attempt to recover; what arrives during the attempt is refused at once.
    """

    def __init__(
        self,
        store: Store,
        journal: Journal,
        call_soon: Callable[[Callable[[], None]], object],
        *,
        limit: int = LARGEST_LIMIT,
        next_turn: Callable[[Callable[[], None]], object] | None = None,
        coming: Callable[[], bool | None] = _never,
        on_group: Callable[[int, float], None] = _unseen,
        digests: StateDigests | None = None,
    ) -> None:
        """A committer that does nothing until `start`.

        Args:
            store: where changes go.
            journal: this worker's journal, opened; the committer closes it.
            call_soon: runs a callable on the loop's thread (`loop.call_soon_threadsafe`).
            limit: how many submissions may wait; beyond it they are refused. At most `LARGEST_LIMIT`.
            next_turn: runs a callable when the loop has gone through what is ready (`loop.call_soon`), for
                submissions on the thread that calls `start`, which gather before they wake the writer. Without it
                each submission wakes it.
            coming: as in `Gathering`.
            on_group: hears, on the writer's thread, of each group how many calls it had and how many seconds it
                took to make it durable.
            digests: what tells beside the event of a change which records it wrote; without it nothing does.
        """
        self._store = store
        self._journal = journal
        self._call_soon = call_soon
        self._limit = min(limit, LARGEST_LIMIT)
        self._longest = journal.longest_record
        self._on_group = on_group
        self._digests = digests
        self._home = 0
        self._waiting: deque[Submission] = deque()
        self._wake: SimpleQueue[bool] = SimpleQueue()  # True: something waits; False: it was the last
        self._gathering = (
            None
            if next_turn is None
            else Gathering(partial(self._wake.put, True), self._waiting.__len__, next_turn, coming)
        )
        self._thread: Thread | None = None
        self._failed: _Failure | None = None
        self._attempting = False
        self._closed = False
        self._sequence = 0
        self._commit_number = 0
        self._journaled_rows: list[str] = []
        self._oldest_row = 0

    # ------------------------------------------------------------------ for the worker

    @property
    def worker(self) -> str:
        """Whose journal this writes."""
        return self._journal.worker

    @property
    def state(self) -> str:
        """`ok`, or `journal failed: …` or `storage failed: …` with the reason."""
        return self._failed.state if self._failed is not None else "ok"

    @property
    def waiting(self) -> int:
        """How many calls wait for the group that is being written."""
        return len(self._waiting)

    def start(self) -> None:
        """Nothing; events that a crash left in the outbox are journaled and the writer runs.

        Raises:
            JournalError: the journal cannot be read or written.
            StorageTampered: the store is older than the journal: the database was put back.
            StorageError: the store cannot be read or written.
        """
        self.recover()
        self._home = get_ident()
        self._thread = Thread(target=self._run, name=f"committer-{self._journal.worker}", daemon=True)
        self._thread.start()

    def recover(self) -> int:
        """How many events were appended that a crash or failure had left in the outbox only.

        Raises:
            JournalError: the journal cannot be read or written.
            StorageTampered: the store is older than the journal: the database was put back.
            StorageError: the store cannot be read or written.
        """
        if self._journal.failure is not None:
            self._journal.reopen()
        self._store.expect_at_least(self._journal.anchor)
        if self._failed is not None and isinstance(self._failed.error, StorageError):
            # A real write, so that `ok` is not said of a store that can only be read; there is no such row.
            outbox.delete(self._store, [outbox.key(self._journal.worker, 0)])
        count = outbox.repair(self._store, self._journal)
        self._journaled_rows, self._failed = [], None
        return count

    def close(self) -> None:
        """Nothing, once everything submitted before is answered and the journal is closed.

        Raises:
            JournalError: the journal's closing note cannot be written; nothing acknowledged is in danger.
        """
        self._closed = True
        if self._thread is not None:
            self._wake.put(False)
            self._thread.join()
            self._thread = None
        if self._journaled_rows and self._failed is None:
            with suppress(StorageError):  # the next start deletes them
                outbox.delete(self._store, self._journaled_rows)
        self._journal.close()

    # ---------------------------------------------------------------------- for calls

    def submit(self, *submissions: Submission) -> None:
        """Nothing; each one's `done` hears later. Many cost little more than one, and it never blocks."""
        room = 0 if self._closed or self._attempting else max(0, self._limit - len(self._waiting))
        if len(submissions) > room:
            late, submissions = submissions[room:], submissions[:room]
            self._hand_back(late, [self._refusal()] * len(late))
        sizes = list(map(len, chain.from_iterable(map(_RECORDS, submissions))))
        if sizes and not 0 < min(sizes) <= max(sizes) <= self._longest:
            submissions = tuple(filter(self._fits, submissions))
        if submissions:
            self._waiting.extend(submissions)
            if self._gathering is None or get_ident() != self._home:
                self._wake.put(True)
            else:
                self._gathering.handed_in()

    def _fits(self, submission: Submission) -> bool:
        misfits = [len(record) for record in submission.records if not 0 < len(record) <= self._longest]
        if misfits:  # once in the outbox it could never be journaled, and nothing would be accepted any more
            told = JournalError(f"an event of {misfits[0]} bytes cannot be journaled")
            self._hand_back([submission], [told])
        return not misfits

    def probe(self) -> None:
        """Nothing; while failed, one attempt to recover is made without a call (for readiness checks)."""
        self.submit(Submission((), None, lambda _: None))

    def _refusal(self) -> OperatorError:
        failed = self._failed
        if self._closed:
            return JournalError("the server is stopping")
        if failed is not None:
            return failed.error
        return JournalError(f"{self._limit} calls wait to be made durable already")

    # --------------------------------------------------------------------- the writer

    def _run(self) -> None:
        while self._turn():
            pass

    def _turn(self) -> bool:
        """Whether there will be another group, after making durable everything that waits."""
        more = self._wake.get()
        while not self._wake.empty():  # this thread is the only consumer
            more = self._wake.get() and more
        group = list(starmap(self._waiting.popleft, repeat((), len(self._waiting))))
        if group:
            started = time.perf_counter()
            answers = self._answers(group)
            self._on_group(len(group), time.perf_counter() - started)
            if len(self._waiting) >= ENOUGH:
                self._wake.put(True)
            self._hand_back(group, answers)
        if self._gathering is not None:
            with suppress(RuntimeError):  # as for the answers
                self._call_soon(self._gathering.written)
        return more

    def _answers(self, group: Sequence[Submission]) -> Sequence[Exception | None]:
        try:
            if self._failed is not None:
                self._attempt()
            return self._commit(group)
        except OperatorError as error:
            self._failed = _failure(error)
            return [error] * len(group)
        except Exception as error:  # noqa: BLE001  a defect must not leave callers waiting for ever
            unknown = StorageUnavailable(f"unexpected {type(error).__name__} in the writer")
            unknown.__cause__ = error
            self._failed = _failure(unknown)
            return [unknown] * len(group)

    def _attempt(self) -> None:
        self._attempting = True
        try:
            self.recover()
        finally:
            self._attempting = False

    def _commit(self, group: Sequence[Submission]) -> list[Exception | None]:
        results: list[Exception | None] = [None] * len(group)
        told = list(map(_RECORDS, group))
        rows = self._store_changes(group, told, results)
        # A crash here: changes persist, unanswered, with their events in the outbox; `recover` journals them.
        if any(results):
            told = [each for each, result in zip(told, results, strict=True) if result is None]
        records = (list if any(map(_TRANSACTION, group)) else in_likeness)(chain.from_iterable(told))
        before = self._journal.next_index
        try:
            self._journal.append(records, self._commit_number)
        except JournalError as error:
            self._failed = _failure(error)
            return [result or error for result in results]
        # A crash here: all is durable, nobody has been answered; rows still in the outbox are found journaled.
        if rows and not self._journaled_rows:
            self._oldest_row = before
        self._journaled_rows += rows
        return results

    def _store_changes(
        self,
        group: Sequence[Submission],
        told: list[tuple[Record, ...]],
        results: list[Exception | None],
    ) -> list[str]:
        """The outbox keys of the changes that persist; fills in `results` of those that do not.

        What a change wrote is added to the first of its records in `told`.
        """
        changes = self._changes(group)
        cleaning = self._cleaning(changing=bool(changes))
        if not changes and not cleaning:
            return []
        keys = [self._add_rows(tx, group[place], writes) for place, tx, writes in changes]
        answers: Sequence[Exception | None]
        try:
            answers = self._store.commit([*cleaning, *(transaction for _, transaction, _ in changes)])
            self._commit_number = self._store.commit_number
        except StorageError as error:
            # Unknown whether the changes persist. If so, so do their rows, and `recover` will find them.
            self._failed = _failure(error)
            answers = [error] * (len(cleaning) + len(changes))
        if cleaning and answers[0] is None:
            self._journaled_rows = []
        rows: list[str] = []
        for (place, _, writes), added, answer in zip(changes, keys, answers[len(cleaning) :], strict=True):
            results[place] = answer
            if answer is None:
                rows += added
                told[place] = self._with_writes(group[place], writes)
        return rows

    def _changes(self, group: Sequence[Submission]) -> list[tuple[int, Transaction, bytes]]:
        """The transactions of a group with their places in it, and what they write."""
        if not any(map(_TRANSACTION, group)):  # as in most groups, which one step for all tells
            return []
        return [
            (place, submission.transaction, self._digests_of(submission))
            for place, submission in enumerate(group)
            if submission.transaction is not None
        ]

    def _digests_of(self, submission: Submission) -> bytes:
        """Of what the change writes; empty where there is no record that could hold them."""
        if self._digests is None or not submission.records or submission.transaction is None:
            return b""
        return digests_of(self._digests, submission.transaction)

    def _with_writes(self, submission: Submission, writes: bytes) -> tuple[Record, ...]:
        """The records of a change that persists; the first tells what it wrote."""
        if not writes:
            return submission.records
        first, *rest = submission.records
        return join(bytes(first), writes, self._store.last_commit, note=submission.note), *rest

    def _add_rows(self, transaction: Transaction, submission: Submission, writes: bytes) -> list[str]:
        """The outbox keys under which the events of one change are stored with it, in their order."""
        keys, since = [], self._journal.next_index
        for record in submission.records:
            self._sequence += 1
            keys.append(outbox.key(self._journal.worker, self._sequence))
            row = outbox.OutboxRow(bytes(record), since, writes, submission.note)
            transaction.put(outbox.OUTBOX, keys[-1], row)
            writes = b""
        return keys

    def _cleaning(self, *, changing: bool) -> list[Transaction]:
        """The transaction that deletes journaled rows: along with changes, or before the rows get too old."""
        old = self._journal.next_index - self._oldest_row >= _CLEANING_INTERVAL
        if not self._journaled_rows or not (changing or old):
            return []
        transaction = self._store.transaction()
        for row in self._journaled_rows:
            transaction.delete(outbox.OUTBOX, row)
        return [transaction]

    # ------------------------------------------------------------------- handing back

    def _hand_back(self, group: Sequence[Submission], results: Sequence[Exception | None]) -> None:
        if group:
            pairs = zip(map(_DONE, group), results, strict=True)
            with suppress(RuntimeError):  # the loop has been closed: nobody is left to hear
                self._call_soon(partial(self._deliver, pairs))

    def _deliver(self, pairs: Iterator[tuple[Done, Exception | None]]) -> None:
        for done, result in pairs:
            try:
                done(result)
            except BaseException:
                # One call's defect is the loop's to report; the others of the group still hear.
                self._call_soon(partial(self._deliver, pairs))
                raise
