"""Member accounts: DescribeAccount, ListAccounts, MoveAccount, RemoveAccountFromOrganization, LeaveOrganization.

What services see of them here too: ListDelegatedAdministrators, ListAWSServiceAccessForOrganization.
"""

from __future__ import annotations

import msgspec

from keystead import errors
from keystead.api import Call, Target, operation
from keystead.api.directory import ACCOUNTS
from keystead.identity import Account, Organization
from keystead.services.organizations.access import joined, managed, own_account, parent_node
from keystead.services.organizations.paging import page
from keystead.services.organizations.refusals import no_account
from keystead.services.organizations.shown import shown_account
from keystead.services.organizations.targets import on_any, on_node
from keystead.services.organizations.tree import leave_organization, member, members, node_at, touch
from keystead.wire.models import organizations as wire


def _existing(call: Call, organization: Organization, account: str | None) -> Account:
    found = member(call.tx, organization, account or "")
    if found is None:
        raise no_account()
    return found


@operation("DescribeAccount", targets=on_node("DescribeAccount", "account_id"))
def describe_account(
    call: Call, request: wire.DescribeAccountRequest, _account: Target
) -> wire.DescribeAccountResponse:
    """Return a member account."""
    organization = managed(call)
    account = _existing(call, organization, request.account_id)
    return wire.DescribeAccountResponse(account=shown_account(call, organization, account))


@operation("ListAccounts", targets=on_any("ListAccounts"))
def list_accounts(call: Call, request: wire.ListAccountsRequest, _any: Target) -> wire.ListAccountsResponse:
    """Return a page of all accounts of the organization."""
    organization = managed(call)
    shown, token = page(call, request, members(call.tx, organization))
    accounts = [shown_account(call, organization, account) for account in shown]
    return wire.ListAccountsResponse(accounts=accounts, next_token=token)


@operation("ListAccountsForParent", targets=on_node("ListAccountsForParent", "parent_id"))
def list_accounts_for_parent(
    call: Call, request: wire.ListAccountsForParentRequest, _parent: Target
) -> wire.ListAccountsForParentResponse:
    """Return a page of the accounts directly in a root or unit."""
    organization = managed(call)
    parent = parent_node(call, organization, request.parent_id)
    shown, token = page(call, request, members(call.tx, organization, parent.id))
    accounts = [shown_account(call, organization, account) for account in shown]
    return wire.ListAccountsForParentResponse(accounts=accounts, next_token=token)


def _move_targets(call: Call, request: wire.MoveAccountRequest) -> tuple[Target, ...]:
    """The account, where it is and where it goes (Service Authorization Reference)."""
    places = ("account_id", "source_parent_id", "destination_parent_id")
    return tuple(target for place in places for target in on_node("MoveAccount", place)(call, request))


@operation("MoveAccount", targets=_move_targets, changes=True)
def move_account(call: Call, request: wire.MoveAccountRequest, *_targets: Target) -> None:
    """Put an account into another unit, or into the root; the policies there bind it from the next request on."""
    organization = touch(call.tx, managed(call))
    account = _existing(call, organization, request.account_id)
    source = node_at(call.tx, organization, request.source_parent_id or "")
    if source is None or source.id != account.parent:
        raise errors.SourceParentNotFound("You specified a source parent that doesn't exist.")
    destination = node_at(call.tx, organization, request.destination_parent_id or "")
    if destination is None or destination.kind == "ACCOUNT":
        raise errors.DestinationParentNotFound("You specified a destination parent that doesn't exist.")
    if destination.id == source.id:
        raise errors.DuplicateAccount("The account is already present in the specified destination.")
    call.tx.put(ACCOUNTS, account.id, msgspec.structs.replace(account, parent=destination.id))


def _leave(call: Call, organization: Organization, account: Account) -> None:
    if account.id == organization.management:
        raise errors.MasterCannotLeaveOrganization(
            "You can't remove a management account from an organization."
        )
    leave_organization(call.tx, organization, account)


@operation(
    "RemoveAccountFromOrganization",
    targets=on_node("RemoveAccountFromOrganization", "account_id"),
    changes=True,
)
def remove_account_from_organization(
    call: Call, request: wire.RemoveAccountFromOrganizationRequest, _account: Target
) -> None:
    """Let a member account stand alone; no policy of the organization binds it any more."""
    organization = managed(call)
    _leave(call, organization, _existing(call, organization, request.account_id))


@operation("LeaveOrganization", targets=on_any("LeaveOrganization"), changes=True)
def leave(call: Call, _request: object, _any: Target) -> None:
    """Let the caller's account stand alone."""
    _leave(call, joined(call), own_account(call))


# ------------------------------------------------------------------------- what there is none of


@operation("ListDelegatedAdministrators", targets=on_any("ListDelegatedAdministrators"))
def list_delegated_administrators(
    call: Call, _request: object, _any: Target
) -> wire.ListDelegatedAdministratorsResponse:
    """Return no account: none can be made a delegated administrator."""
    managed(call)
    return wire.ListDelegatedAdministratorsResponse(delegated_administrators=[])


@operation("ListAWSServiceAccessForOrganization", targets=on_any("ListAWSServiceAccessForOrganization"))
def list_aws_service_access_for_organization(
    call: Call, _request: object, _any: Target
) -> wire.ListAWSServiceAccessForOrganizationResponse:
    """Return no service: none is integrated with the organization."""
    managed(call)
    return wire.ListAWSServiceAccessForOrganizationResponse(enabled_service_principals=[])


OPERATIONS = (
    describe_account,
    list_accounts,
    list_accounts_for_parent,
    move_account,
    remove_account_from_organization,
    leave,
    list_delegated_administrators,
    list_aws_service_access_for_organization,
)
