"""Put and delete the permissions boundary of a user or a role."""

from __future__ import annotations

import msgspec

from keystead import errors
from keystead.api import Call, Target, operation
from keystead.identity import Role, User
from keystead.services.iam.entities import check_boundary, existing_user, put
from keystead.services.iam.holders import modifiable_role
from keystead.services.iam.targets import asked_boundary, on_role, on_user
from keystead.wire.models import iam as wire


def _set(call: Call, holder: User | Role, policy_arn: str | None) -> None:
    check_boundary(call, policy_arn or "")
    put(call, msgspec.structs.replace(holder, boundary=policy_arn or ""))


def _clear(call: Call, holder: User | Role) -> None:
    if not holder.boundary:
        kind = type(holder).__name__
        raise errors.NoSuchEntity(f"{kind} {holder.name} does not have permission boundary attached.")
    put(call, msgspec.structs.replace(holder, boundary=""))


@operation(
    "PutUserPermissionsBoundary", targets=on_user("PutUserPermissionsBoundary", asked_boundary), changes=True
)
def put_user_boundary(call: Call, request: wire.PutUserPermissionsBoundaryRequest, _user: Target) -> None:
    """Set a user's permissions boundary, in place of the one that it has."""
    _set(call, existing_user(call, request.user_name), request.permissions_boundary)


@operation(
    "PutRolePermissionsBoundary", targets=on_role("PutRolePermissionsBoundary", asked_boundary), changes=True
)
def put_role_boundary(call: Call, request: wire.PutRolePermissionsBoundaryRequest, _role: Target) -> None:
    """Set a role's permissions boundary, in place of the one that it has."""
    _set(call, modifiable_role(call, request.role_name), request.permissions_boundary)


@operation("DeleteUserPermissionsBoundary", targets=on_user("DeleteUserPermissionsBoundary"), changes=True)
def delete_user_boundary(
    call: Call, request: wire.DeleteUserPermissionsBoundaryRequest, _user: Target
) -> None:
    """Take off a user's permissions boundary."""
    _clear(call, existing_user(call, request.user_name))


@operation("DeleteRolePermissionsBoundary", targets=on_role("DeleteRolePermissionsBoundary"), changes=True)
def delete_role_boundary(
    call: Call, request: wire.DeleteRolePermissionsBoundaryRequest, _role: Target
) -> None:
    """Take off a role's permissions boundary."""
    _clear(call, modifiable_role(call, request.role_name))


OPERATIONS = (put_user_boundary, put_role_boundary, delete_user_boundary, delete_role_boundary)
