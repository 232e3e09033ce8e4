"""Organizational units: CreateOrganizationalUnit and its kin, ListParents, ListChildren."""

from __future__ import annotations

from typing import Final

import msgspec

from keystead import errors
from keystead.api import Call, Target, operation
from keystead.api.directory import UNITS
from keystead.identity import Organization, Unit
from keystead.services.organizations import limits
from keystead.services.organizations.access import managed, parent_node, path_to
from keystead.services.organizations.paging import page
from keystead.services.organizations.refusals import constraint, no_unit
from keystead.services.organizations.shown import shown_unit
from keystead.services.organizations.tag_rules import new_tags
from keystead.services.organizations.targets import on_node, request_tags, with_tags
from keystead.services.organizations.tree import (
    ACCOUNT,
    ROOT,
    members,
    new_unit,
    node_at,
    put_unit,
    touch,
    unit_at,
    units,
)
from keystead.wire.models import organizations as wire

_SIBLINGS: Final = 2
"""Segments of a root's path: organization and root."""


def _existing(call: Call, organization: Organization, unit: str | None) -> Unit:
    found = unit_at(call.tx, organization, unit or "")
    if found is None:
        raise no_unit()
    return found


def _check_name(call: Call, organization: Organization, parent: str, name: str, but: str = "") -> None:
    """Return if no other unit below `parent` has the name."""
    for unit in units(call.tx, organization):
        if (unit.parent, unit.name) == (parent, name) and unit.id != but:
            raise errors.DuplicateOrganizationalUnit("An OU with the same name already exists.")


@operation(
    "CreateOrganizationalUnit",
    targets=with_tags(on_node("CreateOrganizationalUnit", "parent_id", request_tags)),
    changes=True,
)
def create_organizational_unit(
    call: Call, request: wire.CreateOrganizationalUnitRequest, *_targets: Target
) -> wire.CreateOrganizationalUnitResponse:
    """Make a unit below the root or another unit."""
    organization = touch(call.tx, managed(call))
    parent, name = parent_node(call, organization, request.parent_id), request.name or ""
    _check_name(call, organization, parent.id, name)
    if path_to(call, organization, parent.id).count("/") - _SIBLINGS >= limits.DEPTH:
        raise constraint("OU_DEPTH_LIMIT_EXCEEDED")
    if len(units(call.tx, organization)) >= limits.UNITS:
        raise constraint("OU_NUMBER_LIMIT_EXCEEDED")
    made = new_unit(call.tx, organization, parent.id, name, entropy=call.entropy, tags=new_tags(request.tags))
    return wire.CreateOrganizationalUnitResponse(organizational_unit=shown_unit(call, organization, made))


@operation(
    "UpdateOrganizationalUnit",
    targets=on_node("UpdateOrganizationalUnit", "organizational_unit_id"),
    changes=True,
)
def update_organizational_unit(
    call: Call, request: wire.UpdateOrganizationalUnitRequest, _unit: Target
) -> wire.UpdateOrganizationalUnitResponse:
    """Give a unit another name."""
    organization = touch(call.tx, managed(call))
    unit = _existing(call, organization, request.organizational_unit_id)
    if request.name is not None:
        _check_name(call, organization, unit.parent, request.name, but=unit.id)
        unit = msgspec.structs.replace(unit, name=request.name)
        put_unit(call.tx, unit)
    return wire.UpdateOrganizationalUnitResponse(organizational_unit=shown_unit(call, organization, unit))


@operation(
    "DeleteOrganizationalUnit",
    targets=on_node("DeleteOrganizationalUnit", "organizational_unit_id"),
    changes=True,
)
def delete_organizational_unit(
    call: Call, request: wire.DeleteOrganizationalUnitRequest, _unit: Target
) -> None:
    """Delete a unit that holds neither units nor accounts."""
    organization = touch(call.tx, managed(call))
    unit = _existing(call, organization, request.organizational_unit_id)
    below = any(each.parent == unit.id for each in units(call.tx, organization))
    if below or members(call.tx, organization, unit.id):
        raise errors.OrganizationalUnitNotEmpty(
            "The specified OU is not empty. Move all accounts to another root or to other OUs, remove all child "
            "OUs, and try the operation again."
        )
    call.tx.delete(UNITS, f"{organization.id}/{unit.id}")


@operation(
    "DescribeOrganizationalUnit", targets=on_node("DescribeOrganizationalUnit", "organizational_unit_id")
)
def describe_organizational_unit(
    call: Call, request: wire.DescribeOrganizationalUnitRequest, _unit: Target
) -> wire.DescribeOrganizationalUnitResponse:
    """Return a unit."""
    organization = managed(call)
    unit = _existing(call, organization, request.organizational_unit_id)
    return wire.DescribeOrganizationalUnitResponse(organizational_unit=shown_unit(call, organization, unit))


@operation(
    "ListOrganizationalUnitsForParent", targets=on_node("ListOrganizationalUnitsForParent", "parent_id")
)
def list_organizational_units_for_parent(
    call: Call, request: wire.ListOrganizationalUnitsForParentRequest, _parent: Target
) -> wire.ListOrganizationalUnitsForParentResponse:
    """Return a page of the units directly below a root or unit."""
    organization = managed(call)
    parent = parent_node(call, organization, request.parent_id)
    found = [unit for unit in units(call.tx, organization) if unit.parent == parent.id]
    shown, token = page(call, request, found)
    return wire.ListOrganizationalUnitsForParentResponse(
        organizational_units=[shown_unit(call, organization, unit) for unit in shown], next_token=token
    )


# ------------------------------------------------------------------------------- up and down


@operation("ListParents", targets=on_node("ListParents", "child_id"))
def list_parents(call: Call, request: wire.ListParentsRequest, _child: Target) -> wire.ListParentsResponse:
    """Return the one root or unit that holds a unit or account."""
    organization = managed(call)
    child = node_at(call.tx, organization, request.child_id or "")
    if child is None or child.kind == ROOT:
        raise errors.ChildNotFound("You specified a child that doesn't exist.")
    kind = "ROOT" if child.parent == organization.root else "ORGANIZATIONAL_UNIT"
    parents, token = page(call, request, [wire.Parent(id=child.parent, type=kind)])
    return wire.ListParentsResponse(parents=parents, next_token=token)


@operation("ListChildren", targets=on_node("ListChildren", "parent_id"))
def list_children(
    call: Call, request: wire.ListChildrenRequest, _parent: Target
) -> wire.ListChildrenResponse:
    """Return a page of the units, or of the accounts, directly below a root or unit."""
    organization = managed(call)
    parent = parent_node(call, organization, request.parent_id)
    if request.child_type == ACCOUNT:
        ids = [account.id for account in members(call.tx, organization, parent.id)]
    else:
        ids = [unit.id for unit in units(call.tx, organization) if unit.parent == parent.id]
    children = [wire.Child(id=child, type=request.child_type) for child in ids]
    shown, token = page(call, request, children)
    return wire.ListChildrenResponse(children=shown, next_token=token)


OPERATIONS = (
    create_organizational_unit,
    update_organizational_unit,
    delete_organizational_unit,
    describe_organizational_unit,
    list_organizational_units_for_parent,
    list_parents,
    list_children,
)
