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

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from operator import length_hint
from typing import Any

import msgspec

from keystead import errors
from keystead.api.authorize import authorize
from keystead.api.call import Call
from keystead.api.calls import lane_of
from keystead.api.evidence import records_of
from keystead.api.failures import internal, note_refusal, translate, unavailable, unsupported
from keystead.api.finding import find_all
from keystead.api.parts import Attempt, Done, Parts, Settled, Step, Turn, nobody
from keystead.api.pool import FairPool, Work
from keystead.api.receipts import Awaited
from keystead.api.replay import refuse_replay
from keystead.api.routing import Router
from keystead.api.waiting import Home, WouldWaitError
from keystead.api.who import Who
from keystead.audit.commit import Submission
from keystead.wire.http import Request

BUSY = "Rate exceeded"
"""What AWS services say with ThrottlingException."""
_MOST_ATTEMPTS = 100
"""Each group commit carries out at least one of the calls that conflict, so every attempt is progress."""


class Pipeline:
    """Handles requests; `handle` is called on the event loop's thread."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._router = Router(parts.services, parts.domains)
        self._who = Who(parts, self._router, self)
        self._home = Home()
        self._tick, self._count, self._trace = parts.tick, parts.count, parts.trace
        self._steps: Sequence[Step] = (self._permit, self._perform, self._record)

    def handle(self, requests: Sequence[tuple[Request, Done]]) -> None:
        """Answer each of `requests` by calling its `done` once, on the loop's thread, now or later."""
        self.admit(self._who.identified(requests, self._turn()))  # 1, 2

    def refuse(self, request: Request, done: Done) -> None:
        """Tell the sender of `request` to come again: too many wait. Nobody has looked at who it is."""
        self._who.dismiss(request, done, errors.Throttling(BUSY))

    def _turn(self) -> Turn:
        parts = self._parts
        return Turn(parts.tick(), parts.clock.now(), parts.wall.now())

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

        try:  # its caller may have signed long ago, or what conflicted was a change of the caller
            standing = call.standings.renewed(call.standing, call.tx)
        except (errors.ApiError, errors.StorageError) as gone:
            failed = Attempt(None, nobody, route, call, None, number, started, request, (), settled)
            self._fail(failed, gone)
            return
        call = msgspec.structs.replace(call, standing=standing, caller=standing.caller)
        self.admit([Attempt(None, nobody, route, call, None, number, started, request, (), settled, again)])

    def admit(self, attempts: Sequence[Attempt]) -> None:
        """Steps 3 to 7."""
        read = self._through(self._read, attempts)  # 3
        found = find_all(self._through, read, self._parts.store)  # 4
        self._go(self._steps, found)  # 5, 6, 7

    def _go(self, steps: Sequence[Step], attempts: Sequence[Attempt]) -> None:
        for step in steps:
            attempts = self._through(step, attempts)
        self._parts.usage.note_all(attempts)

    def _through(self, step: Step, attempts: Sequence[Attempt]) -> Sequence[Attempt]:
        """Those that got through the step; what failed is recorded and answered, what is slow goes on in a thread."""
        out, coming = list[Attempt](), iter(attempts)
        while True:
            try:
                step(coming, out)
            except Exception as error:  # noqa: BLE001  every failure is recorded and answered in one place
                failed = attempts[-1 - length_hint(coming)]
                self._fail(failed, error)
                out.append(failed)
            else:
                return [attempt for attempt in attempts if attempt not in out] if out else attempts

    def _read(self, coming: Iterator[Attempt], _out: list[Attempt]) -> None:
        """Step 3."""
        for attempt in coming:
            route, request = attempt.route, attempt.request
            if route.offered is None:
                raise unsupported(route)
            if request is not None:
                attempt.input = route.decode(request)
            route.service.check(attempt.input)

    def _permit(self, coming: Iterator[Attempt], out: list[Attempt]) -> None:
        """Step 5; step 6 takes a thread for what is slow."""
        rates, limited = self._parts.rates, self._parts.rates.limited
        for attempt in coming:
            route, call, targets = attempt.route, attempt.call, attempt.targets
            operation = route.offered
            assert operation is not None
            if limited:
                rates.check(call, route.name, targets)
            authorize(call, targets)
            if operation.changes:
                self._permit_change(attempt)
            # Others are in a thread already that may take its time.
            here = route.exchange is None and attempt.request is not None
            if here and operation.slow(attempt.input, targets):
                out.append(attempt)
                self.queue(attempt, self._parts.pool, partial(self._perform_alone, attempt))

    def _permit_change(self, attempt: Attempt) -> None:
        call = attempt.call
        call.standing.require(call.tx)
        # S3 takes a signed request as often as it comes: presigned URLs are made for it.
        if attempt.request is not None and attempt.claim is not None and attempt.route.exchange is None:
            refuse_replay(call, attempt.claim, attempt.request)

    def queue(self, attempt: Attempt, pool: FairPool, do: Callable[[], None]) -> None:
        """What is left of the steps, in a thread; callers take turns for them."""
        refuse = partial(self._fail, attempt, errors.Throttling(BUSY))
        pool.submit(lane_of(attempt.call), Work(do, refuse))

    def _perform_alone(self, attempt: Attempt) -> None:
        self._go((self._perform, self._record), [attempt])

    def _perform(self, coming: Iterator[Attempt], out: list[Attempt]) -> None:
        """Step 6; what would have to wait goes on in a thread that may."""
        for attempt in coming:
            operation, targets = attempt.route.offered, attempt.targets
            assert operation is not None
            try:
                if len(targets) == 1:  # as most calls have: a star costs as much as two calls
                    attempt.answer = operation.perform(attempt.call, attempt.input, targets[0])
                else:
                    attempt.answer = operation.perform(attempt.call, attempt.input, *targets)
            except WouldWaitError:
                out.append(attempt)
                self.queue(attempt, self._parts.bodies, partial(self._perform_alone, attempt))

    def _record(self, coming: Iterator[Attempt], _out: list[Attempt]) -> None:
        """Step 7: the calls' events and what they changed are made durable together; then come the answers."""
        settled, recorded = self._settled, list[Submission]()
        try:
            for attempt in coming:
                route, call, request, answer = attempt.route, attempt.call, attempt.input, attempt.answer
                operation, tx = route.offered, call.tx
                assert operation is not None
                also = () if operation.also is None else operation.also(request, answer)
                records = records_of(call, route.name, request, answer, attempt.targets, None, also)
                attempt.records = records
                # A use may be the first of a key that AWS manages, which is made by it.
                if operation.changes or tx.writes:
                    attempt.tx = tx
                recorded.append(Submission(records, attempt.tx, partial(settled, attempt)))
        finally:
            self._parts.committer.submit(*recorded)

    def _fail(self, attempt: Attempt, failure: Exception) -> None:
        """Step 7 of a call that failed; nothing that it may have changed counts. May run in a pool thread."""
        call, route, attempt.answer = attempt.call, attempt.route, None
        try:
            attempt.error = error = translate(route, failure)
            if isinstance(error, errors.AccessDenied):
                note_refusal(call, error)
            attempt.records = records_of(call, route.name, attempt.input, None, attempt.targets, error)
        except Exception as defect:  # noqa: BLE001  others wait: that even this failed is said, and nothing was done
            attempt.error = translate(route, defect)
            attempt.records = ()
        done = partial(self._settled, attempt)
        self._parts.committer.submit(Submission(attempt.records, None, done))

    def _settled(self, attempt: Attempt, problem: Exception | None) -> None:
        """Step 8, once it is known whether the call is durable; after a conflict it is made again."""
        route, done = attempt.route, attempt.done
        if problem is None:
            if attempt.tx is not None:
                self._parts.changed()
            if type(done) is Awaited and attempt.records:
                done.recorded(attempt.call.event_id, bytes(attempt.records[0]))
        elif isinstance(problem, errors.StorageConflict) and attempt.number < _MOST_ATTEMPTS:
            self._again(attempt)
            return
        else:
            attempt.error = _unsettled(attempt, problem)
        error = attempt.error
        outcome = "ok" if error is None else error.code
        seconds = self._tick() - attempt.started
        self._count(route.name, route.operation, outcome, seconds)
        if self._trace is not None:
            headers = {} if attempt.request is None else attempt.request.headers
            self._trace(route.name, route.operation, outcome, seconds, attempt.call.request_id, headers)
        if attempt.settled is not None:
            attempt.settled(attempt.answer, error)
        elif error is None:
            done(route.answer(attempt.answer, attempt.call.request_id))
        else:
            done(route.refusal(error, attempt.call.request_id))

    def _again(self, attempt: Attempt) -> None:
        if attempt.again is not None:
            attempt.again(attempt.number + 1)
        elif attempt.request is not None:
            turn = msgspec.structs.replace(self._turn(), started=attempt.started)
            anew = [(attempt.request, attempt.done)]
            self.admit(self._who.identified(anew, turn, attempt.number + 1))


def _unsettled(attempt: Attempt, problem: Exception) -> errors.ApiError:
    """The error to answer for a call that is not durable."""
    if isinstance(problem, errors.StorageConflict):
        return internal(attempt.route, "The request conflicted with other changes; try again.")
    return unavailable(attempt.route, problem)
