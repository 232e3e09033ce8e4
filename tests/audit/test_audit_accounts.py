"""Who is told of a call that reaches into other accounts or Regions, and what each of them sees."""

import json

import pytest
from botocore.exceptions import ClientError

from keystead.testing.people import allow

CALLER, OWNER, THIRD = "111111111111", "222222222222", "333333333333"


@pytest.fixture
def server(fresh_server):
    return fresh_server


def shared_key(server, account, *actions, caller=CALLER):
    """A key of `account` that lets the caller's account do `actions`."""
    server.root(caller)
    statements = [
        {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{who}:root"}, "Action": what, "Resource": "*"}
        for who, what in ((account, "kms:*"), (caller, [f"kms:{action}" for action in actions]))
    ]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    return server.client("kms", account=account).create_key(Policy=policy)["KeyMetadata"]["Arn"]


def told(server, name):
    return [event for event in server.events() if event["eventName"] == name]


def without(event, *members):
    return {name: value for name, value in event.items() if name not in members}


def test_both_accounts_are_told_of_a_use_and_the_owner_sees_no_names(server):
    key = shared_key(server, OWNER, "Encrypt")
    alice = server.user("alice", {"use": allow("kms:*")}, CALLER)
    alice.client().encrypt(KeyId=key, Plaintext=b"x", EncryptionContext={"a": "b"})
    mine, theirs = told(server, "Encrypt")
    assert mine["recipientAccountId"] == CALLER
    assert mine["userIdentity"]["userName"] == "alice"
    assert theirs["recipientAccountId"] == OWNER
    assert theirs["userIdentity"] == {"type": "AWSAccount", "principalId": alice.id, "accountId": CALLER}
    assert mine["sharedEventID"] == theirs["sharedEventID"]
    assert len({mine["eventID"], theirs["eventID"], mine["sharedEventID"]}) == 3
    differing = ("eventID", "recipientAccountId", "userIdentity")
    assert without(mine, *differing) == without(theirs, *differing)
    assert mine["resources"] == [{"accountId": OWNER, "type": "AWS::KMS::Key", "ARN": key}]
    assert "alice" not in json.dumps(theirs)


def test_both_are_told_of_a_change_and_its_events_are_durable_before_the_answer(server):
    key = shared_key(server, OWNER, "CreateGrant")
    server.client("kms", account=CALLER).create_grant(
        KeyId=key, GranteePrincipal=f"arn:aws:iam::{CALLER}:root", Operations=["Decrypt"]
    )
    mine, theirs = told(server, "CreateGrant")
    assert (mine["recipientAccountId"], theirs["recipientAccountId"]) == (CALLER, OWNER)
    assert mine["responseElements"] == theirs["responseElements"]
    assert theirs["responseElements"]["keyId"] == key


def test_only_the_callers_account_is_told_of_a_denied_call(server):
    key = shared_key(server, OWNER, "Encrypt")
    with pytest.raises(ClientError, match="AccessDenied"):
        server.client("kms", account=CALLER).disable_key(KeyId=key)
    with pytest.raises(ClientError, match="AccessDenied"):
        server.client("kms", account=CALLER).sign(KeyId=key, Message=b"m", SigningAlgorithm="ECDSA_SHA_256")
    for name in ("DisableKey", "Sign"):
        (only,) = told(server, name)
        assert only["recipientAccountId"] == CALLER
        assert only["errorCode"] == "AccessDenied"
        assert only["requestParameters"] is only["responseElements"] is None
        assert "sharedEventID" not in only


def test_both_are_told_of_a_failure_that_is_no_denial(server):
    key = shared_key(server, OWNER, "Encrypt")
    server.client("kms", account=OWNER).disable_key(KeyId=key)
    with pytest.raises(ClientError, match="Disabled"):
        server.client("kms", account=CALLER).encrypt(KeyId=key, Plaintext=b"x")
    mine, theirs = told(server, "Encrypt")
    assert mine["errorCode"] == theirs["errorCode"] == "DisabledException"
    assert mine["sharedEventID"] == theirs["sharedEventID"]


def test_three_accounts_are_told_of_one_re_encryption(server):
    source, destination = shared_key(server, OWNER, "*"), shared_key(server, THIRD, "*")
    client = server.client("kms", account=CALLER)
    blob = client.encrypt(KeyId=source, Plaintext=b"x")["CiphertextBlob"]
    client.re_encrypt(CiphertextBlob=blob, DestinationKeyId=destination)
    events = told(server, "ReEncrypt")
    assert [event["recipientAccountId"] for event in events] == [CALLER, OWNER, THIRD]
    assert len({event["sharedEventID"] for event in events}) == 1
    assert len({event["eventID"] for event in events}) == 3
    assert [resource["ARN"] for resource in events[0]["resources"]] == [source, destination]


def test_a_call_within_one_account_has_one_event_and_shares_nothing(server):
    client = server.client("kms")
    key = client.create_key()["KeyMetadata"]["KeyId"]
    client.encrypt(KeyId=key, Plaintext=b"x")
    (event,) = told(server, "Encrypt")
    assert "sharedEventID" not in event


def test_a_role_is_a_resource_and_its_account_is_told_who_took_it(server):
    role = server.role("Auditor", account=OWNER)
    alice = server.user("alice", {"use": allow("sts:*")}, CALLER)
    answer = alice.client("sts").assume_role(RoleArn=role.arn, RoleSessionName="audit", Tags=[])
    mine, theirs = told(server, "AssumeRole")
    assert mine["resources"] == [{"accountId": OWNER, "type": "AWS::IAM::Role", "ARN": role.arn}]
    assert mine["sharedEventID"] == theirs["sharedEventID"]
    assert theirs["userIdentity"] == {"type": "AWSAccount", "principalId": alice.id, "accountId": CALLER}
    assert theirs["requestParameters"]["roleArn"] == role.arn
    key_id = answer["Credentials"]["AccessKeyId"]
    for event in (mine, theirs):
        assert event["readOnly"] is True
        assert event["responseElements"]["credentials"]["accessKeyId"] == key_id
        assert answer["Credentials"]["SessionToken"] not in json.dumps(event)
        assert answer["Credentials"]["SecretAccessKey"] not in json.dumps(event)


def test_a_role_that_cannot_be_taken_is_told_to_the_caller_alone(server):
    role = server.role("Auditor", account=OWNER)
    nobody = server.user("nobody", account=CALLER)
    with pytest.raises(ClientError, match="AccessDenied"):
        nobody.client("sts").assume_role(RoleArn=role.arn, RoleSessionName="audit")
    (only,) = told(server, "AssumeRole")
    assert only["recipientAccountId"] == CALLER


def test_a_replica_is_created_in_its_own_region_by_the_same_request(server):
    client = server.client("kms", region="us-east-1")
    key = client.create_key(MultiRegion=True)["KeyMetadata"]["KeyId"]
    client.replicate_key(KeyId=key, ReplicaRegion="eu-west-1", Tags=[{"TagKey": "a", "TagValue": "b"}])
    (replicate,) = told(server, "ReplicateKey")
    create = told(server, "CreateKey")[-1]
    replica = f"arn:aws:kms:eu-west-1:{server.settings.account_id}:key/{key}"
    assert (replicate["awsRegion"], create["awsRegion"]) == ("us-east-1", "eu-west-1")
    assert replicate["requestID"] == create["requestID"]
    assert replicate["eventID"] != create["eventID"]
    assert create["userIdentity"] == replicate["userIdentity"]
    assert create["requestParameters"]["multiRegion"] is True
    assert create["requestParameters"]["tags"] == [{"tagKey": "a", "tagValue": "b"}]
    assert create["responseElements"]["keyMetadata"]["arn"] == replica
    assert [resource["ARN"] for resource in create["resources"]] == [replica]
    assert replicate["responseElements"]["replicaKeyMetadata"]["arn"] == replica


def test_a_replica_that_is_not_made_is_not_told_of(server):
    client = server.client("kms", region="us-east-1")
    key = client.create_key()["KeyMetadata"]["KeyId"]
    before = len(told(server, "CreateKey"))
    with pytest.raises(ClientError):
        client.replicate_key(KeyId=key, ReplicaRegion="eu-west-1")
    assert len(told(server, "CreateKey")) == before


def test_an_alias_is_a_resource_of_the_calls_that_change_it(server):
    client = server.client("kms")
    key = client.create_key()["KeyMetadata"]["Arn"]
    client.create_alias(AliasName="alias/a", TargetKeyId=key)
    client.delete_alias(AliasName="alias/a")
    alias = f"arn:aws:kms:us-east-1:{server.settings.account_id}:alias/a"
    for name in ("CreateAlias", "DeleteAlias"):
        (event,) = told(server, name)
        kinds = {resource["ARN"]: resource["type"] for resource in event["resources"]}
        assert kinds == {alias: "AWS::KMS::Alias", key: "AWS::KMS::Key"}
