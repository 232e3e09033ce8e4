"""Steps 1 and 2 of a request's way: which operation it is for, and who calls.

Most requests are signed, and who signed them is known at once. For S3 the signature may say something of a body that is
still to come; other requests prove by themselves who calls, which may take as long as another machine's answer does. These
go on in a thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from operator import length_hint
from typing import Any, Protocol

import structlog

from keystead import errors
from keystead.api.call import Call
from keystead.api.calls import around_of, call_of
from keystead.api.failures import translate, unavailable, unsupported
from keystead.api.forms import taken_over
from keystead.api.guarding import HEADER as OVERRIDES
from keystead.api.guarding import overriding
from keystead.api.parts import Attempt, Done, Parts, Settled, Turn
from keystead.api.payload import Held
from keystead.api.pool import FairPool
from keystead.api.receipts import ASKS, Awaited
from keystead.api.receiving import prepared, receive
from keystead.api.rest import Exchange
from keystead.api.routing import Route, Router
from keystead.api.signer import Moment
from keystead.api.unsigned import Identified, Identify, Unsigned
from keystead.entropy import new_uuid, uuid_pairs
from keystead.wire import sigv4
from keystead.wire.http import Request

log = structlog.get_logger("keystead.pipeline")

_GLOBAL = frozenset({"iam", "organizations"})
"""Services that are in no Region: their clients sign for us-east-1, wherever they are."""


class Onward(Protocol):
    """Where requests go on from here; see `Pipeline`."""

    def handle(self, requests: Sequence[tuple[Request, Done]]) -> None: ...

    def perform(self, call: Call, service: str, request: Any, settled: Settled, /) -> None: ...

    def admit(self, attempts: Sequence[Attempt]) -> None: ...

    def queue(self, attempt: Attempt, pool: FairPool, do: Callable[[], None]) -> None: ...


class Who:
    """Finds out what requests ask for, and who asks. Used on the event loop's thread only."""

    def __init__(self, parts: Parts, router: Router, onward: Onward) -> None:
        self._parts = parts
        self._router = router
        self._onward = onward
        self._around = around_of(parts, onward.perform)
        self._ids = uuid_pairs(parts.entropy)

    def identified(
        self, requests: Sequence[tuple[Request, Done]], turn: Turn, number: int = 1
    ) -> list[Attempt]:
        """Those of the requests whose sender is known; the others are answered, or go on elsewhere.

        `number` says how often they have been tried.
        """
        known, coming = list[Attempt](), iter(requests)
        while True:
            try:
                self._identify(coming, known, turn, number)
            except Exception as problem:  # noqa: BLE001  one request's defect must not keep the others waiting for ever
                request, done = requests[-1 - length_hint(coming)]
                self._turn_away(request, self._told(request, done), problem, turn.started)
            else:
                self._parts.usage.callers.note_all(known)
                return known

    def dismiss(self, request: Request, done: Done, error: errors.ApiError) -> None:
        """Tell the sender of `request`, at whom nobody has looked."""
        try:
            route = self._router.route(request)
        except errors.ApiError:
            route = self._router.fallback(request)
        self._parts.count(route.name, route.operation, error.code, 0.0)
        done(route.refusal(error, new_uuid(self._parts.entropy)))

    def _identify(
        self, coming: Iterator[tuple[Request, Done]], known: list[Attempt], turn: Turn, number: int
    ) -> None:
        """None; `known` has those whose sender is known, up to the one for which this raises."""
        parts, around, started, now, wall = self._parts, self._around, turn.started, turn.now, turn.wall
        route_of, authenticate, regions = self._router.route, parts.authenticator.authenticate, parts.regions
        transaction, new_ids = parts.store.transaction, self._ids
        for request, done in coming:
            headers, overrides = request.headers, ""
            if ASKS in headers:
                done = self._told(request, done)  # noqa: PLW2901  whoever is told waits longer
            # What browsers send by themselves is either no POST, or has its signature in its body.
            if (request.method != "POST" or "authorization" not in headers) and self._taken(request, done):
                continue
            route = route_of(request)  # 1
            if not route.plain and self._aside(request, done, route, known, turn, number):
                continue
            name, tx = route.name, transaction()
            standing, claim, via = authenticate(request, tx, name, wall, now)  # 2
            region = claim.scope.region
            if regions and region not in regions and name not in _GLOBAL:
                raise _elsewhere(region)
            if OVERRIDES in headers:
                overrides = overriding(request, claim)
            call = call_of(around, request, route, standing, region, new_ids(), tx, now, via, None, overrides)
            known.append(Attempt(request, done, route, call, claim, number, started))

    def _told(self, request: Request, done: Done) -> Done:
        """Who is told the answer: whoever asks for a receipt waits for it."""
        if ASKS not in request.headers or isinstance(done, Awaited):
            return done
        return self._parts.receipts.awaited(done, request.headers[ASKS])

    def _taken(self, request: Request, done: Done) -> bool:
        """Whether the request is answered already, or goes on as another one."""
        try:
            return taken_over(self._parts, self._router, self._onward.handle, request, done)
        except errors.ApiError as error:
            self.dismiss(request, done, error)
            return True

    def _aside(
        self, request: Request, done: Done, route: Route, known: list[Attempt], turn: Turn, number: int
    ) -> bool:
        """Whether the request goes another way than by a signature that says all; `known` has it if it is done with that."""
        operation = route.offered
        # Of those that are not signed, some are not offered.
        if operation is None and not sigv4.signed(request):
            raise unsupported(route)
        identify = None if operation is None else operation.identifying(request)
        if identify is not None:
            self._start_unsigned(request, done, route, number, turn.started, identify)
            return True
        if route.exchange is None:
            return False
        attempt = self._start_exchange(request, done, route, route.exchange, turn, number)
        if attempt is not None:
            known.append(attempt)
        return True

    def _start_exchange(
        self, request: Request, done: Done, route: Route, exchange: Exchange, turn: Turn, number: int
    ) -> Attempt | None:
        """Step 2 for S3; what is not brief goes on in a thread, which may wait for the body."""
        parts = self._parts
        tx, now = parts.store.transaction(), turn.now
        request, moment = prepared(request), Moment(tx, turn.wall, now)
        arrival = receive(parts.authenticator, request, exchange.address, moment, parts.outside.region)
        known = arrival.known
        if parts.regions and known.region not in parts.regions:
            raise _elsewhere(known.region)
        exchange.payload = arrival.payload
        ids = self._ids()
        call = call_of(self._around, request, route, known.standing, known.region, ids, tx, now, known.via)
        attempt = Attempt(request, done, route, call, arrival.claim, number, turn.started)
        if route.offered is not None and route.offered.brief and isinstance(request.stream, Held):
            return attempt
        parts.usage.callers.note_all([attempt])
        self._onward.queue(attempt, parts.bodies, functools.partial(self._onward.admit, [attempt]))
        return None

    def _start_unsigned(
        self, request: Request, done: Done, route: Route, number: int, started: float, identify: Identify
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
            self._refuse(request, done, route, error, started)

        def go_on(found: Identified) -> None:
            tx, now = parts.store.transaction(), parts.clock.now()
            standing = parts.authenticator.standings.of_outsider(found.caller, found.principal, tx)
            region, ids = parts.outside.region, self._ids()
            call = call_of(self._around, request, route, standing, region, ids, tx, now, None, found.proof)
            self._onward.admit([Attempt(request, done, route, call, None, number, started)])

        parts.outside.pool.submit(find_out)

    def _turn_away(self, request: Request, done: Done, problem: Exception, started: float) -> None:
        """Answer a request that came to nothing in step 1 or 2."""
        parts, router = self._parts, self._router
        if not isinstance(problem, errors.ApiError | errors.StorageError):
            self.dismiss(request, done, translate(router.fallback(request), problem))
            return
        try:
            route = router.route(request)
        except errors.ApiError as error:
            parts.count("", "", error.code, parts.tick() - started)
            done(router.fallback(request).refusal(error, new_uuid(parts.entropy)))
            return
        if isinstance(problem, errors.StorageError):
            done(route.refusal(unavailable(route, problem), new_uuid(parts.entropy)))
        else:
            self._refuse(request, done, route, problem, started)

    def _refuse(
        self, request: Request, done: Done, route: Route, error: errors.ApiError, started: float
    ) -> None:
        """Answer that nobody is known to call: such a request is no event of anybody's account."""
        parts = self._parts
        parts.count(route.name, route.operation, error.code, parts.tick() - started)
        log.info("refused", peer=request.peer, operation=route.operation, error=error.code)
        done(route.refusal(error, new_uuid(parts.entropy)))


def _elsewhere(region: str) -> errors.UnrecognizedClient:
    return errors.UnrecognizedClient(f"Region {region} is not served here.")
