"""A request's way, from bytes to a recorded answer.

    1. find the service and the operation
    2. verify the signature: who is calling
    3. decode the request, and name all its violations at once
    4. find what it acts on
    5. authorize each target: denied unless allowed
    6. perform
    7. record, and wait until the record (and the change, in the same batch) is durable
    8. answer

Requests that came together take each step together, one after the other: code that has just run runs two to three
times as fast. Each is decided and answered for itself.
Only step 2 onwards knows a caller; what fails before is counted and logged, but is no event of
anybody's account. From step 3 on each call has exactly one event, whether it succeeded or not, and one more in
each other account whose keys or roles it acted on.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import structlog

from keystead import errors
from keystead.api.authorize import authorize
from keystead.api.call import Call
from keystead.api.calls import Known, call_of, lane_of
from keystead.api.evidence import records_of
from keystead.api.failures import internal, note_refusal, translate, unavailable, unsupported
from keystead.api.finding import find_all
from keystead.api.forms import taken_over
from keystead.api.guarding import overriding
from keystead.api.parts import Attempt, Done, Parts, Settled, Turn, nobody
from keystead.api.payload import Held
from keystead.api.pool import FairPool, Work
from keystead.api.receipts import ASKS, Awaited
from keystead.api.receiving import prepared, receive
from keystead.api.replay import refuse_replay
from keystead.api.rest import Exchange
from keystead.api.routing import Route, Router
from keystead.api.signer import Moment
from keystead.api.unsigned import Identified, Identify, Unsigned
from keystead.api.usage import note_use
from keystead.api.waiting import Home, WouldWaitError
from keystead.audit.commit import Submission
from keystead.entropy import new_uuid, uuid_pair
from keystead.wire import sigv4
from keystead.wire.http import Request

log = structlog.get_logger("keystead.pipeline")

_GLOBAL = frozenset({"iam", "organizations"})
"""Services that are in no Region: their clients sign for us-east-1, wherever they are."""
BUSY = "Rate exceeded"
"""What AWS services say with ThrottlingException."""
_MOST_ATTEMPTS = 100
"""Each group commit carries out at least one of the calls that conflict, so every attempt is progress."""


class Pipeline:
    """Handles requests; `handle` is called on the event loop's thread."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._router = Router(parts.services, parts.domains)
        self._home = Home()

    def handle(self, requests: Sequence[tuple[Request, Done]]) -> None:
        """Answer each of `requests` by calling its `done` once, on the loop's thread, now or later."""
        parts, known = self._parts, list[Attempt]()
        turn = self._turn()
        for request, done in requests:
            try:
                if ASKS in request.headers:
                    done = parts.receipts.awaited(done, request.headers[ASKS])  # noqa: PLW2901  whoever is told waits longer
                over = taken_over(parts, self._router, self.handle, request, done)
                attempt = None if over else self._identified(request, done, 1, turn)
            except Exception as defect:  # noqa: BLE001  one request's defect must not keep the others waiting for ever
                self._dismiss(request, done, translate(self._router.fallback(request), defect))
            else:
                if attempt is not None:
                    known.append(attempt)
        self._admit(known)

    def refuse(self, request: Request, done: Done) -> None:
        """Tell the sender of `request` to come again: too many wait. Nobody has looked at who it is."""
        self._dismiss(request, done, errors.Throttling(BUSY))

    def _dismiss(self, request: Request, done: Done, error: errors.ApiError) -> None:
        try:
            route = self._router.route(request)
        except errors.ApiError:
            route = self._router.fallback(request)
        self._parts.count(route.service.name, route.operation, error.code, 0.0)
        done(route.refusal(error, new_uuid(self._parts.entropy)))

    def _turn(self) -> Turn:
        parts = self._parts
        return Turn(parts.tick(), parts.clock.now(), parts.wall.now())

    def _identified(self, request: Request, done: Done, number: int, turn: Turn) -> Attempt | None:
        """Steps 1 and 2; None if the request is answered already, or goes on elsewhere."""
        parts, started = self._parts, turn.started
        request_id, _ = ids = uuid_pair(parts.entropy)
        try:
            route = self._router.route(request)  # 1
        except errors.ApiError as error:
            parts.count("", "", error.code, parts.tick() - started)
            done(self._router.fallback(request).refusal(error, request_id))
            return None
        operation = route.offered
        identify = None if operation is None else operation.identifying(request)
        # Of those that are not signed, some are not offered.
        if operation is None and not sigv4.signed(request):
            self._turn_away(request, done, route, unsupported(route), request_id, started)
            return None
        if identify is not None:
            self._start_unsigned(request, done, route, ids, number, started, identify)
            return None
        if route.exchange is not None:
            return self._start_exchange(request, done, route, route.exchange, ids, number, started)
        tx, now = parts.store.transaction(), turn.now
        try:
            standing, claim, via = parts.authenticator.authenticate(
                request, tx, route.service.name, turn.wall, now
            )  # 2
            region = claim.scope.region
            if parts.regions and region not in parts.regions and route.service.name not in _GLOBAL:
                raise errors.UnrecognizedClient(f"Region {region} is not served here.")
        except errors.ApiError as error:
            self._turn_away(request, done, route, error, request_id, started)
        except errors.StorageError as error:
            done(route.refusal(unavailable(route, error), request_id))
        else:
            parts.usage.callers.note(standing.caller, now, route.service.name, region)
            known = Known(standing, region, via, None, overriding(request, claim))
            call = call_of(parts, self.perform, request, route, known, ids, tx, now)
            return Attempt(request, done, route, call, claim, number, started)
        return None

    def _start_exchange(
        self,
        request: Request,
        done: Done,
        route: Route,
        exchange: Exchange,
        ids: tuple[str, str],
        number: int,
        started: float,
    ) -> Attempt | None:
        """Step 2 for S3; what is not brief goes on in a thread, which may wait for the body."""
        parts = self._parts
        tx, now = parts.store.transaction(), parts.clock.now()
        request, moment = prepared(request), Moment(tx, parts.wall.now(), now)
        try:
            arrival = receive(parts.authenticator, request, exchange.address, moment, parts.outside.region)
            if parts.regions and arrival.known.region not in parts.regions:
                raise errors.UnrecognizedClient(f"Region {arrival.known.region} is not served here.")
        except errors.ApiError as error:
            self._turn_away(request, done, route, error, ids[0], started)
            return None
        except errors.StorageError as error:
            done(route.refusal(unavailable(route, error), ids[0]))
            return None
        exchange.payload = arrival.payload
        call = call_of(parts, self.perform, request, route, arrival.known, ids, tx, now)
        parts.usage.callers.note(call.caller, now, route.service.name, call.region)
        attempt = Attempt(request, done, route, call, arrival.claim, number, started)
        if route.offered is not None and route.offered.brief and isinstance(request.stream, Held):
            return attempt
        self._queue(attempt, parts.bodies, functools.partial(self._admit, [attempt]))
        return None

    def _start_unsigned(
        self,
        request: Request,
        done: Done,
        route: Route,
        ids: tuple[str, str],
        number: int,
        started: float,
        identify: Identify,
    ) -> None:
        """Step 2 for a request that proves by itself who calls, in a thread; the rest is as for any other."""
        parts, loop = self._parts, asyncio.get_running_loop()

        def find_out() -> None:
            try:
                asked = route.decode(request)
                route.service.check(asked)
                unsigned = Unsigned(request, parts.store.transaction(), parts.wall.now(), parts.outside)
                follow = functools.partial(go_on, identify(unsigned, asked))
            except Exception as failure:  # noqa: BLE001  every failure is answered in one place
                follow = functools.partial(turn_away, translate(route, failure))
            with contextlib.suppress(RuntimeError):  # the server has stopped
                loop.call_soon_threadsafe(follow)

        def turn_away(error: errors.ApiError) -> None:
            self._turn_away(request, done, route, error, ids[0], started)

        def go_on(found: Identified) -> None:
            tx, now = parts.store.transaction(), parts.clock.now()
            standing = parts.authenticator.standings.of_outsider(found.caller, found.principal, tx)
            known = Known(standing, parts.outside.region, None, found.proof)
            call = call_of(parts, self.perform, request, route, known, ids, tx, now)
            self._admit([Attempt(request, done, route, call, None, number, started)])

        parts.outside.pool.submit(find_out)

    def _turn_away(
        self,
        request: Request,
        done: Done,
        route: Route,
        error: errors.ApiError,
        request_id: str,
        started: float,
    ) -> None:
        """Answer that nobody is known to call: such a request is no event of anybody's account."""
        seconds = self._parts.tick() - started
        self._parts.count(route.service.name, route.operation, error.code, seconds)
        log.info("refused", peer=request.peer, operation=route.operation, error=error.code)
        done(route.refusal(error, request_id))

    def perform(self, call: Call, service: str, request: Any, settled: Settled) -> None:
        """Steps 3 to 7 for a call that is made in this process; `settled` is told once it is recorded.

        `call.tx` must be a new transaction; after a conflict the call is made again with another one. It is
        called from a thread of a pool; `settled` is called on the loop's thread.

        Raises:
            WouldWaitError: the loop's thread calls, and nobody would be left to call `settled`.
        """
        self._home.leave()
        self._inside(call, service, request, settled, 1)

    def _inside(self, call: Call, service: str, request: Any, settled: Settled, number: int) -> None:
        route, started = self._router.named(service, call.operation), self._parts.tick()

        def again(number: int) -> None:
            fresh = msgspec.structs.replace(call, tx=self._parts.store.transaction())
            self._inside(fresh, service, request, settled, number)

        self._admit([Attempt(None, nobody, route, call, None, number, started, request, (), settled, again)])

    def _admit(self, attempts: Sequence[Attempt]) -> None:
        """Steps 3 to 7."""
        attempts = find_all(self._through, self._through(self._read, attempts), self._parts.store)  # 3, 4
        for step in (self._permit, self._perform, self._record):
            attempts = self._through(step, attempts)
        for attempt in attempts:
            note_use(attempt.call, attempt.route.offered, attempt.targets)

    def _through(self, step: Callable[[Attempt], bool], attempts: Sequence[Attempt]) -> list[Attempt]:
        """Those that got through the step; what failed is recorded and answered, what is slow goes on in a thread."""
        left = []
        for attempt in attempts:
            try:
                if step(attempt):
                    left.append(attempt)
            except Exception as error:  # noqa: BLE001  every failure is recorded and answered in one place
                self._fail(attempt, error)
        return left

    def _read(self, attempt: Attempt) -> bool:
        """Step 3."""
        route = attempt.route
        if route.offered is None:
            raise unsupported(route)
        if attempt.request is not None:
            attempt.input = route.decode(attempt.request)
        route.service.check(attempt.input)
        return True

    def _permit(self, attempt: Attempt) -> bool:
        """Step 5; false if step 6 takes a thread."""
        call, operation = attempt.call, attempt.route.offered
        assert operation is not None
        self._parts.rates.check(call, attempt.route.service.name, attempt.targets)
        authorize(call, attempt.targets)
        if operation.changes:
            call.standings.require(call.standing, call.tx)
            # S3 takes a signed request as often as it comes: presigned URLs are made for it.
            if attempt.request is not None and attempt.claim is not None and attempt.route.exchange is None:
                refuse_replay(call, attempt.claim, attempt.request)
        # Others are in a thread already that may take its time.
        here = attempt.request is not None and attempt.route.exchange is None
        if here and operation.slow(attempt.input, attempt.targets):
            self._queue(attempt, self._parts.pool, functools.partial(self._perform_alone, attempt))
            return False
        return True

    def _queue(self, attempt: Attempt, pool: FairPool, do: Callable[[], None]) -> None:
        """What is left of the steps, in a thread; callers take turns for them."""
        refuse = functools.partial(self._fail, attempt, errors.Throttling(BUSY))
        pool.submit(lane_of(attempt.call), Work(do, refuse))

    def _perform_alone(self, attempt: Attempt) -> None:
        attempts = [attempt]
        for step in (self._perform, self._record):
            attempts = self._through(step, attempts)
        for recorded in attempts:
            note_use(recorded.call, recorded.route.offered, recorded.targets)

    def _perform(self, attempt: Attempt) -> bool:
        """Step 6; false if it would have to wait, and goes on in a thread that may."""
        operation = attempt.route.offered
        assert operation is not None
        try:
            attempt.answer = operation.perform(attempt.call, attempt.input, *attempt.targets)
        except WouldWaitError:
            self._queue(attempt, self._parts.bodies, functools.partial(self._perform_alone, attempt))
            return False
        return True

    def _fail(self, attempt: Attempt, failure: Exception) -> None:
        """Step 7 of a call that failed; nothing that it may have changed counts. May run in a pool thread."""
        try:
            self._record(attempt, failure)
        except Exception as defect:  # noqa: BLE001  others wait: that even this failed is said, and nothing was done
            error = translate(attempt.route, defect)
            said = functools.partial(self._answer, attempt, None, error)
            self._parts.committer.submit(Submission((), None, said))

    def _record(self, attempt: Attempt, failure: Exception | None = None) -> bool:
        """Step 7: the call's events and what it changed are made durable together; then comes the answer."""
        call, operation, answer = attempt.call, attempt.route.offered, attempt.answer
        error = None if failure is None else translate(attempt.route, failure)
        if isinstance(error, errors.AccessDenied):
            note_refusal(call, error)
        tx, also = None, None
        if error is None and operation is not None:
            # A use may be the first of a key that AWS manages, which is made by it.
            tx, also = call.tx if operation.changes or call.tx.writes else None, operation.also
        records: tuple[bytes, ...] = ()
        try:
            records = records_of(
                call,
                attempt.route.service.name,
                attempt.input,
                answer,
                attempt.targets,
                error,
                () if also is None else also(attempt.input, answer),
            )
        except Exception as defect:  # noqa: BLE001  what cannot be recorded does not happen, and is answered
            error, tx = translate(attempt.route, defect), None

        def settled(problem: Exception | None) -> None:
            if tx is not None and problem is None:
                self._parts.changed()
            if problem is None and records and isinstance(attempt.done, Awaited):
                attempt.done.recorded(call.event_id, records[0])
            self._answer(attempt, answer, error, problem)

        self._parts.committer.submit(Submission(records, tx, settled))
        return True

    def _answer(
        self, attempt: Attempt, answer: Any, error: errors.ApiError | None, problem: Exception | None
    ) -> None:
        route, call = attempt.route, attempt.call
        if isinstance(problem, errors.StorageConflict):
            if attempt.number < _MOST_ATTEMPTS:
                self._again(attempt)
                return
            problem = internal(route, "The request conflicted with other changes; try again.")
        if problem is not None:
            error = unavailable(route, problem)
        outcome, seconds = error.code if error else "ok", self._parts.tick() - attempt.started
        self._parts.count(route.service.name, route.operation, outcome, seconds)
        if self._parts.trace is not None:
            headers = {} if attempt.request is None else attempt.request.headers
            self._parts.trace(route.service.name, route.operation, outcome, seconds, call.request_id, headers)
        if attempt.settled is not None:
            attempt.settled(answer, error)
        elif error is not None:
            attempt.done(route.refusal(error, call.request_id))
        else:
            attempt.done(route.answer(answer, call.request_id))  # 8

    def _again(self, attempt: Attempt) -> None:
        if attempt.again is not None:
            attempt.again(attempt.number + 1)
        elif attempt.request is not None:
            turn = msgspec.structs.replace(self._turn(), started=attempt.started)
            anew = self._identified(attempt.request, attempt.done, attempt.number + 1, turn)
            if anew is not None:
                self._admit([anew])
