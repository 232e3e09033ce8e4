"""Runs what has fallen due, flushes what is kept in memory, and forgets what has expired."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Final

import msgspec
import structlog

from keystead import errors
from keystead.api.evidence import service_record
from keystead.api.replay import SEEN
from keystead.api.schedule import DUE, Due, DueCall, Handlers
from keystead.api.usage import LAST_USE, USES_UP_TO, CallersTaken, LastUse, Position, UsageTracker
from keystead.audit import notes
from keystead.audit.commit import Committer, Submission
from keystead.clock import Clock
from keystead.entropy import Entropy
from keystead.keyring import PENDING, SCRUBS
from keystead.storage import Store, Transaction

log = structlog.get_logger("keystead.scheduler")

_BATCH = 200
_PATIENCE: Final = 60.0
"""Seconds until what failed by a defect is tried again."""
_FLUSH_INTERVAL = 15.0
"""Seconds between flushes of last uses."""
_FLUSHED_TOGETHER: Final = 256
"""Keys whose last uses are flushed in one commit, once a second."""
_FLUSHES: Final = 30
"""Commits in which most of a flush gets done, where it is more than that: what waits takes memory."""
_FLUSHED_AT_STOP: Final = 4096
_STALE: Final = 1000
"""Records without a use after which it is kept all the same how far the journal was read: pruning waits for that."""


class Work(msgspec.Struct, frozen=True):
    """What a scheduler works with; `exists` tells whether the key at a place is still there."""

    store: Store
    committer: Committer
    usage: UsageTracker
    clock: Clock
    wall: Clock
    """What signatures are dated by."""
    entropy: Entropy
    pool: Executor
    handlers: Handlers
    exists: Callable[[Transaction, str], bool]
    worker: str
    position: Callable[[], int]
    """The index of the journal's next record."""


