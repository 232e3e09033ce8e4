"""Who can do what with a key, why, and under which conditions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from keystead.analysis.actions import spelt
from keystead.analysis.budget import Budget
from keystead.analysis.condition_keys import CALLER_KEYS
from keystead.analysis.decode import bits, confirmed
from keystead.analysis.effective import FOR_SERVICES, Effective, Key, Source, Standing, Way
from keystead.analysis.solver import Box, remainders
from keystead.analysis.space import ACTION
from keystead.policy.document import Condition
from keystead.policy.evaluate import decide
from keystead.policy.policyset import Policies
from keystead.policy.request import AuthorizationRequest, ChildGrant


class Allowed(msgspec.Struct, frozen=True):
    """One way in of one caller: the operations, what allows them, and a request that shows each."""

    standing: Standing
    operations: tuple[str, ...]
    sources: tuple[Source, ...]
    witnesses: tuple[AuthorizationRequest, ...]

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """The conditions of what allows them, but for those that the caller decides by being who it is."""
        found = (
            one for source in self.sources for one in source.conditions if one.key.lower() not in CALLER_KEYS
        )
        return tuple(dict.fromkeys(found))


def who_can(key: Key, standings: Sequence[Standing]) -> Iterator[Allowed]:
    """Every way in of each caller.

    Raises:
        Undecided: it is not known of one of them.
        AnalysisFault: the evaluator contradicts the analysis.
    """
    for standing in standings:
        yield from _of(Effective(key, standing, budget := Budget()), standing, budget)


def _of(effective: Effective, standing: Standing, budget: Budget) -> Iterator[Allowed]:
    told: dict[tuple[Source, ...], dict[str, AuthorizationRequest]] = {}
    for way in effective.ways:
        for number in bits(way.box[ACTION]):
            operations = [spelt(one) for one in effective.space.actions.members[number]]
            witness = _witness(effective, _narrowed(effective, way, number), budget)
            if witness is not None:
                known = told.setdefault(way.sources, {})
                for operation in operations:
                    known.setdefault(operation, witness)
    for sources, found in told.items():
        names = tuple(sorted(found))
        yield Allowed(standing, names, sources, tuple(found[name] for name in names))


def _narrowed(effective: Effective, way: Way, number: int) -> list[Box]:
    """The way for one class of actions; a CreateGrant that is not for a service first, where there is one."""
    box = (*way.box[:ACTION], 1 << number, *way.box[ACTION + 1 :])
    if "kms:creategrant" not in effective.space.actions.members[number]:
        return [box]
    narrowed = list(effective.space.full)
    effective.space.narrow(narrowed, FOR_SERVICES)
    return [*remainders(box, [effective.space.part(tuple(narrowed))], Budget()), box]


def _witness(effective: Effective, boxes: Sequence[Box], budget: Budget) -> AuthorizationRequest | None:
    left = (one for box in boxes for one in remainders(box, effective.denies, budget))
    return confirmed(effective.space, left, lambda request: allows(effective.policies, request), budget)


def allows(policies: Policies, request: AuthorizationRequest) -> bool:
    """Whether the enforcing evaluator allows the request; a child grant is one that no parent refuses."""
    children = [ChildGrant()]
    if request.action == "kms:CreateGrant":
        children += [ChildGrant(constraints=grant.constraints) for grant in policies.grants]
    return any(decide(msgspec.structs.replace(request, child=child), policies).allowed for child in children)
