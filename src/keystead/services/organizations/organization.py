"""CreateOrganization, DescribeOrganization, DeleteOrganization, ListRoots, EnablePolicyType, DisablePolicyType."""

from __future__ import annotations

from typing import Any, Final

from keystead import errors
from keystead.api import Call, Target, operation
from keystead.api.directory import ACCOUNTS, ORG_POLICIES, ORGANIZATIONS, UNITS
from keystead.identity import Organization
from keystead.identity.organization import (
    RESOURCE_CONTROL,
    SERVICE_CONTROL,
    new_organization_id,
    new_root_id,
)
from keystead.services.organizations.access import joined, managed, own_account
from keystead.services.organizations.paging import page
from keystead.services.organizations.refusals import no_account
from keystead.services.organizations.shown import shown_organization, shown_root
from keystead.services.organizations.tables import CREATIONS, HANDSHAKES
from keystead.services.organizations.targets import on_any, on_node, policy_type
from keystead.services.organizations.tree import (
    disable_type,
    enable_type,
    leave_organization,
    members,
    new_organization,
    touch,
)
from keystead.storage import Table
from keystead.wire.models import organizations as wire

_TYPES = (SERVICE_CONTROL, RESOURCE_CONTROL)
_ALL = "ALL"
_TABLES: Final[tuple[Table[Any], ...]] = (UNITS, ORG_POLICIES, CREATIONS)


@operation("CreateOrganization", targets=on_any("CreateOrganization"), changes=True)
def create_organization(
    call: Call, request: wire.CreateOrganizationRequest, _any: Target
) -> wire.CreateOrganizationResponse:
    """Make an organization that the caller's account manages; no policy type is enabled in its root yet."""
    account = own_account(call)
    if account.organization:
        raise errors.AlreadyInOrganization("The AWS account is already a member of an organization.")
    if request.feature_set not in {None, _ALL}:
        raise errors.UnsupportedOperation("Organizations with consolidated billing only are not supported.")
    made = new_organization(
        call.tx,
        organization=new_organization_id(call.entropy),
        root=new_root_id(call.entropy),
        management=account,
        now=call.now,
    )
    return wire.CreateOrganizationResponse(organization=shown_organization(made, account))


@operation("DescribeOrganization", targets=on_any("DescribeOrganization"))
def describe_organization(call: Call, _request: object, _any: Target) -> wire.DescribeOrganizationResponse:
    """Return the organization of the caller's account."""
    organization = joined(call)
    management = call.tx.get(ACCOUNTS, organization.management)
    if management is None:
        raise no_account()
    return wire.DescribeOrganizationResponse(organization=shown_organization(organization, management))


@operation("DeleteOrganization", targets=on_any("DeleteOrganization"), changes=True)
def delete_organization(call: Call, _request: object, _any: Target) -> None:
    """Delete an organization that has no member but its management account."""
    organization = managed(call)
    touch(call.tx, organization)
    if len(members(call.tx, organization)) > 1:
        raise errors.OrganizationNotEmpty(
            "To delete an organization you must first remove all member accounts (except the master)."
        )
    leave_organization(call.tx, organization, own_account(call))
    _forget(call, organization)


def _forget(call: Call, organization: Organization) -> None:
    for table in _TABLES:
        for place, _ in call.tx.scan(table, f"{organization.id}/"):
            call.tx.delete(table, place)
    for place in call.tx.find(HANDSHAKES, "organization", organization.id):
        call.tx.delete(HANDSHAKES, place)
    call.tx.delete(ORGANIZATIONS, organization.id)


@operation("ListRoots", targets=on_any("ListRoots"))
def list_roots(call: Call, request: wire.ListRootsRequest, _any: Target) -> wire.ListRootsResponse:
    """Return the organization's one root."""
    roots, token = page(call, request, [shown_root(managed(call))])
    return wire.ListRootsResponse(roots=roots, next_token=token)


# ------------------------------------------------------------------------------ policy types


def _root(call: Call, root: str | None) -> Organization:
    organization = managed(call)
    if root != organization.root:
        raise errors.RootNotFound("You specified a root that doesn't exist.")
    return organization


@operation(
    "EnablePolicyType",
    targets=on_node("EnablePolicyType", "root_id", policy_type("policy_type")),
    changes=True,
)
def enable_policy_type(
    call: Call, request: wire.EnablePolicyTypeRequest, _root_target: Target
) -> wire.EnablePolicyTypeResponse:
    """Let policies of a type bind the accounts; every node has AWS's policy that allows everything."""
    organization, kind = _root(call, request.root_id), request.policy_type or ""
    check_type(kind)
    if kind in organization.enabled:
        raise errors.PolicyTypeAlreadyEnabled("The specified policy type is already enabled.")
    return wire.EnablePolicyTypeResponse(root=shown_root(enable_type(call.tx, organization, kind)))


@operation(
    "DisablePolicyType",
    targets=on_node("DisablePolicyType", "root_id", policy_type("policy_type")),
    changes=True,
)
def disable_policy_type(
    call: Call, request: wire.DisablePolicyTypeRequest, _root_target: Target
) -> wire.DisablePolicyTypeResponse:
    """Detach every policy of a type; they bind nobody from now on."""
    organization, kind = _root(call, request.root_id), request.policy_type or ""
    check_type(kind)
    if kind not in organization.enabled:
        raise errors.PolicyTypeNotEnabled("This operation can be performed only for enabled policy types.")
    return wire.DisablePolicyTypeResponse(root=shown_root(disable_type(call.tx, organization, kind)))


def check_type(kind: str) -> None:
    """Return if policies of this type are offered.

    Raises:
        errors.PolicyTypeNotAvailable: they are not.
    """
    if kind not in _TYPES:
        raise errors.PolicyTypeNotAvailable(
            "This operation can't be performed because the policy type is not available in the organization: "
            f"{kind}."
        )


OPERATIONS = (
    create_organization,
    describe_organization,
    delete_organization,
    list_roots,
    enable_policy_type,
    disable_policy_type,
)
