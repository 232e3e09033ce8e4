"""Key policies with conditions, on a running server: each condition decides, and nothing else does."""

import json

import pytest
from botocore.exceptions import ClientError

ROOT = "arn:aws:iam::000000000000:root"
ADMINISTRATION = {
    "Effect": "Allow",
    "Principal": {"AWS": ROOT},
    "Action": [
        "kms:Describe*",
        "kms:Get*",
        "kms:List*",
        "kms:Put*",
        "kms:TagResource",
        "kms:UntagResource",
        "kms:CreateAlias",
        "kms:DeleteAlias",
        "kms:CreateGrant",
    ],
    "Resource": "*",
}


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": [ADMINISTRATION, *statements]})


def allow(condition, action="kms:Encrypt"):
    return {
        "Effect": "Allow",
        "Principal": {"AWS": ROOT},
        "Action": action,
        "Resource": "*",
        "Condition": condition,
    }


@pytest.fixture
def kms(server):
    return server.client("kms")


def allowed(call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        if error.response["Error"]["Code"] != "AccessDeniedException":
            raise
        return False
    return True


CASES = [
    (
        {"StringEquals": {"kms:EncryptionContext:tenant": "acme"}},
        {"EncryptionContext": {"tenant": "acme"}},
        {},
    ),
    (
        {"StringEquals": {"kms:EncryptionContext:Tenant": "acme"}},
        {"EncryptionContext": {"tenant": "acme"}},
        {"EncryptionContext": {"tenant": "ACME"}},
    ),
    (
        {"ForAllValues:StringEquals": {"kms:EncryptionContextKeys": ["a", "b"]}},
        {"EncryptionContext": {"a": "1"}},
        {"EncryptionContext": {"a": "1", "c": "2"}},
    ),
    ({"StringEquals": {"kms:CallerAccount": "000000000000"}}, {}, None),
    ({"StringEquals": {"kms:KeySpec": "SYMMETRIC_DEFAULT", "kms:KeyUsage": "ENCRYPT_DECRYPT"}}, {}, None),
    ({"Bool": {"kms:MultiRegion": "false"}}, {}, None),
    ({"StringEquals": {"kms:EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}}, {}, None),
    ({"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}, {}, None),
    ({"Bool": {"aws:SecureTransport": "false"}}, {}, None),
    ({"StringEquals": {"aws:RequestedRegion": "us-east-1"}}, {}, None),
    ({"ArnEquals": {"aws:PrincipalArn": ROOT}}, {}, None),
    ({"DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}, {}, None),
]
NEVER = [
    {"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}},
    {"StringEquals": {"kms:CallerAccount": "111122223333"}},
    {"Bool": {"aws:SecureTransport": "true"}},
    {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}},
    {"StringEquals": {"kms:GranteePrincipal": ROOT}},
    {"Bool": {"aws:MultiFactorAuthPresent": "true"}},
    {"StringEquals": {"kms:KeySpec": "RSA_2048"}},
    {"NoSuchOperator": {"kms:KeySpec": "SYMMETRIC_DEFAULT"}},
]


@pytest.mark.parametrize(("condition", "fitting", "unfitting"), CASES)
def test_a_condition_decides(kms, condition, fitting, unfitting):
    key = kms.create_key(Policy=policy(allow(condition)))["KeyMetadata"]["KeyId"]
    assert allowed(kms.encrypt, KeyId=key, Plaintext=b"x", **fitting)
    if unfitting is not None:
        assert not allowed(kms.encrypt, KeyId=key, Plaintext=b"x", **unfitting)


@pytest.mark.parametrize("condition", [c for c in NEVER if "NoSuchOperator" not in c])
def test_a_condition_that_does_not_hold_allows_nothing(kms, condition):
    key = kms.create_key(Policy=policy(allow(condition)))["KeyMetadata"]["KeyId"]
    assert not allowed(kms.encrypt, KeyId=key, Plaintext=b"x")


def test_an_unknown_operator_is_refused_when_the_policy_is_written(kms):
    with pytest.raises(ClientError, match="MalformedPolicyDocument"):
        kms.create_key(Policy=policy(allow(NEVER[-1])))


def test_the_alias_in_the_request_and_the_aliases_of_the_key(kms):
    key = kms.create_key(Policy=policy(allow({"StringEquals": {"kms:RequestAlias": "alias/conditions-a"}})))[
        "KeyMetadata"
    ]["KeyId"]
    kms.create_alias(AliasName="alias/conditions-a", TargetKeyId=key)
    kms.create_alias(AliasName="alias/conditions-b", TargetKeyId=key)
    assert allowed(kms.encrypt, KeyId="alias/conditions-a", Plaintext=b"x")
    assert not allowed(kms.encrypt, KeyId="alias/conditions-b", Plaintext=b"x")
    assert not allowed(kms.encrypt, KeyId=key, Plaintext=b"x")


def test_tags_of_the_key(kms):
    key = kms.create_key(Policy=policy(allow({"StringEquals": {"aws:ResourceTag/stage": "test"}})))[
        "KeyMetadata"
    ]["KeyId"]
    assert not allowed(kms.encrypt, KeyId=key, Plaintext=b"x")
    kms.tag_resource(KeyId=key, Tags=[{"TagKey": "stage", "TagValue": "test"}])
    assert allowed(kms.encrypt, KeyId=key, Plaintext=b"x")
    kms.untag_resource(KeyId=key, TagKeys=["stage"])
    assert not allowed(kms.encrypt, KeyId=key, Plaintext=b"x")


def test_a_changed_policy_counts_for_the_next_request(kms):
    everything = {"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "kms:*", "Resource": "*"}
    key = kms.create_key(Policy=policy(everything))["KeyMetadata"]["KeyId"]
    assert allowed(kms.encrypt, KeyId=key, Plaintext=b"x")
    kms.put_key_policy(KeyId=key, Policy=policy({**everything, "Action": "kms:Encrypt", "Effect": "Deny"}))
    assert not allowed(kms.encrypt, KeyId=key, Plaintext=b"x")


def test_a_grant_lets_another_account_in_until_it_is_revoked(server, kms):
    other = "999988887777"
    key = kms.create_key()["KeyMetadata"]
    theirs = server.client("kms", account=other)
    assert not allowed(theirs.encrypt, KeyId=key["Arn"], Plaintext=b"x")
    grant = kms.create_grant(
        KeyId=key["KeyId"], GranteePrincipal=f"arn:aws:iam::{other}:root", Operations=["Encrypt"]
    )["GrantId"]
    assert allowed(theirs.encrypt, KeyId=key["Arn"], Plaintext=b"x")
    assert not allowed(theirs.describe_key, KeyId=key["Arn"])
    kms.revoke_grant(KeyId=key["KeyId"], GrantId=grant)
    assert not allowed(theirs.encrypt, KeyId=key["Arn"], Plaintext=b"x")
