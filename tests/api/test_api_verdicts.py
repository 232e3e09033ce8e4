"""A permission found before holds for like requests only, and no longer than what it rests on."""

import json

import pytest
from botocore.exceptions import ClientError

from keystead.testing import allow, deny

ROOT = "arn:aws:iam::000000000000:root"


@pytest.fixture
def kms(server):
    return server.client("kms")


def new_key(kms, *statements, tags=()):
    keep = {"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "kms:*", "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [keep, *statements]}
    return kms.create_key(Policy=json.dumps(policy), Tags=list(tags))["KeyMetadata"]["KeyId"]


def may(client, key, context=None):
    """Whether it is allowed, and remains so when it is asked again."""
    given = {"KeyId": key, "Plaintext": b"x", **({"EncryptionContext": context} if context else {})}
    answers = set()
    for _ in range(3):
        try:
            client.encrypt(**given)
            answers.add(True)
        except ClientError as error:
            answers.add(error.response["Error"]["Code"] != "AccessDeniedException")
    (answer,) = answers
    return answer


def test_another_encryption_context_is_another_request(server, kms):
    user = server.user("context", {"p": allow("kms:Encrypt", StringEquals={"kms:EncryptionContext:a": "1"})})
    key, client = new_key(kms), user.client()
    assert may(client, key, {"a": "1"})
    assert may(client, key, {"A": "1", "b": "2"})
    assert not may(client, key, {"a": "2"})
    assert not may(client, key)
    assert may(client, key, {"a": "1"})


def test_names_and_values_are_not_mistaken_for_each_other(server, kms):
    both = {"kms:EncryptionContext:a": "1", "kms:EncryptionContext:b": "2"}
    user = server.user("swapped", {"p": allow("kms:Encrypt", StringEquals=both)})
    key, client = new_key(kms), user.client()
    assert may(client, key, {"a": "1", "b": "2"})
    assert not may(client, key, {"a": "2", "b": "1"})


def test_a_tag_of_the_key_that_is_changed(server, kms):
    user = server.user("tags", {"p": allow("kms:Encrypt", StringEquals={"aws:ResourceTag/team": "blue"})})
    key, client = new_key(kms, tags=[{"TagKey": "team", "TagValue": "blue"}]), user.client()
    assert may(client, key)
    kms.tag_resource(KeyId=key, Tags=[{"TagKey": "team", "TagValue": "red"}])
    assert not may(client, key)


def test_an_alias_of_the_key_that_is_taken_away(server, kms):
    condition = {"ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/verdicts"}}
    user = server.user("aliases", {"p": allow("kms:Encrypt", **condition)})
    key, client = new_key(kms), user.client()
    kms.create_alias(AliasName="alias/verdicts", TargetKeyId=key)
    assert may(client, key)
    kms.delete_alias(AliasName="alias/verdicts")
    assert not may(client, key)


def test_the_alias_by_which_the_key_is_named(server, kms):
    user = server.user("named", {"p": allow("kms:Encrypt", StringEquals={"kms:RequestAlias": "alias/by"})})
    key, client = new_key(kms), user.client()
    kms.create_alias(AliasName="alias/by", TargetKeyId=key)
    assert may(client, "alias/by")
    assert not may(client, key)
    assert may(client, "alias/by")


