"""The leading worker's watch over the evidence: alarms are raised and told beside the calls, in a thread of its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final

import structlog

from keystead import errors
from keystead.api.webhook import Alarming, UndeliveredError, post, read_alarms
from keystead.audit.alarms import Watch
from keystead.clock import Clock

log = structlog.get_logger("keystead.alarms")

FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 300.0
"""Seconds between attempts to tell a receiver that does not answer: doubled each time, up to this."""


class Watching:
    """`tick` is what the leading worker's timer calls; nothing here can delay a call."""

    def __init__(self, directory: Path, alarming: Alarming, wall: Clock) -> None:
        self._directory = directory
        self._alarming = alarming
        self._wall = wall
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="keystead-alarms")
        self._running: Future[None] | None = None
        self._watch: Watch | None = None
        self._pause = 0.0
        self._next = 0.0

    def tick(self) -> None:
        """None; a look is under way, unless the last one still is."""
        if self._running is None or self._running.done():
            self._running = self._thread.submit(self.run)

    def run(self) -> None:
        """None; what the journals hold was looked at, and as much was told as the receiver took."""
        self._guarded(self._look_and_tell)

    def prepare(self) -> None:
        """None; what happened before counts as known if this deployment was not watched until now."""
        self._guarded(self._look)

    def _look_and_tell(self) -> None:
        self._tell(self._look())

    def _look(self) -> Watch:
        self._watch = self._watch or Watch(self._directory, self._alarming.rules)
        for notice in self._watch.look():
            log.warning("alarm", rule=notice.rule, event_id=notice.event_id, principal=notice.principal)
        return self._watch

    def _guarded(self, work: Callable[[], object]) -> None:
        try:
            work()
        except errors.OperatorError as error:
            self._watch = None  # what is on the disk counts
            log.error("alarms wait", reason=str(error))
        except Exception as error:  # noqa: BLE001  one defect must not end all alarms
            self._watch = None
            log.error("alarms failed", kind=type(error).__name__, where=errors.places(error))

    def _tell(self, watch: Watch) -> None:
        for notice in watch.waiting():
            if self._alarming.url is None:
                watch.told(notice)
                continue
            if time.monotonic() < self._next:
                return
            try:
                post(self._alarming, notice, int(self._wall.now()))
            except UndeliveredError as error:
                self._pause = min(LONGEST_PAUSE, self._pause * 2 or FIRST_PAUSE)
                self._next = time.monotonic() + self._pause
                log.warning("alarm not delivered", reason=str(error), again_in=self._pause)
                return
            self._pause = self._next = 0.0
            watch.told(notice)

    def close(self) -> None:
        """None once the look that is under way has ended; what waits is told after the next start."""
        self._thread.shutdown(cancel_futures=True)


def watching_of(file: str | None, directory: Path, wall: Clock) -> Watching | None:
    """The watch that the settings file of alarms asks for, None without one.

    Raises:
        errors.SettingsError: the file cannot be read, or something in it is wrong.
    """
    return None if file is None else Watching(directory, read_alarms(Path(file)), wall)
