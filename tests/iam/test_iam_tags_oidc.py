"""Tags of users, roles, policies and OpenID Connect providers; and those providers."""

import json

import pytest

from keystead.testing import allow

ACCOUNT = "000000000000"
URL = "https://issuer.example.org/realm"
ARN = f"arn:aws:iam::{ACCOUNT}:oidc-provider/issuer.example.org/realm"
THUMB = "a" * 40
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Federated": ARN}, "Action": "sts:AssumeRoleWithWebIdentity"}
        ],
    }
)


@pytest.fixture(params=["user", "role", "policy", "open_id_connect_provider"])
def tagged(request, iam):
    """Calls about the tags of one thing: `tagged("tag", Tags=…)`, `tagged("untag", …)`, `tagged("list")`."""
    made = {
        "user": lambda: {"UserName": iam.create_user(UserName="it")["User"]["UserName"]},
        "role": lambda: {
            "RoleName": iam.create_role(RoleName="it", AssumeRolePolicyDocument=TRUST)["Role"]["RoleName"]
        },
        "policy": lambda: {
            "PolicyArn": iam.create_policy(PolicyName="it", PolicyDocument=json.dumps(allow("kms:ListKeys")))[
                "Policy"
            ]["Arn"]
        },
        "open_id_connect_provider": lambda: {
            "OpenIDConnectProviderArn": iam.create_open_id_connect_provider(Url=URL)[
                "OpenIDConnectProviderArn"
            ]
        },
    }[request.param]()

    def call(verb, **members):
        name = f"list_{request.param}_tags" if verb == "list" else f"{verb}_{request.param}"
        return getattr(iam, name)(**made, **members)

    return call


def pairs(**tags):
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def test_tags_are_set_changed_and_removed(tagged):
    tagged("tag", Tags=pairs(b="1", a="2"))
    tagged("tag", Tags=pairs(b="3"))
    assert tagged("list")["Tags"] == pairs(a="2", b="3")
    assert tagged("list")["IsTruncated"] is False
    first = tagged("list", MaxItems=1)
    assert tagged("list", Marker=first["Marker"])["Tags"] == pairs(b="3")
    tagged("untag", TagKeys=["a", "absent"])
    assert tagged("list")["Tags"] == pairs(b="3")


def test_keys_keep_their_case_and_are_unique_without_it(tagged, refused):
    tagged("tag", Tags=pairs(Team="1"))
    tagged("tag", Tags=pairs(team="2"))
    assert tagged("list")["Tags"] == pairs(team="2")
    message = "Duplicate tag keys found. Please note that Tag keys are case insensitive."
    with refused("InvalidInput", message, 400):
        tagged("tag", Tags=pairs(x="1", X="2"))
    tagged("untag", TagKeys=["TEAM"])
    assert tagged("list")["Tags"] == []


def test_there_are_at_most_fifty(tagged, refused):
    tagged("tag", Tags=pairs(**{f"k{number}": "" for number in range(50)}))
    tagged("tag", Tags=pairs(k1="changed"))
    with refused("LimitExceeded", status=409):
        tagged("tag", Tags=pairs(more=""))
    with refused("InvalidInput"):
        tagged("tag", Tags=[{"Key": "aws:own", "Value": ""}])


def test_tags_decide(server, iam, refused):
    only_blue = allow("iam:GetRole", StringEquals={"aws:ResourceTag/Team": "blue"})
    alice = server.user("alice", {"p": only_blue}).client("iam")
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=TRUST)
    with refused("AccessDenied"):
        alice.get_role(RoleName="r")
    iam.tag_role(RoleName="r", Tags=pairs(Team="blue"))
    alice.get_role(RoleName="r")
    iam.untag_role(RoleName="r", TagKeys=["Team"])
    with refused("AccessDenied"):
        alice.get_role(RoleName="r")


def test_tagging_at_creation_takes_the_permission_to_tag(server, refused):
    creator = server.user("alice", {"p": allow("iam:CreateRole", "iam:CreatePolicy")}).client("iam")
    creator.create_role(RoleName="plain", AssumeRolePolicyDocument=TRUST)
    with refused("AccessDenied"):
        creator.create_role(RoleName="r", AssumeRolePolicyDocument=TRUST, Tags=pairs(a="b"))
    with refused("AccessDenied"):
        creator.create_policy(
            PolicyName="p", PolicyDocument=json.dumps(allow("kms:ListKeys")), Tags=pairs(a="b")
        )


