"""The thread that keeps findings true to policies and grants, apart from all calls: none waits for it."""

from __future__ import annotations

import time
from threading import Event, Thread
from typing import Final

import structlog

from keystead.api.analyzed import Sources
from keystead.clock import Clock
from keystead.errors import OperatorError, places
from keystead.services.accessanalyzer.scan import analyzers, scan, scan_unused
from keystead.services.accessanalyzer.tables import Analyzer
from keystead.services.accessanalyzer.used import Evidence
from keystead.storage import Store

log = structlog.get_logger("keystead.analyzer")

_TICK: Final = 1.0
_LONGEST: Final = 3.0
"""Seconds between looks, at most: findings follow within five."""
_UNUSED: Final = 3600.0
"""Seconds between looks for what is not used."""
_GIVING_WAY: Final = 9
"""How many times as long as looking took the thread then pauses, up to the above."""


class Follower:
    """Starts with the server and stops with it; works only while `leads` is set, which the worker keeps true to fact."""

    def __init__(self, store: Store, sources: Sources, evidence: Evidence, clock: Clock) -> None:
        self._store = store
        self._sources = sources
        self._evidence = evidence
        self._clock = clock
        self._looked: dict[str, tuple[Analyzer, float]] = {}
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
        """None; every analyzer has seen all that was committed before, and those of unused access look now and then."""
        number = self._store.commit_number
        now, there = self._clock.now(), analyzers(self._store)
        for analyzer in there:
            if analyzer.age:
                self._unused(analyzer, now)
            elif number != self._seen:
                scan(self._store, self._sources, analyzer, now, self._stopping.is_set)
        self._seen = number

    def _unused(self, analyzer: Analyzer, now: float) -> None:
        known, last = self._looked.get(analyzer.id, (None, 0.0))
        if known != analyzer or not 0 <= now - last < _UNUSED:
            scan_unused(self._store, self._evidence, analyzer, now, self._stopping.is_set)
            self._looked[analyzer.id] = analyzer, now
