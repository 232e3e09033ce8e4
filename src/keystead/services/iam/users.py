"""CreateUser, GetUser, UpdateUser, DeleteUser, ListUsers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from keystead import arn, errors
from keystead.api import Call, Target, operation
from keystead.api.directory import ACCOUNTS, GROUPS, USERS, credentials_of
from keystead.api.mfa import devices_of
from keystead.identity import User
from keystead.identity.names import USER, iam_arn, new_unique_id
from keystead.services.iam.entities import check_boundary, existing_user, put, remove, rename, take_name
from keystead.services.iam.paging import page_of_names, under
from keystead.services.iam.quotas import count_gone, count_new
from keystead.services.iam.shown import shown_user
from keystead.services.iam.tag_rules import new_tags
from keystead.services.iam.targets import (
    asked_boundary,
    on_listing,
    on_new,
    on_own_user,
    on_user,
    own_user_name,
    request_tags,
    together,
)
from keystead.wire.models import iam as wire


@operation(
    "CreateUser",
    targets=on_new(
        "CreateUser", "user", "user_name", together(request_tags, asked_boundary), tagging="TagUser"
    ),
    changes=True,
)
def create_user(call: Call, request: wire.CreateUserRequest, *_targets: Target) -> wire.CreateUserResponse:
    """Make a user, which has no credentials and no permissions yet."""
    user = User(
        account=call.account,
        name=request.user_name or "",
        id=new_unique_id(USER, call.entropy),
        created=call.now,
        path=request.path or "/",
        tags=new_tags(request.tags),
        boundary=request.permissions_boundary or "",
    )
    if user.boundary:
        check_boundary(call, user.boundary)
    take_name(call, user)
    count_new(call, "user")
    put(call, user)
    return wire.CreateUserResponse(user=shown_user(user))


@operation("GetUser", targets=on_own_user("GetUser"))
def get_user(call: Call, request: wire.GetUserRequest, _user: Target) -> wire.GetUserResponse:
    """Return a user; without a name the caller."""
    name = own_user_name(call, request.user_name)
    shown = _root(call) if name is None else shown_user(existing_user(call, name))
    return wire.GetUserResponse(user=shown)


def _root(call: Call) -> wire.User:
    account = call.tx.get(ACCOUNTS, call.account)
    created = account.created if account is not None else None
    return wire.User(user_id=call.account, arn=arn.root_arn(call.account), create_date=created)


def _update_targets(call: Call, request: wire.UpdateUserRequest) -> tuple[Target, ...]:
    """The user as it is and as it will be: both permissions are needed (IAM API Reference, UpdateUser)."""
    (now,) = _updated(call, request)
    path = request.new_path or now.resource.rpartition("/")[0].partition(":user")[2] + "/"
    name = request.new_user_name or request.user_name or ""
    new = iam_arn(call.account, "user", path, name)
    return (now,) if new == now.resource else (now, msgspec.structs.replace(now, resource=new))


_updated: Final = on_user("UpdateUser")


@operation("UpdateUser", targets=_update_targets, changes=True)
def update_user(call: Call, request: wire.UpdateUserRequest, *_targets: Target) -> None:
    """Give a user another name or path; its unique id, credentials and policies stay."""
    old = existing_user(call, request.user_name)
    new = msgspec.structs.replace(
        old, name=request.new_user_name or old.name, path=request.new_path or old.path
    )
    rename(call, old, new)


_FIRST: Final[tuple[tuple[Callable[[Call, User], bool], str], ...]] = (
    (lambda _call, user: bool(user.attached), "must detach all policies first."),
    (lambda _call, user: bool(user.inline), "must delete policies first."),
    (
        lambda call, user: bool(credentials_of(call.tx, user.account, user.id)),
        "must delete access keys first.",
    ),
    (lambda call, user: bool(devices_of(call.tx, user)), "must delete MFA device first."),
    (
        lambda call, user: any(call.tx.get(GROUPS, f"{user.account}/{group}") for group in user.groups),
        "must remove users from group first.",
    ),
)
"""What a user may not have any more when it is deleted."""


@operation("DeleteUser", targets=on_user("DeleteUser"), changes=True)
def delete_user(call: Call, request: wire.DeleteUserRequest, _user: Target) -> None:
    """Delete a user that has nothing left."""
    user = existing_user(call, request.user_name)
    for has, rule in _FIRST:
        if has(call, user):
            raise errors.DeleteConflict(f"Cannot delete entity, {rule}")
    remove(call, user)
    count_gone(call, "user")


@operation("ListUsers", targets=on_listing("ListUsers", "user"))
def list_users(call: Call, request: wire.ListUsersRequest, _users: Target) -> wire.ListUsersResponse:
    """Return a page of the account's users, by name."""
    users, marker = page_of_names(call, request, "user", USERS, want=under(request))
    return wire.ListUsersResponse(
        users=[shown_user(user, whole=False) for user in users],
        is_truncated=marker is not None,
        marker=marker,
    )


OPERATIONS = (create_user, get_user, update_user, delete_user, list_users)
