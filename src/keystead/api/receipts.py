"""Answers that wait until the log shows their events, because their callers asked for receipts.

A request with the header `x-keystead-receipt: 1` is carried out and recorded as any other. Its answer is held back until
a published checkpoint has its event's entry, and then carries the proof in the header of the same name. Everything
is read from the log's files, for the sequencer may be in another process. Who waits keeps nobody else waiting, and no
longer than agreed: the call is done and recorded, so its answer goes out then with a header that says why there
is no receipt.
"""

from __future__ import annotations

import re
import time
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from threading import Condition, Event, Thread
from typing import Final

import msgspec
import structlog

from keystead.audit.logfiles import LogFiles
from keystead.audit.published import Proof, Published
from keystead.errors import LogError
from keystead.tlog import Salts, openings
from keystead.wire.http import Response

log = structlog.get_logger("keystead.receipts")

ASKS: Final = "x-keystead-receipt"
"""The header by which a caller asks: `1`, or `1; cosignatures=N`. The answer's receipt is in the same."""
MISSING: Final = "x-keystead-receipt-missing"
"""The header that an answer has instead: why, and the id of the event, by which it can be proved later."""

NOT_RECORDED: Final = "not-recorded"
LATE: Final = "late"
BUSY: Final = "busy"
TOO_LONG: Final = "too-long"

WHY: Final[Mapping[str, str]] = {
    NOT_RECORDED: "the request has no event: nobody is known to have made it, or it could not be recorded",
    LATE: "the log did not show the event within `receipt_wait` seconds",
    BUSY: "as many answers as `max_waiting` wait for receipts already, or the server stops",
    TOO_LONG: "the receipt is too long for a header; `keystead audit prove` gives it",
}
"""Reason: what it means."""

LONGEST: Final = 32 << 10
"""Bytes of the longest receipt in a header: the HTTP libraries of SDKs have limits."""
_PAUSE: Final = 0.05
"""Seconds between looks at the log while somebody waits."""
_FARTHEST: Final = 1 << 15
"""Entries that are looked through for those that were just published."""

_WITNESSED: Final = re.compile(r"cosignatures=([0-9]{1,2})(?![0-9])")

_Done = Callable[[Response], None]


class _Held(msgspec.Struct, frozen=True, gc=False):
    """An answer that waits: its event is in the log once the log has the journal up to `upto`.

    The checkpoint of its receipt shall have so many `cosignatures`.
    """

    event_id: str
    event: bytes
    response: Response
    done: _Done
    cosignatures: int
    upto: int
    end: float


class Awaited:
    """Takes the one answer to a request that asks for a receipt, on the loop's thread."""

    __slots__ = ("_asked", "_done", "_event", "_event_id", "_hold")

    def __init__(
        self, hold: Callable[[str, bytes, Response, _Done, str], None], done: _Done, asked: str
    ) -> None:
        self._hold = hold
        self._done = done
        self._asked = asked
        self._event_id, self._event = "", b""

    def recorded(self, event_id: str, event: bytes) -> None:
        """None; the request's event is durable, as `event`."""
        self._event_id, self._event = event_id, event

    def __call__(self, response: Response) -> None:
        if self._event:
            self._hold(self._event_id, self._event, response, self._done, self._asked)
        else:
            self._done(_without(response, NOT_RECORDED))


