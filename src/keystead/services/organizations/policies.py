"""CreatePolicy, UpdatePolicy, DeletePolicy, DescribePolicy, ListPolicies. Contents are kept as they are put."""

from __future__ import annotations

from typing import Final

import msgspec

from keystead import errors
from keystead.api import Call, Target, operation
from keystead.api.directory import ORG_POLICIES
from keystead.identity import Organization, OrgPolicy
from keystead.identity.organization import AWS_POLICIES
from keystead.services.organizations import limits
from keystead.services.organizations.access import managed
from keystead.services.organizations.contents import check_content
from keystead.services.organizations.organization import check_type
from keystead.services.organizations.paging import page
from keystead.services.organizations.refusals import constraint, invalid, no_policy
from keystead.services.organizations.shown import shown_policy, shown_summary
from keystead.services.organizations.tag_rules import new_tags
from keystead.services.organizations.targets import (
    on_any,
    on_policy,
    policy_type,
    request_tags,
    together,
    with_tags,
)
from keystead.services.organizations.tree import new_policy, nodes, policy_with, touch
from keystead.wire.models import organizations as wire

_DUPLICATE: Final = "A policy with the same name already exists."


def existing_policy(call: Call, organization: Organization, policy: str | None) -> OrgPolicy:
    """The organization's policy with this id, or AWS's.

    Raises:
        errors.PolicyNotFound: there is none.
    """
    found = policy_with(call.tx, organization, policy or "")
    if found is None:
        raise no_policy()
    return found


def _own_policy(call: Call, organization: Organization, policy: str | None) -> OrgPolicy:
    found = existing_policy(call, organization, policy)
    if found.id in AWS_POLICIES:
        raise invalid("IMMUTABLE_POLICY")
    return found


def _all(call: Call, organization: Organization, kind: str) -> list[OrgPolicy]:
    own = (policy for _, policy in call.tx.scan(ORG_POLICIES, f"{organization.id}/"))
    return [policy for policy in (*AWS_POLICIES.values(), *own) if policy.type == kind]


def _check_name(call: Call, organization: Organization, kind: str, name: str, but: str = "") -> None:
    if any(policy.name == name and policy.id != but for policy in _all(call, organization, kind)):
        raise errors.DuplicatePolicy(_DUPLICATE)


@operation(
    "CreatePolicy",
    targets=with_tags(on_any("CreatePolicy", together(policy_type("type"), request_tags))),
    changes=True,
)
def create_policy(
    call: Call, request: wire.CreatePolicyRequest, *_targets: Target
) -> wire.CreatePolicyResponse:
    """Make a policy, which binds nobody until it is attached."""
    organization = touch(call.tx, managed(call))
    kind, name, content = request.type or "", request.name or "", request.content or ""
    check_type(kind)
    check_content(kind, content)
    _check_name(call, organization, kind, name)
    if len(_all(call, organization, kind)) > limits.POLICIES[kind]:
        raise constraint("POLICY_NUMBER_LIMIT_EXCEEDED")
    made = new_policy(
        call.tx,
        organization,
        kind,
        name,
        content,
        entropy=call.entropy,
        description=request.description or "",
        tags=new_tags(request.tags),
    )
    return wire.CreatePolicyResponse(policy=shown_policy(organization, made))


@operation("UpdatePolicy", targets=on_policy("UpdatePolicy"), changes=True)
def update_policy(
    call: Call, request: wire.UpdatePolicyRequest, _policy: Target
) -> wire.UpdatePolicyResponse:
    """Replace what is given of a policy's name, description and content; it counts from the next request on."""
    organization = touch(call.tx, managed(call))
    policy = _own_policy(call, organization, request.policy_id)
    if request.name is not None:
        _check_name(call, organization, policy.type, request.name, but=policy.id)
    if request.content is not None:
        check_content(policy.type, request.content)
    changed = msgspec.structs.replace(
        policy,
        name=policy.name if request.name is None else request.name,
        description=policy.description if request.description is None else request.description,
        content=policy.content if request.content is None else request.content,
    )
    call.tx.put(ORG_POLICIES, f"{organization.id}/{policy.id}", changed)
    return wire.UpdatePolicyResponse(policy=shown_policy(organization, changed))


@operation("DeletePolicy", targets=on_policy("DeletePolicy"), changes=True)
def delete_policy(call: Call, request: wire.DeletePolicyRequest, _policy: Target) -> None:
    """Delete a policy that is attached to nothing."""
    organization = touch(call.tx, managed(call))
    policy = _own_policy(call, organization, request.policy_id)
    if any(policy.id in node.policies for node in nodes(call.tx, organization)):
        raise errors.PolicyInUse(
            "The policy is attached to one or more entities. You must detach it from all roots, OUs, and "
            "accounts before performing this operation."
        )
    call.tx.delete(ORG_POLICIES, f"{organization.id}/{policy.id}")


@operation("DescribePolicy", targets=on_policy("DescribePolicy"))
def describe_policy(
    call: Call, request: wire.DescribePolicyRequest, _policy: Target
) -> wire.DescribePolicyResponse:
    """Return a policy with its content."""
    organization = managed(call)
    found = existing_policy(call, organization, request.policy_id)
    return wire.DescribePolicyResponse(policy=shown_policy(organization, found))


@operation("ListPolicies", targets=on_any("ListPolicies", policy_type("filter")))
def list_policies(call: Call, request: wire.ListPoliciesRequest, _any: Target) -> wire.ListPoliciesResponse:
    """Return a page of the policies of one type."""
    organization = managed(call)
    shown, token = page(call, request, _all(call, organization, request.filter or ""))
    return wire.ListPoliciesResponse(
        policies=[shown_summary(organization, policy) for policy in shown], next_token=token
    )


OPERATIONS = (create_policy, update_policy, delete_policy, describe_policy, list_policies)
