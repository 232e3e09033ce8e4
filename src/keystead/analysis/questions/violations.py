"""What a change of a key's policy or grants, or of people's policies, would break of what is to hold.

    outside   nobody from outside the zone of trust may do more than before
    public    the key is not public, if it was not before
    duties    nobody both administers and uses the key who did not before
    lockout   somebody keeps kms:PutKeyPolicy

Only what the change touches is looked at, so that the question can be asked before each change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final, Literal

import msgspec

from keystead.analysis.account import entries_of, named
from keystead.analysis.budget import Budget
from keystead.analysis.effective import Key, Standing
from keystead.analysis.questions.duties import MANAGE, USE
from keystead.analysis.questions.holding import Holding
from keystead.analysis.questions.opened import opened
from keystead.analysis.questions.public import public_access
from keystead.analysis.report import sentence, who
from keystead.analysis.space import Universe
from keystead.errors import AnalysisFault, Undecided
from keystead.policy import grants
from keystead.policy.compiled import CompiledPolicy
from keystead.policy.document import EVERYONE, Statement
from keystead.policy.evaluate import decide
from keystead.policy.explain import DecidedBy
from keystead.policy.principal import ACCOUNT
from keystead.policy.request import AuthorizationRequest, Principal

Kind = Literal["outside", "public", "duties", "lockout"]
KINDS: Final[tuple[Kind, ...]] = ("outside", "public", "duties", "lockout")

_PUT: Final = "kms:PutKeyPolicy"
_MOST_TOLD: Final = 3
"""Violations of one kind that are told: one is enough to refuse."""


class Violation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """One thing that the change would break; `witness` is a request that shows it, confirmed by the evaluator.

    Without one it is not proven that nothing is broken, and `message` says why.
    """

    kind: Kind
    message: str
    policy: str | None = None
    statement: int | None = None
    sid: str | None = None
    grant_id: str | None = None
    witness: AuthorizationRequest | None = None


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A key before (None: there is none) and after, and the account's people before and after."""

    before: Key | None
    after: Key
    people_before: Sequence[Standing]
    people_after: Sequence[Standing]
    zone: frozenset[str]


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


def _same_key(change: Change) -> bool:
    before, after = change.before, change.after
    return before is not None and before.grants == after.grants and _same_policy(change)


def _same_policy(change: Change) -> bool:
    before, after = change.before, change.after
    return before is not None and (before.policy.document, before.policy.bound) == (
        after.policy.document,
        after.policy.bound,
    )


# ------------------------------------------------------------------- from outside, public


def _outside(change: Change, budget: Budget) -> Iterator[Violation]:
    if _same_key(change) or not _names_outsiders(change.after, change.zone):
        return
    for one in opened(change.before, change.after, change.zone, budget)[:_MOST_TOLD]:
        by = f"grant {one.grant_id}" if one.grant_id else _statement("the key policy", one.statement, one.sid)
        yield Violation(
            kind="outside",
            message=f"new access from outside by {by}: {sentence(one.witness)}",
            statement=one.statement,
            sid=one.sid,
            grant_id=one.grant_id,
            witness=one.witness,
        )


def _public(change: Change, budget: Budget) -> Iterator[Violation]:
    if _same_policy(change) or not _names_everybody(change.after.policy):
        return
    found = public_access(change.after.policy, Universe(kms_only=True, resource=change.after.arn), budget)
    if not found:
        return
    before = change.before
    if before is not None and public_access(before.policy, Universe(kms_only=True), budget):
        anew = {one.statement for one in opened(before, change.after, change.zone, budget)}
        found = tuple(one for one in found if one.statement in anew)
    for one in found[:_MOST_TOLD]:
        yield Violation(
            kind="public",
            message=f"public access by {_statement('the key policy', one.statement, one.sid)}: "
            f"{sentence(one.witness)}",
            statement=one.statement,
            sid=one.sid,
            witness=one.witness,
        )


def _names_everybody(policy: CompiledPolicy) -> bool:
    """Whether an Allow statement may name callers whose accounts it does not name."""
    return any(
        one.not_principal is not None or (one.principal is not None and EVERYONE in one.principal.aws)
        for one in policy.document.statements
        if one.effect == "Allow"
    )


def _names_outsiders(key: Key, zone: frozenset[str]) -> bool:
    """Whether an Allow statement or grant may name a caller of an account that is not in the zone."""
    entries = [
        entry
        for one in key.policy.document.statements
        if one.effect == "Allow" and one.principal is not None
        for entry in one.principal.aws
    ]
    entries += [grant.grantee for grant in key.grants if grant.grantee.startswith("arn:")]
    return _names_everybody(key.policy) or any(_account(entry) not in zone for entry in entries)


def _account(entry: str) -> str:
    parts = entry.split(":", 5)
    return parts[4] if len(parts) == 6 else entry  # noqa: PLR2004 - an ARN's parts


