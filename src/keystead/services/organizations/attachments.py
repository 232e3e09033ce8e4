"""AttachPolicy, DetachPolicy, ListPoliciesForTarget, ListTargetsForPolicy."""

from __future__ import annotations

from typing import Final

from keystead import errors
from keystead.api import Call, Target, operation
from keystead.identity import Organization, OrgPolicy
from keystead.identity.organization import AWS_POLICIES, RESOURCE_CONTROL
from keystead.services.organizations import limits
from keystead.services.organizations.access import managed
from keystead.services.organizations.paging import page
from keystead.services.organizations.policies import existing_policy
from keystead.services.organizations.refusals import constraint, invalid, no_target
from keystead.services.organizations.shown import shown_summary, shown_target
from keystead.services.organizations.targets import on_attachment, on_node, on_policy, policy_type
from keystead.services.organizations.tree import Node, node_at, nodes, policy_with, replace_node
from keystead.wire.models import organizations as wire

_FIXED: Final = frozenset(policy.id for policy in AWS_POLICIES.values() if policy.type == RESOURCE_CONTROL)


def _both(
    call: Call, organization: Organization, policy: str | None, target: str | None
) -> tuple[OrgPolicy, Node]:
    found = existing_policy(call, organization, policy)
    return found, _node(call, organization, target)


def _node(call: Call, organization: Organization, target: str | None) -> Node:
    node = node_at(call.tx, organization, target or "")
    if node is None:
        raise no_target()
    return node


def attached(call: Call, organization: Organization, node: Node, kind: str) -> list[OrgPolicy]:
    """The policies of one type that are attached to the node itself."""
    held = (policy_with(call.tx, organization, policy) for policy in node.policies)
    return [policy for policy in held if policy is not None and policy.type == kind]


@operation("AttachPolicy", targets=on_attachment("AttachPolicy"), changes=True)
def attach_policy(call: Call, request: wire.AttachPolicyRequest, *_targets: Target) -> None:
    """Let a policy bind the accounts of a root, a unit or one account, from the next request on."""
    organization = managed(call)
    policy, node = _both(call, organization, request.policy_id, request.target_id)
    if policy.type not in organization.enabled:
        raise errors.PolicyTypeNotEnabled("This operation can be performed only for enabled policy types.")
    if policy.id in node.policies:
        raise errors.DuplicatePolicyAttachment(
            "The selected policy is already attached to the specified target."
        )
    if len(attached(call, organization, node, policy.type)) >= limits.ATTACHED:
        raise constraint("MAX_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED")
    replace_node(call.tx, organization, node, policies=(*node.policies, policy.id))


@operation("DetachPolicy", targets=on_attachment("DetachPolicy"), changes=True)
def detach_policy(call: Call, request: wire.DetachPolicyRequest, *_targets: Target) -> None:
    """Let a policy bind a node's accounts no more; one service control policy at least stays."""
    organization = managed(call)
    policy, node = _both(call, organization, request.policy_id, request.target_id)
    if policy.id not in node.policies:
        raise errors.PolicyNotAttached("The policy isn't attached to the specified target.")
    if policy.id in _FIXED:
        raise invalid("NON_DETACHABLE_POLICY")
    if len(attached(call, organization, node, policy.type)) == 1:
        raise constraint("MIN_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED")
    left = [each for each in node.policies if each != policy.id]
    replace_node(call.tx, organization, node, policies=left)


@operation(
    "ListPoliciesForTarget",
    targets=on_node("ListPoliciesForTarget", "target_id", policy_type("filter")),
)
def list_policies_for_target(
    call: Call, request: wire.ListPoliciesForTargetRequest, _target: Target
) -> wire.ListPoliciesForTargetResponse:
    """Return a page of the policies of one type that are attached to a node itself."""
    organization = managed(call)
    found = attached(call, organization, _node(call, organization, request.target_id), request.filter or "")
    shown, token = page(call, request, found)
    return wire.ListPoliciesForTargetResponse(
        policies=[shown_summary(organization, policy) for policy in shown], next_token=token
    )


@operation("ListTargetsForPolicy", targets=on_policy("ListTargetsForPolicy"))
def list_targets_for_policy(
    call: Call, request: wire.ListTargetsForPolicyRequest, _policy: Target
) -> wire.ListTargetsForPolicyResponse:
    """Return a page of the nodes that a policy is attached to."""
    organization = managed(call)
    policy = existing_policy(call, organization, request.policy_id)
    found = [node for node in nodes(call.tx, organization) if policy.id in node.policies]
    shown, token = page(call, request, found)
    return wire.ListTargetsForPolicyResponse(
        targets=[shown_target(organization, node) for node in shown], next_token=token
    )


OPERATIONS = (attach_policy, detach_policy, list_policies_for_target, list_targets_for_policy)
