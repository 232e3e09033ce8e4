"""One simulated request: put together, decided, and taken apart for the answer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from keystead import errors
from keystead.api import Call, Target
from keystead.api.authorize import grants_on, key_policy
from keystead.api.condition_keys import facts_of
from keystead.keys import Key
from keystead.policy import (
    AuthorizationRequest,
    CompiledPolicy,
    Decision,
    DerivedContext,
    Facts,
    Policies,
    ResourceDescription,
    Value,
    decide,
)
from keystead.policy.guards import first_allow
from keystead.policy.policyset import applicable
from keystead.services.iam.context_keys import keys_for_action
from keystead.services.iam.matched import MatchedStatement, matched
from keystead.services.iam.simulation import CallerSide, Source, owner_of, place
from keystead.wire.models import iam as wire

_ACTION: Final = re.compile(r"[A-Za-z0-9-]+:[A-Za-z0-9]+", re.ASCII)
_CONTEXT: Final = "kms:encryptioncontext:"


class Scenario(msgspec.Struct, frozen=True):
    """What all requests of one simulation share; `owner` is the account of resources that name none."""

    side: CallerSide
    entries: tuple[wire.ContextEntry, ...]
    resource_policy: Source | None
    owner: str


class Outcome(msgspec.Struct, frozen=True):
    """What one action on one resource comes to.

    Attributes:
        missing: condition keys that policies speak of and that have no value.
        bounded: whether the permissions boundary allows it, None without one.
        organized: whether the service control policies allow it, None without any.
        details: across accounts, what each type of policy decides by itself.
    """

    resource: str
    decision: str
    matched: tuple[MatchedStatement, ...]
    missing: tuple[str, ...]
    bounded: bool | None
    organized: bool | None
    details: Mapping[str, str]


def outcome(call: Call, scenario: Scenario, action: str, resource: str) -> Outcome:
    """What the evaluator says to this action on this resource.

    Raises:
        errors.InvalidInput: it is no action.
    """
    if not _ACTION.fullmatch(action):
        raise errors.InvalidInput(f"Invalid action: {action}")
    side = scenario.side
    account = owner_of(resource) or scenario.owner or side.principal.account
    key = _own_key(call, resource) if scenario.resource_policy is None else None
    on_resource = _key_source(key) if key is not None else scenario.resource_policy
    request = _request(call, scenario, action, resource, account, key)
    policies = _policies(call, side, on_resource, account)
    decision = decide(request, policies)
    if decision.effect == "implicitDeny" and key is not None:
        policies = msgspec.structs.replace(policies, grants=grants_on(call, key))
        decision = decide(request, policies)
    told = (*side.sources, *([on_resource] if on_resource is not None else []))
    return Outcome(
        resource=resource,
        decision=decision.effect,
        matched=matched(request, decision, side.sources, on_resource),
        missing=_missing(request, action, told),
        bounded=_within(request, side.boundary) if side.boundary is not None else None,
        organized=_organized(request, policies),
        details=_details(request, decision, policies),
    )


# ------------------------------------------------------------------------------------- request


def _own_key(call: Call, resource: str) -> Key | None:
    """The key of the caller's account with this ARN; another account's is none of the caller's business."""
    key = call.relations.key(call.tx, resource)
    return key if key is not None and key.account == call.account else None


def _key_source(key: Key) -> Source:
    return Source(key.arn, "resource", key.policy, key_policy(key))


def _request(
    call: Call, scenario: Scenario, action: str, resource: str, account: str, key: Key | None
) -> AuthorizationRequest:
    principal = scenario.side.principal
    given = _given(scenario)
    where = place(call, account)
    if key is not None:
        description = facts_of(call, Target(action, resource, account, key)).description
    else:
        # What a resource policy must say is known of keys only by their ARN here.
        keyed = scenario.resource_policy is not None and ":kms:" in resource and ":key/" in resource
        description = ResourceDescription(
            trust="keyPolicy" if keyed else "standard", org_id=where.org_id, org_path=where.org_path
        )
    description = msgspec.structs.replace(description, management_account=where.management)
    facts = Facts(
        principal=principal,
        action=action,
        resource=resource,
        account=account,
        description=description,
        given=given,
    )
    return AuthorizationRequest(
        principal=principal,
        action=action,
        resource=resource,
        account=account,
        context=DerivedContext.of(facts),
        description=description,
        encryption_context={
            name[len(_CONTEXT) :]: value
            for name, value in given.items()
            if name.startswith(_CONTEXT) and isinstance(value, str)
        },
    )


def _given(scenario: Scenario) -> dict[str, Value]:
    """The context entries by lower-case key; a list's type makes the key one of several values."""
    given: dict[str, Value] = {}
    for entry in scenario.entries:
        values = tuple(entry.context_key_values or ())
        several = (entry.context_key_type or "").endswith("List") or len(values) > 1
        if values and entry.context_key_name:
            given[entry.context_key_name.lower()] = values if several else values[0]
    return given


def _policies(call: Call, side: CallerSide, on_resource: Source | None, account: str) -> Policies:
    return Policies(
        resource=on_resource.policy if on_resource is not None else None,
        identity=tuple(found.policy for found in side.sources),
        boundary=side.boundary,
        service_control=side.service_control,
        resource_control=place(call, account).resource_control,
    )


# -------------------------------------------------------------------------------------- answer


def _missing(request: AuthorizationRequest, action: str, sources: tuple[Source, ...]) -> tuple[str, ...]:
    spoken_of = {key for source in sources for key in keys_for_action(source.policy, action)}
    return tuple(sorted(key for key in spoken_of if request.context.get(key.lower()) is None))


def _within(request: AuthorizationRequest, policy: CompiledPolicy) -> bool:
    """Whether a policy without principals allows and does not deny."""
    denies = policy.for_action(request.action).denies
    return first_allow(request, policy) is not None and not any(one.applies(request) for one in denies)


def _organized(request: AuthorizationRequest, policies: Policies) -> bool | None:
    levels = applicable(request, policies).service_control
    if not levels:
        return None
    denied = any(
        one.applies(request)
        for level in levels
        for policy in level.policies
        for one in policy.for_action(request.action).denies
    )
    allowed = (any(first_allow(request, policy) for policy in level.policies) for level in levels)
    return not denied and all(allowed)


def _details(request: AuthorizationRequest, decision: Decision, policies: Policies) -> Mapping[str, str]:
    if request.principal.account == request.account or decision.decided_by.policy_type == "scp":
        return {}
    alone = msgspec.structs.replace(request, account=request.principal.account, description=_ANY)
    identity = Policies(identity=policies.identity, boundary=policies.boundary)
    return {
        "IAM Policy": decide(alone, identity).effect,
        "Resource Policy": _resource_effect(request, policies.resource),
    }


_ANY: Final = ResourceDescription()


def _resource_effect(request: AuthorizationRequest, policy: CompiledPolicy | None) -> str:
    if policy is None:
        return "implicitDeny"
    candidates = policy.for_action(request.action)
    named = [one for one in (*candidates.denies, *candidates.allows) if one.name(request.principal)]
    effects = {one.effect for one in named if one.applies(request)}
    if "Deny" in effects:
        return "explicitDeny"
    return "allowed" if "Allow" in effects else "implicitDeny"
