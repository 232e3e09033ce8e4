"""Changes at the same time: a name is taken once, and nothing is left behind."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError


def outcome(call):
    try:
        call()
    except ClientError as error:
        return error.response["Error"]["Code"]
    return "ok"


def at_once(*calls):
    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(outcome, calls))


def test_one_name_is_taken_once(server):
    clients = [server.client("iam") for _ in range(6)]
    codes = at_once(*(lambda c=client: c.create_user(UserName="Alice") for client in clients))
    assert sorted(codes) == ["EntityAlreadyExists"] * 5 + ["ok"]
    assert len(clients[0].list_users()["Users"]) == 1


def test_two_users_are_not_renamed_to_one_name(server, iam):
    for name in ("a", "b", "c", "d"):
        iam.create_user(UserName=name)
    clients = {name: server.client("iam") for name in ("a", "b", "c", "d")}
    codes = at_once(
        *(lambda n=n, c=c: c.update_user(UserName=n, NewUserName="same") for n, c in clients.items())
    )
    assert sorted(codes) == ["EntityAlreadyExists"] * 3 + ["ok"]
    assert len(iam.list_users()["Users"]) == 4


@pytest.mark.parametrize("turn", range(5))
def test_a_group_that_is_deleted_has_no_members_after_all(server, iam, turn):
    iam.create_user(UserName="alice")
    iam.create_group(GroupName="g")
    one, other = server.client("iam"), server.client("iam")
    added, deleted = at_once(
        lambda: one.add_user_to_group(GroupName="g", UserName="alice"),
        lambda: other.delete_group(GroupName="g"),
    )
    assert (added, deleted) in {("ok", "DeleteConflict"), ("NoSuchEntity", "ok")}
    groups = iam.list_groups_for_user(UserName="alice")["Groups"]
    assert [group["GroupName"] for group in groups] == (["g"] if added == "ok" else [])


@pytest.mark.parametrize("turn", range(5))
def test_a_user_that_is_deleted_leaves_no_key(server, iam, turn):
    iam.create_user(UserName="alice")
    one, other = server.client("iam"), server.client("iam")
    made, deleted = at_once(
        lambda: one.create_access_key(UserName="alice"), lambda: other.delete_user(UserName="alice")
    )
    assert (made, deleted) in {("ok", "DeleteConflict"), ("NoSuchEntity", "ok")}


def test_memberships_given_at_once_are_all_kept(server, iam):
    iam.create_user(UserName="alice")
    for number in range(6):
        iam.create_group(GroupName=f"g{number}")
    clients = [server.client("iam") for _ in range(6)]
    codes = at_once(
        *(
            lambda n=number, c=client: c.add_user_to_group(GroupName=f"g{n}", UserName="alice")
            for number, client in enumerate(clients)
        )
    )
    assert codes == ["ok"] * 6
    assert len(iam.list_groups_for_user(UserName="alice")["Groups"]) == 6
