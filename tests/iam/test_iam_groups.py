"""Groups: their members, and what being one gives."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keystead.testing import allow

ACCOUNT = "000000000000"


def names(pages, member, name):
    return [each[name] for page in pages for each in page[member]]


def test_a_group_is_shown_as_it_was_made(iam):
    made = iam.create_group(GroupName="g", Path="/eng/")["Group"]
    assert made["Arn"] == f"arn:aws:iam::{ACCOUNT}:group/eng/g"
    assert made["GroupId"].startswith("AGPA")
    assert iam.get_group(GroupName="G")["Group"] == made
    assert iam.list_groups(PathPrefix="/eng/")["Groups"] == [made]
    assert iam.list_groups(PathPrefix="/ops/")["Groups"] == []


def test_names_are_taken_once(iam, refused):
    iam.create_group(GroupName="g")
    with refused("EntityAlreadyExists", "Group with name G already exists.", 409):
        iam.create_group(GroupName="G")
    with refused("NoSuchEntity", "The group with name h cannot be found.", 404):
        iam.get_group(GroupName="h")


def test_members_come_and_go(iam, refused):
    iam.create_group(GroupName="g")
    iam.create_user(UserName="alice")
    iam.add_user_to_group(GroupName="g", UserName="alice")
    iam.add_user_to_group(GroupName="g", UserName="alice")
    assert names([iam.get_group(GroupName="g")], "Users", "UserName") == ["alice"]
    assert names([iam.list_groups_for_user(UserName="alice")], "Groups", "GroupName") == ["g"]
    iam.remove_user_from_group(GroupName="g", UserName="alice")
    assert iam.get_group(GroupName="g")["Users"] == []
    with refused("NoSuchEntity"):
        iam.remove_user_from_group(GroupName="g", UserName="alice")
    with refused("NoSuchEntity", "The user with name bob cannot be found."):
        iam.add_user_to_group(GroupName="g", UserName="bob")
    with refused("NoSuchEntity", "The group with name h cannot be found."):
        iam.add_user_to_group(GroupName="h", UserName="alice")


def test_members_have_the_groups_permissions_with_the_next_request(server, iam, refused):
    alice = server.user("alice")
    server.group("readers", {"read": allow("iam:ListUsers")})
    with refused("AccessDenied"):
        alice.client("iam").list_users()
    iam.add_user_to_group(GroupName="readers", UserName="alice")
    alice.client("iam").list_users()
    iam.remove_user_from_group(GroupName="readers", UserName="alice")
    with refused("AccessDenied"):
        alice.client("iam").list_users()


def test_a_renamed_group_keeps_its_members(iam, refused):
    made = iam.create_group(GroupName="g")["Group"]
    iam.create_group(GroupName="taken")
    iam.create_user(UserName="alice")
    iam.add_user_to_group(GroupName="g", UserName="alice")
    iam.update_group(GroupName="g", NewGroupName="h", NewPath="/x/")
    renamed = iam.get_group(GroupName="h")
    assert renamed["Group"]["GroupId"] == made["GroupId"]
    assert renamed["Group"]["Arn"] == f"arn:aws:iam::{ACCOUNT}:group/x/h"
    assert names([renamed], "Users", "UserName") == ["alice"]
    with refused("EntityAlreadyExists", "Group with name taken already exists."):
        iam.update_group(GroupName="h", NewGroupName="taken")
    with refused("NoSuchEntity"):
        iam.get_group(GroupName="g")


def test_a_group_is_deleted_when_it_is_empty(server, iam, refused):
    server.group("g", {"a": allow("s3:*")})
    with refused("DeleteConflict", "Cannot delete entity, must delete policies first.", 409):
        iam.delete_group(GroupName="g")
    iam.create_group(GroupName="h")
    iam.create_user(UserName="alice")
    iam.add_user_to_group(GroupName="h", UserName="alice")
    with refused("DeleteConflict", "Cannot delete entity, must remove users from group first."):
        iam.delete_group(GroupName="h")
    iam.remove_user_from_group(GroupName="h", UserName="alice")
    iam.delete_group(GroupName="h")
    assert names([iam.list_groups()], "Groups", "GroupName") == ["g"]


def test_a_user_is_in_ten_groups_at_most(iam, refused):
    iam.create_user(UserName="alice")
    for number in range(11):
        iam.create_group(GroupName=f"g{number}")
    for number in range(10):
        iam.add_user_to_group(GroupName=f"g{number}", UserName="alice")
    with refused("LimitExceeded", "Cannot exceed quota for GroupsPerUser: 10", 409):
        iam.add_user_to_group(GroupName="g10", UserName="alice")


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(count=st.integers(0, 6), size=st.integers(1, 4))
def test_pages_of_members_show_everyone_once(server, count, size):
    iam = server.client("iam", account="222233334444")
    iam.create_group(GroupName="g")
    for number in range(count):
        iam.create_user(UserName=f"u{number}")
        iam.add_user_to_group(GroupName="g", UserName=f"u{number}")
    pages = list(iam.get_paginator("get_group").paginate(GroupName="g", PaginationConfig={"PageSize": size}))
    assert sorted(names(pages, "Users", "UserName")) == [f"u{number}" for number in range(count)]
    for number in range(count):
        iam.remove_user_from_group(GroupName="g", UserName=f"u{number}")
        iam.delete_user(UserName=f"u{number}")
    iam.delete_group(GroupName="g")


def test_a_marker_of_one_groups_members_is_none_of_anothers(iam, refused):
    for group in ("g", "h"):
        iam.create_group(GroupName=group)
    for user in ("a", "b"):
        iam.create_user(UserName=user)
        iam.add_user_to_group(GroupName="g", UserName=user)
    marker = iam.get_group(GroupName="g", MaxItems=1)["Marker"]
    with refused("ValidationError"):
        iam.get_group(GroupName="h", Marker=marker)


CALLS = {
    "CreateGroup": {"GroupName": "new"},
    "GetGroup": {"GroupName": "g"},
    "UpdateGroup": {"GroupName": "g", "NewPath": "/x/"},
    "DeleteGroup": {"GroupName": "g"},
    "ListGroups": {},
    "ListGroupsForUser": {"UserName": "alice"},
    "AddUserToGroup": {"GroupName": "g", "UserName": "alice"},
    "RemoveUserFromGroup": {"GroupName": "g", "UserName": "alice"},
}


@pytest.mark.parametrize("operation", CALLS)
def test_each_operation_takes_its_own_permission(server, refused, operation):
    server.group("g")
    server.user("alice", groups=["g"] if operation == "RemoveUserFromGroup" else [])
    method = "".join(f"_{c.lower()}" if c.isupper() else c for c in operation)[1:]
    others = [f"iam:{name}" for name in CALLS if name != operation]
    with refused("AccessDenied"):
        getattr(server.user("without", {"a": allow(*others)}).client("iam"), method)(**CALLS[operation])
    getattr(server.user("with", {"a": allow(f"iam:{operation}")}).client("iam"), method)(**CALLS[operation])
