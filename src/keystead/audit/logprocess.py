"""The log's own process: it sequences the journals of all workers, and fills the index of events.

Beside the workers' event loops this work would wait for the interpreter, and they for it; alone it works through large
batches with warm caches. It holds the log's keys, and no other; it has them, and all that it is told, from the worker
that leads, and ends when that does. A crash of either loses nothing: each run goes on from what is on the disk.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import time
from functools import partial
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Final

import msgspec

from keystead.audit.acknowledged import acknowledged
from keystead.audit.disk import Lock
from keystead.audit.filling import Filling
from keystead.audit.follow import parts
from keystead.audit.handed import Handed
from keystead.audit.index import Index
from keystead.audit.log import MOST, Sequencer
from keystead.audit.logfiles import LOG
from keystead.audit.logmessages import Channel, Line, Nudge, Report, Stop, Work
from keystead.errors import JournalError, OperatorError
from keystead.hardening import harden

if TYPE_CHECKING:
    from keystead.audit.witnessing import Witnesses

_INTERVAL: Final = 0.5
"""Seconds from one run's beginning to the next one's while nobody waits for one."""
_LEAST: Final = 0.05
"""Seconds between runs while somebody does: each checkpoint costs as much as a hundred entries."""
_AT_ONCE: Final = 2_000
"""Events, about, that are indexed before orders are looked at."""
_BUSY: Final = 50
"""Records that come between two runs while the index gives way to calls."""
_GIVING_WAY: Final = 0.02
"""The part of a core that the index then takes."""
_LARGEST: Final = 0.04
"""Seconds of CPU time that the index may save up."""
_NICE: Final = 5
"""Calls come first; under full load on one core the log still has a fourth of it, which is more than it needs."""
_SELDOM: Final = (50_000, 20, 100)
"""Leaves and rows make no cycles: the collector need not look often."""


def main(descriptor: int) -> None:
    """None, once the worker at the other end of the socket has ended or says so."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # meant for the server, which tells when it is done
    harden()
    os.nice(_NICE)
    gc.freeze()
    gc.set_threshold(*_SELDOM)
    channel = Channel(socket.socket(fileno=descriptor))
    try:
        work = channel.hear()
        if isinstance(work, Work):
            LogProcess(channel, work).run()
    except EOFError:
        return


class LogProcess:
    """Runs until it is told to stop, or nobody is there to tell."""

    def __init__(self, channel: Channel, work: Work) -> None:
        self._channel = channel
        self._directory = Path(work.directory)
        self._witnesses = _witnesses(channel, work.witnesses) if work.witnesses else None
        handed = Handed(partial(parts, self._directory))
        self._sequencer = Sequencer(
            self._directory,
            work.keys,
            partial(acknowledged, self._directory),
            witnesses=self._witnesses,
            begun=work.begun,
            hand=handed.hand,
        )
        self._index = Filling(Index(self._directory), handed.parts)
        self._complete = False
        self._allowed = 0.0  # seconds of CPU time that the index may take although calls come in
        self._report = Report("")
        self._nudged = self._stopping = False

    def run(self) -> None:
        """None, after a last run.

        Raises:
            EOFError: the worker has ended; another may lead by now.
        """
        if not self._take_turn():
            return
        if self._witnesses is not None:
            Thread(target=self._have_witnessed, name="witnessing", daemon=True).start()
        while not self._stopping:
            began = time.monotonic()
            added = self._sequence()
            if added or not self._complete:
                self._fill_index(began + _INTERVAL, busy=added > _BUSY)
            self._wait(began)
        self._sequence()
        self._index.close()

    def _take_turn(self) -> bool:
        """Whether it may write the log, once the process of the leader before has ended; not if it was told to stop."""
        place = self._directory / LOG
        while not self._stopping:
            try:
                place.mkdir(mode=0o700, exist_ok=True)
                self._lock = Lock(place)
            except (JournalError, OSError) as error:
                self._tell(state=f"log behind: {error}")
            else:
                self._tell()  # that it is alive: the first run may take long
                return True
            self._wait(time.monotonic())
        return False

    def _wait(self, since: float) -> None:
        """None, when it is time for the next run: `_INTERVAL` after `since`, or sooner if somebody waits for it."""
        self._listen(0)  # also when a run takes longer than that
        while not self._stopping:
            left = since + (_LEAST if self._nudged else _INTERVAL) - time.monotonic()
            if left <= 0:
                break
            self._listen(left)
        self._nudged = False

    def _listen(self, patience: float) -> None:
        message = self._channel.hear(patience)
        while message is not None:
            self._nudged |= isinstance(message, Nudge)
            self._stopping |= isinstance(message, Stop)
            message = self._channel.hear(0)

    def _tell(self, **news: str) -> None:
        """None; the worker knows the news, and that this process is alive."""
        self._report = msgspec.structs.replace(self._report, **news)
        self._channel.tell(self._report)

    # --------------------------------------------------------------------------- the log

    def _sequence(self) -> int:
        """How many records were added."""
        added, state = 0, "ok"
        try:
            while (count := self._sequencer.step()) >= MOST:
                added += count
                self._tell(state=state)
            added += count
        except (OperatorError, OSError) as error:
            state = f"log behind: {error}"
        except Exception as error:  # noqa: BLE001  a defect here must not end the process; the journals have all
            state = f"log behind: unexpected {type(error).__name__}"
        self._tell(state=state)
        return added

    def _have_witnessed(self) -> None:
        while True:
            time.sleep(_INTERVAL)
            try:
                self._sequencer.witness()
            except OSError as error:
                details = {"reason": error.strerror}
                self._channel.tell(Line("error", "witnesses' signatures cannot be written", details))

    # ------------------------------------------------------------------------- the index

    def _fill_index(self, end: float, *, busy: bool) -> None:
        """None; the index has all there is, or as much as there was time for until `end`."""
        self._allowed = min(_LARGEST, self._allowed + _INTERVAL * _GIVING_WAY) if busy else _LARGEST
        more, self._complete = True, False
        while more and time.monotonic() < end and not (self._nudged or self._stopping):
            more = self._take_in(_AT_ONCE) and (not busy or self._allowed > 0)
            self._listen(0)

    def _take_in(self, most: int) -> bool:
        """Whether there are more events than those that the index took in now."""
        began, state, complete = time.process_time(), "", False
        try:
            complete = self._complete = self._index.catch_up(most).complete
        except OperatorError as error:
            state = str(error)
        except Exception as error:  # noqa: BLE001  as above; the index can be made anew
            state = f"unexpected {type(error).__name__}"
        self._allowed -= time.process_time() - began
        if state != self._report.index:
            self._tell(index=state)
        return not complete and not state


def _witnesses(channel: Channel, texts: tuple[str, ...]) -> Witnesses:
    """Those that the setting names; what is to be logged of them goes to the worker."""
    import structlog  # noqa: PLC0415  loaded, as HTTP, only where there are witnesses

    from keystead.audit.witnessing import Witnesses  # noqa: PLC0415  as above

    def relay(_logger: object, level: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        channel.tell(Line("error" if level == "error" else "warning", event.pop("event"), dict(event)))
        raise structlog.DropEvent

    structlog.configure(processors=[relay])
    return Witnesses.configured(texts)
