"""What answers beside the AWS APIs: health, readiness, metrics, and the development clock."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine

import msgspec

from keystead import errors
from keystead.api.authenticate import Authenticator
from keystead.api.metrics import CONTENT_TYPE
from keystead.audit.change import note_record
from keystead.audit.commit import Committer, Submission
from keystead.audit.notes import clock_note
from keystead.clock import Clock, ManualClock
from keystead.entropy import Entropy
from keystead.identity.caller import ROOT
from keystead.storage import Store
from keystead.wire import sigv4
from keystead.wire.http import Request, Response
from keystead.wire.protocols import json

_LONGEST_STEP = 100 * 365 * 86_400.0

Done = Callable[[Response], None]


class _Step(msgspec.Struct, forbid_unknown_fields=True):
    advance_seconds: float


class OperationsDoor:
    """`GET /healthz`, `GET /readyz`, `GET /metrics`; `POST /dev/clock` where the clock can be moved."""

    def __init__(
        self,
        *,
        committer: Committer,
        metrics: Callable[[], Awaitable[bytes]],
        authenticator: Authenticator,
        store: Store,
        clock: Clock,
        wall: Clock,
        run_due: Callable[[], Awaitable[int]],
        log_state: Callable[[], str],
        entropy: Entropy,
    ) -> None:
        self._committer = committer
        self._metrics = metrics
        self._authenticator = authenticator
        self._store = store
        self._clock = clock
        self._wall = wall
        self._run_due = run_due
        self._log_state = log_state
        self._entropy = entropy
        self._tasks: set[asyncio.Task[None]] = set()
        self.paths: dict[str, Callable[[Request, Done], None]] = {
            "/healthz": self._health,
            "/readyz": self._ready,
            "/metrics": self._show_metrics,
        }
        if isinstance(clock, ManualClock):
            self.paths["/dev/clock"] = self._move_clock

    def handle(self, request: Request, done: Done) -> None:
        """Answer a request for one of `paths`."""
        self.paths[request.target](request, done)

    def _health(self, _request: Request, done: Done) -> None:
        """Alive; where the clock can be moved also what it shows, for clients that count in its time."""
        told: dict[str, object] = {"status": "alive", "worker": self._committer.worker}
        if isinstance(self._clock, ManualClock):
            told["now"] = self._clock.now()
        done(_json(200, told))

    def _ready(self, _request: Request, done: Done) -> None:
        """Ready: unsealed, the store readable, evidence writable."""
        state = self._committer.state
        if state != "ok":
            self._committer.probe()
        else:
            try:
                self._store.refresh()
            except errors.StorageError as error:
                state = f"storage failed: {error}"
        state = self._log_state() if state == "ok" else state
        done(
            _json(
                200 if state == "ok" else 503,
                {"status": "ready" if state == "ok" else "not ready", "state": state},
            )
        )

    def _show_metrics(self, _request: Request, done: Done) -> None:
        self._keep(self._answer_metrics(done))

    async def _answer_metrics(self, done: Done) -> None:
        done(Response(200, (("Content-Type", CONTENT_TYPE),), await self._metrics()))

    def _keep(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)  # the loop itself holds tasks weakly
        task.add_done_callback(self._tasks.discard)

    def _move_clock(self, request: Request, done: Done) -> None:
        assert isinstance(self._clock, ManualClock)
        try:
            if request.method != "POST":
                raise errors.UnknownOperation
            claim = sigv4.parse(request)
            standing, _, _ = self._authenticator.authenticate(
                request, self._store.transaction(), claim.service, self._wall.now(), self._clock.now()
            )
            if standing.caller.kind != ROOT:
                raise errors.AccessDenied("Only an account's root may move the clock.")
            step = _step(request.body)
        except errors.ApiError as error:
            done(Response(error.status, (("Content-Type", json.CONTENT_TYPE),), json.encode_error(error)))
            return
        self._tell_then_move(step, done)

    def _tell_then_move(self, step: float, done: Done) -> None:
        """Nothing; the clock is moved once the evidence, which will tell later times, says why."""

        def noted(error: Exception | None) -> None:
            assert isinstance(self._clock, ManualClock)
            if error is not None:
                done(_json(503, {"status": "not ready", "state": str(error)}))
                return
            self._clock.advance(step)
            self._keep(self._catch_up(done))

        note = clock_note(step, self._clock.now(), self._entropy)
        self._committer.submit(Submission((note_record(note, self._store.commit_number),), None, noted))

    async def _catch_up(self, done: Done) -> None:
        try:
            ran = await self._run_due()
        except errors.OperatorError as error:
            done(_json(503, {"status": "not ready", "state": str(error)}))
            return
        done(_json(200, {"now": self._clock.now(), "ran": ran}))


def _step(body: bytes) -> float:
    try:
        step = msgspec.json.decode(body, type=_Step).advance_seconds
    except msgspec.MsgspecError:
        raise errors.Serialization('The body must be {"advance_seconds": N}.') from None
    if not 0 <= step <= _LONGEST_STEP:
        raise errors.Validation("advance_seconds must be from 0 to 3153600000: time does not go back.")
    return step


def _json(status: int, content: dict[str, object]) -> Response:
    return Response(status, (("Content-Type", "application/json"),), msgspec.json.encode(content) + b"\n")
