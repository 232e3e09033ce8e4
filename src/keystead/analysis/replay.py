"""Recorded use of keys, decided once more: what would be refused under other policies?

A recorded use is a request as its event tells it. Some condition keys no event tells; where a decision asks for
one of those, it is not known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, Literal

import msgspec

from keystead.analysis.condition import Test, open_variables
from keystead.policy import facts as said
from keystead.policy import variables
from keystead.policy.compiled import CompiledPolicy
from keystead.policy.context import DerivedContext
from keystead.policy.evaluate import decide
from keystead.policy.explain import DecidedBy
from keystead.policy.facts import Facts
from keystead.policy.policyset import Policies
from keystead.policy.request import (
    AuthorizationRequest,
    ChildGrant,
    Grant,
    Principal,
    ResourceDescription,
    Value,
)

Outcome = Literal["allowed", "refused", "unknown"]

UNTOLD: Final = frozenset({
    "aws:multifactorauthage", "aws:sourcearn", "aws:sourceaccount", "aws:sourceorgid", "aws:sourceorgpaths",
    "aws:federatedprovider", "aws:assumedroot", "kms:trailingdayswithoutkeyusage", "kms:resourcealiases",
})  # fmt: skip
"""Keys that a request may have had and its event does not tell."""
UNTOLD_FAMILIES: Final = ("kms:recipientattestation:", "aws:principaltag/")
_TOLD_DIRECTLY: Final = frozenset({"aws:sourceip", "aws:useragent", "aws:securetransport"})
"""Keys whose values events tell of requests that no service made for the caller."""


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """One use of a key, as events tell it; `given` by key in lower case, `parameters` by their API names."""

    caller: Principal
    action: str
    key: str
    parameters: Mapping[str, Any]
    given: Mapping[str, Value]

    @property
    def service(self) -> str:
        """The service that made the request for the caller, empty if none did."""
        through = self.given.get("kms:viaservice", "")
        return through if isinstance(through, str) else ""

    @property
    def context(self) -> dict[str, str]:
        """Its encryption context."""
        return said.encryption_context(self.action, self.parameters)


class Verdict(msgspec.Struct, frozen=True):
    """What becomes of a use, and what decided that."""

    outcome: Outcome
    decided_by: DecidedBy
    untold: tuple[str, ...] = ()


def replayed(use: Recorded, policies: Policies, description: ResourceDescription) -> Verdict:
    """What the enforcing evaluator says of the use under these policies."""
    context = _Told(use, description)
    decision = decide(_request(use, description, context), policies)
    outcome: Outcome = "unknown" if context.untold else "allowed" if decision.allowed else "refused"
    return Verdict(outcome, decision.decided_by, tuple(sorted(context.untold)))


def requested(use: Recorded, description: ResourceDescription) -> AuthorizationRequest:
    """The use as a request; what its event does not tell is absent."""
    return _request(use, description, _Told(use, description))


def _request(use: Recorded, description: ResourceDescription, context: _Told) -> AuthorizationRequest:
    child = ChildGrant()
    if use.action == "kms:CreateGrant":
        operations = said.texts(use.parameters.get("Operations"))
        child = ChildGrant(
            operations=frozenset(operations), constraints=said.constraints(use.parameters.get("Constraints"))
        )
    return AuthorizationRequest(
        principal=use.caller,
        action=use.action,
        resource=use.key,
        account=use.key.split(":")[4],
        context=context,
        description=description,
        encryption_context=use.context,
        child=child,
    )


class _Told:
    """The condition keys that an event tells; those asked for that it does not are remembered."""

    __slots__ = ("_derived", "_use", "untold")

    def __init__(self, use: Recorded, description: ResourceDescription) -> None:
        self._use = use
        self._derived = DerivedContext.of(
            Facts(
                principal=use.caller,
                action=use.action,
                resource=use.key,
                account=use.key.split(":")[4],
                description=description,
                parameters=use.parameters,
                given=use.given,
            )
        )
        self.untold = set[str]()

    def get(self, key: str, /) -> Value | None:
        """The value of the key, None if it is absent."""
        value = self._derived.get(key)
        if value is None and (key in UNTOLD or key.startswith(UNTOLD_FAMILIES) or self._through(key)):
            self.untold.add(key)
        return value

    def _through(self, key: str) -> bool:
        return key in _TOLD_DIRECTLY and bool(self._use.service)


# ------------------------------------------------------------------------- what is spoken of


def spoken(policies: Iterable[CompiledPolicy], grants: Iterable[Grant] = ()) -> frozenset[str]:
    """The condition keys, in lower case, that policies and the constraints of grants speak of."""
    found = {key for policy in policies for key in _spoken(policy)}
    for grant in grants:
        limits = grant.constraints
        if limits.encryption_context_equals is not None or limits.encryption_context_subset is not None:
            found.add("kms:encryptioncontextkeys")
        if "CreateGrant" in grant.operations:
            found.add("kms:grantoperations")
    return frozenset(found)


def _spoken(policy: CompiledPolicy) -> Iterator[str]:
    for statement in policy.document.statements:
        yield from (condition.key.lower() for condition in statement.conditions)
    yield from _variables(policy)


def _variables(policy: CompiledPolicy) -> Iterator[str]:
    """The keys whose values stand in resources and values of conditions."""
    for statement in policy.document.statements:
        texts = [*(statement.resources or ()), *(statement.not_resources or ())]
        texts += [value for condition in statement.conditions for value in condition.values]
        for text in texts:
            yield from (
                part.key for part in variables.parse(text, wild=True) if isinstance(part, variables.Variable)
            )


Judge = Callable[[str], tuple[bool, ...]]


def judges(policies: Iterable[CompiledPolicy]) -> dict[str, Judge]:
    """What the conditions of policies make of the values of each key; keys that variables join are left out.

    Values of which they make the same are alike to every statement.
    """
    tests: dict[str, list[Test]] = {}
    held = tuple(policies)
    joined = {key for policy in held for key in _variables(policy)}
    for policy in held:
        with_variables = policy.document.version == variables.VERSION_WITH_VARIABLES
        for statement in policy.document.statements:
            for condition in statement.conditions:
                test = Test(condition, with_variables)
                tests.setdefault(test.key, []).append(test)
    return {
        key: _judge(own)
        for key, own in tests.items()
        if key not in joined and not any(map(open_variables, own))
    }


def _judge(tests: list[Test]) -> Judge:
    checks = [(test.key, test.check) for test in tests]
    return lambda value: tuple([check({key: value}) for key, check in checks])


def everything(policies: Policies) -> tuple[CompiledPolicy, ...]:
    """Every policy that may have a say."""
    levels = (*policies.service_control, *policies.resource_control)
    one = (policies.resource, policies.boundary)
    return (
        *(policy for policy in one if policy is not None),
        *policies.identity,
        *policies.group,
        *policies.session,
        *(policy for level in levels for policy in level.policies),
    )
