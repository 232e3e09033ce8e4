"""What a refused caller of another account learns by asking why: as much of a key as of none."""

import json
import re

import pytest
from botocore.exceptions import ClientError

from keystead.testing import RunningServer, allow, deny

OWNER, OTHER = "000000000000", "444455556666"
NOWHERE = f"arn:aws:kms:us-east-1:{OWNER}:key/00000000-0000-4000-8000-000000000000"
NAMES = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|alias/\w+|req[-\w]*")


class World:
    def __init__(self, server):
        self.server, self.kms = server, server.client("kms")
        looking = {"kms:KeySpec": "SYMMETRIC_DEFAULT", "aws:ResourceTag/team": "blue"}
        self.carol = server.user(
            "carol",
            {
                "all": allow("kms:*"),
                "spec": allow("kms:Encrypt", StringEquals=looking),
                "ask": allow("sts:DecodeAuthorizationMessage"),
            },
            account=OTHER,
        )

    def key(self, *statements):
        keep = {"Effect": "Allow", "Principal": {"AWS": OWNER}, "Action": "kms:*", "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [keep, *statements]})
        tags = [{"TagKey": "team", "TagValue": "blue"}]
        return self.kms.create_key(Policy=policy, Tags=tags)["KeyMetadata"]["Arn"]

    def told(self, operation, **members):
        """The decoded message of a refusal, with ids and names of keys taken out."""
        with pytest.raises(ClientError) as caught:
            getattr(self.carol.client("kms"), operation)(**members)
        error = caught.value.response
        assert error["Error"]["Code"] == "AccessDeniedException"
        found = self.carol.client("sts").decode_authorization_message(
            EncodedMessage=error["ResponseMetadata"]["RequestId"]
        )["DecodedMessage"]
        told = json.loads(NAMES.sub("X", found))
        times = {"aws:currenttime", "aws:epochtime"}
        rows = told["context"]["conditions"]["items"]
        told["context"]["conditions"]["items"] = [row for row in rows if row["key"] not in times]
        return error["Error"]["Message"], told


@pytest.fixture(scope="module")
def world():
    with RunningServer() as server:
        yield World(server)


DENY = {"Effect": "Deny", "Principal": "*", "Action": "kms:Encrypt", "Resource": "*"}
NEAR = {"Effect": "Allow", "Principal": {"AWS": OTHER}, "Action": "kms:Decrypt", "Resource": "*"}


@pytest.mark.parametrize("statements", [[], [NEAR], [NEAR, DENY]], ids=["closed", "near", "denied"])
def test_a_key_that_refuses_is_explained_like_one_that_is_not_there(world, statements):
    given = {"Plaintext": b"x", "EncryptionContext": {"a": "1"}}
    there = world.told("encrypt", KeyId=world.key(*statements), **given)
    nowhere = world.told("encrypt", KeyId=NOWHERE, **given)
    assert there == nowhere
    assert "the account that owns the resource would have to allow it" in there[1]["explanation"]
    assert there[1]["explicitDeny"] is False


def test_an_alias_tells_not_which_key_it_stands_for(world):
    key = world.key()
    world.kms.create_alias(AliasName="alias/there", TargetKeyId=key)
    prefix = f"arn:aws:kms:us-east-1:{OWNER}:alias"
    told = [world.told("encrypt", KeyId=f"{prefix}/{name}", Plaintext=b"x") for name in ("there", "nowhere")]
    assert told[0] == told[1]
    assert told[0][1]["context"]["resource"].endswith(":X")


def test_operations_that_never_cross_accounts_are_explained_too(world):
    told = [world.told("enable_key", KeyId=key) for key in (world.key(), NOWHERE)]
    assert told[0] == told[1]


def test_a_grant_of_another_account_is_explained_like_none(world):
    key = world.key()
    terms = {"EncryptionContextSubset": {"secret": "project"}}
    made = world.kms.create_grant(
        KeyId=key, GranteePrincipal=f"arn:aws:iam::{OWNER}:root", Operations=["Encrypt"], Constraints=terms
    )
    told = [world.told("retire_grant", KeyId=key, GrantId=grant) for grant in (made["GrantId"], "0" * 64)]
    assert told[0] == told[1]
    assert "project" not in json.dumps(told)


OWN_SIDES = {
    "nothing": {},
    "elsewhere": {"p": allow("kms:*", resource=NOWHERE.replace("us-east-1", "eu-west-1"))},
    "denied": {"p": allow("kms:*"), "d": deny("kms:DescribeKey")},
    "by_tag": {"p": allow("kms:*", StringEquals={"aws:ResourceTag/team": "blue"})},
}


@pytest.mark.parametrize("own", OWN_SIDES)
@pytest.mark.parametrize("statements", [[], [DENY | {"Action": "kms:DescribeKey"}]], ids=["closed", "denied"])
def test_who_may_not_at_home_learns_neither_if_a_key_is_there_nor_what_an_alias_stands_for(
    world, own, statements
):
    name = f"stranger-{own}-{len(statements)}"
    client = world.server.user(name, OWN_SIDES[own], account=OTHER).client("kms")
    key = world.key(*statements)
    world.kms.create_alias(AliasName=f"alias/{name}", TargetKeyId=key)

    def told(key_id):
        with pytest.raises(ClientError) as caught:
            client.describe_key(KeyId=key_id)
        return caught.value.response["Error"]["Message"].replace(key_id, "X")

    assert told(key) == told(NOWHERE)
    prefix = f"arn:aws:kms:us-east-1:{OWNER}:alias"
    assert told(f"{prefix}/{name}") == told(f"{prefix}/nowhere")


def test_what_the_caller_s_own_side_lacks_is_told(world):
    """The message has told that the other account lets it in; what is left to do is at home."""
    dave = world.server.user("dave", {"ask": allow("sts:DecodeAuthorizationMessage")}, account=OTHER)
    key = world.key(NEAR | {"Action": "kms:Encrypt"})
    with pytest.raises(ClientError, match="no identity-based policy allows the kms:Encrypt action") as caught:
        dave.client("kms").encrypt(KeyId=key, Plaintext=b"x")
    told = dave.client("sts").decode_authorization_message(
        EncodedMessage=caught.value.response["ResponseMetadata"]["RequestId"]
    )["DecodedMessage"]
    explanation = json.loads(told)["explanation"]
    assert "No identity policy allows it." in explanation
    assert f"add a statement to an identity policy of {dave.arn}" in explanation
    assert "the account that owns the resource" not in explanation
