"""What came near: the statements and grants that speak of what was asked, and what of them did not match."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

import msgspec

from keystead.policy import grants
from keystead.policy.compiled import CompiledPolicy, compile_policy
from keystead.policy.document import EVERYONE, Condition, Statement
from keystead.policy.explain import PolicyType
from keystead.policy.policyset import Policies
from keystead.policy.principal import UNNAMED
from keystead.policy.request import AuthorizationRequest, Grant, Principal, Value
from keystead.policy.why.places import Place, only, speaking

_NAMING: Final = frozenset({"resource", "rcp", "vpcEndpoint"})
"""Types of policies whose statements name principals."""


class Unmet(msgspec.Struct, frozen=True):
    """An element of a statement that does not match; texts as they stand in the policy and in the request."""

    element: str
    wanted: str
    seen: str


class Considered(msgspec.Struct, frozen=True):
    """A statement that speaks of the action: a Deny that applies, or an Allow that does not, and why not.

    Of a grant, `policy` is the id, and there is no statement.
    """

    policy_type: PolicyType
    policy: str | None
    statement: int | None
    sid: str | None
    effect: str
    unmet: tuple[Unmet, ...] = ()


def near(request: AuthorizationRequest, policies: Policies) -> tuple[Considered, ...]:
    """The Deny statements that apply, the Allow statements that speak of the action, and the caller's grants of it."""
    rows = [_of_statement(request, place) for place in speaking(request, policies)]
    told = [row for row in rows if row.effect == "Allow" or not row.unmet]
    return (*told, *(_of_grant(request, grant) for grant in near_grants(request, policies)))


def near_grants(request: AuthorizationRequest, policies: Policies) -> Iterator[Grant]:
    """The grants to the caller that are about the operation."""
    operation = grants.operation_of(request.action)
    for grant in policies.grants:
        named_so = grants.names(grant.grantee, request.principal, grant.grantee_id)
        if named_so != UNNAMED and operation in grant.operations and grants.counts(grant, request):
            yield grant


def _of_grant(request: AuthorizationRequest, grant: Grant) -> Considered:
    unmet = () if grants.permits(grant, request) != UNNAMED else tuple(_unmet_terms(request, grant))
    return Considered("grant", grant.grant_id, None, None, "Allow", unmet)


def _unmet_terms(request: AuthorizationRequest, grant: Grant) -> Iterator[Unmet]:
    """The constraints of a grant that does not permit the request; of CreateGrant, what its child must keep to."""
    terms = grant.constraints
    seen = json.dumps(dict(request.encryption_context)) if request.encryption_context else "absent"
    if grants.operation_of(request.action) == "CreateGrant" and not grants.covers(grant, request.child):
        operations = " or ".join(sorted(grant.operations))
        yield Unmet("Operations and Constraints", f"no more than {operations}", "more than that")
    for name, pairs in (
        ("EncryptionContextEquals", terms.encryption_context_equals),
        ("EncryptionContextSubset", terms.encryption_context_subset),
    ):
        if pairs is not None:
            yield Unmet(f"Constraint {name}", json.dumps(dict(pairs)), seen)
    if terms.source_arn is not None:
        yield Unmet("Constraint SourceArn", terms.source_arn, shown(request.context.get("aws:sourcearn")))


def _of_statement(request: AuthorizationRequest, place: Place) -> Considered:
    statement = place.statement
    return Considered(
        place.policy_type,
        place.policy.name,
        place.position,
        statement.sid,
        statement.effect,
        tuple(unmet_by(request, place)),
    )


def unmet_by(request: AuthorizationRequest, place: Place) -> Iterator[Unmet]:
    """The elements of the statement that do not match the request."""
    statement, policy = place.statement, place.policy
    (compiled,) = compile_policy(only(policy, statement), None, policy.bound).statements
    if place.policy_type in _NAMING and compiled.name(request.principal) == UNNAMED:
        yield Unmet("Principal", _principals(statement), named(request.principal))
    if not _applies(request, policy, msgspec.structs.replace(statement, conditions=())):
        yield Unmet("Resource", _texts(statement.resources, statement.not_resources), request.resource)
    for condition in statement.conditions:
        if not _applies(request, policy, _with_only(statement, condition)):
            yield Unmet(
                f"Condition {condition.operator} {condition.key}",
                " or ".join(condition.values),
                shown(request.context.get(condition.key.lower())),
            )


def holds(request: AuthorizationRequest, place: Place, condition: Condition) -> bool:
    """Whether one condition of the statement at the place holds."""
    return _applies(request, place.policy, _with_only(place.statement, condition))


def _applies(request: AuthorizationRequest, policy: CompiledPolicy, statement: Statement) -> bool:
    (compiled,) = compile_policy(only(policy, statement), None).statements
    return compiled.applies(request)


def _with_only(statement: Statement, condition: Condition) -> Statement:
    return msgspec.structs.replace(
        statement, conditions=(condition,), resources=(EVERYONE,), not_resources=None
    )


def _texts(listed: tuple[str, ...] | None, excluded: tuple[str, ...] | None) -> str:
    if listed is not None:
        return " or ".join(listed)
    return "" if excluded is None else f"all but {' and '.join(excluded)}"


def _principals(statement: Statement) -> str:
    element = statement.principal or statement.not_principal
    if element is None:
        return ""
    names = " or ".join((*element.aws, *element.service))
    return names if statement.not_principal is None else f"all but {names}"


def named(principal: Principal) -> str:
    """How policies name the caller: a session by its role."""
    return principal.role_arn or principal.arn or principal.service


def shown(value: Value | None) -> str:
    """A context value in a sentence."""
    if value is None:
        return "absent"
    return value if isinstance(value, str) else f"[{', '.join(value)}]"
