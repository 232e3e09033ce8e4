"""What a change of a key's policy or grants, or of people's policies, would break of what is to hold.

    outside   nobody from outside the zone of trust may do more than before
    public    the key is not public, if it was not before
    duties    nobody both administers and uses the key who did not before
    lockout   somebody keeps kms:PutKeyPolicy

Only what the change touches is looked at, so that the question can be asked before each change.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

import msgspec

from keystead.analysis.budget import Budget
from keystead.analysis.effective import Key, Standing
from keystead.analysis.questions.change import (
    Change,
    Kind,
    Touched,
    Violation,
    alike,
    everybody,
    name_of,
    possible,
    same_key,
    same_policy,
)
from keystead.analysis.questions.duties import MANAGE, USE
from keystead.analysis.questions.holding import Holding
from keystead.analysis.questions.opened import opened
from keystead.analysis.questions.outside import names_outsiders
from keystead.analysis.questions.public import Public, public_access
from keystead.analysis.questions.through_roles import through_roles
from keystead.analysis.questions.zone import side
from keystead.analysis.report import place, sentence, who
from keystead.analysis.space import Universe
from keystead.arn import account_in
from keystead.errors import AnalysisFault, Undecided
from keystead.policy.compiled import CompiledPolicy
from keystead.policy.document import EVERYONE
from keystead.policy.evaluate import decide
from keystead.policy.explain import DecidedBy
from keystead.policy.request import AuthorizationRequest

_PUT: Final = "kms:PutKeyPolicy"
_MOST_TOLD: Final = 3
"""Violations of one kind that are told: one is enough to refuse."""


def violations(change: Change, kinds: Iterable[Kind], budget: Budget) -> Iterator[Violation]:
    """What the change would break of these kinds; nothing proves that it breaks nothing."""
    for kind in kinds:
        try:
            yield from _QUESTIONS[kind](change, budget)
        except Undecided as error:
            yield Violation(kind=kind, message=f"it is not proven that {_HOLDS[kind]}: {error}")
        except AnalysisFault:
            yield Violation(kind=kind, message=f"it is not proven that {_HOLDS[kind]}: the analysis failed")


_HOLDS: Final[dict[Kind, str]] = {
    "outside": "nobody from outside may do more than before",
    "public": "the key is not public",
    "duties": "nobody both administers and uses the key",
    "lockout": "somebody keeps kms:PutKeyPolicy",
}


# ------------------------------------------------------------------- from outside, public


def _outside(change: Change, budget: Budget) -> Iterator[Violation]:
    yield from _by_key(change, budget)
    yield from itertools.islice(through_roles(change, budget), _MOST_TOLD)


def _by_key(change: Change, budget: Budget) -> Iterator[Violation]:
    if same_key(change) or not _names_outsiders(change.after, change.zone):
        return
    for one in opened(change.before, change.after, change.zone, budget)[:_MOST_TOLD]:
        by = f"grant {one.grant_id}" if one.grant_id else place("the key policy", one.statement, one.sid)
        yield Violation(
            kind="outside",
            message=f"new access from outside by {by}: {sentence(one.witness)}",
            statement=one.statement,
            sid=one.sid,
            grant_id=one.grant_id,
            witness=one.witness,
        )


def _public(change: Change, budget: Budget) -> Iterator[Violation]:
    if same_policy(change) or not _names_everybody(change.after.policy):
        return
    found = _public_key(change.after, budget)
    if not found:
        return
    before = change.before
    if before is not None and _public_key(before, budget):
        anew = {one.statement for one in opened(before, change.after, change.zone, budget)}
        found = tuple(one for one in found if one.statement in anew)
    for one in found[:_MOST_TOLD]:
        yield Violation(
            kind="public",
            message=f"public access by {place('the key policy', one.statement, one.sid)}: "
            f"{sentence(one.witness)}",
            statement=one.statement,
            sid=one.sid,
            witness=one.witness,
        )


def _public_key(key: Key, budget: Budget) -> tuple[Public, ...]:
    """The statements that let the public in, RCPs and the key's tags counted."""
    there = side(key)
    universe = Universe(kms_only=True, resource=key.arn, facts=there.facts)
    return public_access(there.policy, universe, budget, there.controls)


