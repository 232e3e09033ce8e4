"""What the API shows of an organization."""

from __future__ import annotations

from keystead.api import Call
from keystead.identity import Account, Organization, OrgPolicy, Unit
from keystead.identity.organization import AWS_POLICIES, RESOURCE_CONTROL, SERVICE_CONTROL
from keystead.services.organizations.access import path_to
from keystead.services.organizations.arns import node_arn, policy_arn
from keystead.services.organizations.tree import Node
from keystead.wire.models import organizations as wire

_ENABLED = "ENABLED"


def shown_organization(organization: Organization, management: Account) -> wire.Organization:
    """The organization; both policy types are available in each."""
    return wire.Organization(
        id=organization.id,
        arn=organization.arn,
        feature_set=organization.feature_set,
        master_account_arn=node_arn(organization, management.id, management.id),
        master_account_id=management.id,
        master_account_email=management.email or None,
        available_policy_types=_types((SERVICE_CONTROL, RESOURCE_CONTROL)),
    )


def shown_root(organization: Organization) -> wire.Root:
    """The root, with the policy types that are enabled in it."""
    return wire.Root(
        id=organization.root,
        arn=node_arn(organization, organization.management, organization.root),
        name="Root",
        policy_types=_types(organization.enabled),
    )


def _types(kinds: tuple[str, ...]) -> list[wire.PolicyTypeSummary]:
    return [wire.PolicyTypeSummary(type=kind, status=_ENABLED) for kind in kinds]


def shown_unit(call: Call, organization: Organization, unit: Unit) -> wire.OrganizationalUnit:
    """A unit."""
    return wire.OrganizationalUnit(
        id=unit.id,
        arn=node_arn(organization, organization.management, unit.id),
        name=unit.name,
        path=path_to(call, organization, unit.id),
    )


def shown_account(call: Call, organization: Organization, account: Account) -> wire.Account:
    """A member account."""
    return wire.Account(
        id=account.id,
        arn=node_arn(organization, organization.management, account.id),
        email=account.email or None,
        name=account.name,
        status=account.status,
        state=account.status,
        paths=[path_to(call, organization, account.id)],
        joined_method=account.joined_method,
        joined_timestamp=account.joined,
    )


def shown_summary(organization: Organization, policy: OrgPolicy) -> wire.PolicySummary:
    """A policy without its content."""
    return wire.PolicySummary(
        id=policy.id,
        arn=policy_arn(organization, organization.management, policy.id, policy),
        name=policy.name,
        description=policy.description,
        type=policy.type,
        aws_managed=policy.id in AWS_POLICIES,
    )


def shown_policy(organization: Organization, policy: OrgPolicy) -> wire.Policy:
    """A policy with its content, as it was put."""
    return wire.Policy(policy_summary=shown_summary(organization, policy), content=policy.content)


def shown_target(organization: Organization, node: Node) -> wire.PolicyTargetSummary:
    """A node that a policy is attached to."""
    return wire.PolicyTargetSummary(
        target_id=node.id,
        arn=node_arn(organization, organization.management, node.id),
        name=node.name,
        type=node.kind,
    )