def test_a_key_policy_and_an_identity_policy_that_are_changed(server, kms):
    user = server.user("changed", {"p": allow("kms:Encrypt")})
    key, client = new_key(kms), user.client()
    assert may(client, key)
    refusing = {"Effect": "Deny", "Principal": {"AWS": user.arn}, "Action": "kms:Encrypt", "Resource": "*"}
    keep = {"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "kms:*", "Resource": "*"}
    for statements, expected in (([keep, refusing], False), ([keep], True)):
        kms.put_key_policy(KeyId=key, Policy=json.dumps({"Statement": statements}))
        assert may(client, key) is expected
    iam = server.client("iam")
    iam.put_user_policy(UserName="changed", PolicyName="no", PolicyDocument=json.dumps(deny("kms:Encrypt")))
    assert not may(client, key)
    iam.delete_user_policy(UserName="changed", PolicyName="no")
    assert may(client, key)


def test_grants_that_come_and_go(server, kms):
    user = server.user("granted")
    key, client = new_key(kms), user.client()
    assert not may(client, key, {"a": "1"})
    given = kms.create_grant(
        KeyId=key,
        GranteePrincipal=user.arn,
        Operations=["Encrypt"],
        Constraints={"EncryptionContextSubset": {"a": "1"}},
    )
    assert may(client, key, {"a": "1"})
    assert may(client, key, {"b": "2", "a": "1"})
    assert not may(client, key, {"a": "2"})
    assert not may(client, key)
    other = kms.create_grant(KeyId=key, GranteePrincipal=user.arn, Operations=["Encrypt"])
    assert may(client, key, {"a": "2"})
    kms.revoke_grant(KeyId=key, GrantId=other["GrantId"])
    assert not may(client, key, {"a": "2"})
    assert may(client, key, {"a": "1"})
    kms.revoke_grant(KeyId=key, GrantId=given["GrantId"])
    assert not may(client, key, {"a": "1"})


def test_a_grant_is_worth_nothing_under_a_deny_that_comes_later(server, kms):
    user = server.user("denied-later")
    key, client = new_key(kms), user.client()
    kms.create_grant(KeyId=key, GranteePrincipal=user.arn, Operations=["Encrypt"])
    assert may(client, key)
    server.client("iam").put_user_policy(
        UserName="denied-later", PolicyName="no", PolicyDocument=json.dumps(deny("kms:*"))
    )
    assert not may(client, key)


def test_a_permission_that_ends(fresh_server):
    ends = {"aws:EpochTime": str(int(fresh_server.clock.now()) + 3600)}
    user = fresh_server.user("until", {"p": allow("kms:Encrypt", DateLessThan=ends)})
    key, client = new_key(fresh_server.client("kms")), user.client()
    assert may(client, key)
    fresh_server.advance(3000)
    assert may(client, key)
    fresh_server.advance(700)
    assert not may(client, key)


def test_more_values_than_are_kept(server, kms):
    wanted = {"kms:EncryptionContext:n": "*0"}
    user = server.user("many", {"p": allow("kms:Encrypt", StringLike=wanted)})
    key, client = new_key(kms), user.client()
    for number in range(0, 450, 5):
        assert may(client, key, {"n": str(number)}) is (number % 10 == 0)


def test_a_tag_that_names_itself_is_no_pattern(server, kms):
    """A value of `*` in a tag matches an asterisk, whatever was let through before."""
    own = {"aws:ResourceTag/owner": "${aws:PrincipalTag/owner}"}
    policies = {"p": allow("kms:Encrypt", StringLike=own)}
    star, blue = (
        server.user(name, policies, tags={"owner": tag}) for name, tag in (("star", "*"), ("b", "b"))
    )
    key = new_key(kms, tags=[{"TagKey": "owner", "TagValue": "b"}])
    assert may(blue.client(), key)
    assert not may(star.client(), key)


def test_organizations_bind_at_once(fresh_server):
    organizations = fresh_server.client("organizations")
    organizations.create_organization(FeatureSet="ALL")
    root = organizations.list_roots()["Roots"][0]["Id"]
    organizations.enable_policy_type(RootId=root, PolicyType="SERVICE_CONTROL_POLICY")
    member = "111122223333"
    theirs = fresh_server.client("organizations", account=member)
    sent = organizations.invite_account_to_organization(Target={"Id": member, "Type": "ACCOUNT"})
    theirs.accept_handshake(HandshakeId=sent["Handshake"]["Id"])
    kms = fresh_server.client("kms", account=member)
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    assert may(kms, key)
    policy = organizations.create_policy(
        Name="no", Description="", Type="SERVICE_CONTROL_POLICY", Content=json.dumps(deny("kms:Encrypt"))
    )["Policy"]["PolicySummary"]["Id"]
    organizations.attach_policy(PolicyId=policy, TargetId=member)
    assert not may(kms, key)
    organizations.detach_policy(PolicyId=policy, TargetId=member)
    assert may(kms, key)