class Receipts:
    """Holds answers back and hands them on with their receipts; `awaited` is called on the loop's thread."""

    def __init__(
        self,
        files: LogFiles,
        worker: str,
        position: Callable[[], int],
        salts: Salts,
        call_soon: Callable[[Callable[[], None]], object],
        nudge: Callable[[], None],
        *,
        wait: float,
        most: int,
        tick: Callable[[], float] = time.monotonic,
    ) -> None:
        """A desk that has no thread before the first caller asks.

        Args:
            files: the log.
            worker: whose journal has the events.
            position: tells the index of that journal's next record.
            salts: those of the log's commitments.
            call_soon: runs a callable on the loop's thread (`loop.call_soon_threadsafe`).
            nudge: lets whoever writes the log know that somebody waits, if it is this worker that knows them.
            wait: seconds that an answer waits at most.
            most: answers that wait at most.
            tick: seconds that never go back.
        """
        self._files = files
        self._worker = worker
        self._position = position
        self._salts = salts
        self._call_soon = call_soon
        self._nudge = nudge
        self._wait = wait
        self._most = most
        self._tick = tick
        self._held: dict[str, _Held] = {}
        self._places: dict[str, int] = {}
        self._arrived = Condition()
        self._end = Event()
        self._thread: Thread | None = None
        self._trouble = ""

    def awaited(self, done: _Done, asked: str) -> Awaited:
        """What takes the answer in the place of `done`; `asked` is the value of the request's header."""
        return Awaited(self._hold, done, asked)

    def close(self) -> None:
        """None; what still waits was answered without a receipt. Blocks until the thread has ended."""
        with self._arrived:
            self._end.set()
            self._arrived.notify()
        if self._thread is not None:
            self._thread.join()
        for held in self._held.values():
            self._hand_on(held, _without(held.response, BUSY, held.event_id))
        self._held = {}

    def _hold(self, event_id: str, event: bytes, response: Response, done: _Done, asked: str) -> None:
        witnessed = _WITNESSED.search(asked)
        held = _Held(
            event_id,
            event,
            response,
            done,
            0 if witnessed is None else int(witnessed[1]),
            self._position(),
            self._tick() + self._wait,
        )
        with self._arrived:
            full = self._end.is_set() or len(self._held) >= self._most
            if not full:
                self._held[event_id] = held
                self._arrived.notify()
        if full:
            done(_without(response, BUSY, event_id))
        elif self._thread is None:
            self._thread = Thread(target=self._work, name="receipts", daemon=True)
            self._thread.start()

    # -------------------------------------------------------------------------- the thread

    def _work(self) -> None:
        while self._somebody_waits():
            self._nudge()
            self._end.wait(_PAUSE)
            self._look()

    def _somebody_waits(self) -> bool:
        with self._arrived:
            while not self._held and not self._end.is_set():
                self._arrived.wait()
        return not self._end.is_set()

    def _look(self) -> None:
        with self._arrived:
            waiting = dict(self._held)
        now = self._tick()  # before the log is read: what it shows when time is up is not late
        answers = self._answers(waiting, now)
        for held in waiting.values():
            if held.event_id not in answers and held.end <= now:
                answers[held.event_id] = _without(held.response, LATE, held.event_id)
        for event_id, answer in answers.items():
            self._places.pop(event_id, None)
            with self._arrived:
                held = self._held.pop(event_id)
            self._hand_on(held, answer)

    def _answers(self, waiting: Mapping[str, _Held], now: float) -> dict[str, Response]:
        """The answers whose events the log shows by now; none while it cannot be read."""
        try:
            found = self._with_receipts(waiting, now)
        except (LogError, OSError) as error:
            self._tell(str(error))
            return {}
        except Exception as error:  # noqa: BLE001  a defect here must not keep callers waiting for ever
            self._tell(f"unexpected {type(error).__name__}")
            return {}
        self._trouble = ""
        return found

    def _with_receipts(self, waiting: Mapping[str, _Held], now: float) -> dict[str, Response]:
        published = Published.newest(self._files)
        if published is None:
            return {}
        known = published.journals.get(self._worker, 0)
        new = [held.event_id for held in waiting.values() if held.upto <= known]
        self._places |= published.places(set(new) - self._places.keys(), _FARTHEST)
        witnessed = (
            Published.witnessed(self._files) if any(h.cosignatures for h in waiting.values()) else None
        )
        logs = (published, *(() if witnessed is None else (witnessed,)))
        return {
            event_id: self._with_receipt(waiting[event_id], log.prove(place))
            for event_id, place in self._places.items()
            if (log := _log_for(waiting[event_id], place, logs, now)) is not None
        }

    def _with_receipt(self, held: _Held, proof: Proof) -> Response:
        opening = openings(held.event, proof.leaf, proof.index, self._salts)[0]
        value = _encoded(msgspec.structs.replace(proof, openings=[opening]))
        if len(value) > LONGEST:
            value = _encoded(proof)
        if len(value) > LONGEST:
            return _without(held.response, TOO_LONG, held.event_id)
        return _with(held.response, ASKS, value)

    def _tell(self, trouble: str) -> None:
        if trouble != self._trouble:
            log.error("receipts wait", reason=trouble)
        self._trouble = trouble

    def _hand_on(self, held: _Held, answer: Response) -> None:
        with suppress(RuntimeError):  # the loop has been closed: nobody is left to hear
            self._call_soon(partial(held.done, answer))


def _log_for(held: _Held, place: int, logs: Sequence[Published], now: float) -> Published | None:
    """The log that has the entry and as many cosignatures as are asked for; when time is up, that with fewer."""
    for log in logs:
        if place < log.size and log.cosignatures >= held.cosignatures:
            return log
    return logs[0] if held.end <= now else None


def _encoded(proof: Proof) -> str:
    return b64encode(msgspec.json.encode(proof)).decode()


def _without(response: Response, reason: str, event_id: str = "") -> Response:
    return _with(response, MISSING, f"{reason}; event={event_id}" if event_id else reason)


def _with(response: Response, name: str, value: str) -> Response:
    return Response(response.status, (*response.headers, (name, value)), response.body)