def _names_everybody(policy: CompiledPolicy) -> bool:
    """Whether an Allow statement may name callers whose accounts it does not name."""
    return any(
        one.not_principal is not None or (one.principal is not None and EVERYONE in one.principal.aws)
        for one in policy.document.statements
        if one.effect == "Allow"
    )


def _names_outsiders(key: Key, zone: frozenset[str]) -> bool:
    """Whether an Allow statement or grant may name a caller of an account that is not in the zone."""
    grantees = (account_in(grant.grantee) for grant in key.grants)
    return names_outsiders(key.policy, zone) or any(one and one not in zone for one in grantees)


# -------------------------------------------------------------------------------- duties


def _duties(change: Change, budget: Budget) -> Iterator[Violation]:
    before = {name_of(one.principal): one for one in change.people_before}
    touched, told = Touched(change), 0
    for standing in everybody(change.after, change.people_after):
        caller = standing.principal
        was = before.get(name_of(caller), standing if standing.assumed else None)
        if caller.type == "root" or (
            was is not None and alike(was, standing) and not touched.concerns(standing)
        ):
            continue
        found = _both(change.after, standing, budget)
        if found is None or (was is not None and _had_both(change, was, budget)):
            continue
        yield _violated(change, standing, *found)
        told += 1
        if told == _MOST_TOLD:
            return


def _had_both(change: Change, standing: Standing, budget: Budget) -> bool:
    return change.before is not None and _both(change.before, standing, budget) is not None


def _both(
    key: Key, standing: Standing, budget: Budget
) -> tuple[AuthorizationRequest, AuthorizationRequest] | None:
    there = possible(key, standing)
    if not there & MANAGE or not there & USE:
        return None
    return Holding(key, standing, budget).duties()


def _violated(
    change: Change, standing: Standing, manage: AuthorizationRequest, use: AuthorizationRequest
) -> Violation:
    by = _deciding(change, standing, manage)
    return Violation(
        kind="duties",
        message=f"{who(standing.principal)} would both administer and use the key: {sentence(manage)}, "
        f"by {_decided(by)}, and {use.action}, by {_decided(_deciding(change, standing, use))}",
        policy=by.policy,
        statement=by.statement,
        sid=by.sid,
        grant_id=by.grant_id,
        witness=manage,
    )


# ------------------------------------------------------------------------------- lock-out


def _lockout(change: Change, budget: Budget) -> Iterator[Violation]:
    if same_policy(change) and change.people_before == change.people_after:
        return
    if _keeper(change.after, change.people_after, budget) is not None:
        return
    before = change.before
    witness = None if before is None else _keeper(before, change.people_before, budget)
    if before is not None and witness is None:
        return
    lost = "" if witness is None else f"; now {sentence(witness)}"
    yield Violation(kind="lockout", message=f"nobody would keep {_PUT}{lost}", witness=witness)


def _keeper(key: Key, people: Sequence[Standing], budget: Budget) -> AuthorizationRequest | None:
    """A request of somebody in the key's account who may change its policy; the root user is asked first."""
    for standing in sorted(people, key=lambda one: one.principal.type != "root"):
        if _PUT in possible(key, standing):
            found = Holding(key, standing, budget).any_of((_PUT,))
            if found is not None:
                return found
    return None


# ---------------------------------------------------------------------------- what is told


def _deciding(change: Change, standing: Standing, request: AuthorizationRequest) -> DecidedBy:
    """What allows the request, by the enforcing evaluator."""
    policies = msgspec.structs.replace(
        standing.policies,
        resource=change.after.policy,
        grants=change.after.grants,
        resource_control=change.after.resource_control,
    )
    return decide(request, policies).decided_by


def _decided(by: DecidedBy) -> str:
    if by.policy_type == "grant":
        return f"grant {by.grant_id}"
    name = "the key policy" if by.policy_type == "resource" else f"the {by.policy_type} policy {by.policy}"
    return place(name, by.statement, by.sid)


_QUESTIONS: Final[dict[Kind, Callable[[Change, Budget], Iterator[Violation]]]] = {
    "outside": _outside,
    "public": _public,
    "duties": _duties,
    "lockout": _lockout,
}
