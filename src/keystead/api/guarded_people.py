"""What calls change of what the people of an account may do with its keys: for the account's guard.

Each key of the account is looked at for the people whose policies change; keys that no policy tells apart, once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import msgspec

from keystead.analysis.effective import Key as AnalyzedKey
from keystead.analysis.effective import Standing
from keystead.analysis.questions.change import Change
from keystead.analysis.questions.duties import MANAGE, USE
from keystead.analysis.questions.outside import names_outsiders
from keystead.analysis.resources import ResourceTest
from keystead.analysis.space import has_variables
from keystead.api.authorize import grants_on, key_policy
from keystead.api.call import Call
from keystead.api.guarding import Changed, zone_of
from keystead.api.guardrails import place_of
from keystead.api.guards import Guard
from keystead.api.people import people
from keystead.api.reading import Reading
from keystead.keys import Key
from keystead.policy import CompiledPolicy
from keystead.policy.grants import names
from keystead.policy.policyset import Level


class _People(msgspec.Struct, frozen=True):
    """The account's people before and after."""

    before: Sequence[Standing]
    after: Sequence[Standing]


def people_changes(call: Call, account: str, guard: Guard) -> Iterator[Changed]:
    """Every key of the account that a call may have made something else for somebody.

    The call has written what it changes of people, and of what binds the account, into its transaction.
    """
    before, after = call.tx.anew(), call.tx
    them = _People(people(before, account), people(after, account))
    was, now = (place_of(Reading(tx), account).control for tx in (before, after))
    zone = zone_of(after, guard, account)
    changed = [*_changed(them, zone)]
    rcps = () if was == now else tuple(policy for level in (*was, *now) for policy in level.policies)
    if not changed and not rcps:
        return
    seen = set[tuple[object, ...]]()
    for key in call.relations.keys(after, account):
        held = AnalyzedKey(
            arn=key.arn,
            account=key.account,
            policy=key_policy(key),
            grants=grants_on(call, key),
            resource_control=was,
            tags=key.tags,
        )
        alike = _alike(key, held, changed, rcps)
        if alike not in seen:
            seen.add(alike)
            yield Changed(key, key, partial(_change, held, now, them, zone))


def _change(key: AnalyzedKey, control: tuple[Level, ...], them: _People, zone: frozenset[str]) -> Change:
    return Change(
        before=key,
        after=msgspec.structs.replace(key, resource_control=control),
        people_before=them.before,
        people_after=them.after,
        zone=zone,
    )


def _changed(them: _People, zone: frozenset[str]) -> Iterator[Standing]:
    """The people of whom something changes that can matter to a key; both states of each."""
    was, has = ({one.principal.arn: one for one in some} for some in (them.before, them.after))
    for arn in {**was, **has}:
        before, after = was.get(arn), has.get(arn)
        some = [one for one in (before, after) if one is not None]
        if before is None or after is None or before.principal != after.principal:
            yield from some  # a key's own policy may speak of them
        elif before.policies != after.policies:
            yield from some if any(map(_speaks_of_keys, some)) else ()
        elif before.trust != after.trust and _opens(after, zone):
            yield from some


def _opens(role: Standing, zone: frozenset[str]) -> bool:
    return role.trust is not None and names_outsiders(role.trust, zone)


def _alike(
    key: Key, held: AnalyzedKey, changed: Sequence[Standing], rcps: Sequence[CompiledPolicy]
) -> tuple[object, ...]:
    """What tells a key from others as far as these people, and RCPs that change, are concerned."""
    granted = tuple(
        one
        for one in held.grants
        if rcps or any(names(one.grantee, person.principal, one.grantee_id) for person in changed)
    )
    policies = dict.fromkeys((*rcps, *(policy for person in changed for policy in person.policies.of_caller)))
    named = tuple(_names(policy, key.arn) for policy in policies)
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
        for policy in person.policies.of_caller
        for one in policy.statements
        for name in MANAGE | USE
    )
