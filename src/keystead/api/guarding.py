"""The guard at the door of changes: what they would break of what their account wants to hold is told, or refused.

A guarded operation is performed as it always is, in its transaction; then what it has written is looked at. If the guard
refuses, nothing of it is stored. It never lets anything through that authorization refuses, for it comes after.

Who asks again with the header `x-keystead-guard-override`, which must be signed, and the token that the refusal told,
overrides the mode `confirm`. That takes a permission of its own, which the key's policy cannot give.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import wraps
from hashlib import sha256
from typing import Any, Final, Literal

import msgspec
import structlog

from keystead import errors
from keystead.analysis.budget import WORK as WORK_OF_QUESTION
from keystead.analysis.budget import Budget
from keystead.analysis.questions.change import Change, Violation
from keystead.analysis.questions.violations import violations
from keystead.api.call import Call, Target
from keystead.api.directory import ACCOUNTS
from keystead.api.guards import GUARD_TURNS, GUARDS, MODES, Guard, Mode, Turn
from keystead.api.operation import Operation
from keystead.api.permissions import OVERRIDE_GUARD
from keystead.keys import Key
from keystead.storage import Transaction, join
from keystead.wire import sigv4
from keystead.wire.http import Request

log = structlog.get_logger("keystead.guard")

HEADER: Final = "x-keystead-guard-override"

WORK: Final = 3 * WORK_OF_QUESTION // 4
"""What may be spent on one call, all its questions together; what takes more is not proven to be harmless."""

Outcome = Literal["recorded", "overridden", "confirmation needed", "refused"]


class Changed(msgspec.Struct, frozen=True):
    """A key that a call changes, or for which it changes what people may do; None: there was, or is, none."""

    before: Key | None
    after: Key
    change: Callable[[], Change]


Changes = Callable[[Call, tuple[Target, ...], Any, Guard, str], Iterator[Changed]]
"""Tells what a call has written into its transaction for an account, from its targets and its answer."""
Watched = Callable[[Call, tuple[Target, ...]], Iterable[str]]
"""Tells which accounts a call may change something for."""


class Found(msgspec.Struct, frozen=True):
    """A violation of what an account wants to hold, and what is done about it."""

    account: str
    mode: Mode
    violation: Violation


class Watch:
    """The guards of one call, by account, and what is found."""

    __slots__ = ("guards", "told")

    def __init__(self, guards: Mapping[str, Guard]) -> None:
        self.guards = guards
        self.told: dict[str, Any] | None = None
        """What the event shows; None if nothing was found."""

    def judge(self, call: Call, request: Any, found: Sequence[Found]) -> None:
        """Return if the call may go on.

        Raises:
            errors.AccessDenied: it may not.
        """
        if not found:
            return
        worst = max(found, key=lambda one: MODES.index(one.mode))
        token = _token(call, request, [one.violation for one in found])
        outcome = _OUTCOMES[worst.mode]
        if outcome == "confirmation needed" and call.overrides == token:
            outcome = "overridden"
        self.told = {"outcome": outcome, "violations": [_shown(one.mode, one.violation) for one in found]}
        log.warning("guard", operation=call.operation, account=worst.account, outcome=outcome)
        if outcome in {"recorded", "overridden"}:
            return
        raise errors.AccessDenied(_words(call, worst, token if outcome != "refused" else ""))


def _words(call: Call, worst: Found, token: str) -> str:
    found = worst.violation
    said = f"The guard of account {worst.account} refuses {call.operation} ({found.kind}): {found.message}."
    if not token:
        return said
    return (
        f"{said} To do it all the same, send the same request with the signed header {HEADER}: {token}; "
        f"that takes the permission {OVERRIDE_GUARD}."
    )


_OUTCOMES: Final[dict[Mode, Outcome]] = {
    "audit": "recorded",
    "confirm": "confirmation needed",
    "refuse": "refused",
}


def _shown(mode: Mode, violation: Violation) -> dict[str, Any]:
    """The violation as the event has it; its witness is told in its message."""
    plain = msgspec.structs.replace(violation, witness=None)
    return {"mode": mode, "proven": violation.witness is not None, **msgspec.to_builtins(plain)}


def _token(call: Call, request: Any, found: list[Violation]) -> str:
    """What stands for this request and what was found in it, for whoever sends it."""
    told = sorted((one.kind, one.statement or 0, one.sid or "") for one in found)
    return sha256(
        msgspec.json.encode((call.account, call.region, call.operation, request, told))
    ).hexdigest()[:32]


def overriding(request: Request, claim: sigv4.Claim) -> str:
    """The token with which a request overrides a guard; empty if it has none that is signed."""
    token = request.headers.get(HEADER, "")
    return token if token and HEADER in claim.signed_headers else ""


# --------------------------------------------------------------------------- operations


def own_account(_call: Call, targets: tuple[Target, ...]) -> Iterable[str]:
    """The account of what a call acts on."""
    return (targets[0].account,)


def guarded(operation: Operation, changes: Changes, watched: Watched = own_account) -> Operation:
    """The operation with the guard behind it, for accounts that have one; it then runs in a thread."""

    def targets(call: Call, request: Any) -> tuple[Target, ...]:
        found = operation.targets(call, request)
        watch = _watch(call, watched(call, found))
        if watch is None:
            return found
        judged = (msgspec.structs.replace(found[0], guard=watch), *found[1:])
        if not call.overrides:
            return judged
        return (*judged, Target(OVERRIDE_GUARD, found[0].resource, found[0].account))

    @wraps(operation.perform)
    def perform(call: Call, request: Any, *given: Target) -> Any:
        watch = given[0].guard
        if watch is None:
            return operation.perform(call, request, *given)
        asked = tuple(target for target in given if target.action != OVERRIDE_GUARD)
        for account in watch.guards:
            _take_turn(call, account)
        answer = operation.perform(call, request, *asked)
        budget, found = Budget(WORK), list[Found]()
        for account, guard in watch.guards.items():
            found += _found(account, guard, changes(call, asked, answer, guard, account), budget)
        watch.judge(call, request, found)
        return answer

    def slow(request: Any, found: tuple[Target, ...]) -> bool:
        return found[0].guard is not None or operation.slow(request, found)

    return msgspec.structs.replace(operation, targets=targets, perform=perform, slow=slow)


def _watch(call: Call, accounts: Iterable[str]) -> Watch | None:
    found = ((account, call.tx.get(GUARDS, account)) for account in accounts)
    armed = {account: guard for account, guard in found if guard is not None and guard.armed}
    return Watch(armed) if armed else None


def _take_turn(call: Call, account: str) -> None:
    """None; of two guarded calls at once, one sees what the other has done: scans are no conditions of a commit."""
    call.tx.get(GUARD_TURNS, account)
    call.tx.put(GUARD_TURNS, account, Turn(call.event_id))


def _found(account: str, guard: Guard, changes: Iterator[Changed], budget: Budget) -> Iterator[Found]:
    for changed in changes:
        modes = guard.modes(changed.after.tags)
        if changed.before is not None:
            for mode, violation in _weakened(guard, changed.before, changed.after):
                yield Found(account, mode, violation)
        kinds = [kind for kind, mode in modes.items() if mode != "off"]
        if kinds:
            for violation in violations(changed.change(), kinds, budget):
                yield Found(account, modes[violation.kind], violation)


def _weakened(guard: Guard, before: Key, after: Key) -> Iterator[tuple[Mode, Violation]]:
    """What the key is guarded against less than before, by other tags."""
    had, has = guard.modes(before.tags), guard.modes(after.tags)
    for kind, mode in had.items():
        if MODES.index(mode) > MODES.index(has[kind]):
            said = f"with these tags {after.arn} is guarded less: {mode} becomes {has[kind]}"
            yield mode, Violation(kind=kind, message=said)


def zone_of(tx: Transaction, guard: Guard, account: str) -> frozenset[str]:
    """The accounts, and the providers of identities, that are not outside."""
    zone = {account, *guard.trusted}
    own = tx.get(ACCOUNTS, account)
    if guard.trust_organization and own is not None and own.organization:
        found = tx.scan_index(ACCOUNTS, "organization", join(own.organization, ""))
        zone |= {place for _, place in found}
    return frozenset(zone)
