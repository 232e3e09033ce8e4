"""The thread that keeps findings true to policies and grants, apart from all calls: none waits for it."""

from __future__ import annotations

import time
from threading import Event, Thread
from typing import Final

import structlog

from keystead.api.analyzed import Sources
from keystead.clock import Clock
from keystead.errors import OperatorError, places
from keystead.services.accessanalyzer.scan import analyzers, scan
from keystead.storage import Store

log = structlog.get_logger("keystead.analyzer")

_TICK: Final = 1.0
_LONGEST: Final = 3.0
"""Seconds between looks, at most: findings follow within five."""
_GIVING_WAY: Final = 9
"""How many times as long as looking took the thread then pauses, up to the above."""


class Follower:
    """Starts with the server and stops with it; works only while `leads` is set, which the worker keeps true to fact."""

    def __init__(self, store: Store, sources: Sources, clock: Clock) -> None:
        self._store = store
        self._sources = sources
        self._clock = clock
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="keystead-analyzer", daemon=True)
        self._seen = -1
        self.leads = False

    def start(self) -> None:
        """None; the thread runs."""
        self._thread.start()

    def stop(self) -> None:
        """None, once the thread is done with what it was doing."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        pause = _TICK
        while not self._stopping.wait(pause):
            began = time.thread_time()
            if self.leads:
                try:
                    self._turn()
                except OperatorError as error:
                    log.warning("findings wait", reason=str(error))
                except Exception as error:  # noqa: BLE001  one defect must not end all analysis
                    log.error("analysis failed", kind=type(error).__name__, where=places(error))
            pause = min(max(_TICK, (time.thread_time() - began) * _GIVING_WAY), _LONGEST)

    def _turn(self) -> None:
        """None; every analyzer has seen all that was committed before."""
        number = self._store.commit_number
        if number == self._seen:
            return
        for analyzer in analyzers(self._store):
            scan(self._store, self._sources, analyzer, self._clock.now(), self._stopping.is_set)
        self._seen = number
