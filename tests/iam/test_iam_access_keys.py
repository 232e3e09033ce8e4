"""Access keys: made, switched off, deleted; and when they were last used."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from keystead.testing import RunningServer, allow
from keystead.testing.people import Person

MOST_POLLS = 500


def signing_with(server, key):
    return Person(
        arn="",
        account="",
        access_key_id=key["AccessKeyId"],
        secret_access_key=key["SecretAccessKey"],
        home=server,
    )


@pytest.fixture
def alice(iam):
    iam.create_user(UserName="alice")
    return "alice"


def test_a_new_key_works_at_once_and_its_secret_is_shown_once(server, iam, alice):
    key = iam.create_access_key(UserName=alice)["AccessKey"]
    assert (key["UserName"], key["Status"], len(key["SecretAccessKey"])) == (alice, "Active", 40)
    who = signing_with(server, key).client("sts").get_caller_identity()
    assert who["Arn"].endswith("user/alice")
    listed = iam.list_access_keys(UserName=alice)["AccessKeyMetadata"]
    assert [set(each) for each in listed] == [{"UserName", "AccessKeyId", "Status", "CreateDate"}]
    assert key["SecretAccessKey"] not in str(server.events())


def test_there_are_two_keys_at_most(iam, alice, refused):
    for _ in range(2):
        iam.create_access_key(UserName=alice)
    with refused("LimitExceeded", "Cannot exceed quota for AccessKeysPerUser: 2", 409):
        iam.create_access_key(UserName=alice)


def test_two_keys_at_most_also_when_many_are_asked_for_at_once(server, alice):
    def create(client):
        try:
            client.create_access_key(UserName=alice)
        except ClientError as error:
            return error.response["Error"]["Code"]
        return "made"

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(create, [server.client("iam") for _ in range(8)]))
    assert sorted(outcomes) == ["LimitExceeded"] * 6 + ["made"] * 2


def test_a_key_that_is_switched_off_is_refused_at_once(server, iam, alice, refused):
    key = iam.create_access_key(UserName=alice)["AccessKey"]
    sts = signing_with(server, key).client("sts")
    sts.get_caller_identity()
    iam.update_access_key(UserName=alice, AccessKeyId=key["AccessKeyId"], Status="Inactive")
    with refused("InvalidClientTokenId"):
        sts.get_caller_identity()
    assert iam.list_access_keys(UserName=alice)["AccessKeyMetadata"][0]["Status"] == "Inactive"
    iam.update_access_key(UserName=alice, AccessKeyId=key["AccessKeyId"], Status="Active")
    sts.get_caller_identity()
    iam.delete_access_key(UserName=alice, AccessKeyId=key["AccessKeyId"])
    with refused("InvalidClientTokenId"):
        sts.get_caller_identity()


def test_a_status_that_only_aws_gives_is_refused(iam, alice, refused):
    key = iam.create_access_key(UserName=alice)["AccessKey"]["AccessKeyId"]
    with refused("InvalidInput"):
        iam.update_access_key(UserName=alice, AccessKeyId=key, Status="Expired")


def test_another_users_key_is_not_found(iam, alice, refused):
    iam.create_user(UserName="bob")
    key = iam.create_access_key(UserName=alice)["AccessKey"]["AccessKeyId"]
    message = f"The Access Key with id {key} cannot be found."
    for call in (iam.delete_access_key, lambda **who: iam.update_access_key(Status="Inactive", **who)):
        with refused("NoSuchEntity", message, 404):
            call(UserName="bob", AccessKeyId=key)
        with refused("NoSuchEntity", message):
            call(AccessKeyId=key)


def test_users_look_after_their_own_keys_without_saying_who_they_are(server, iam):
    own = ["arn:aws:iam::000000000000:user/${aws:username}"]
    alice = server.user("alice", {"own": allow("iam:*AccessKey*", resource=own)})
    server.user("bob")
    client = alice.client("iam")
    made = client.create_access_key()["AccessKey"]
    assert made["UserName"] == "alice"
    assert len(client.list_access_keys()["AccessKeyMetadata"]) == 2
    client.delete_access_key(AccessKeyId=made["AccessKeyId"])
    with pytest.raises(ClientError, match="AccessDenied"):
        client.create_access_key(UserName="bob")


def test_the_root_has_keys_too(server, iam, refused):
    made = iam.create_access_key()["AccessKey"]
    assert "UserName" not in made
    assert signing_with(server, made).client("sts").get_caller_identity()["Arn"].endswith(":root")
    assert len(iam.list_access_keys()["AccessKeyMetadata"]) == 2
    with refused("LimitExceeded"):
        iam.create_access_key()
    iam.delete_access_key(AccessKeyId=made["AccessKeyId"])
    assert [key["AccessKeyId"] for key in iam.list_access_keys()["AccessKeyMetadata"]] == [
        server.access_key_id
    ]


def test_the_last_use_names_service_region_and_time(server, iam, alice):
    key = iam.create_access_key(UserName=alice)["AccessKey"]
    unused = iam.get_access_key_last_used(AccessKeyId=key["AccessKeyId"])
    assert unused["AccessKeyLastUsed"] == {"ServiceName": "N/A", "Region": "N/A"}
    person = signing_with(server, key)
    person.client("sts", region="eu-west-1").get_caller_identity()
    server.advance(100)
    before = int(server.clock.now())
    with pytest.raises(ClientError, match="AccessDenied"):
        person.client("kms", region="eu-central-1").list_keys()
    used = iam.get_access_key_last_used(AccessKeyId=key["AccessKeyId"])
    assert used["UserName"] == alice
    assert (used["AccessKeyLastUsed"]["ServiceName"], used["AccessKeyLastUsed"]["Region"]) == (
        "kms",
        "eu-central-1",
    )
    assert before <= used["AccessKeyLastUsed"]["LastUsedDate"].timestamp() <= server.clock.now()


def test_a_key_of_nobody_here_is_refused(server, iam, refused):
    foreign = server.credential("111122223333").access_key_id
    for key in (foreign, "AKIAAAAAAAAAAAAAAAAA"):
        with refused("AccessDenied"):
            iam.get_access_key_last_used(AccessKeyId=key)


@pytest.mark.parametrize("flushed", [True, False])
def test_the_last_use_outlives_a_restart(tmp_path, flushed):
    with RunningServer(tmp_path) as server:
        iam = server.client("iam")
        iam.create_user(UserName="alice")
        key = iam.create_access_key(UserName="alice")["AccessKey"]
        signing_with(server, key).client("sts", region="eu-west-1").get_caller_identity()
        before = iam.get_access_key_last_used(AccessKeyId=key["AccessKeyId"])["AccessKeyLastUsed"]
        if not flushed:  # as after a crash: what was noted in memory is lost, the journal is not
            server.app.usage.callers.take()
    with RunningServer(tmp_path) as server:
        iam = server.client("iam")
        for _ in range(MOST_POLLS):  # the journal is read beside the first requests
            after = iam.get_access_key_last_used(AccessKeyId=key["AccessKeyId"])["AccessKeyLastUsed"]
            if after["Region"] != "N/A":
                break
        assert (after["ServiceName"], after["Region"]) == (before["ServiceName"], before["Region"])
        assert abs((after["LastUsedDate"] - before["LastUsedDate"]).total_seconds()) <= 1


CALLS = {
    "CreateAccessKey": {"UserName": "alice"},
    "ListAccessKeys": {"UserName": "alice"},
    "UpdateAccessKey": {"UserName": "alice", "Status": "Inactive", "AccessKeyId": None},
    "DeleteAccessKey": {"UserName": "alice", "AccessKeyId": None},
    "GetAccessKeyLastUsed": {"AccessKeyId": None},
}


@pytest.mark.parametrize("operation", CALLS)
def test_each_operation_takes_its_own_permission(server, refused, operation):
    key = server.user("alice").access_key_id
    request = {name: key if value is None else value for name, value in CALLS[operation].items()}
    method = "".join(f"_{c.lower()}" if c.isupper() else c for c in operation)[1:]
    others = [f"iam:{name}" for name in CALLS if name != operation]
    with refused("AccessDenied"):
        getattr(server.user("without", {"a": allow(*others)}).client("iam"), method)(**request)
    getattr(server.user("with", {"a": allow(f"iam:{operation}")}).client("iam"), method)(**request)
