"""One decision's question with all that was asked, as a value that can be kept and decided again."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from keystead.policy.compiled import CompiledPolicy, compile_policy
from keystead.policy.document import Document
from keystead.policy.policyset import Level, Policies
from keystead.policy.request import (
    AuthorizationRequest,
    ChildGrant,
    Grant,
    Principal,
    ResourceDescription,
    Value,
)


class RecordedPolicy(msgspec.Struct, frozen=True, omit_defaults=True):
    """A policy as it was then; `bound` as in `compile_policy`."""

    name: str | None
    document: Document
    bound: dict[str, str] = {}


class RecordedPolicies(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The policies that had a say, as in `Policies`."""

    resource: RecordedPolicy | None = None
    identity: tuple[RecordedPolicy, ...] = ()
    group: tuple[RecordedPolicy, ...] = ()
    boundary: RecordedPolicy | None = None
    session: tuple[RecordedPolicy, ...] = ()
    service_control: tuple[tuple[RecordedPolicy, ...], ...] = ()
    resource_control: tuple[tuple[RecordedPolicy, ...], ...] = ()
    vpc_endpoint: tuple[RecordedPolicy, ...] = ()
    grants: tuple[Grant, ...] = ()


class RecordedRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The request, as in `AuthorizationRequest`; `context` is complete, its names in lower case."""

    principal: Principal
    action: str
    resource: str
    account: str
    context: dict[str, str | tuple[str, ...]]
    description: ResourceDescription
    grant_tokens: frozenset[str] = frozenset()
    encryption_context: dict[str, str] = {}
    child: ChildGrant = ChildGrant()
    from_ciphertext: bool = False


def record_request(request: AuthorizationRequest, context: Mapping[str, Value]) -> RecordedRequest:
    """The request with its complete context."""
    return RecordedRequest(
        principal=request.principal,
        action=request.action,
        resource=request.resource,
        account=request.account,
        context={name.lower(): value for name, value in context.items()},
        description=request.description,
        grant_tokens=request.grant_tokens,
        encryption_context=dict(request.encryption_context),
        child=request.child,
        from_ciphertext=request.from_ciphertext,
    )


def recorded_request(kept: RecordedRequest) -> AuthorizationRequest:
    """The request that was recorded."""
    return AuthorizationRequest(**{name: getattr(kept, name) for name in kept.__struct_fields__})


def record_policies(policies: Policies) -> RecordedPolicies:
    """The policies as they are now."""
    return RecordedPolicies(
        resource=_recorded(policies.resource),
        identity=_all(policies.identity),
        group=_all(policies.group),
        boundary=_recorded(policies.boundary),
        session=_all(policies.session),
        service_control=tuple(_all(level.policies) for level in policies.service_control),
        resource_control=tuple(_all(level.policies) for level in policies.resource_control),
        vpc_endpoint=_all(policies.vpc_endpoint),
        grants=policies.grants,
    )


def recorded_policies(kept: RecordedPolicies) -> Policies:
    """The policies that were recorded, compiled."""
    return Policies(
        resource=_compiled(kept.resource),
        identity=_each(kept.identity),
        group=_each(kept.group),
        boundary=_compiled(kept.boundary),
        session=_each(kept.session),
        service_control=tuple(Level(_each(level)) for level in kept.service_control),
        resource_control=tuple(Level(_each(level)) for level in kept.resource_control),
        vpc_endpoint=_each(kept.vpc_endpoint),
        grants=kept.grants,
    )


def _recorded(policy: CompiledPolicy | None) -> RecordedPolicy | None:
    if policy is None:
        return None
    return RecordedPolicy(policy.name, policy.document, dict(policy.bound))


def _all(policies: tuple[CompiledPolicy, ...]) -> tuple[RecordedPolicy, ...]:
    return tuple(RecordedPolicy(policy.name, policy.document, dict(policy.bound)) for policy in policies)


def _compiled(kept: RecordedPolicy | None) -> CompiledPolicy | None:
    return None if kept is None else compile_policy(kept.document, kept.name, kept.bound)


def _each(kept: tuple[RecordedPolicy, ...]) -> tuple[CompiledPolicy, ...]:
    return tuple(compile_policy(policy.document, policy.name, policy.bound) for policy in kept)
