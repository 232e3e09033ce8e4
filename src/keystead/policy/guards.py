"""What can only refuse: explicit denies anywhere, and the guardrails that must each allow.

A Deny is looked for in every applicable policy before anything is allowed.
"""

from __future__ import annotations

from collections.abc import Iterable

from keystead.policy.compiled import CompiledPolicy, CompiledStatement
from keystead.policy.explain import DecidedBy, PolicyType
from keystead.policy.policyset import Policies
from keystead.policy.principal import UNNAMED
from keystead.policy.request import AuthorizationRequest


def find_deny(request: AuthorizationRequest, policies: Policies) -> DecidedBy | None:
    """A Deny statement that applies to the request, if there is one in any policy."""
    action, bounded = request.action, policies.boundary is not None
    policy = policies.resource
    if policy is not None and (denies := policy.for_action(action).denies):
        found = _denying_caller(request, "resource", policy, denies, bounded)
        if found is not None:
            return found
    if policies.identity or policies.group or bounded or policies.session or policies.service_control:
        found = _find_deny_at_caller(request, policies)
        if found is not None:
            return found
    if policies.resource_control or policies.vpc_endpoint:
        return _find_deny_around(request, policies, bounded)
    return None


def _find_deny_at_caller(request: AuthorizationRequest, policies: Policies) -> DecidedBy | None:
    """A Deny in the policies that name no principal."""
    boundary = () if policies.boundary is None else (policies.boundary,)
    control = policies.service_control
    held: tuple[tuple[PolicyType, tuple[CompiledPolicy, ...]], ...] = (
        ("identity", policies.identity),
        ("group", policies.group),
        ("permissionsBoundary", boundary),
        ("session", policies.session),
        ("scp", tuple(policy for level in control for policy in level.policies) if control else ()),
    )
    for policy_type, of_type in held:
        for policy in of_type:
            for statement in policy.for_action(request.action).denies:
                if statement.applies(request):
                    return DecidedBy(policy_type, policy.name, statement.index, statement.sid)
    return None


def _find_deny_around(request: AuthorizationRequest, policies: Policies, bounded: bool) -> DecidedBy | None:
    around: list[tuple[PolicyType, CompiledPolicy]] = [
        ("rcp", policy) for level in policies.resource_control for policy in level.policies
    ]
    around += [("vpcEndpoint", policy) for policy in policies.vpc_endpoint]
    for policy_type, policy in around:
        denies = policy.for_action(request.action).denies
        found = _denying_caller(request, policy_type, policy, denies, bounded)
        if found is not None:
            return found
    return None


def _denying_caller(
    request: AuthorizationRequest,
    policy_type: PolicyType,
    policy: CompiledPolicy,
    denies: Iterable[CompiledStatement],
    bounded: bool,
) -> DecidedBy | None:
    """A Deny that names the caller in any way and applies.

    A Deny with NotPrincipal always names a caller who has a permissions boundary, whoever is listed (IAM
    User Guide, "NotPrincipal").
    """
    for statement in denies:
        named = (bounded and statement.not_principal) or statement.name(request.principal) != UNNAMED
        if named and statement.applies(request):
            return DecidedBy(policy_type, policy.name, statement.index, statement.sid)
    return None


def missing_guardrail(request: AuthorizationRequest, policies: Policies) -> PolicyType | None:
    """The type of guardrail in which an Allow is missing, if there is one."""
    if not (policies.resource_control or policies.service_control or policies.vpc_endpoint):
        return None
    for level in policies.resource_control:
        if not any(_admits_caller(request, policy) for policy in level.policies):
            return "rcp"
    for level in policies.service_control:
        if not any(first_allow(request, policy) is not None for policy in level.policies):
            return "scp"
    endpoint = policies.vpc_endpoint
    if endpoint and not any(_admits_caller(request, policy) for policy in endpoint):
        return "vpcEndpoint"
    return None


def _admits_caller(request: AuthorizationRequest, policy: CompiledPolicy) -> bool:
    return any(
        statement.name(request.principal) and statement.applies(request)
        for statement in policy.for_action(request.action).allows
    )


def first_allow(request: AuthorizationRequest, policy: CompiledPolicy) -> CompiledStatement | None:
    """The first Allow of a policy without principals that applies."""
    for statement in policy.for_action(request.action).allows:
        if statement.applies(request):
            return statement
    return None
