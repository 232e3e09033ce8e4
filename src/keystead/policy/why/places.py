"""Statements as places in policies: found, named in a sentence, and replaced in a copy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

import msgspec

from keystead.policy.compiled import CompiledPolicy, compile_policy
from keystead.policy.document import Document, Statement
from keystead.policy.explain import PolicyType
from keystead.policy.policyset import Level, Policies
from keystead.policy.request import AuthorizationRequest


class Place(NamedTuple):
    """One statement of one policy among `Policies`."""

    policy_type: PolicyType
    policy: CompiledPolicy
    position: int
    statement: Statement


def speaking(request: AuthorizationRequest, policies: Policies) -> Iterator[Place]:
    """Every statement whose action element matches."""
    action = request.action.lower()
    for policy_type, policy in _types(policies):
        for compiled in policy.statements:
            if compiled.action(action):
                yield Place(policy_type, policy, compiled.index, policy.document.statements[compiled.index])


def _types(policies: Policies) -> Iterator[tuple[PolicyType, CompiledPolicy]]:
    for policy_type, held in (
        ("identity", policies.identity),
        ("group", policies.group),
        ("session", policies.session),
        ("vpcEndpoint", policies.vpc_endpoint),
    ):
        yield from ((policy_type, policy) for policy in held)  # type: ignore[misc]  # the literals above
    if policies.boundary is not None:
        yield "permissionsBoundary", policies.boundary
    if policies.resource is not None:
        yield "resource", policies.resource
    for level in policies.service_control:
        yield from (("scp", policy) for policy in level.policies)
    for level in policies.resource_control:
        yield from (("rcp", policy) for policy in level.policies)


# ----------------------------------------------------------------------------- replacing


def replaced(policies: Policies, place: Place, statement: Statement | None) -> Policies:
    """The policies with one statement replaced, or without it."""
    statements = list(place.policy.document.statements)
    statements[place.position : place.position + 1] = [] if statement is None else [statement]
    changed = compile_policy(only(place.policy, *statements), place.policy.name, place.policy.bound)

    def each(held: tuple[CompiledPolicy, ...]) -> tuple[CompiledPolicy, ...]:
        return tuple(changed if policy is place.policy else policy for policy in held)

    return Policies(
        resource=changed if policies.resource is place.policy else policies.resource,
        identity=each(policies.identity),
        group=each(policies.group),
        boundary=changed if policies.boundary is place.policy else policies.boundary,
        session=each(policies.session),
        service_control=tuple(Level(each(level.policies)) for level in policies.service_control),
        resource_control=tuple(Level(each(level.policies)) for level in policies.resource_control),
        vpc_endpoint=each(policies.vpc_endpoint),
        grants=policies.grants,
    )


def only(policy: CompiledPolicy, *statements: Statement) -> Document:
    """The policy's document with these statements instead of its own."""
    return msgspec.structs.replace(policy.document, statements=statements)


# -------------------------------------------------------------------------------- naming

KINDS: Final[Mapping[str, str]] = {
    "identity": "identity policy",
    "group": "group's policy",
    "permissionsBoundary": "permissions boundary",
    "session": "session policy",
    "resource": "resource policy",
    "scp": "service control policy",
    "rcp": "resource control policy",
    "vpcEndpoint": "VPC endpoint policy",
    "grant": "grant",
    "service": "service",
    "none": "policy",
}
"""What each type of policy is called in a sentence."""


def label_of(place: Place) -> str:
    """A statement's name in a sentence."""
    return label(place.policy_type, place.policy.name, place.position, place.statement.sid)


def label(policy_type: str, policy: str | None, statement: int | None, sid: str | None) -> str:
    """What a statement is called in a sentence, or a whole policy or grant."""
    whole = f"the {KINDS[policy_type]}{f' {policy}' if policy else ''}"
    if statement is None:
        return whole
    named = f' ("{sid}")' if sid else ""
    return f"statement {statement}{named} of {whole}"
