"""Which resources policies cannot tell apart by their names, so that what was decided on one holds for another."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from keystead.policy.compiled import CompiledPolicy, fixed_match
from keystead.policy.pattern import Match
from keystead.policy.policyset import Policies
from keystead.policy.variables import VERSION_WITH_VARIABLES

_MOST_TESTS: Final = 8
"""A policy that lists more resources than these is asked about each of them."""


def resource_tests(policies: Policies, action: str) -> tuple[Match, ...] | None:
    """What the policies ask of a resource's name where they speak of the action; resources that agree in all of it are alike.

    None if they ask much, or if it depends on the caller (policy variables).
    """
    tests: dict[str, Match | None] = {}
    for policy in _all_of(policies):
        with_variables = policy.document.version == VERSION_WITH_VARIABLES
        speaking = policy.for_action(action)
        for compiled in (*speaking.denies, *speaking.allows):
            statement = policy.document.statements[compiled.index]
            for entry in (*(statement.resources or ()), *(statement.not_resources or ())):
                if entry != "*":
                    tests[entry] = fixed_match(entry, with_variables)
    found = tuple(test for test in tests.values() if test is not None)
    return found if len(found) == len(tests) <= _MOST_TESTS else None


def _all_of(policies: Policies) -> Iterable[CompiledPolicy]:
    if policies.resource is not None:
        yield policies.resource
    yield from policies.of_caller
    for level in policies.resource_control:
        yield from level.policies
    yield from policies.vpc_endpoint
