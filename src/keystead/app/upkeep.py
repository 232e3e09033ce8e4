"""What a server does without being asked: once a second, and right after a change that may have made something due."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Final

import msgspec
import structlog

from keystead import errors
from keystead.api.figures import Figures
from keystead.api.leader import Leader
from keystead.api.scheduler import Scheduler
from keystead.api.watching import Watching
from keystead.app.pools import Pools
from keystead.audit.sequencing import Sequencing
from keystead.services.accessanalyzer.follower import Follower
from keystead.services.cloudtrail.courier import Courier
from keystead.services.s3.garbage import Collector
from keystead.storage import ReadAhead, Store

log = structlog.get_logger("keystead")

_TICK: Final = 1.0
"""Seconds between looks at what is due."""
_READING: Final = 0.1
"""Seconds of a look in which records are read ahead."""
_READ: Final = 60.0
"""Seconds from when all is read ahead until what changed is read."""


class Chores(msgspec.Struct, frozen=True, kw_only=True):
    """Who is looked after; most of them work for whoever leads only."""

    store: Store
    leader: Leader
    sequencing: Sequencing
    scheduler: Scheduler
    courier: Courier
    follower: Follower
    figures: Figures
    watching: Watching | None
    collector: Collector
    ahead: ReadAhead
    pools: Pools


class Upkeep:
    """Belongs to the event loop that it is made on."""

    def __init__(self, chores: Chores) -> None:
        self._chores = chores
        self._kick = asyncio.Event()
        self._timer: asyncio.Task[None] | None = None
        self._rests_until = 0.0

    def start(self) -> None:
        """None; the first look is under way."""
        self._timer = asyncio.get_running_loop().create_task(self._run())
        self._chores.courier.start()
        self._chores.follower.start()

    def look_soon(self) -> None:
        """None; a change may have made something due."""
        self._kick.set()

    async def stop(self) -> None:
        """None, once nothing more is begun, and what was used last is kept."""
        assert self._timer is not None
        self._timer.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._timer
        # The journal has the uses; the next start finds them.
        with contextlib.suppress(errors.OperatorError):
            await self._chores.scheduler.flush()
        self._chores.figures.publish()

    async def finish(self) -> None:
        """None, once what goes on in threads has ended."""
        for end in (self._chores.courier.stop, self._chores.follower.stop, self._chores.collector.wait):
            await asyncio.get_running_loop().run_in_executor(None, end)

    async def _run(self) -> None:
        while True:
            try:
                await self._look()
            except errors.OperatorError as error:
                log.error("due work waits", reason=str(error))
            except Exception as error:  # noqa: BLE001  one defect must not end all due work
                log.error("due work failed", kind=type(error).__name__, where=errors.places(error))
            await self._pause()

    async def _look(self) -> None:
        """None, once what is due was done.

        Raises:
            errors.OperatorError: the store or a journal cannot be used.
        """
        chores = self._chores
        leads = chores.leader.leads()
        if leads:
            # Before what may take long, or fail: evidence waits for neither.
            chores.sequencing.lead()
        chores.store.refresh()
        await (chores.scheduler.run() if leads else chores.scheduler.keep_up())
        chores.courier.leads = chores.follower.leads = leads
        await chores.figures.tick(chores.pools.upkeep, leads=leads)
        if leads and chores.watching is not None:
            chores.watching.tick()
        if leads:
            chores.collector.tick(chores.pools.calls.executor)
        if time.monotonic() >= self._rests_until:
            await asyncio.get_running_loop().run_in_executor(chores.pools.upkeep, self._read_ahead)

    def _read_ahead(self) -> None:
        until = time.monotonic() + _READING
        if self._chores.ahead.go_on(lambda: time.monotonic() < until):
            self._rests_until = time.monotonic() + _READ

    async def _pause(self) -> None:
        """None, when it is time to look again."""
        loop = asyncio.get_running_loop()
        end = loop.time() + _TICK
        while (left := end - loop.time()) > 0:
            try:
                # Not wait_for: in Python 3.11 it forgets a cancellation that comes together with what it waits for.
                async with asyncio.timeout(left):
                    await self._kick.wait()
            except TimeoutError:
                return
            self._kick.clear()
            with contextlib.suppress(errors.StorageError):  # the run itself will say so
                if self._chores.scheduler.is_due():
                    return
