"""Users: made, found, renamed, listed, deleted."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keystead.api.directory import POLICIES
from keystead.identity import ManagedPolicy, PolicyVersion
from keystead.testing import allow

ACCOUNT = "000000000000"


def test_a_user_is_shown_as_it_was_made(iam):
    tags = [{"Key": "Team", "Value": "blue"}]
    made = iam.create_user(UserName="alice", Path="/eng/", Tags=tags)["User"]
    assert made["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/eng/alice"
    assert made["UserId"].startswith("AIDA")
    assert len(made["UserId"]) == 21
    assert iam.get_user(UserName="alice")["User"] == made
    assert made["Tags"] == tags


def test_names_are_taken_without_regard_to_case(iam, refused):
    iam.create_user(UserName="alice")
    with refused("EntityAlreadyExists", "User with name ALICE already exists.", 409):
        iam.create_user(UserName="ALICE")
    assert iam.get_user(UserName="Alice")["User"]["UserName"] == "alice"


def test_another_account_may_use_the_same_name(server, iam):
    iam.create_user(UserName="alice")
    other = server.client("iam", account="111122223333")
    assert other.create_user(UserName="alice")["User"]["Arn"] == "arn:aws:iam::111122223333:user/alice"
    assert len(iam.list_users()["Users"]) == 1


def test_who_is_not_there_is_not_found(iam, refused):
    with refused("NoSuchEntity", "The user with name nobody cannot be found.", 404):
        iam.get_user(UserName="nobody")
    with refused("NoSuchEntity"):
        iam.update_user(UserName="nobody", NewUserName="somebody")
    with refused("NoSuchEntity"):
        iam.delete_user(UserName="nobody")


def test_without_a_name_the_caller_is_shown(server, iam, refused):
    assert iam.get_user()["User"]["Arn"] == f"arn:aws:iam::{ACCOUNT}:root"
    alice = server.user("alice", {"self": allow("iam:GetUser")})
    assert alice.client("iam").get_user()["User"]["Arn"] == alice.arn
    role = server.assume(server.role("reader", {"self": allow("iam:*")}))
    with refused("ValidationError", "Must specify userName when calling with non-User credentials"):
        role.client("iam").get_user()


def test_a_renamed_user_keeps_its_id_keys_and_policies(server, iam):
    alice = server.user("alice", {"list": allow("iam:ListUsers")})
    iam.update_user(UserName="alice", NewUserName="Bob", NewPath="/ops/")
    assert iam.get_user(UserName="bob")["User"]["UserId"] == alice.id
    users = alice.client("iam").list_users()["Users"]
    assert [user["Arn"] for user in users] == [f"arn:aws:iam::{ACCOUNT}:user/ops/Bob"]
    assert alice.client("sts").get_caller_identity()["Arn"].endswith("user/ops/Bob")
    iam.create_user(UserName="alice")


def test_a_name_may_change_in_case_only(iam, refused):
    iam.create_user(UserName="alice")
    iam.create_user(UserName="bob")
    iam.update_user(UserName="alice", NewUserName="Alice")
    assert iam.get_user(UserName="alice")["User"]["UserName"] == "Alice"
    with refused("EntityAlreadyExists", "User with name Bob already exists."):
        iam.update_user(UserName="alice", NewUserName="Bob")
    assert [user["UserName"] for user in iam.list_users()["Users"]] == ["Alice", "bob"]


def test_renaming_takes_the_permission_on_both_names(server, refused):
    server.user("old")
    half = server.user("half", {"a": allow("iam:UpdateUser", resource=f"arn:aws:iam::{ACCOUNT}:user/old")})
    with refused("AccessDenied"):
        half.client("iam").update_user(UserName="old", NewUserName="new")
    both = [f"arn:aws:iam::{ACCOUNT}:user/{name}" for name in ("old", "x/new")]
    whole = server.user("whole", {"a": allow("iam:UpdateUser", resource=both)})
    whole.client("iam").update_user(UserName="old", NewUserName="new", NewPath="/x/")


def test_lists_go_by_path_and_page(iam):
    for number in range(7):
        iam.create_user(UserName=f"u{number}", Path="/even/" if number % 2 == 0 else "/odd/")
    pages = list(
        iam.get_paginator("list_users").paginate(PathPrefix="/even", PaginationConfig={"PageSize": 3})
    )
    assert [len(page["Users"]) for page in pages] == [3, 1]
    assert [page["IsTruncated"] for page in pages] == [True, False]
    names = [user["UserName"] for page in pages for user in page["Users"]]
    assert names == ["u0", "u2", "u4", "u6"]


def test_lists_leave_out_tags(iam):
    iam.create_user(UserName="alice", Tags=[{"Key": "a", "Value": "b"}])
    assert "Tags" not in iam.list_users()["Users"][0]


def test_a_marker_is_good_for_its_list_and_account_only(server, iam, refused):
    for name in ("a", "b"):
        iam.create_user(UserName=name)
        iam.create_group(GroupName=name)
    marker = iam.list_users(MaxItems=1)["Marker"]
    assert [user["UserName"] for user in iam.list_users(Marker=marker)["Users"]] == ["b"]
    for call in (
        lambda: iam.list_groups(Marker=marker),
        lambda: server.client("iam", account="111122223333").list_users(Marker=marker),
        lambda: iam.list_users(Marker="made-up"),
        lambda: iam.list_users(Marker="é"),
    ):
        with refused("ValidationError"):
            call()


def test_what_a_user_has_is_taken_away_before_it_is_deleted(server, iam, refused):
    iam.create_user(UserName="alice")
    key = iam.create_access_key(UserName="alice")["AccessKey"]["AccessKeyId"]
    iam.create_group(GroupName="g")
    iam.add_user_to_group(GroupName="g", UserName="alice")
    with refused("DeleteConflict", "Cannot delete entity, must delete access keys first.", 409):
        iam.delete_user(UserName="alice")
    iam.delete_access_key(UserName="alice", AccessKeyId=key)
    with refused("DeleteConflict", "Cannot delete entity, must remove users from group first."):
        iam.delete_user(UserName="alice")
    iam.remove_user_from_group(GroupName="g", UserName="alice")
    iam.delete_user(UserName="alice")
    assert iam.list_users()["Users"] == []


def managed_policy(server, name):
    """The ARN of a managed policy, written straight to the store."""
    version = PolicyVersion(id="v1", document=json.dumps(allow("iam:GetUser")), created=0.0)
    policy = ManagedPolicy(
        account=ACCOUNT, name=name, id="ANPATEST", created=0.0, updated=0.0, versions=(version,)
    )
    server.store.run(lambda tx: tx.put(POLICIES, f"{ACCOUNT}/{name}", policy))
    return policy.arn


def test_policies_are_taken_away_before_a_user_is_deleted(server, iam, refused):
    server.user("inline", {"a": allow("s3:*")})
    server.user("attached", attached=(managed_policy(server, "p"),))
    with refused("DeleteConflict", "Cannot delete entity, must delete policies first."):
        iam.delete_user(UserName="inline")
    with refused("DeleteConflict", "Cannot delete entity, must detach all policies first."):
        iam.delete_user(UserName="attached")


def test_a_name_that_is_used_again_is_another_user(iam):
    first = iam.create_user(UserName="alice")["User"]["UserId"]
    iam.delete_user(UserName="alice")
    assert iam.create_user(UserName="alice")["User"]["UserId"] != first


def test_a_boundary_holds_from_the_start(server, iam):
    boundary = managed_policy(server, "b")
    iam.create_user(UserName="alice", PermissionsBoundary=boundary)
    shown = iam.get_user(UserName="alice")["User"]["PermissionsBoundary"]
    assert shown["PermissionsBoundaryArn"] == boundary


def test_a_boundary_must_be_a_policy_of_the_account_or_of_aws(iam, refused):
    for missing in (f"arn:aws:iam::{ACCOUNT}:policy/none", "arn:aws:iam::111122223333:policy/other"):
        with refused("NoSuchEntity", f"Scope ARN: {missing} does not exist or is not attachable."):
            iam.create_user(UserName="alice", PermissionsBoundary=missing)


def test_tags_are_checked(iam, refused):
    same = [{"Key": "Team", "Value": "a"}, {"Key": "team", "Value": "b"}]
    with refused("InvalidInput"):
        iam.create_user(UserName="alice", Tags=same)
    with refused("InvalidInput"):
        iam.create_user(UserName="alice", Tags=[{"Key": "aws:team", "Value": "a"}])
    assert iam.list_users()["Users"] == []


def test_tags_at_creation_take_a_permission_of_their_own(server, refused):
    creator = server.user("creator", {"a": allow("iam:CreateUser")}).client("iam")
    creator.create_user(UserName="plain")
    with refused("AccessDenied", status=403):
        creator.create_user(UserName="tagged", Tags=[{"Key": "a", "Value": "b"}])
    server.user("tagger", {"a": allow("iam:CreateUser", "iam:TagUser")}).client("iam").create_user(
        UserName="tagged", Tags=[{"Key": "a", "Value": "b"}]
    )


def test_conditions_on_tags_and_boundaries_decide(server, refused):
    only_blue = allow("iam:*", StringEquals={"iam:ResourceTag/team": "blue"})
    admin = server.user("admin", {"a": only_blue}).client("iam")
    server.user("blue", tags={"team": "blue"})
    server.user("red", tags={"team": "red"})
    admin.get_user(UserName="blue")
    with refused("AccessDenied"):
        admin.get_user(UserName="red")
    asked = allow("iam:CreateUser", "iam:TagUser", StringEquals={"aws:RequestTag/team": "blue"})
    maker = server.user("maker", {"a": asked}).client("iam")
    maker.create_user(UserName="new", Tags=[{"Key": "team", "Value": "blue"}])
    with refused("AccessDenied"):
        maker.create_user(UserName="other", Tags=[{"Key": "team", "Value": "red"}])
    with refused("AccessDenied"):
        maker.create_user(UserName="other")


def test_permission_is_asked_before_existence(server, refused):
    nobody = server.user("nobody")
    for name in ("nobody", "missing"):
        message = (
            f"User: {nobody.arn} is not authorized to perform: iam:GetUser on resource: "
            f"arn:aws:iam::{ACCOUNT}:user/{name} because no identity-based policy allows the iam:GetUser action"
        )
        with refused("AccessDenied", message, 403):
            nobody.client("iam").get_user(UserName=name)


def test_malformed_names_are_refused_with_the_constraint(iam, refused):
    with refused("ValidationError", status=400):
        iam.create_user(UserName="a b")
    with refused("ValidationError"):
        iam.create_user(UserName="a" * 65)
    with refused("ValidationError"):
        iam.create_user(UserName="alice", Path="no-slashes")


def test_the_waiter_finds_a_user(iam):
    iam.create_user(UserName="alice")
    iam.get_waiter("user_exists").wait(UserName="alice", WaiterConfig={"Delay": 0, "MaxAttempts": 1})


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(names=st.lists(st.text("abAB1_.@-", min_size=1, max_size=8), max_size=8), size=st.integers(1, 4))
def test_pages_show_everyone_once_in_order(server, names, size):
    account = server.client("iam", account="222233334444")
    wanted = {name.lower(): name for name in reversed(names)}
    for name in wanted.values():
        account.create_user(UserName=name)
    pages = account.get_paginator("list_users").paginate(PaginationConfig={"PageSize": size})
    seen = [user["UserName"] for page in pages for user in page["Users"]]
    assert seen == [wanted[key] for key in sorted(wanted)]
    for name in seen:
        account.delete_user(UserName=name)


@pytest.mark.parametrize("operation", ["create_user", "get_user", "delete_user", "update_user"])
def test_each_operation_is_denied_without_its_permission(server, refused, operation):
    server.user("target")
    everything_else = server.user("other", {"a": allow("iam:List*", "kms:*")}).client("iam")
    with refused("AccessDenied", status=403):
        getattr(everything_else, operation)(UserName="target")
