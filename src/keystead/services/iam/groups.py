"""CreateGroup, GetGroup, UpdateGroup, DeleteGroup, ListGroups, and who is in a group."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from keystead import errors
from keystead.api import Call, Target, operation
from keystead.api.directory import GROUPS, USERS
from keystead.identity import Group, User
from keystead.identity.names import GROUP, iam_arn, new_unique_id
from keystead.services.iam.entities import existing_group, existing_user, put, remove, rename, take_name
from keystead.services.iam.paging import page, page_list, page_of_names, under
from keystead.services.iam.quotas import GROUPS_PER_USER, check_quota, count_gone, count_new
from keystead.services.iam.shown import shown_group, shown_user
from keystead.services.iam.targets import on_group, on_listing, on_new, on_user
from keystead.storage import join
from keystead.wire.models import iam as wire


def groups_of(call: Call, user: User) -> list[Group]:
    """The groups that the user is in, by name."""
    found = [call.tx.get(GROUPS, f"{user.account}/{group}") for group in user.groups]
    return sorted((group for group in found if group is not None), key=lambda group: group.name.lower())


def _members(call: Call, group: Group, after: str | None = None) -> Iterator[tuple[str, User]]:
    """The unique ids and records of a group's members, in order of ids."""
    prefix = join(group.account, group.id, "")
    start = None if after is None else (prefix + after, f"{group.account}/{after}")
    for _, place in call.tx.scan_index(USERS, "group", prefix, after=start):
        user = call.tx.get(USERS, place)
        if user is not None and group.id in user.groups:
            yield user.id, user


@operation("CreateGroup", targets=on_new("CreateGroup", "group", "group_name"), changes=True)
def create_group(call: Call, request: wire.CreateGroupRequest, _group: Target) -> wire.CreateGroupResponse:
    """Make a group."""
    group = Group(
        account=call.account,
        name=request.group_name or "",
        id=new_unique_id(GROUP, call.entropy),
        created=call.now,
        path=request.path or "/",
    )
    take_name(call, group)
    count_new(call, "group")
    put(call, group)
    return wire.CreateGroupResponse(group=shown_group(group))


@operation("GetGroup", targets=on_group("GetGroup"))
def get_group(call: Call, request: wire.GetGroupRequest, _group: Target) -> wire.GetGroupResponse:
    """Return a group and a page of its members."""
    group = existing_group(call, request.group_name)
    users, marker = page(call, request, lambda after: _members(call, group, after), group.id)
    return wire.GetGroupResponse(
        group=shown_group(group),
        users=[shown_user(user, whole=False) for user in users],
        is_truncated=marker is not None,
        marker=marker,
    )


_as_it_is: Final = on_group("UpdateGroup")


def _update_targets(call: Call, request: wire.UpdateGroupRequest) -> tuple[Target, ...]:
    """The group as it is and as it will be: both permissions are needed (IAM API Reference, UpdateGroup)."""
    (now,) = _as_it_is(call, request)
    path = request.new_path or now.resource.rpartition("/")[0].partition(":group")[2] + "/"
    name = request.new_group_name or request.group_name or ""
    new = iam_arn(call.account, "group", path, name)
    return (now,) if new == now.resource else (now, msgspec.structs.replace(now, resource=new))


@operation("UpdateGroup", targets=_update_targets, changes=True)
def update_group(call: Call, request: wire.UpdateGroupRequest, *_targets: Target) -> None:
    """Give a group another name or path; its unique id, members and policies stay."""
    old = existing_group(call, request.group_name)
    new = msgspec.structs.replace(
        old, name=request.new_group_name or old.name, path=request.new_path or old.path
    )
    rename(call, old, new)


@operation("DeleteGroup", targets=on_group("DeleteGroup"), changes=True)
def delete_group(call: Call, request: wire.DeleteGroupRequest, _group: Target) -> None:
    """Delete a group that has no members and no policies."""
    group = existing_group(call, request.group_name)
    in_the_way = (
        (group.attached, "must detach all policies first."),
        (group.inline, "must delete policies first."),
        (next(_members(call, group), None), "must remove users from group first."),
    )
    for held, rule in in_the_way:
        if held:
            raise errors.DeleteConflict(f"Cannot delete entity, {rule}")
    remove(call, group)
    count_gone(call, "group")


@operation("ListGroups", targets=on_listing("ListGroups", "group"))
def list_groups(call: Call, request: wire.ListGroupsRequest, _groups: Target) -> wire.ListGroupsResponse:
    """Return a page of the account's groups, by name."""
    groups, marker = page_of_names(call, request, "group", GROUPS, want=under(request))
    shown = [shown_group(group) for group in groups]
    return wire.ListGroupsResponse(groups=shown, is_truncated=marker is not None, marker=marker)


@operation("ListGroupsForUser", targets=on_user("ListGroupsForUser"))
def list_groups_for_user(
    call: Call, request: wire.ListGroupsForUserRequest, _user: Target
) -> wire.ListGroupsForUserResponse:
    """Return a page of the groups that a user is in."""
    user = existing_user(call, request.user_name)
    groups, marker = page_list(call, request, groups_of(call, user), user.id)
    shown = [shown_group(group) for group in groups]
    return wire.ListGroupsForUserResponse(groups=shown, is_truncated=marker is not None, marker=marker)


@operation("AddUserToGroup", targets=on_group("AddUserToGroup"), changes=True)
def add_user_to_group(call: Call, request: wire.AddUserToGroupRequest, _group: Target) -> None:
    """Make a user a member; one who is a member stays so."""
    group, user = existing_group(call, request.group_name), existing_user(call, request.user_name)
    present = tuple(each.id for each in groups_of(call, user))
    if group.id in present:
        return
    check_quota(GROUPS_PER_USER, len(present))
    put(call, msgspec.structs.replace(user, groups=(*present, group.id)))
    # Written as it is, so that a deletion at the same time, which looked for members before, starts again.
    put(call, group)


@operation("RemoveUserFromGroup", targets=on_group("RemoveUserFromGroup"), changes=True)
def remove_user_from_group(call: Call, request: wire.RemoveUserFromGroupRequest, _group: Target) -> None:
    """End a membership."""
    group, user = existing_group(call, request.group_name), existing_user(call, request.user_name)
    if group.id not in user.groups:
        raise errors.NoSuchEntity(f"User {user.name} not in group {group.name}")
    left = tuple(each for each in user.groups if each != group.id)
    put(call, msgspec.structs.replace(user, groups=left))


OPERATIONS = (
    create_group,
    get_group,
    update_group,
    delete_group,
    list_groups,
    list_groups_for_user,
    add_user_to_group,
    remove_user_from_group,
)
