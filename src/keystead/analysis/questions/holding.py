"""What one caller holds in its hands: does it have a permission of some set, and both duties of a key?

The same question as `who_can`, but it ends at the first request that answers it, so that it can be asked before a change.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import cached_property
from typing import Final

import msgspec

from keystead.analysis.addressed import about
from keystead.analysis.budget import Budget
from keystead.analysis.condition_keys import of_caller
from keystead.analysis.decode import bits, confirmed
from keystead.analysis.effective import FOR_SERVICES, Effective, Key, Standing, tags_of
from keystead.analysis.questions.duties import MANAGE, USE
from keystead.analysis.questions.who_can import allows
from keystead.analysis.solver import Box, Part, remainders
from keystead.analysis.space import ACTION
from keystead.policy.request import AuthorizationRequest, ResourceDescription, Value

_GRANTING: Final = "kms:creategrant"
_PLAIN_WORK: Final = 20
"""Of asking the evaluator once."""


class Holding:
    """What one caller may do with a key; each answer is a request that the evaluator has confirmed, or None.

    Every method may raise:
        Undecided: it is neither proven nor refuted.
        AnalysisFault: the evaluator contradicts the analysis.
    """

    def __init__(self, key: Key, standing: Standing, budget: Budget) -> None:
        self._key, self._standing, self._budget = key, standing, budget
        self._policies = msgspec.structs.replace(
            standing.policies, resource=key.policy, grants=key.grants, resource_control=key.resource_control
        )

    @cached_property
    def _effective(self) -> Effective:
        policy = about(self._key.policy, self._standing.principal)
        return Effective(msgspec.structs.replace(self._key, policy=policy), self._standing, self._budget)

    def duties(self) -> tuple[AuthorizationRequest, AuthorizationRequest] | None:
        """A request that administers the key and one that uses it, if both are allowed."""
        use = self.any_of(USE)
        manage = None if use is None else self.any_of(MANAGE)
        return None if use is None or manage is None else (manage, use)

    def any_of(self, actions: Collection[str]) -> AuthorizationRequest | None:
        """A request for one of the actions that is allowed.

        A CreateGrant that only a service can make for its resource does not count.
        """
        for action in sorted(actions):  # most people need no conditions, and then this is all
            plain = self._plain(action)
            self._budget.spend(_PLAIN_WORK)
            if allows(self._policies, plain):
                return plain
        wanted = {action.lower() for action in actions}
        members = self._effective.space.actions.members
        classes = [number for number, names in enumerate(members) if wanted & set(names)]
        left = self._left(classes)
        return confirmed(
            self._effective.space, left, lambda request: allows(self._policies, request), self._budget
        )

    @cached_property
    def _facts(self) -> dict[str, Value]:
        """What every request tells: who the caller is, and the tags that policies speak of."""
        tags = tags_of(self._key, self._standing)
        found = {name: value for name, value in tags.items() if value is not None}
        return {**found, **of_caller(self._standing.principal)}

    def _plain(self, action: str) -> AuthorizationRequest:
        """The action on the key, under circumstances of which no condition says anything."""
        caller = self._standing.principal
        return AuthorizationRequest(
            principal=caller,
            action=action,
            resource=self._key.arn,
            account=self._key.account,
            context=self._facts,
            description=ResourceDescription(trust="keyPolicy"),
        )

    def _left(self, classes: list[int]) -> Iterator[Box]:
        """What is allowed of these classes of actions."""
        wanted = sum(1 << number for number in classes)
        for way in self._effective.ways:
            for number in bits(way.box[ACTION] & wanted):
                box = (*way.box[:ACTION], 1 << number, *way.box[ACTION + 1 :])
                yield from remainders(
                    box, [*self._effective.denies, *self._for_services(number)], self._budget
                )

    def _for_services(self, number: int) -> list[Part]:
        space = self._effective.space
        if _GRANTING not in space.actions.members[number]:
            return []
        narrowed = list(space.full)
        space.narrow(narrowed, FOR_SERVICES)
        return [space.part(tuple(narrowed))]
