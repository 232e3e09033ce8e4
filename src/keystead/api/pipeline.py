"""A request's way, from bytes to a recorded answer.

    1. find the service and the operation
    2. verify the signature: who is calling
    3. decode the request, and name all its violations at once
    4. find what it acts on
    5. authorize each target: denied unless allowed
    6. perform
    7. record, and wait until the record (and the change, in the same batch) is durable
    8. answer

Only step 2 onwards knows a caller; what fails before is counted and logged, but is no event of
anybody's account. From step 3 on each call has exactly one event, whether it succeeded or not, and one more in
each other account whose keys or roles it acted on.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from typing import Any

import msgspec
import structlog

from keystead import errors
from keystead.api.authorize import authorize
from keystead.api.call import Call
from keystead.api.calls import Known, call_of, lane_of
from keystead.api.decisions import Refusal, Refused
from keystead.api.evidence import records_of
from keystead.api.operation import AlsoOf, Operation
from keystead.api.parts import Attempt, Done, Parts, Settled, nobody
from keystead.api.payload import Held
from keystead.api.pool import Work
from keystead.api.receipts import ASKS, Awaited
from keystead.api.receiving import receive
from keystead.api.replay import refuse_replay
from keystead.api.rest import Exchange
from keystead.api.routing import Route, Router
from keystead.api.unsigned import Identified, Identify, Unsigned
from keystead.api.usage import LastUse
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

    def handle(self, request: Request, done: Done) -> None:
        """Answer `request` by calling `done` once, on the loop's thread, now or later."""
        if ASKS in request.headers:
            done = self._parts.receipts.awaited(done)
        self._start(request, done, 1, self._parts.tick())

    def refuse(self, request: Request, done: Done) -> None:
        """Tell the sender of `request` to come again: too many wait. Nobody has looked at who it is."""
        self._dismiss(request, done, errors.Throttling(BUSY))

    def fail(self, request: Request, done: Done, failure: Exception) -> None:
        """Answer a request that `handle` could not take up because of a defect."""
        self._dismiss(request, done, self._translate(self._router.fallback(request), failure))

    def _dismiss(self, request: Request, done: Done, error: errors.ApiError) -> None:
        try:
            route = self._router.route(request)
        except errors.ApiError:
            route = self._router.fallback(request)
        self._parts.count(route.service.name, route.operation, error.code, 0.0)
        done(route.refusal(error, new_uuid(self._parts.entropy)))

    def _start(self, request: Request, done: Done, number: int, started: float) -> None:
        parts = self._parts
        request_id, _ = ids = uuid_pair(parts.entropy)
        try:
            route = self._router.route(request)  # 1
        except errors.ApiError as error:
            parts.count("", "", error.code, parts.tick() - started)
            done(self._router.fallback(request).refusal(error, request_id))
            return
        operation = route.service.operations.get(route.operation)
        identify = None if operation is None else operation.identifying(request)
        if operation is None and not sigv4.signed(
            request
        ):  # of those that are not signed, some are not offered
            self._turn_away(request, done, route, _unsupported(route), request_id, started)
            return
        if identify is not None:
            self._start_unsigned(request, done, route, ids, number, started, identify)
            return
        if route.exchange is not None:
            self._start_exchange(request, done, route, route.exchange, ids, number, started)
            return
        tx, now = parts.store.transaction(), parts.clock.now()
        try:
            standing, claim, via = parts.authenticator.authenticate(
                request, tx, route.service.name, parts.wall.now(), now
            )  # 2
            if self._elsewhere(claim.region) and route.service.name not in _GLOBAL:
                raise errors.UnrecognizedClient(f"Region {claim.region} is not served here.")
        except errors.ApiError as error:
            self._turn_away(request, done, route, error, request_id, started)
            return
        except errors.StorageError as error:
            done(route.refusal(self._unavailable(route, error), request_id))
            return
        parts.usage.callers.note(standing.caller, now, route.service.name, claim.region)
        call = call_of(parts, self.perform, request, route, Known(standing, claim.region, via), ids, tx, now)
        self._admit(Attempt(request, done, route, call, claim, number, started))

    def _elsewhere(self, region: str) -> bool:
        """Whether a Region is not served here."""
        return bool(self._parts.regions) and region not in self._parts.regions

    def _start_exchange(
        self,
        request: Request,
        done: Done,
        route: Route,
        exchange: Exchange,
        ids: tuple[str, str],
        number: int,
        started: float,
    ) -> None:
        """Step 2 for a request whose body is still to come; the rest runs in a thread, which may wait for it."""
        parts = self._parts
        tx, now = parts.store.transaction(), parts.clock.now()
        if request.stream is None:
            request = msgspec.structs.replace(request, stream=Held(request.body))
        try:
            arrival = receive(parts.authenticator, request, tx, parts.wall.now(), now, parts.outside.region)
            if self._elsewhere(arrival.known.region):
                raise errors.UnrecognizedClient(f"Region {arrival.known.region} is not served here.")
        except errors.ApiError as error:
            self._turn_away(request, done, route, error, ids[0], started)
            return
        except errors.StorageError as error:
            done(route.refusal(self._unavailable(route, error), ids[0]))
            return
        exchange.payload = arrival.payload
        call = call_of(parts, self.perform, request, route, arrival.known, ids, tx, now)
        parts.usage.callers.note(call.caller, now, route.service.name, call.region)
        attempt = Attempt(request, done, route, call, arrival.claim, number, started)
        work = Work(
            functools.partial(self._admit, attempt),
            functools.partial(self._conclude, attempt, None, errors.Throttling(BUSY)),
        )
        parts.bodies.submit(lane_of(call), work)

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
                follow = functools.partial(turn_away, self._translate(route, failure))
            with contextlib.suppress(RuntimeError):  # the server has stopped
                loop.call_soon_threadsafe(follow)

        def turn_away(error: errors.ApiError) -> None:
            self._turn_away(request, done, route, error, ids[0], started)

        def go_on(found: Identified) -> None:
            tx, now = parts.store.transaction(), parts.clock.now()
            standing = parts.authenticator.standings.of_outsider(found.caller, found.principal, tx)
            known = Known(standing, parts.outside.region, None, found.proof)
            call = call_of(parts, self.perform, request, route, known, ids, tx, now)
            self._admit(Attempt(request, done, route, call, None, number, started))

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

    def perform(self, call: Call, service: str, request: Any, settled: Settled, number: int = 1) -> None:
        """Steps 3 to 7 for a call that is made in this process; `settled` is told once it is recorded.

        `call.tx` must be a new transaction; after a conflict the call is made again with another one. May
        be called from a thread of the pool; `settled` is called on the loop's thread.
        """
        route, started = self._router.named(service, call.operation), self._parts.tick()

        def again(number: int) -> None:
            fresh = msgspec.structs.replace(call, tx=self._parts.store.transaction())
            self.perform(fresh, service, request, settled, number)

        self._admit(Attempt(None, nobody, route, call, None, number, started, request, (), settled, again))

    def _admit(self, attempt: Attempt) -> None:
        route, call = attempt.route, attempt.call
        try:
            operation = self._operation(route)
            if attempt.request is not None:
                attempt.input = route.decode(attempt.request)  # 3
            route.service.check(attempt.input)
            attempt.targets = operation.acted_on(call, attempt.input)  # 4
            self._parts.rates.check(call, route.service.name, attempt.targets)
            authorize(call, attempt.targets)  # 5
            if operation.changes:
                call.standings.require(call.standing, call.tx)
                # S3 takes a signed request as often as it comes: presigned URLs are made for it.
                if attempt.request is not None and attempt.claim is not None and route.exchange is None:
                    refuse_replay(call, attempt.claim, attempt.request)
            here = attempt.request is None or route.exchange is not None  # in a thread that may take its time
            if not here and operation.slow(attempt.input, attempt.targets):
                self._queue(attempt, operation)
                return
        except Exception as error:  # noqa: BLE001  every failure is recorded and answered in one place
            self._conclude(attempt, None, error)
            return
        self._perform(attempt, operation)

    def _queue(self, attempt: Attempt, operation: Operation) -> None:
        """Step 6 in a thread; callers take turns for them."""
        work = Work(
            functools.partial(self._perform, attempt, operation),
            functools.partial(self._conclude, attempt, None, errors.Throttling(BUSY)),
        )
        self._parts.pool.submit(lane_of(attempt.call), work)

    def _perform(self, attempt: Attempt, operation: Operation) -> None:
        try:
            answer = operation.perform(attempt.call, attempt.input, *attempt.targets)  # 6
        except Exception as error:  # noqa: BLE001  as above
            self._conclude(attempt, None, error)
            return
        # A use may be the first of a key that AWS manages, which is made by it.
        changed = operation.changes or bool(attempt.call.tx.writes)
        self._conclude(attempt, answer, None, changed=changed, also=operation.also)
        if operation.tracks_use:
            self._note_use(attempt)

    def _conclude(
        self,
        attempt: Attempt,
        answer: Any,
        failure: Exception | None,
        *,
        changed: bool = False,
        also: AlsoOf | None = None,
    ) -> None:
        """Steps 7 and 8: its events, durable together, then the answer. May run in a pool thread."""
        error = None if failure is None else self._translate(attempt.route, failure)
        if isinstance(error, errors.AccessDenied):
            self._note_refusal(attempt.call, error)
        tx = attempt.call.tx if changed else None
        records: tuple[bytes, ...] = ()
        try:
            records = records_of(
                attempt.call,
                attempt.route.service.name,
                attempt.input,
                answer,
                attempt.targets,
                error,
                () if also is None else also(attempt.input, answer),
            )
        except Exception as defect:  # noqa: BLE001  what cannot be recorded does not happen, and is answered
            error, tx = self._translate(attempt.route, defect), None

        def settled(problem: Exception | None) -> None:
            if tx is not None and problem is None:
                self._parts.changed()
            if problem is None and records and isinstance(attempt.done, Awaited):
                attempt.done.recorded(attempt.call.event_id, records[0])
            self._answer(attempt, answer, error, problem)

        self._parts.committer.submit(Submission(records, tx, settled))  # 7

    def _answer(
        self, attempt: Attempt, answer: Any, error: errors.ApiError | None, problem: Exception | None
    ) -> None:
        route, call = attempt.route, attempt.call
        if isinstance(problem, errors.StorageConflict):
            if attempt.number < _MOST_ATTEMPTS:
                self._again(attempt)
                return
            problem = _failure(route, "The request conflicted with other changes; try again.")
        if problem is not None:
            error = self._unavailable(route, problem)
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
            self._start(attempt.request, attempt.done, attempt.number + 1, attempt.started)

    def _operation(self, route: Route) -> Operation:
        operation = route.service.operations.get(route.operation)
        if operation is None:
            raise _unsupported(route)
        return operation

    def _note_use(self, attempt: Attempt) -> None:
        call = attempt.call
        use = LastUse(call.operation, call.now, call.event_id, call.request_id)
        for target in attempt.targets:
            if target.key is not None:
                call.usage.note("/".join(target.key.path), use)

    def _note_refusal(self, call: Call, error: errors.AccessDenied) -> None:
        """Keep what the refusal was made of: its id is the request's."""
        if not isinstance(error.refused, Refused):
            return
        asked = error.refused.request
        log.info(
            "denied", action=asked.action, caller=call.caller.arn or call.caller.name, why=call.request_id
        )
        call.decisions.note(
            Refusal(
                id=call.request_id,
                time=call.now,
                operation=call.operation,
                account=call.account,
                refused=error.refused,
            )
        )

    def _translate(self, route: Route, failure: Exception) -> errors.ApiError:
        """The error to answer: API errors as they are, everything else opaque, its detail in the log."""
        if isinstance(failure, errors.ApiError):
            return failure
        if isinstance(failure, errors.StorageError):
            return self._unavailable(route, failure)
        log.error(
            "internal failure",
            operation=route.operation,
            kind=type(failure).__name__,
            where=errors.places(failure),
        )
        return _failure(route, "An internal error occurred; the server's log has the details.")

    def _unavailable(self, route: Route, problem: Exception) -> errors.ApiError:
        if isinstance(problem, errors.ApiError):
            return problem
        log.error("cannot answer", kind=type(problem).__name__, reason=str(problem))
        return _failure(route, "The server cannot store or record the request now; see its readiness state.")


def _failure(route: Route, message: str) -> errors.ApiError:
    """What a service answers when it cannot; a retry may succeed."""
    failure = errors.KmsInternal if route.service.name == "kms" else errors.InternalFailure
    return failure(message)


def _unsupported(route: Route) -> errors.ApiError:
    return errors.UnsupportedOperation(f"Operation {route.operation} is not supported by this server.")
