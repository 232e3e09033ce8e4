"""From a request to what it is about: the permissions that an operation needs, as data.

A target is never missing: what does not exist has the ARN that it would have. Source: Service Authorization
Reference, "Actions, resources, and condition keys for AWS Organizations".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from keystead.api import Call, Target
from keystead.api.operation import Targets
from keystead.services.organizations.access import organization_of
from keystead.services.organizations.arns import handshake_arn, node_arn, policy_arn
from keystead.services.organizations.tree import node_at, policy_with
from keystead.wire.models import organizations as wire

FactValues = dict[str, str | list[str]]
Facts = Callable[[Call, Any], FactValues]


def on_any(action: str, facts: Facts | None = None) -> Targets:
    """The target of an operation that is about no one thing: resource `*`."""
    return _on(action, lambda _call, _request: ("*", {}), facts)


def on_node(action: str, attribute: str, facts: Facts | None = None) -> Targets:
    """The root, unit or account that the request's `attribute` names."""
    return _on(action, lambda call, request: _node(call, getattr(request, attribute) or ""), facts)


def on_policy(action: str, facts: Facts | None = None) -> Targets:
    """The policy that `request.policy_id` names."""
    return _on(action, lambda call, request: _policy(call, request.policy_id or ""), facts)


def on_attachment(action: str) -> Targets:
    """The policy, and the node that it is put on or taken off: both permissions are needed."""
    policy, node = on_policy(action, _type_of_policy), on_node(action, "target_id", _type_of_policy)
    return lambda call, request: (*policy(call, request), *node(call, request))


def on_tagged(action: str, facts: Facts | None = None) -> Targets:
    """The node or policy that `request.resource_id` names."""
    return _on(action, _tagged, facts)


def on_invited(action: str, facts: Facts | None = None) -> Targets:
    """The account that an invitation goes to; an address stands for any."""

    def place(call: Call, request: Any) -> tuple[str, FactValues]:
        party = request.target
        named = party.id if party is not None and party.type == "ACCOUNT" else "*"
        return node_arn(organization_of(call), call.account, named or "*"), {}

    return _on(action, place, facts)


def on_handshake(action: str) -> Targets:
    """The handshake that `request.handshake_id` names."""

    def place(call: Call, request: Any) -> tuple[str, FactValues]:
        return handshake_arn(organization_of(call), call.account, request.handshake_id or ""), {}

    return _on(action, place, None)


def with_tags(targets: Targets) -> Targets:
    """`targets`, and TagResource on the same where the request has tags."""

    def both(call: Call, request: Any) -> tuple[Target, ...]:
        found = targets(call, request)
        if not request.tags:
            return found
        facts = {**(found[0].facts or {}), **request_tags(call, request)}
        tagging = Target("organizations:TagResource", found[0].resource, call.account, facts=facts)
        return (*found, tagging)

    return both


# ------------------------------------------------------------------------------------ facts


def request_tags(_call: Call, request: Any) -> FactValues:
    """`aws:RequestTag/…` and `aws:TagKeys` of a request's `tags`."""
    given: Sequence[wire.Tag] = request.tags or ()
    facts: FactValues = {f"aws:RequestTag/{tag.key}": tag.value or "" for tag in given}
    return {**facts, "aws:TagKeys": [tag.key or "" for tag in given]} if given else facts


def tag_keys(_call: Call, request: Any) -> FactValues:
    """`aws:TagKeys` of a request that takes tags off."""
    return {"aws:TagKeys": list(request.tag_keys)} if request.tag_keys else {}


def together(*parts: Facts) -> Facts:
    """Several functions' facts as one's."""

    def facts(call: Call, request: Any) -> FactValues:
        return {name: value for part in parts for name, value in part(call, request).items()}

    return facts


def policy_type(attribute: str) -> Facts:
    """`organizations:PolicyType`, which the request's `attribute` says."""

    def facts(_call: Call, request: Any) -> FactValues:
        kind = getattr(request, attribute)
        return {"organizations:PolicyType": kind} if kind else {}

    return facts


def _type_of_policy(call: Call, request: Any) -> FactValues:
    organization = organization_of(call)
    found = policy_with(call.tx, organization, request.policy_id or "") if organization is not None else None
    return {"organizations:PolicyType": found.type} if found is not None else {}


# ----------------------------------------------------------------------------------- places


def _on(action: str, place: Callable[[Call, Any], tuple[str, FactValues]], facts: Facts | None) -> Targets:
    permission = f"organizations:{action}"

    def targets(call: Call, request: Any) -> tuple[Target, ...]:
        resource, known = place(call, request)
        given = {**known, **facts(call, request)} if facts is not None else known
        return (Target(permission, resource, call.account, facts=given),)

    return targets


def _node(call: Call, node: str) -> tuple[str, FactValues]:
    organization = organization_of(call)
    found = node_at(call.tx, organization, node) if organization is not None else None
    return node_arn(organization, call.account, node), _resource_tags(found.tags if found else {})


def _policy(call: Call, policy: str) -> tuple[str, FactValues]:
    organization = organization_of(call)
    found = policy_with(call.tx, organization, policy) if organization is not None else None
    kind = {"organizations:PolicyType": found.type} if found is not None else {}
    return policy_arn(organization, call.account, policy, found), {
        **_resource_tags(found.tags if found else {}),
        **kind,
    }


def _tagged(call: Call, request: Any) -> tuple[str, FactValues]:
    named = request.resource_id or ""
    return _policy(call, named) if named.startswith("p-") else _node(call, named)


def _resource_tags(tags: Mapping[str, str]) -> FactValues:
    return {f"aws:ResourceTag/{key}": value for key, value in tags.items()}
