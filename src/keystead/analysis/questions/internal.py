"""Who from inside may use a key: each user and role by all policies and grants together, once for each set of conditions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

import msgspec

from keystead.analysis.actions import spelt
from keystead.analysis.addressed import about, addressed
from keystead.analysis.budget import Budget
from keystead.analysis.condition_keys import CALLER_KEYS
from keystead.analysis.decode import bits, confirmed
from keystead.analysis.effective import ASKED, Effective, Key, Standing, Way
from keystead.analysis.questions.who_can import allows
from keystead.analysis.solver import Box, Part, remainders
from keystead.analysis.space import ACTION
from keystead.policy import grants
from keystead.policy.compiled import CompiledPolicy
from keystead.policy.document import Condition
from keystead.policy.principal import ACCOUNT
from keystead.policy.request import AuthorizationRequest


class Inside(msgspec.Struct, frozen=True):
    """What one caller may do under the same conditions, with a request that shows it for each operation.

    `conditions` are those of what allows, without those that the caller decides by being who it is.
    """

    actions: tuple[str, ...]
    conditions: tuple[Condition, ...]
    witnesses: tuple[AuthorizationRequest, ...]


def internal_access(key: Key, standing: Standing) -> tuple[Inside, ...]:
    """Every way in of one caller of which another, with no more conditions, does not hold all; none proves that it has none.

    Raises:
        Undecided: it is neither proven nor refuted.
        AnalysisFault: the evaluator contradicts the analysis.
    """
    return tuple(_Search(key, standing).found()) if _may_be(key, standing) else ()


def _may_be(key: Key, standing: Standing) -> bool:
    """Whether anything could let the caller in, all conditions and limits aside: most of an account's people it spares."""
    caller, own = standing.principal, standing.policies
    named = [one.name(caller) for one in addressed(key.policy).of(caller) if one.effect == "Allow"]
    granted = [grants.names(one.grantee, caller, one.grantee_id) for one in key.grants]
    if any(granted) or (caller.account in ("", key.account) and any(ways & ~ACCOUNT for ways in named)):
        return True
    if caller.type == "root":
        return any(named)
    return any(named) and any(map(_allows_of_kms, (*own.identity, *own.group)))


@lru_cache(4096)
def _allows_of_kms(policy: CompiledPolicy) -> bool:
    return any(
        one.effect == "Allow" and any(one.action(action) for action in ASKED) for one in policy.statements
    )


class _Search:
    """The ways of one caller to a key, those with fewest conditions first."""

    def __init__(self, key: Key, standing: Standing) -> None:
        self._budget = Budget()
        speaking = msgspec.structs.replace(key, policy=about(key.policy, standing.principal))
        self._effective = Effective(speaking, standing, self._budget)
        self._policies = msgspec.structs.replace(
            standing.policies, resource=key.policy, grants=key.grants, resource_control=key.resource_control
        )

    def found(self) -> Iterator[Inside]:
        """What is allowed, by conditions."""
        told: dict[tuple[Condition, ...], dict[str, AuthorizationRequest]] = {}
        for conditions, action, witness in self._each():
            told.setdefault(conditions, {})[action] = msgspec.structs.replace(witness, action=action)
        for conditions, operations in told.items():
            names = tuple(sorted(operations))
            yield Inside(names, conditions, tuple(operations[name] for name in names))

    def _each(self) -> Iterator[tuple[tuple[Condition, ...], str, AuthorizationRequest]]:
        ways = sorted(self._effective.ways, key=lambda way: len(_conditions(way)))
        space, told = self._effective.space, dict[int, list[Part]]()
        for way in ways:
            for number in bits(way.box[ACTION]):
                box: Box = (*way.box[:ACTION], 1 << number, *way.box[ACTION + 1 :])
                witness = self._beyond(box, told.setdefault(number, []))
                if witness is not None:
                    told[number].append(space.part(box))
                    for name in space.actions.members[number]:
                        yield _conditions(way), spelt(name), witness

    def _beyond(self, box: Box, told: Sequence[Part]) -> AuthorizationRequest | None:
        """A request that is allowed and that none of what is told already holds."""
        left = remainders(box, [*self._effective.denies, *told], self._budget)
        return confirmed(
            self._effective.space, left, lambda request: allows(self._policies, request), self._budget
        )


def _conditions(way: Way) -> tuple[Condition, ...]:
    found = (one for source in way.sources for one in source.conditions if one.key.lower() not in CALLER_KEYS)
    return tuple(sorted(dict.fromkeys(found), key=lambda one: (one.key.lower(), one.operator, one.values)))
