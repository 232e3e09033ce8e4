"""Whose organization a call is about. Most operations are for the management account alone.

Organizations asks for permission first, so that these refusals reach only callers whose policies allow the
operation.
"""

from __future__ import annotations

from keystead.api import Call
from keystead.api.directory import ACCOUNTS, ORGANIZATIONS
from keystead.identity import Account, Organization
from keystead.services.organizations.refusals import no_parent, not_in_use, not_management
from keystead.services.organizations.tree import Node, member, node_at, unit_at


def organization_of(call: Call) -> Organization | None:
    """The organization that the caller's account belongs to, None if it stands alone."""
    account = call.tx.get(ACCOUNTS, call.account)
    if account is None or not account.organization:
        return None
    return call.tx.get(ORGANIZATIONS, account.organization)


def joined(call: Call) -> Organization:
    """The organization of the caller's account.

    Raises:
        errors.OrganizationsNotInUse: it stands alone.
    """
    organization = organization_of(call)
    if organization is None:
        raise not_in_use()
    return organization


def managed(call: Call) -> Organization:
    """The organization that the caller's account manages.

    Raises:
        errors.OrganizationsNotInUse: the account stands alone.
        errors.AccessDenied: it is a member only.
    """
    organization = joined(call)
    if organization.management != call.account:
        raise not_management()
    return organization


def own_account(call: Call) -> Account:
    """The caller's account."""
    account = call.tx.get(ACCOUNTS, call.account)
    if account is None:
        raise not_in_use()
    return account


def parent_node(call: Call, organization: Organization, parent: str | None) -> Node:
    """The root or unit with this id.

    Raises:
        errors.ParentNotFound: there is none.
    """
    node = node_at(call.tx, organization, parent or "")
    if node is None or node.kind == "ACCOUNT":
        raise no_parent()
    return node


def path_to(call: Call, organization: Organization, node: str) -> str:
    """The path of a root, unit or account: ids from the organization down, each followed by `/`."""
    ids: list[str] = []
    here = node
    while here and here != organization.root:
        ids.append(here)
        account = member(call.tx, organization, here)
        unit = None if account is not None else unit_at(call.tx, organization, here)
        here = account.parent if account is not None else unit.parent if unit is not None else ""
    return "/".join([organization.id, organization.root, *reversed(ids)]) + "/"


__all__ = ["joined", "managed", "organization_of", "own_account", "parent_node", "path_to"]
