"""One simulated request: put together, decided, and taken apart for the answer."""

from __future__ import annotations

import itertools
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
from keystead.policy.explain import Outcome as Effect
from keystead.policy.guards import first_allow
from keystead.policy.policyset import applicable
from keystead.policy.readings import TooManyReadingsError, bounded, choices, strictest
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


class _Asked(msgspec.Struct, frozen=True):
    """One question of a simulation; `key` is the key of the caller's account that it is about, if it is."""

    call: Call
    scenario: Scenario
    action: str
    resource: str
    account: str
    key: Key | None


class Outcome(msgspec.Struct, frozen=True):
    """What one action on one resource comes to.

    Attributes:
        missing: condition keys that policies speak of and that have no value.
        bounded: whether the permissions boundary allows it, None without one.
        organized: whether the service control policies allow it, None without any.
        details: across accounts, what each type of policy decides by itself.
    """

    resource: str
    decision: Effect
    matched: tuple[MatchedStatement, ...]
    missing: tuple[str, ...]
    bounded: bool | None
    organized: bool | None
    details: Mapping[str, str]


def outcome(call: Call, scenario: Scenario, action: str, resource: str) -> Outcome:
    """What the evaluator says to this action on this resource, in every way to read the context and the tags.

    Raises:
        errors.InvalidInput: it is no action, or can be read in too many ways.
    """
    if not _ACTION.fullmatch(action):
        raise errors.InvalidInput(f"Invalid action: {action}")
    account = owner_of(resource) or scenario.owner or scenario.side.principal.account
    key = _own_key(call, resource) if scenario.resource_policy is None else None
    asked = _Asked(call, scenario, action, resource, account, key)
    tags = key.tags if key is not None else {}
    try:
        ways = bounded(itertools.product(choices(_given(scenario)), choices(tags)))
    except TooManyReadingsError as error:
        raise errors.InvalidInput(str(error)) from None
    return strictest([_outcome(asked, *way) for way in ways], lambda found: found.decision)


def _outcome(asked: _Asked, context: Mapping[str, Value], tags: Mapping[str, str]) -> Outcome:
    call, side, key = asked.call, asked.scenario.side, asked.key
    on_resource = _key_source(key) if key is not None else asked.scenario.resource_policy
    request = _request(asked, context, tags)
    policies = _policies(call, side, on_resource, asked.account)
    decision = decide(request, policies)
    if decision.effect == "implicitDeny" and key is not None:
        policies = msgspec.structs.replace(policies, grants=grants_on(call, key))
        decision = decide(request, policies)
    told = (*side.sources, *([on_resource] if on_resource is not None else []))
    return Outcome(
        resource=asked.resource,
        decision=decision.effect,
        matched=matched(request, decision, side.sources, on_resource),
        missing=_missing(request, asked.action, told),
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


def _request(asked: _Asked, context: Mapping[str, Value], tags: Mapping[str, str]) -> AuthorizationRequest:
    principal = asked.scenario.side.principal
    description = msgspec.structs.replace(_description(asked), tags=tags)
    facts = Facts(
        principal=principal,
        action=asked.action,
        resource=asked.resource,
        account=asked.account,
        description=description,
        given={name.lower(): value for name, value in context.items()},
    )
    return AuthorizationRequest(
        principal=principal,
        action=asked.action,
        resource=asked.resource,
        account=asked.account,
        context=DerivedContext.of(facts),
        description=description,
        encryption_context={
            name[len(_CONTEXT) :]: value
            for name, value in facts.given.items()
            if name.startswith(_CONTEXT) and isinstance(value, str)
        },
    )


def _description(asked: _Asked) -> ResourceDescription:
    where = place(asked.call, asked.account)
    if asked.key is not None:
        target = Target(asked.action, asked.resource, asked.account, asked.key)
        known = facts_of(asked.call, target).description
        return msgspec.structs.replace(known, management_account=where.management)
    # What a resource policy must say is known of keys only by their ARN here.
    keyed = (
        asked.scenario.resource_policy is not None and ":kms:" in asked.resource and ":key/" in asked.resource
    )
    return ResourceDescription(
        trust="keyPolicy" if keyed else "standard",
        org_id=where.org_id,
        org_path=where.org_path,
        management_account=where.management,
    )


def _given(scenario: Scenario) -> dict[str, Value]:
    """The context entries by name; a list's type makes the key one of several values."""
    given: dict[str, Value] = {}
    for entry in scenario.entries:
        values = tuple(entry.context_key_values or ())
        several = (entry.context_key_type or "").endswith("List") or len(values) > 1
        if values and entry.context_key_name:
            given[entry.context_key_name] = values if several else values[0]
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
