"""The zone of trust: the accounts within which access is nobody else's concern, and what an outsider cannot have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from keystead.analysis.compiled import boxed
from keystead.analysis.condition import Test
from keystead.analysis.effective import Key
from keystead.analysis.evaluate import denied
from keystead.analysis.settled import asked_for, known_tags, settled
from keystead.analysis.solver import Part
from keystead.analysis.space import Space
from keystead.policy.compiled import CompiledPolicy
from keystead.policy.document import Condition
from keystead.policy.guards import find_deny
from keystead.policy.policyset import Level, Policies
from keystead.policy.request import AuthorizationRequest, Value


def only_members(organization: str) -> list[Test]:
    """What holds only for callers of the organization's accounts; nothing for the empty text."""
    if not organization:
        return []
    conditions = (
        Condition("StringEquals", "aws:PrincipalOrgID", (organization,)),
        Condition("ForAnyValue:StringLike", "aws:PrincipalOrgPaths", (f"{organization}/*",)),
    )
    return [Test(condition, with_variables=False) for condition in conditions]


def held_only(space: Space, tests: Iterable[Test]) -> list[Part]:
    """What nobody has for whom a test does not hold."""
    found = []
    for test in tests:
        narrowed = list(space.full)
        space.narrow(narrowed, test)
        if all(narrowed):
            found.append(space.part(tuple(narrowed)))
    return found


def controls(levels: Iterable[Level]) -> tuple[CompiledPolicy, ...]:
    """The RCPs of all levels that deny something."""
    found = dict.fromkeys(policy for level in levels for policy in level.policies)
    return tuple(one for one in found if any(item.effect == "Deny" for item in one.statements))


def denies(policies: tuple[CompiledPolicy, ...], request: AuthorizationRequest) -> bool:
    """Whether one of these RCPs denies the request."""
    return find_deny(request, Policies(resource_control=(Level(policies),))) is not None


def denied_by(space: Space, policies: Iterable[CompiledPolicy]) -> list[Part]:
    """What these policies deny."""
    return [part for policy in policies for part in denied(space, boxed(space, policy))]


class Side(msgspec.Struct, frozen=True):
    """A key's side with what is known of its tags decided: its policy, the RCPs that deny, and the tags they speak of."""

    policy: CompiledPolicy
    controls: tuple[CompiledPolicy, ...]
    facts: Mapping[str, Value]


def side(key: Key) -> Side:
    """The key's side."""
    known, rcps = known_tags(key.tags), controls(key.resource_control)
    spoken = asked_for((key.policy, *rcps), known)
    return Side(
        settled(key.policy, known),
        tuple(settled(one, known) for one in rcps),
        {name: value for name, value in spoken.items() if value is not None},
    )
