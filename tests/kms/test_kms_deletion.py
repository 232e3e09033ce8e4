"""Deletion, by boto3 against a running server whose clock is advanced."""

import datetime as dt

import pytest

DAY = 86_400


def days(count):
    return dt.timedelta(days=count)


def describe(kms, key):
    return kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]


def gone(refused, kms, key):
    with refused("NotFoundException", f"Key '{key['Arn']}' does not exist"):
        describe(kms, key)


@pytest.mark.parametrize(("asked", "window"), [({}, 30), ({"PendingWindowInDays": 7}, 7)])
def test_a_scheduled_key_refuses_use_until_it_is_cancelled(kms, new_key, refused, asked, window):
    key = new_key()
    answer = kms.schedule_key_deletion(KeyId=key["KeyId"], **asked)
    assert (answer["KeyId"], answer["KeyState"], answer["PendingWindowInDays"]) == (
        key["Arn"],
        "PendingDeletion",
        window,
    )
    assert answer["DeletionDate"] - key["CreationDate"] >= days(window)
    shown = describe(kms, key)
    assert shown["DeletionDate"] == answer["DeletionDate"]
    assert not shown["Enabled"]
    assert "PendingDeletionWindowInDays" not in shown
    for operation, members in (
        (kms.encrypt, {"Plaintext": b"p"}),
        (kms.schedule_key_deletion, {}),
        (kms.enable_key, {}),
        (kms.tag_resource, {"Tags": [{"TagKey": "k", "TagValue": "v"}]}),
    ):
        with refused("KMSInvalidStateException", f"{key['Arn']} is pending deletion."):
            operation(KeyId=key["KeyId"], **members)
    assert kms.cancel_key_deletion(KeyId=key["KeyId"])["KeyId"] == key["Arn"]
    shown = describe(kms, key)
    assert shown["KeyState"] == "Disabled"
    assert "DeletionDate" not in shown
    kms.enable_key(KeyId=key["KeyId"])
    kms.encrypt(KeyId=key["KeyId"], Plaintext=b"p")


@pytest.mark.parametrize("window", [1, 6, 31, 365])
def test_windows_out_of_range(kms, new_key, refused, window):
    with refused("ValidationException"):
        kms.schedule_key_deletion(KeyId=new_key()["KeyId"], PendingWindowInDays=window)


def test_only_a_scheduled_deletion_can_be_cancelled(kms, new_key, refused):
    with refused("KMSInvalidStateException"):
        kms.cancel_key_deletion(KeyId=new_key()["KeyId"])


def test_after_the_window_the_key_and_all_that_is_its_own_are_gone(server, kms, new_key, refused, eventually):
    key = new_key()
    blob = kms.encrypt(KeyId=key["KeyId"], Plaintext=b"p")["CiphertextBlob"]
    kms.create_alias(AliasName="alias/doomed", TargetKeyId=key["KeyId"])
    kms.create_grant(
        KeyId=key["KeyId"],
        GranteePrincipal=f"arn:aws:iam::{key['AWSAccountId']}:root",
        Operations=["Decrypt"],
    )
    kms.schedule_key_deletion(KeyId=key["KeyId"], PendingWindowInDays=7)
    server.advance(7 * DAY - 60)
    assert describe(kms, key)["KeyState"] == "PendingDeletion"
    server.advance(120)
    eventually(
        lambda: [k["KeyId"] for k in kms.list_keys()["Keys"]], lambda listed: key["KeyId"] not in listed
    )
    gone(refused, kms, key)
    assert "alias/doomed" not in {entry["AliasName"] for entry in kms.list_aliases()["Aliases"]}
    with refused("NotFoundException"):
        kms.encrypt(KeyId="alias/doomed", Plaintext=b"p")
    with refused("InvalidCiphertextException"):
        kms.decrypt(CiphertextBlob=blob)


def test_a_cancelled_deletion_does_not_come_back(server, kms, new_key, eventually):
    key, doomed = new_key(), new_key()
    kms.schedule_key_deletion(KeyId=key["KeyId"], PendingWindowInDays=7)
    kms.cancel_key_deletion(KeyId=key["KeyId"])
    kms.schedule_key_deletion(KeyId=doomed["KeyId"], PendingWindowInDays=7)
    server.advance(8 * DAY)
    eventually(
        lambda: [k["KeyId"] for k in kms.list_keys()["Keys"]], lambda listed: doomed["KeyId"] not in listed
    )
    assert describe(kms, key)["KeyState"] == "Disabled"


def test_a_later_date_replaces_an_earlier_one(server, kms, new_key, eventually):
    key, doomed = new_key(), new_key()
    kms.schedule_key_deletion(KeyId=key["KeyId"], PendingWindowInDays=7)
    kms.cancel_key_deletion(KeyId=key["KeyId"])
    kms.schedule_key_deletion(KeyId=key["KeyId"], PendingWindowInDays=30)
    kms.schedule_key_deletion(KeyId=doomed["KeyId"], PendingWindowInDays=7)
    server.advance(8 * DAY)
    eventually(
        lambda: [k["KeyId"] for k in kms.list_keys()["Keys"]], lambda listed: doomed["KeyId"] not in listed
    )
    assert describe(kms, key)["KeyState"] == "PendingDeletion"


def test_a_primary_waits_for_its_last_replica(server, kms, new_key, refused, eventually):
    key = new_key(MultiRegion=True)
    other = server.client("kms", region="eu-west-1")
    kms.replicate_key(KeyId=key["KeyId"], ReplicaRegion="eu-west-1")
    eventually(lambda: describe(other, key)["KeyState"], lambda state: state == "Enabled")
    answer = kms.schedule_key_deletion(KeyId=key["KeyId"], PendingWindowInDays=10)
    assert answer["KeyState"] == "PendingReplicaDeletion"
    assert answer["PendingWindowInDays"] == 10
    assert "DeletionDate" not in answer
    shown = describe(kms, key)
    assert shown["PendingDeletionWindowInDays"] == 10
    server.advance(40 * DAY)
    assert describe(kms, key)["KeyState"] == "PendingReplicaDeletion"
    other.schedule_key_deletion(KeyId=key["KeyId"], PendingWindowInDays=7)
    assert describe(kms, key)["KeyState"] == "PendingReplicaDeletion"
    server.advance(7 * DAY + 1)
    shown = eventually(lambda: describe(kms, key), lambda shown: shown["KeyState"] == "PendingDeletion")
    assert shown["MultiRegionConfiguration"]["ReplicaKeys"] == []
    assert "PendingDeletionWindowInDays" not in shown
    gone(refused, other, {**key, "Arn": key["Arn"].replace("us-east-1", "eu-west-1")})
    server.advance(10 * DAY + 1)
    eventually(
        lambda: [k["KeyId"] for k in kms.list_keys()["Keys"]], lambda listed: key["KeyId"] not in listed
    )


def test_a_waiting_primary_can_be_kept(server, kms, new_key, eventually):
    key = new_key(MultiRegion=True)
    kms.replicate_key(KeyId=key["KeyId"], ReplicaRegion="eu-west-1")
    kms.schedule_key_deletion(KeyId=key["KeyId"])
    kms.cancel_key_deletion(KeyId=key["KeyId"])
    shown = describe(kms, key)
    assert shown["KeyState"] == "Disabled"
    assert "PendingDeletionWindowInDays" not in shown
