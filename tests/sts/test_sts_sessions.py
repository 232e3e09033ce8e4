"""GetSessionToken, GetFederationToken, GetAccessKeyInfo: what they give out, and what that may not do."""

import json

import pytest
from botocore.exceptions import ClientError
from callers import refused, session_client

from keystead.clock import ManualClock
from keystead.testing import RunningServer
from keystead.testing.people import allow

ACCOUNT = "000000000000"


@pytest.fixture
def still_server():
    """A server whose time stands still, so that no second passes between an answer and what it is held against."""
    with RunningServer(clock=ManualClock(start=1_800_000_000.5)) as running:
        yield running


def test_a_session_token_is_the_user_itself(still_server):
    server = still_server
    user = server.user("ann", {"keys": allow("kms:ListKeys")})
    answer = user.client("sts").get_session_token(DurationSeconds=900)
    assert answer["Credentials"]["Expiration"].timestamp() == int(server.clock.now()) + 900
    assert session_client(server, answer).get_caller_identity()["Arn"] == user.arn
    session_client(server, answer, "kms").list_keys()
    assert refused(session_client(server, answer, "kms").create_key)[0] == "AccessDeniedException"
    server.advance(901)
    assert refused(session_client(server, answer).get_caller_identity)[0] == "ExpiredToken"


def test_how_long_session_tokens_last(still_server):
    server = still_server
    now = int(server.clock.now())
    sts = server.user("timed").client("sts")
    assert sts.get_session_token()["Credentials"]["Expiration"].timestamp() == now + 43_200
    longest = sts.get_session_token(DurationSeconds=129_600)["Credentials"]["Expiration"]
    assert longest.timestamp() == now + 129_600
    root = server.client("sts")
    assert root.get_session_token()["Credentials"]["Expiration"].timestamp() == now + 3600
    assert refused(sts.get_session_token, DurationSeconds=899)[0] == "ValidationError"
    assert refused(sts.get_session_token, DurationSeconds=129_601)[0] == "ValidationError"


def test_what_temporary_credentials_may_not_ask_for(server):
    user = server.user("limited", {"all": allow("sts:*", "iam:*", "kms:*")})
    role = server.role("Limited", {"all": allow("sts:*", "iam:*")})
    sts = user.client("sts")
    session = session_client(server, sts.get_session_token())
    federated = session_client(server, sts.get_federation_token(Name="fed", Policy=json.dumps(allow("*"))))
    assumed = session_client(server, session.assume_role(RoleArn=role.arn, RoleSessionName="limited"))
    for one in (session, federated, assumed):
        one.get_caller_identity()
        assert refused(one.get_session_token) == (
            "AccessDenied",
            "Cannot call GetSessionToken with session credentials",
        )
        assert refused(one.get_federation_token, Name="fed")[0] == "AccessDenied"
    for one in (session, federated):
        assert refused(one.get_access_key_info, AccessKeyId="AKIAEXAMPLEEXAMPLE00")[0] == "AccessDenied"
    with pytest.raises(ClientError, match="AccessDenied"):
        federated.assume_role(RoleArn=role.arn, RoleSessionName="no")


def test_sessions_without_a_second_factor_may_not_call_iam(server):
    user = server.user("iamless", {"all": allow("sts:*", "iam:*")})
    sts = user.client("sts")
    user.client("iam").list_users()
    federated = sts.get_federation_token(Name="fed", Policy=json.dumps(allow("*")))
    for answer in (sts.get_session_token(), federated, server.client("sts").get_session_token()):
        assert refused(session_client(server, answer, "iam").list_users)[0] == "InvalidClientTokenId"
    role = server.role("IamRole", {"all": allow("iam:*")})
    session_client(server, sts.assume_role(RoleArn=role.arn, RoleSessionName="ok"), "iam").list_users()


def test_a_deleted_user_ends_its_sessions(server):
    from keystead.api.directory import NAMES, USERS, name_place

    user = server.user("leaver", {"all": allow("sts:GetFederationToken")})
    sts = user.client("sts")
    answers = [sts.get_session_token(), sts.get_federation_token(Name="fed")]
    for answer in answers:
        session_client(server, answer).get_caller_identity()

    def delete(tx):
        tx.delete(USERS, f"{ACCOUNT}/{user.id}")
        tx.delete(NAMES, name_place("user", ACCOUNT, "leaver"))

    server.store.run(delete)
    for answer in answers:
        assert refused(session_client(server, answer).get_caller_identity)[0] == "InvalidClientTokenId"


def test_federated_users_may_what_both_sides_allow(server):
    user = server.user("broker", {"all": allow("sts:GetFederationToken", "kms:ListKeys", "kms:ListAliases")})
    answer = user.client("sts").get_federation_token(
        Name="bob", Policy=json.dumps(allow("kms:ListKeys", "kms:CreateKey"))
    )
    assert answer["FederatedUser"] == {
        "FederatedUserId": f"{ACCOUNT}:bob",
        "Arn": f"arn:aws:sts::{ACCOUNT}:federated-user/bob",
    }
    assert 1 <= answer["PackedPolicySize"] <= 100
    assert session_client(server, answer).get_caller_identity()["Arn"] == answer["FederatedUser"]["Arn"]
    kms = session_client(server, answer, "kms")
    kms.list_keys()
    assert refused(kms.list_aliases)[0] == "AccessDeniedException"
    assert refused(kms.create_key)[0] == "AccessDeniedException"
    without = user.client("sts").get_federation_token(Name="bob")
    assert "PackedPolicySize" not in without
    assert refused(session_client(server, without, "kms").list_keys)[0] == "AccessDeniedException"


def test_federation_takes_permission_for_that_name(server):
    only = allow("sts:GetFederationToken", resource=f"arn:aws:sts::{ACCOUNT}:federated-user/b*")
    sts = server.user("narrow", {"federate": only}).client("sts")
    sts.get_federation_token(Name="bob")
    assert refused(sts.get_federation_token, Name="eve")[0] == "AccessDenied"
    code, message = refused(sts.get_federation_token, Name="bob", Tags=[{"Key": "a", "Value": "b"}])
    assert (code, "sts:TagSession" in message) == ("AccessDenied", True)


def test_tags_of_federated_users_are_theirs(server):
    tagged = {"StringEquals": {"aws:PrincipalTag/team": "red"}}
    policies = {
        "all": allow("sts:GetFederationToken", "sts:TagSession"),
        "keys": allow("kms:ListKeys", **tagged),
    }
    sts = server.user("tagging", policies).client("sts")
    everything = json.dumps(allow("*"))
    for team, allowed in (("red", True), ("blue", False)):
        answer = sts.get_federation_token(
            Name="bob", Policy=everything, Tags=[{"Key": "team", "Value": team}]
        )
        kms = session_client(server, answer, "kms")
        if allowed:
            kms.list_keys()
        else:
            assert refused(kms.list_keys)[0] == "AccessDeniedException"


def test_whose_an_access_key_is(server):
    user = server.user("asker", {"ask": allow("sts:GetAccessKeyInfo")})
    other = server.credential("222222222222")
    sts = user.client("sts")
    assert sts.get_access_key_info(AccessKeyId=other.access_key_id)["Account"] == "222222222222"
    assert sts.get_access_key_info(AccessKeyId=user.access_key_id)["Account"] == ACCOUNT
    assert refused(sts.get_access_key_info, AccessKeyId="AKIAEXAMPLEEXAMPLE00")[0] == "ValidationError"
    plain = server.user("plain").client("sts")
    assert refused(plain.get_access_key_info, AccessKeyId=other.access_key_id)[0] == "AccessDenied"
