"""Which operations of IAM change what people may do with keys: for the account's guard.

Each key of the account is looked at for the people whose policies change; keys that no policy tells apart, once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Final

import msgspec

from keystead.analysis.effective import Key as AnalyzedKey
from keystead.analysis.effective import Standing
from keystead.analysis.questions.duties import MANAGE, USE
from keystead.analysis.questions.violations import Change
from keystead.analysis.resources import ResourceTest
from keystead.analysis.space import has_variables
from keystead.api import Call, Operation, Target
from keystead.api.authorize import grants_on, key_policy
from keystead.api.guarding import Changed, guarded, zone_of
from keystead.api.guardrails import place_of
from keystead.api.guards import Guard
from keystead.api.people import people
from keystead.api.reading import Reading
from keystead.keys import Key
from keystead.policy import CompiledPolicy
from keystead.policy.grants import names
from keystead.policy.policyset import Level

GUARDED: Final = frozenset({
    "AddUserToGroup", "AttachGroupPolicy", "AttachRolePolicy", "AttachUserPolicy", "CreatePolicyVersion",
    "DeleteGroupPolicy", "DeleteRole", "DeleteRolePermissionsBoundary", "DeleteRolePolicy", "DeleteUser",
    "DeleteUserPermissionsBoundary", "DeleteUserPolicy", "DetachGroupPolicy", "DetachRolePolicy",
    "DetachUserPolicy", "PutGroupPolicy", "PutRolePermissionsBoundary", "PutRolePolicy",
    "PutUserPermissionsBoundary", "PutUserPolicy", "RemoveUserFromGroup", "SetDefaultPolicyVersion",
})  # fmt: skip
"""What can give somebody more, or take from the last one who keeps a key's policy."""


def guard_of(operation: Operation) -> Operation:
    """The operation, with the guard behind it if it changes what people may do."""
    return guarded(operation, _changes) if operation.name in GUARDED else operation


class _People(msgspec.Struct, frozen=True):
    """The account's people before and after."""

    before: Sequence[Standing]
    after: Sequence[Standing]


def _changes(call: Call, _targets: tuple[Target, ...], _answer: Any, guard: Guard) -> Iterator[Changed]:
    before, after = people(call.tx.anew(), call.account), people(call.tx, call.account)
    was, has = ({one.principal.arn: one for one in some} for some in (before, after))
    changed = [one for one in before if has.get(one.principal.arn) != one]
    changed += [one for one in after if was.get(one.principal.arn) != one]
    gone = len(after) < len(before)  # a key's own policy may name who is deleted
    if not gone and not any(map(_speaks_of_keys, changed)):
        return
    them = _People(before, after)
    resource_control = place_of(Reading(call.tx), call.account).resource_control
    zone = zone_of(call.tx, guard, call.account)
    seen = set[tuple[object, ...]]()
    for key in call.relations.keys(call.tx, call.account):
        held = AnalyzedKey(
            arn=key.arn,
            account=key.account,
            policy=key_policy(key),
            grants=grants_on(call, key),
            resource_control=resource_control,
        )
        alike = _alike(key, held, changed)
        if alike not in seen:
            seen.add(alike)
            yield Changed(key, key, partial(_change, held, them, zone))


def _change(key: AnalyzedKey, them: _People, zone: frozenset[str]) -> Change:
    return Change(before=key, after=key, people_before=them.before, people_after=them.after, zone=zone)


def _alike(key: Key, held: AnalyzedKey, changed: Sequence[Standing]) -> tuple[object, ...]:
    """What tells a key from others as far as these people are concerned."""
    granted = tuple(
        one
        for one in held.grants
        if any(names(one.grantee, person.principal, one.grantee_id) for person in changed)
    )
    policies = {id(policy): policy for person in changed for policy in _held(person)}
    named = tuple(_names(policy, key.arn) for policy in policies.values())
    return key.policy, key.principals, key.region, tuple(sorted(key.tags.items())), granted, named


def _names(policy: CompiledPolicy, arn: str) -> tuple[object, ...]:
    """Which statements' resources the key is among; the key itself where that depends on variables."""
    flag = has_variables(policy)
    tests = [ResourceTest(one.resources, one.not_resources, flag) for one in policy.document.statements]
    return tuple(arn if test.has_open_variables else test.matches(arn) for test in tests)


def _speaks_of_keys(person: Standing) -> bool:
    """Whether a statement on the person's side speaks of administering or using keys."""
    return any(
        one.action(name.lower())
        for policy in _held(person)
        for one in policy.statements
        for name in MANAGE | USE
    )


def _held(person: Standing) -> Iterator[CompiledPolicy]:
    """Every policy on the person's side."""
    held = person.policies
    levels: tuple[Level, ...] = held.service_control
    yield from (*held.identity, *held.group, *held.session)
    if held.boundary is not None:
        yield held.boundary
    yield from (policy for level in levels for policy in level.policies)
