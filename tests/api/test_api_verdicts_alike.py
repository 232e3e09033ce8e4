"""What was found for one key holds for others of the same policy, unless something tells them apart."""

import json

import pytest
from botocore.exceptions import ClientError

from keystead.api import authorize
from keystead.testing import allow, deny

ROOT = "arn:aws:iam::000000000000:root"
POLICY = json.dumps(
    {"Statement": [{"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "kms:*", "Resource": "*"}]}
)
KEY_ARN = "arn:aws:kms:us-east-1:000000000000:key/"


@pytest.fixture
def keys(server):
    kms = server.client("kms")
    return [kms.create_key(Policy=POLICY)["KeyMetadata"]["KeyId"] for _ in range(6)]


def allowed(client, keys):
    """The keys under which the caller may encrypt; each is asked for twice, and says the same."""
    found, refused = [], set()
    for key in [*keys, *keys]:
        try:
            client.encrypt(KeyId=key, Plaintext=b"x")
            found.append(key)
        except ClientError as error:
            refused.add(error.response["Error"]["Code"])
    assert refused <= {"AccessDeniedException"}
    assert found == found[: len(found) // 2] * 2
    return found[: len(found) // 2]


@pytest.mark.skipif(authorize.__file__.endswith(".so"), reason="nothing in a compiled module can be replaced")
def test_one_decision_for_keys_that_are_alike(server, keys, monkeypatch):
    decided = []
    sound = authorize.decide

    def decide(request, policies):
        decided.append(request.resource)
        return sound(request, policies)

    monkeypatch.setattr(authorize, "decide", decide)
    client = server.user("alike", {"p": allow("kms:Encrypt", resource=KEY_ARN + "*")}).client()
    assert allowed(client, keys) == keys
    assert decided == [KEY_ARN + keys[0]]


NAMED = {
    "an Allow of some": lambda some: [("Allow", {"Resource": some})],
    "an Allow of all but some": lambda some: [("Allow", {"NotResource": some})],
    "a Deny of some": lambda some: [("Allow", {"Resource": "*"}), ("Deny", {"Resource": some})],
    "a Deny of all but some": lambda some: [("Allow", {"Resource": "*"}), ("Deny", {"NotResource": some})],
    "more than are compared": lambda some: [
        ("Allow", {"Resource": [*some, *(KEY_ARN + f"other-{number}" for number in range(20))]})
    ],
    "a variable": lambda some: [("Allow", {"Resource": [one[:-4] + "${aws:username}" for one in some]})],
}


@pytest.mark.parametrize("policy", NAMED.values(), ids=NAMED)
@pytest.mark.parametrize("backwards", [False, True])
def test_keys_that_the_caller_s_policy_names(server, keys, policy, backwards):
    some = [KEY_ARN + key for key in keys[2:4]]
    name = keys[2][-4:]
    statements = [{"Effect": effect, "Action": "kms:*", **element} for effect, element in policy(some)]
    document = {"Version": "2012-10-17", "Statement": statements}
    client = server.user(name, {"p": document}).client()
    opposite = statements[-1]["Effect"] == "Deny" or "NotResource" in statements[-1]
    if len(statements) == 2 and "NotResource" in statements[-1]:
        opposite = False
    those = [key for key in keys if (KEY_ARN + key in some) is not opposite]
    if policy is NAMED["a variable"]:
        those = keys[2:3]
    order = keys[::-1] if backwards else keys
    assert allowed(client, order) == [key for key in order if key in those]


def test_keys_that_differ_in_what_a_condition_asks(server, keys):
    kms = server.client("kms")
    for key in keys[:3]:
        kms.tag_resource(KeyId=key, Tags=[{"TagKey": "team", "TagValue": "blue"}])
    client = server.user(
        "tagged", {"p": allow("kms:Encrypt", StringEquals={"aws:ResourceTag/team": "blue"})}
    ).client()
    assert allowed(client, keys) == keys[:3]
    kms.untag_resource(KeyId=keys[1], TagKeys=["team"])
    assert allowed(client, keys) == [keys[0], keys[2]]


def test_a_key_policy_that_is_changed_and_put_back(server, keys):
    kms, user = server.client("kms"), server.user("changed", {"p": allow("kms:Encrypt")})
    client = user.client()
    assert allowed(client, keys) == keys
    refusing = {"Effect": "Deny", "Principal": {"AWS": user.arn}, "Action": "kms:Encrypt", "Resource": "*"}
    other = {"Statement": [*json.loads(POLICY)["Statement"], refusing]}
    kms.put_key_policy(KeyId=keys[0], Policy=json.dumps(other))
    assert allowed(client, keys) == keys[1:]
    kms.put_key_policy(KeyId=keys[0], Policy=POLICY)
    assert allowed(client, keys) == keys


def test_an_identity_policy_that_is_changed(server, keys):
    client, iam = server.user("left", {"p": allow("kms:Encrypt")}).client(), server.client("iam")
    assert allowed(client, keys[:3]) == keys[:3]
    iam.put_user_policy(UserName="left", PolicyName="no", PolicyDocument=json.dumps(deny("kms:Encrypt")))
    assert allowed(client, keys) == []


def test_a_grant_is_on_one_key_only(server, keys):
    kms, user = server.client("kms"), server.user("granted")
    client = user.client()
    kms.create_grant(KeyId=keys[2], GranteePrincipal=user.arn, Operations=["Encrypt"])
    assert allowed(client, keys) == [keys[2]]
