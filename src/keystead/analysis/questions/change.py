"""A change of a key, or of the people who may use it: both states, whom it concerns, and what it would break."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final, Literal

import msgspec

from keystead.analysis.account import entries_of, named
from keystead.analysis.addressed import Addressed, addressed
from keystead.analysis.effective import Key, Standing
from keystead.analysis.questions.duties import MANAGE, USE
from keystead.analysis.questions.zone import controls
from keystead.analysis.settled import known_tags, mentioned
from keystead.arn import account_in
from keystead.policy import grants
from keystead.policy.compiled import CompiledPolicy, CompiledStatement
from keystead.policy.principal import ACCOUNT
from keystead.policy.request import AuthorizationRequest, Principal

Kind = Literal["outside", "public", "duties", "lockout"]
KINDS: Final[tuple[Kind, ...]] = ("outside", "public", "duties", "lockout")


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


def same_key(change: Change) -> bool:
    """Whether the change leaves the key's side as it is."""
    before, after = change.before, change.after
    return before is not None and before.grants == after.grants and same_policy(change)


def same_policy(change: Change) -> bool:
    """Whether the key's policy says the same as before, within the same RCPs."""
    before, after = change.before, change.after
    return (
        before is not None
        and before.policy.document == after.policy.document
        and before.policy.bound == after.policy.bound
        and before.resource_control == after.resource_control
        and (
            before.tags == after.tags or not speaks_of_tags((after.policy, *controls(after.resource_control)))
        )
    )


def alike(was: Standing, now: Standing) -> bool:
    """Whether both are the same caller with the same policies, whoever may take it on."""
    return was.principal == now.principal and was.policies == now.policies


def speaks_of_tags(policies: Iterable[CompiledPolicy]) -> bool:
    """Whether what one of them says depends on the key's tags."""
    known = known_tags({})
    return any(known.speaks_of(key) for policy in policies for key in mentioned(policy))


# ---------------------------------------------------------------------- who is looked at


def everybody(key: Key, people: Sequence[Standing]) -> Iterator[Standing]:
    """The account's people, and whom else policy and grants name."""
    yield from people
    roles = {_role(one.principal.role_arn): one for one in people if one.principal.role_arn}
    known = {name_of(one.principal) for one in people}
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
    return f"{account_in(arn)}/{arn.rpartition('/')[2]}" if arn else ""


def name_of(caller: Principal) -> str:
    """The caller's name, for a session that of its role."""
    return caller.role_arn or caller.arn or caller.service


class Touched:
    """What of a key a change is about, to tell whom it concerns."""

    def __init__(self, change: Change) -> None:
        before, after = change.before, change.after
        self._everybody = before is None or (
            (before.policy.bound, before.policy.document.version, before.resource_control)
            != (after.policy.bound, after.policy.document.version, after.resource_control)
        )
        self._tags = before is not None and before.tags != after.tags
        self._policy = after.policy
        keys = () if before is None or self._everybody else (before, after)
        self._statements = Addressed(_changed(*(one.policy for one in keys)))
        kept = frozenset[str].intersection(
            *(frozenset(g.grant_id for g in one.grants) for one in keys or (after,))
        )
        self._grants = [grant for one in keys for grant in one.grants if grant.grant_id not in kept]

    def concerns(self, standing: Standing) -> bool:
        """Whether a statement, grant or tag that changes concerns the caller."""
        caller = standing.principal
        return (
            self._everybody
            or any(one.name(caller) or one.not_principal for one in self._statements.of(caller))
            or any(grants.names(one.grantee, caller, one.grantee_id) for one in self._grants)
            or (self._tags and speaks_of_tags((self._policy, *standing.policies.of_caller)))
        )


def _changed(*both: CompiledPolicy) -> Iterator[tuple[CompiledPolicy, CompiledStatement]]:
    """The statements that only one of two policies has."""
    if len(set(both)) < 2:  # noqa: PLR2004 - both are one
        return
    written = [set(policy.document.statements) for policy in both]
    for policy in both:
        for one in policy.statements:
            if not all(policy.document.statements[one.index] in each for each in written):
                yield policy, one


def possible(key: Key, standing: Standing) -> frozenset[str]:
    """The operations that some statement or grant may allow the caller; all conditions aside, so never too few."""
    caller, held = standing.principal, standing.policies
    alone, together = set[str](), set[str]()
    speaks = _speaks(key.policy)
    for one in addressed(key.policy).of(caller):
        ways = one.name(caller)
        if ways and one.effect == "Allow":
            own = caller.account in ("", key.account) and ways & ~ACCOUNT
            (alone if own else together).update(speaks[one.index])
            if own and ways & ACCOUNT:
                together |= speaks[one.index]
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
        one.index: _matched(policy.document.statements[one.index].actions, one)
        for one in policy.statements
        if one.effect == "Allow"
    }


_matches: Final[dict[tuple[str, ...], frozenset[str]]] = {}
"""The operations that lists of actions match; policies repeat the same few."""


def _matched(actions: tuple[str, ...] | None, one: CompiledStatement) -> frozenset[str]:
    known = None if actions is None else _matches.get(actions)
    if known is not None:
        return known
    found = frozenset(name for name, lower in _LOWER if one.action(lower))
    if actions is not None and len(_matches) < _MOST_MATCHES:
        _matches[actions] = found
    return found


_MOST_MATCHES: Final = 4096
_LOWER: Final = tuple((name, name.lower()) for name in sorted(MANAGE | USE))


@lru_cache(4096)
def _all(policy: CompiledPolicy) -> frozenset[str]:
    return frozenset().union(*_speaks(policy).values())
