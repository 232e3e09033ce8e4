"""What can only refuse: explicit denies anywhere, and the guardrails that must each allow.

A Deny is looked for in every applicable policy before anything is allowed.
"""

from __future__ import annotations

from collections.abc import Iterable

from keystead.policy.compiled import CompiledPolicy, CompiledStatement
from keystead.policy.explain import PolicyType
from keystead.policy.policyset import Found, Policies
from keystead.policy.principal import UNNAMED
from keystead.policy.request import AuthorizationRequest


def find_deny(request: AuthorizationRequest, policies: Policies) -> Found | None:
    """A Deny statement that applies to the request, if there is one in any policy."""
    action, bounded = request.action, policies.boundary is not None
    policy = policies.resource
    if policy is not None and (denies := policy.for_action(action).denies):
        found = _denying_caller(request, "resource", policy, denies, bounded)
        if found is not None:
            return found
    for policy_type, policy in _of_identity(policies):
        for statement in policy.for_action(action).denies:
            if statement.applies(request):
                return Found(policy_type, policy, statement)
    if policies.resource_control or policies.vpc_endpoint:
        return _find_deny_around(request, policies, bounded)
    return None


def _of_identity(policies: Policies) -> Iterable[tuple[PolicyType, CompiledPolicy]]:
    """The policies that name no principal, each with its type."""
    found: list[tuple[PolicyType, CompiledPolicy]] = [("identity", policy) for policy in policies.identity]
    found += [("group", policy) for policy in policies.group]
    if policies.boundary is not None:
        found.append(("permissionsBoundary", policies.boundary))
    found += [("session", policy) for policy in policies.session]
    found += [("scp", policy) for level in policies.service_control for policy in level.policies]
    return found


def _find_deny_around(request: AuthorizationRequest, policies: Policies, bounded: bool) -> Found | None:
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
) -> Found | None:
    """A Deny that names the caller in any way and applies.

    A Deny with NotPrincipal always names a caller who has a permissions boundary, whoever is listed (IAM
    User Guide, "NotPrincipal").
    """
    for statement in denies:
        if statement.name is None:
            continue
        named = (bounded and statement.not_principal) or statement.name(request.principal) != UNNAMED
        if named and statement.applies(request):
            return Found(policy_type, policy, statement)
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
        statement.name is not None and statement.name(request.principal) and statement.applies(request)
        for statement in policy.for_action(request.action).allows
    )


def first_allow(request: AuthorizationRequest, policy: CompiledPolicy) -> CompiledStatement | None:
    """The first Allow of a policy without principals that applies."""
    for statement in policy.for_action(request.action).allows:
        if statement.applies(request):
            return statement
    return None
