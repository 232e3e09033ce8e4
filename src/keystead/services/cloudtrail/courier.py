"""The thread that delivers for trails, archives and prunes, apart from all calls: none waits for it."""

from __future__ import annotations

from threading import Event, Thread
from typing import Final

import structlog

from keystead.audit.custody import open_log_keys
from keystead.audit.logfiles import LogFiles
from keystead.clock import Clock
from keystead.entropy import Entropy
from keystead.errors import OperatorError, SinkFailed, places
from keystead.services.cloudtrail.delivery import Route, deliver, trails_of, turn
from keystead.services.cloudtrail.retention import archive_of, prune
from keystead.settings import Settings

log = structlog.get_logger("keystead.trails")

_TICK: Final = 1.0
_PRUNING: Final = 3600.0
"""Seconds between looks for what is old."""


class Courier:
    """Starts with the server and stops with it; works only while `leads` is set, which the worker keeps true to fact."""

    def __init__(self, route: Route, settings: Settings, clock: Clock, entropy: Entropy) -> None:
        self._route = route
        self._settings = settings
        self._clock = clock
        self._entropy = entropy
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="keystead-courier", daemon=True)
        self._looked, self._pruned = clock.now(), float("-inf")
        self.leads = False

    def start(self) -> None:
        """None; the thread runs."""
        self._thread.start()

    def stop(self) -> None:
        """None, once the thread is done with what it was doing."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(_TICK):
            if not self.leads:
                continue
            try:
                self._turn()
            except OperatorError as error:
                log.warning("trails wait", reason=str(error))
            except Exception as error:  # noqa: BLE001  one defect must not end all deliveries
                log.error("trails failed", kind=type(error).__name__, where=places(error))

    def _turn(self) -> None:
        now = self._clock.now()
        if now - self._looked < self._settings.trail_log_interval:
            return
        self._looked = now
        with turn(self._route.directory, wait=False) as mine:
            if mine:
                self._deliver(now)
                self._archive()
                self._prune(now)

    def _deliver(self, now: float) -> None:
        for trail in trails_of(self._route.store):
            try:
                deliver(self._route, trail, now, digest_every=self._settings.trail_digest_interval)
            except SinkFailed as failure:
                log.warning("a trail waits for its store", trail=trail.arn, reason=str(failure))

    def _archive(self) -> None:
        archive = archive_of(self._route, self._settings, open_log_keys(self._route.store, self._entropy))
        if archive is None:
            return
        try:
            archive.run(self._stopping.is_set)
        except SinkFailed as failure:
            log.warning("the archive waits for its store", reason=str(failure))

    def _prune(self, now: float) -> None:
        if not self._settings.retention_days or now - self._pruned < _PRUNING:
            return
        done = prune(self._route, self._settings, now, self._entropy)
        if done is not None:  # else there is no log yet, or somebody checks it
            self._pruned = now
            LogFiles(self._route.directory).tidy(done.size)
            log.info("pruned", bundles=done.pruned.bundles, segments=len(done.segments))