# -------------------------------------------------------------------------------- duties


def _duties(change: Change, budget: Budget) -> Iterator[Violation]:
    before = {_name(one.principal): one for one in change.people_before}
    told = 0
    for standing in _everybody(change.after, change.people_after):
        caller = standing.principal
        was = before.get(_name(caller), standing if standing.assumed else None)
        if caller.type == "root" or (was == standing and not _touched(change, caller)):
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
    possible = _possible(key, standing)
    if not possible & MANAGE or not possible & USE:
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
    if _same_policy(change) and change.people_before == change.people_after:
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
        if _PUT in _possible(key, standing):
            found = Holding(key, standing, budget).any_of((_PUT,))
            if found is not None:
                return found
    return None


# ---------------------------------------------------------------------- who is looked at


def _everybody(key: Key, people: Sequence[Standing]) -> Iterator[Standing]:
    """The account's people, and whom else policy and grants name."""
    yield from people
    roles = {_role(one.principal.role_arn): one for one in people if one.principal.role_arn}
    known = {_name(one.principal) for one in people}
    for entry in sorted(entries_of(key) - known):
        for one in named(entry, key.account):
            caller = one.principal
            role = roles.get(_role(caller.role_arn))
            if role is not None:  # one session of a role of the account
                yield msgspec.structs.replace(
                    role, principal=msgspec.structs.replace(role.principal, arn=caller.arn)
                )
            else:
                bound = key.policy.bound.get(entry, "")
                yield msgspec.structs.replace(one, principal=msgspec.structs.replace(caller, unique_id=bound))


def _role(arn: str) -> str:
    """Account and name of a role; sessions do not tell its path."""
    return f"{arn.split(':')[4]}/{arn.rpartition('/')[2]}" if arn else ""


def _name(caller: Principal) -> str:
    return caller.role_arn or caller.arn or caller.service


def _touched(change: Change, caller: Principal) -> bool:
    """Whether a statement or grant that changes concerns the caller."""
    before, after = change.before, change.after
    if before is None:
        return True
    same = set(before.policy.document.statements) & set(after.policy.document.statements)
    kept = {one.grant_id for one in before.grants} & {one.grant_id for one in after.grants}
    rebound = (before.policy.bound, before.policy.document.version) != (
        after.policy.bound,
        after.policy.document.version,
    )
    return (
        rebound
        or _spoken_of(before.policy, same, caller)
        or _spoken_of(after.policy, same, caller)
        or any(
            grants.names(one.grantee, caller, one.grantee_id)
            for one in (*before.grants, *after.grants)
            if one.grant_id not in kept
        )
    )


def _spoken_of(policy: CompiledPolicy, same: set[Statement], caller: Principal) -> bool:
    """Whether a statement that is not among these names the caller, or does not exempt it."""
    return any(
        policy.document.statements[one.index] not in same and bool(one.name(caller) or one.not_principal)
        for one in policy.statements
    )


def _possible(key: Key, standing: Standing) -> frozenset[str]:
    """The operations that some statement or grant may allow the caller; all conditions aside, so never too few."""
    caller, held = standing.principal, standing.policies
    alone, together = set[str](), set[str]()
    for one in key.policy.statements:
        ways = one.name(caller)
        if ways and one.effect == "Allow":
            own = caller.account in ("", key.account) and ways & ~ACCOUNT
            (alone if own else together).update(_speaks(key.policy)[one.index])
            if own and ways & ACCOUNT:
                together |= _speaks(key.policy)[one.index]
    identity = frozenset().union(*(_all(one) for one in (*held.identity, *held.group, *held.session)))
    found = alone | (together if caller.type == "root" else together & identity)
    for grant in key.grants:
        if grants.names(grant.grantee, caller, grant.grantee_id):
            found |= {f"kms:{operation}" for operation in grant.operations}
    return frozenset(found)


@lru_cache(4096)
def _speaks(policy: CompiledPolicy) -> Mapping[int, frozenset[str]]:
    """The operations that each Allow statement speaks of."""
    return {
        one.index: frozenset(name for name in MANAGE | USE if one.action(name.lower()))
        for one in policy.statements
        if one.effect == "Allow"
    }


def _all(policy: CompiledPolicy) -> frozenset[str]:
    return frozenset().union(*_speaks(policy).values())


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
    return _statement(name, by.statement, by.sid)


def _statement(policy: str, number: int | None, sid: str | None) -> str:
    if number is None:
        return policy
    return f"{policy}, Statement[{number}]" + (f" ({sid})" if sid else "")


_QUESTIONS: Final[dict[Kind, Callable[[Change, Budget], Iterator[Violation]]]] = {
    "outside": _outside,
    "public": _public,
    "duties": _duties,
    "lockout": _lockout,
}
