"""A worker's part in the page of metrics: what it counts, what is so now, and what all of them told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from pathlib import Path

import structlog

from keystead import errors
from keystead.api.census import INTERVAL, Census
from keystead.api.log_lag import progress_of
from keystead.api.measures import Board, Measures, Numbers
from keystead.api.metrics import MetricsPage
from keystead.audit.commit import Committer
from keystead.audit.journal import Journal
from keystead.clock import Clock

log = structlog.get_logger("keystead.metrics")


class Figures:
    """Belongs to one worker; `tick` is what its timer calls."""

    def __init__(
        self,
        directory: Path,
        journal: Journal,
        wall: Clock,
        census: Callable[[], Census | None],
        *,
        shared: bool,
    ) -> None:
        """The worker's numbers, which go on from those that it published when it last ran.

        `shared` says that there are other workers, which look at these numbers once a second.
        """
        self._shared = shared
        self._board = Board(directory, journal.worker)
        self._journal = journal
        self._wall = wall
        self._take_census = census
        self._page = MetricsPage(self._board, self.now, partial(progress_of, directory))
        self._census: Census = {}
        self._counted = 0.0
        self._counting = False
        self._committer: Committer | None = None
        self.measures = Measures(self._board.mine())

    def attach(self, committer: Committer) -> None:
        """None; the numbers tell of this committer."""
        self._committer = committer

    def now(self) -> Numbers:
        """This worker's numbers."""
        committer = self._committer
        gauges = {"keystead_journal_records_total": float(self._journal.next_index)}
        if committer is not None:
            gauges["keystead_commit_waiting"] = float(committer.waiting)
            gauges["keystead_ready"] = float(committer.state == "ok")
        return Numbers(
            worker=self._journal.worker,
            time=self._wall.now(),
            calls=self.measures.calls(),
            group_sizes=self.measures.group_sizes,
            group_seconds=self.measures.group_seconds,
            gauges=gauges,
            census=self._census,
            counted=self._counted,
        )

    async def page(self, pool: Executor) -> bytes:
        """The page of all workers, made in a thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(pool, self._page.render)

    async def tick(self, pool: Executor, *, leads: bool) -> None:
        """None; other workers see the numbers, and a leader goes on counting what there is if it is time."""
        loop = asyncio.get_running_loop()
        if leads and (self._counting or not 0 <= self._wall.now() - self._counted < INTERVAL):
            await loop.run_in_executor(pool, self._count)
        if self._shared:
            await loop.run_in_executor(pool, self.publish)

    def _count(self) -> None:
        found: Census | None = self._census
        try:
            found = self._take_census()
        except errors.StorageError as error:
            log.warning("the deployment cannot be counted", reason=str(error))
        self._counting = found is None
        if found is not None:
            self._census, self._counted = found, self._wall.now()

    def publish(self) -> None:
        """None; other workers, and this one after a restart, see the numbers."""
        self._board.publish(self.now())
