"""CreateRole, GetRole, ListRoles, UpdateRole, UpdateRoleDescription, UpdateAssumeRolePolicy, DeleteRole."""

from __future__ import annotations

from typing import Any

import msgspec

from keystead import errors
from keystead.api import Call, Target, operation
from keystead.api.directory import ROLES
from keystead.api.operation import always
from keystead.api.usage import forget_caller
from keystead.identity import Role
from keystead.identity.names import ROLE, new_unique_id
from keystead.identity.role import SERVICE_LINKED_PATH
from keystead.services.iam.documents import checked_trust, shown_trust
from keystead.services.iam.entities import check_boundary, existing_role, put, remove, take_name
from keystead.services.iam.holders import modifiable_role
from keystead.services.iam.paging import page_of_names, under
from keystead.services.iam.quotas import count_gone, count_new
from keystead.services.iam.shown import shown_boundary, shown_tags
from keystead.services.iam.tag_rules import new_tags
from keystead.services.iam.targets import asked_boundary, on_listing, on_new, on_role, request_tags, together
from keystead.wire.models import iam as wire

_LONGEST_SESSION = 3600
"""Seconds, where the request does not say (IAM API Reference, CreateRole)."""


def shown_role(
    call: Call, role: Role, *, whole: bool = True, last_used: wire.RoleLastUsed | None = None
) -> wire.Role:
    """The role; lists leave out the tags and the permissions boundary (`whole` False)."""
    return wire.Role(
        path=role.path,
        role_name=role.name,
        role_id=role.id,
        arn=role.arn,
        create_date=role.created,
        assume_role_policy_document=shown_trust(call, role),
        description=role.description or None,
        max_session_duration=role.max_session,
        permissions_boundary=shown_boundary(role.boundary) if whole else None,
        tags=(shown_tags(role.tags) or None) if whole else None,
        role_last_used=last_used,
    )


def role_last_used(call: Call, role: Role) -> wire.RoleLastUsed:
    """When and in which Region a session of the role last called; empty if none did."""
    use = call.usage.callers.last(call.tx, role.account, role.id)
    if use is None:
        return wire.RoleLastUsed()
    return wire.RoleLastUsed(last_used_date=use.at, region=use.region)


@operation(
    "CreateRole",
    targets=on_new(
        "CreateRole", "role", "role_name", together(request_tags, asked_boundary), tagging="TagRole"
    ),
    changes=True,
)
def create_role(call: Call, request: wire.CreateRoleRequest, *_targets: Target) -> wire.CreateRoleResponse:
    """Make a role that the principals its trust policy names can assume; it has no permissions yet."""
    path = request.path or "/"
    if path.startswith(SERVICE_LINKED_PATH):
        raise errors.InvalidInput(f"The path {path} is reserved for service-linked roles.")
    trust = checked_trust(call, request.assume_role_policy_document)
    role = Role(
        account=call.account,
        name=request.role_name or "",
        id=new_unique_id(ROLE, call.entropy),
        created=call.now,
        trust=trust.text,
        trusted=trust.trusted,
        path=path,
        description=request.description or "",
        max_session=request.max_session_duration or _LONGEST_SESSION,
        tags=new_tags(request.tags),
        boundary=request.permissions_boundary or "",
    )
    if role.boundary:
        check_boundary(call, role.boundary)
    add_role(call, role)
    return wire.CreateRoleResponse(role=shown_role(call, role))


def add_role(call: Call, role: Role) -> None:
    """None; the role will be there.

    Raises:
        errors.EntityAlreadyExists: another role has its name.
        errors.LimitExceeded: the account has as many roles as it may.
    """
    take_name(call, role)
    count_new(call, "role")
    put(call, role)


@operation("GetRole", targets=on_role("GetRole"))
def get_role(call: Call, request: wire.GetRoleRequest, _role: Target) -> wire.GetRoleResponse:
    """Return a role, with its trust policy and its last use."""
    role = existing_role(call, request.role_name)
    return wire.GetRoleResponse(role=shown_role(call, role, last_used=role_last_used(call, role)))


@operation("ListRoles", targets=on_listing("ListRoles", "role"), slow=always)
def list_roles(call: Call, request: wire.ListRolesRequest, _roles: Target) -> wire.ListRolesResponse:
    """Return a page of the account's roles, by name."""
    roles, marker = page_of_names(call, request, "role", ROLES, want=under(request))
    return wire.ListRolesResponse(
        roles=[shown_role(call, role, whole=False) for role in roles],
        is_truncated=marker is not None,
        marker=marker,
    )


def _change(call: Call, role: Role, **changes: Any) -> Role:
    new = msgspec.structs.replace(role, **changes)
    put(call, new)
    return new


@operation("UpdateRole", targets=on_role("UpdateRole"), changes=True)
def update_role(call: Call, request: wire.UpdateRoleRequest, _role: Target) -> wire.UpdateRoleResponse:
    """Change a role's description or longest session; of a service's role the description only."""
    if request.max_session_duration is None:
        role = existing_role(call, request.role_name)
    else:
        role = modifiable_role(call, request.role_name)
    description = role.description if request.description is None else request.description
    _change(call, role, description=description, max_session=request.max_session_duration or role.max_session)
    return wire.UpdateRoleResponse()


@operation("UpdateRoleDescription", targets=on_role("UpdateRoleDescription"), changes=True)
def update_role_description(
    call: Call, request: wire.UpdateRoleDescriptionRequest, _role: Target
) -> wire.UpdateRoleDescriptionResponse:
    """Change a role's description."""
    role = _change(call, existing_role(call, request.role_name), description=request.description or "")
    return wire.UpdateRoleDescriptionResponse(role=shown_role(call, role))


@operation("UpdateAssumeRolePolicy", targets=on_role("UpdateAssumeRolePolicy"), changes=True)
def update_assume_role_policy(call: Call, request: wire.UpdateAssumeRolePolicyRequest, _role: Target) -> None:
    """Replace a role's trust policy; it counts from the next AssumeRole on."""
    role = modifiable_role(call, request.role_name)
    trust = checked_trust(call, request.policy_document)
    _change(call, role, trust=trust.text, trusted=trust.trusted)


@operation("DeleteRole", targets=on_role("DeleteRole"), changes=True)
def delete_role(call: Call, request: wire.DeleteRoleRequest, _role: Target) -> None:
    """Delete a role that has no policies left; its sessions end with it."""
    role = modifiable_role(call, request.role_name)
    if role.attached:
        raise errors.DeleteConflict("Cannot delete entity, must detach all policies first.")
    if role.inline:
        raise errors.DeleteConflict("Cannot delete entity, must delete policies first.")
    remove_role(call, role)


def remove_role(call: Call, role: Role) -> None:
    """None; the role will be gone, and with it what it can be assumed for."""
    remove(call, role)
    count_gone(call, "role")
    forget_caller(call.tx, role.account, role.id)


OPERATIONS = (
    create_role,
    get_role,
    list_roles,
    update_role,
    update_role_description,
    update_assume_role_policy,
    delete_role,
)