# ---------------------------------------------------------------- OpenID Connect providers


def test_a_provider_is_shown_as_it_was_made(iam):
    made = iam.create_open_id_connect_provider(
        Url=URL, ClientIDList=["app", "app"], ThumbprintList=[THUMB], Tags=pairs(a="b")
    )
    assert made["OpenIDConnectProviderArn"] == ARN
    shown = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=ARN)
    assert (shown["Url"], shown["ClientIDList"]) == ("issuer.example.org/realm", ["app"])
    assert (shown["ThumbprintList"], shown["Tags"]) == ([THUMB], pairs(a="b"))
    assert iam.list_open_id_connect_providers()["OpenIDConnectProviderList"] == [{"Arn": ARN}]


def test_a_provider_is_changed_and_deleted(iam, refused):
    it = {"OpenIDConnectProviderArn": ARN}
    iam.create_open_id_connect_provider(Url=URL, ThumbprintList=[THUMB])
    iam.add_client_id_to_open_id_connect_provider(**it, ClientID="app")
    iam.add_client_id_to_open_id_connect_provider(**it, ClientID="app")
    iam.add_client_id_to_open_id_connect_provider(**it, ClientID="web")
    iam.remove_client_id_from_open_id_connect_provider(**it, ClientID="app")
    iam.remove_client_id_from_open_id_connect_provider(**it, ClientID="absent")
    iam.update_open_id_connect_provider_thumbprint(**it, ThumbprintList=["B" * 40])
    shown = iam.get_open_id_connect_provider(**it)
    assert (shown["ClientIDList"], shown["ThumbprintList"]) == (["web"], ["b" * 40])
    iam.delete_open_id_connect_provider(**it)
    iam.delete_open_id_connect_provider(**it)
    with refused("NoSuchEntity", f"OpenIDConnect Provider not found for arn {ARN}", 404):
        iam.get_open_id_connect_provider(**it)
    with refused("NoSuchEntity"):
        iam.add_client_id_to_open_id_connect_provider(**it, ClientID="app")
    with refused("InvalidInput"):
        iam.get_open_id_connect_provider(OpenIDConnectProviderArn=f"arn:aws:iam::{ACCOUNT}:user/alice")


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("issuer.example.org", "ValidationError"),
        ("https://", "ValidationError"),
        ("https://a b", "ValidationError"),
        ("http://issuer.example.org", "InvalidInput"),
        ("https://issuer.example.org?x=1", "InvalidInput"),
        ("https://user@issuer.example.org", "InvalidInput"),
    ],
)
def test_what_is_no_issuer_is_refused(iam, refused, url, code):
    with refused(code, status=400):
        iam.create_open_id_connect_provider(Url=url)


def test_a_provider_is_registered_once_and_within_limits(server, iam, refused):
    iam.create_open_id_connect_provider(Url=URL)
    with refused("EntityAlreadyExists", f"Provider with url {URL} already exists.", 409):
        iam.create_open_id_connect_provider(Url=URL)
    server.client("iam", account="111122223333").create_open_id_connect_provider(Url=URL)
    with refused("InvalidInput", "Thumbprint list must contain fewer than 5 entries."):
        iam.create_open_id_connect_provider(Url="https://b.example.org", ThumbprintList=[THUMB] * 6)
    with refused("InvalidInput"):
        iam.create_open_id_connect_provider(Url="https://b.example.org", ThumbprintList=["z" * 40])
    with refused("LimitExceeded", "Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: 100", 409):
        iam.create_open_id_connect_provider(
            Url="https://b.example.org", ClientIDList=[f"c{number}" for number in range(101)]
        )


def test_an_issuer_may_have_a_port_and_no_thumbprint(iam):
    """AWS's may not have the one, and AWS fetches the other: what is trusted here is said by the operator."""
    arn = iam.create_open_id_connect_provider(Url="https://localhost:8443")["OpenIDConnectProviderArn"]
    assert arn == f"arn:aws:iam::{ACCOUNT}:oidc-provider/localhost:8443"
    assert iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)["ThumbprintList"] == []