class Scheduler:
    """Belongs to one event loop; `run` is what its timer calls."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._running = asyncio.Lock()
        self._flushed = work.clock.now()
        self._unflushed = 0  # keys of the flush under way
        self._reach: dict[str, int] = {}  # how far the journals were read when it began
        self._later: dict[str, float] = {}
        """Rows whose handler failed by a defect, and when they are tried again: what is due after them does not wait."""
        tx = work.store.transaction()
        self._flushed_to = {worker: at.index for worker, at in tx.scan(USES_UP_TO, "")}

    def is_due(self) -> bool:
        """True when a due row's time has come; one look-up."""
        rows = self._work.store.transaction().scan(DUE, "", limit=1)
        return bool(rows) and rows[0][1].at <= self._work.clock.now()

    async def keep_up(self) -> None:
        """None; what this worker keeps in memory is written now and then. Others do what is due.

        Raises:
            errors.OperatorError: the store or the journal cannot be written.
        """
        async with self._running:
            await self._flush_uses()

    async def run(self) -> int:
        """How many due rows were worked off, all of them that are due now, scrubbed where that is needed.

        Raises:
            errors.OperatorError: the store or the journal cannot be written; the rows stay.
        """
        async with self._running:
            done = 0
            while rows := self._due():
                for place, row in rows:
                    await self._try(place, row)
                done += len(rows)
            await self._move_notes()
            await self._forget_expired()
            await self._flush_uses()
            await self._scrub()
            return done

    def _due(self) -> list[tuple[str, Due]]:
        now = self._work.clock.now()
        self._later = {place: at for place, at in self._later.items() if at > now}
        rows = self._work.store.transaction().scan(DUE, "", limit=_BATCH + len(self._later))
        return [(place, row) for place, row in rows if row.at <= now and place not in self._later]

    async def _try(self, place: str, row: Due) -> None:
        try:
            await self._work_off(place, row)
        except errors.OperatorError:
            raise
        except Exception as defect:  # noqa: BLE001  one row's defect must not keep all others waiting for ever
            log.error(
                "due work failed", due=row.kind, kind=type(defect).__name__, where=errors.places(defect)
            )
            self._later[place] = self._work.clock.now() + _PATIENCE

    async def _work_off(self, place: str, row: Due) -> None:
        work = self._work
        while True:
            tx, now = work.store.transaction(), work.clock.now()
            if tx.get(DUE, place) is None:
                return
            events = work.handlers[row.kind](DueCall(tx, now), row.subject)
            tx.delete(DUE, place)
            records = tuple(service_record(event, now, work.entropy) for event in events)
            if await self._submit(records or self._note(tx, row.kind, now), tx, note=not records):
                return

    def _note(self, tx: Transaction, kind: str, now: float) -> tuple[bytes, ...]:
        """The note of a change that has no event; nothing if nothing evident changes."""
        if not any(write.table.evident for write in tx.writes.values()):
            return ()
        return (notes.note_of(f"due: {kind}", now, self._work.entropy),)

    async def _move_notes(self) -> None:
        """Journal the notes of changes that were made beside the server."""
        store = self._work.store
        for place in notes.waiting(store.transaction(), _BATCH):
            tx = store.transaction()
            record = notes.take(tx, place, store.commit_number)
            if record is not None:  # after a conflict the next run looks again
                await self._submit((record,), tx)

    async def _submit(self, records: tuple[bytes, ...], tx: Transaction, *, note: bool = False) -> bool:
        """True once durable, False after a conflict."""
        settled: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()

        def hear(result: Exception | None) -> None:
            if not settled.done():  # a stop cancels who waits
                settled.set_result(result)

        self._work.committer.submit(Submission(records, tx, hear, note))
        problem = await settled
        if isinstance(problem, errors.StorageConflict):
            return False
        if problem is not None:
            raise problem
        return True

    async def _forget_expired(self) -> None:
        """Drop proofs of carried-out requests whose signatures have expired."""
        tx, now = self._work.store.transaction(), int(self._work.wall.now())
        expired = [place for place, seen in tx.scan(SEEN, "", limit=_BATCH) if seen.until < now]
        if not expired:
            return
        for place in expired:
            tx.delete(SEEN, place)
        await self._submit((), tx)

    async def _flush_uses(self) -> None:
        """Begin a flush of last uses when it is time, or go on with one: a little each time, others need the store."""
        now = self._work.clock.now()
        if not self._unflushed:
            if 0 <= now - self._flushed < _FLUSH_INTERVAL:
                return
            self._flushed = now
            self._reach = {**self._work.usage.replayed, self._work.worker: self._work.position()}
            self._unflushed = len(self._work.usage)
        await self._flush_some(max(_FLUSHED_TOGETHER, self._unflushed // _FLUSHES))

    async def _flush_some(self, most: int) -> None:
        """Flush the uses of so many keys; with the last ones, those of callers and how far the journals were read."""
        usage, loop = self._work.usage, asyncio.get_running_loop()
        taken = usage.take(min(most, self._unflushed))
        last = len(taken) == self._unflushed
        callers = usage.callers.take() if last else {}
        positions = self._reach if last else {}
        if not taken and not callers and not self._stale(positions):
            return
        kept = False
        try:
            prepare = functools.partial(self._uses, taken, callers, positions)
            kept = await self._submit((), await loop.run_in_executor(self._work.pool, prepare))
        finally:
            if kept:
                self._unflushed -= len(taken)
                self._flushed_to |= positions
            else:
                self._unflushed = 0
                usage.give_back(taken)
                usage.callers.give_back(callers)

    def _uses(
        self, taken: dict[str, LastUse], callers: CallersTaken, positions: dict[str, int]
    ) -> Transaction:
        """What stores uses. A thread's work: each is compared with the one that is stored."""
        tx = self._work.store.transaction()
        for worker, index in positions.items():
            tx.put(USES_UP_TO, worker, Position(index))
        for place, use in sorted(taken.items()):  # neighbours are read and written together
            known = tx.get(LAST_USE, place)  # another worker may have seen a later one
            if self._work.exists(tx, place) and (known is None or known.at <= use.at):
                tx.put(LAST_USE, place, use)
        self._work.usage.callers.flush(tx, callers)
        return tx

    def _stale(self, positions: dict[str, int]) -> bool:
        """Whether it is time to keep how far the journals were read, though they told of no use."""
        known = self._flushed_to
        return any(
            index - known.get(worker, 0) >= (_STALE if worker == self._work.worker else 1)
            for worker, index in positions.items()
        )

    async def _scrub(self) -> None:
        """Rewrite the store's files if key material was destroyed since the last time."""
        tx = self._work.store.transaction()
        if tx.get(SCRUBS, PENDING) is None:
            return
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._work.pool, self._work.store.checkpoint)
        # A conflict: more was destroyed meanwhile, and the next run scrubs again.
        tx.delete(SCRUBS, PENDING)
        await self._submit((), tx)

    async def flush(self) -> None:
        """Write what is kept in memory, for a stop; where it is much, the next start finds it in the journal."""
        async with self._running:
            self._unflushed = len(self._work.usage)
            if self._unflushed <= _FLUSHED_AT_STOP:
                self._reach = {**self._work.usage.replayed, self._work.worker: self._work.position()}
                await self._flush_some(_FLUSHED_AT_STOP)
