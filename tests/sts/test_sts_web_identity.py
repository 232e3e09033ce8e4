"""Tokens of a real OpenID Connect issuer for sessions of a role, and everything that is no such token."""

import base64
import json
import time

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError
from callers import refused, session_client
from cryptography.hazmat.primitives.asymmetric import rsa
from issuers import Authority, Issuer

from keystead.api.directory import OIDC_PROVIDERS
from keystead.identity import OidcProvider
from keystead.testing import RunningServer
from keystead.testing.people import allow

ACCOUNT = "000000000000"


@pytest.fixture(scope="module")
def issuer(tmp_path_factory):
    made = Issuer(Authority(), tmp_path_factory.mktemp("issuer"))
    made.add_key("k1")
    made.add_key("e1", "EC")
    yield made
    made.close()


@pytest.fixture(scope="module")
def server(issuer, tmp_path_factory):
    ca = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.write_bytes(issuer.authority.pem)
    with RunningServer(oidc_ca=str(ca), oidc_allow_private_issuers=(issuer.url,)) as running:
        register(running, issuer.url)
        yield running


def register(server, url, client_ids=("app", "other-app"), account=ACCOUNT):
    server.credential(account)
    provider = OidcProvider(
        account=account, url=url.removeprefix("https://"), created=0.0, client_ids=client_ids
    )
    server.store.run(lambda tx: tx.put(OIDC_PROVIDERS, f"{account}/{provider.url}", provider))
    return provider


def trust(issuer_url, *actions, account=ACCOUNT, **conditions):
    provider = f"arn:aws:iam::{account}:oidc-provider/{issuer_url.removeprefix('https://')}"
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": provider},
        "Action": ["sts:AssumeRoleWithWebIdentity", *actions],
    }
    if conditions:
        statement["Condition"] = conditions
    return {"Version": "2012-10-17", "Statement": [statement]}


def unsigned(server):
    client = boto3.client(
        "sts",
        endpoint_url=server.url,
        region_name="us-east-1",
        config=Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1}),
    )
    server._clients.append(client)
    return client


def assume(server, role, token, name="pod-1", **members):
    return unsigned(server).assume_role_with_web_identity(
        RoleArn=getattr(role, "arn", role), RoleSessionName=name, WebIdentityToken=token, **members
    )


@pytest.mark.parametrize("kid", ["k1", "e1"])
def test_a_token_becomes_a_session(server, issuer, kid):
    role = server.role(f"Pod-{kid}", {"keys": allow("kms:ListKeys")}, trust=trust(issuer.url))
    answer = assume(server, role, issuer.token(kid))
    provider = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{issuer.url.removeprefix('https://')}"
    assert answer["SubjectFromWebIdentityToken"] == "workload-1"
    assert answer["Audience"] == "app"
    assert answer["Provider"] == provider
    assert answer["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/Pod-{kid}/pod-1"
    assert session_client(server, answer).get_caller_identity()["Arn"] == answer["AssumedRoleUser"]["Arn"]
    session_client(server, answer, "kms").list_keys()
    with pytest.raises(ClientError, match="AccessDenied"):
        session_client(server, answer, "kms").create_key()


def test_the_event_tells_who_and_no_token(server, issuer):
    role = server.role("Evident", trust=trust(issuer.url))
    token = issuer.token(sub="evident-1")
    assume(server, role, token)
    (event,) = [e for e in server.events() if e["userIdentity"].get("userName") == "evident-1"]
    assert event["eventName"] == "AssumeRoleWithWebIdentity"
    assert event["recipientAccountId"] == ACCOUNT
    provider = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{issuer.url.removeprefix('https://')}"
    assert event["userIdentity"] == {
        "type": "WebIdentityUser",
        "principalId": f"{provider}:app:evident-1",
        "userName": "evident-1",
        "identityProvider": provider,
    }
    assert token not in json.dumps(server.events())


def test_conditions_see_the_claims(server, issuer):
    url = issuer.url.removeprefix("https://")
    matching = {"StringEquals": {f"{url}:sub": "workload-1", f"{url}:aud": "app"}}
    method = {"ForAnyValue:StringEquals": {f"{url}:amr": "mfa"}}
    role = server.role("ForOne", trust=trust(issuer.url, **matching, **method))
    assume(server, role, issuer.token(amr=["pwd", "mfa"]))
    denied = ("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")
    for claims in ({"amr": ["pwd"]}, {}, {"sub": "workload-2", "amr": ["mfa"]}):
        assert refused(assume, server, role, issuer.token(**claims)) == denied
    assert refused(assume, server, role, issuer.token(aud="other-app", amr=["mfa"])) == denied


def test_the_session_keeps_what_the_token_said(server, issuer):
    url = issuer.url.removeprefix("https://")
    keys = allow("kms:ListKeys", StringEquals={f"{url}:sub": "workload-1"})
    role = server.role("Remembering", {"keys": keys}, trust=trust(issuer.url))
    session_client(server, assume(server, role, issuer.token()), "kms").list_keys()
    other = session_client(server, assume(server, role, issuer.token(sub="workload-2")), "kms")
    with pytest.raises(ClientError, match="AccessDenied"):
        other.list_keys()


def test_who_is_not_trusted_learns_nothing_of_roles(server, issuer):
    others = server.role("Others")
    aws_only = server.role("AwsOnly", trust=trust("https://elsewhere.example.org"))
    missing = f"arn:aws:iam::{ACCOUNT}:role/Missing"
    answers = {refused(assume, server, role, issuer.token()) for role in (others, aws_only, missing)}
    assert answers == {("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")}


def test_only_providers_of_the_roles_account_count(server, issuer):
    server.credential("333333333333")
    role = server.role("Neighbour", account="333333333333", trust=trust(issuer.url, account="333333333333"))
    code, message = refused(assume, server, role, issuer.token())
    assert (code, message) == (
        "InvalidIdentityToken",
        f"No OpenIDConnect provider found in your account for {issuer.url}",
    )
    register(server, issuer.url, account="333333333333")
    assume(server, role, issuer.token())


def altered(token, **claims):
    head, body, signature = token.split(".")
    given = json.loads(base64.urlsafe_b64decode(body + "=="))
    body = base64.urlsafe_b64encode(json.dumps({**given, **claims}).encode()).rstrip(b"=").decode()
    return f"{head}.{body}.{signature}"


def unsecured(token):
    head = base64.urlsafe_b64encode(b'{"alg":"none","kid":"k1","typ":"JWT"}').rstrip(b"=").decode()
    return f"{head}.{token.split('.')[1]}."


def without_key_id(token):
    head = base64.urlsafe_b64encode(b'{"alg":"RS256","typ":"JWT"}').rstrip(b"=").decode()
    return f"{head}.{token.partition('.')[2]}"


def test_what_is_not_the_issuers_token_is_refused(server, issuer):
    role = server.role("Strict", trust=trust(issuer.url))
    good = issuer.token()
    stranger = rsa.generate_private_key(65537, 2048)
    bad = [
        "not a token",
        "a.b.c",
        altered(good, sub="admin"),
        unsecured(good),
        good[:-4] + "AAAA",
        issuer.token(key=stranger),
        issuer.token(key="secret" * 8, algorithm="HS256"),
        issuer.token(headers={"kid": "unknown"}),
        without_key_id(good),
        issuer.token(aud="stranger"),
        issuer.token(aud=None),
        issuer.token(aud=["app", "stranger"], azp="stranger"),
        issuer.token(iss="https://elsewhere.example.org"),
        issuer.token(iss=None),
        issuer.token(sub=None),
        issuer.token(sub=""),
        issuer.token(exp=None),
        issuer.token(nbf=int(time.time()) + 3600),
        issuer.token(iat=int(time.time()) + 3600),
    ]
    for token in bad:
        code, _ = refused(assume, server, role, token)
        assert code == "InvalidIdentityToken", token
    assume(server, role, issuer.token(aud=["app", "stranger"], azp="app"))


def test_a_token_that_has_ended(server, issuer):
    role = server.role("Punctual", trust=trust(issuer.url))
    code, message = refused(assume, server, role, issuer.token(exp=int(time.time()) - 1))
    assert code == "ExpiredTokenException"
    assert message.startswith("Token expired: current date/time ")


def test_a_key_that_came_later_is_found(issuer, tmp_path):
    ca = tmp_path / "ca.pem"
    ca.write_bytes(issuer.authority.pem)
    with RunningServer(oidc_ca=str(ca), oidc_allow_private_issuers=(issuer.url,)) as server:
        now = [0.0]
        server.app._outside.issuers._monotonic = lambda: now[0]
        register(server, issuer.url)
        role = server.role("Rotating", trust=trust(issuer.url))
        before = len(issuer.asked)
        for _ in range(3):
            assume(server, role, issuer.token())
        assert len(issuer.asked) == before + 2
        issuer.add_key("k2")
        # A stranger's key ids make the issuer asked only so often.
        assert refused(assume, server, role, issuer.token("k2"))[0] == "InvalidIdentityToken"
        assert len(issuer.asked) == before + 2
        now[0] += 31
        assume(server, role, issuer.token("k2"))
        assert len(issuer.asked) == before + 4
        now[0] += 3601
        assume(server, role, issuer.token("k2"))
        assert len(issuer.asked) == before + 6


def test_tags_and_source_identity_come_from_the_token(server, issuer):
    claims = {
        "https://aws.amazon.com/tags": {
            "principal_tags": {"team": ["red"], "job": ["dye"]},
            "transitive_tag_keys": ["team"],
        },
        "https://aws.amazon.com/source_identity": "ann",
    }
    plain = server.role("Untagged", trust=trust(issuer.url))
    assert refused(assume, server, plain, issuer.token(**claims))[0] == "AccessDenied"
    keys = allow("kms:ListKeys", StringEquals={"aws:PrincipalTag/team": "red", "aws:SourceIdentity": "ann"})
    role = server.role(
        "Tagged",
        {"keys": keys},
        trust=trust(
            issuer.url,
            "sts:TagSession",
            "sts:SetSourceIdentity",
            StringEquals={"aws:RequestTag/team": "red", "sts:SourceIdentity": "ann"},
        ),
    )
    answer = assume(server, role, issuer.token(**claims))
    assert answer["SourceIdentity"] == "ann"
    assert answer["PackedPolicySize"] >= 1
    session_client(server, answer, "kms").list_keys()
    bad = {"https://aws.amazon.com/tags": {"principal_tags": {"a": ["x", "y"]}}}
    assert refused(assume, server, role, issuer.token(**bad))[0] == "InvalidIdentityToken"
    bad = {"https://aws.amazon.com/source_identity": "aws:ann"}
    assert refused(assume, server, role, issuer.token(**bad))[0] == "InvalidIdentityToken"


def test_session_policies_and_durations_hold_here_too(server, issuer):
    role = server.role("Bounded", {"all": allow("kms:*")}, trust=trust(issuer.url))
    answer = assume(
        server, role, issuer.token(), Policy=json.dumps(allow("kms:ListKeys")), DurationSeconds=900
    )
    kms = session_client(server, answer, "kms")
    kms.list_keys()
    with pytest.raises(ClientError, match="session policy"):
        kms.create_key()
    assert refused(assume, server, role, issuer.token(), DurationSeconds=7200)[0] == "ValidationError"
    assert (
        refused(assume, server, role, issuer.token(), ProviderId="graph.facebook.com")[0] == "ValidationError"
    )
    assert refused(assume, server, "arn:aws:iam::000000000000:user/x", issuer.token())[0] == "ValidationError"


@pytest.mark.parametrize(
    ("path", "page"),
    [
        ("/keys", (302, {"Location": "/elsewhere"}, b"")),
        ("/keys", (500, {}, b"{}")),
        ("/keys", (200, {}, b"not json")),
        ("/keys", (200, {}, b"[]")),
        ("/keys", (200, {}, b" " * 600_000 + b"{}")),
        ("/.well-known/openid-configuration", (404, {}, b"")),
        (
            "/.well-known/openid-configuration",
            (200, {}, b'{"issuer":"https://other.example.org","jwks_uri":"x"}'),
        ),
        ("/.well-known/openid-configuration", (301, {"Location": "https://example.org"}, b"")),
    ],
)
def test_an_issuer_that_does_not_answer_as_it_should(issuer, tmp_path, path, page):
    ca = tmp_path / "ca.pem"
    ca.write_bytes(issuer.authority.pem)
    issuer.pages[path] = page
    try:
        with RunningServer(oidc_ca=str(ca), oidc_allow_private_issuers=(issuer.url,)) as server:
            register(server, issuer.url)
            role = server.role("Silent", trust=trust(issuer.url))
            assert refused(assume, server, role, issuer.token())[0] == "IDPCommunicationError"
            assert "/elsewhere" not in issuer.asked
    finally:
        issuer.pages.clear()


def test_private_addresses_are_asked_only_if_that_issuer_is_allowed(issuer, tmp_path):
    ca = tmp_path / "ca.pem"
    ca.write_bytes(issuer.authority.pem)
    for settings in ({"oidc_ca": str(ca)}, {"oidc_allow_private_issuers": (issuer.url,)}):
        with RunningServer(**settings) as server:
            before = len(issuer.asked)
            register(server, issuer.url)
            role = server.role("Private", trust=trust(issuer.url))
            assert refused(assume, server, role, issuer.token())[0] == "IDPCommunicationError"
            assert len(issuer.asked) == before


def test_what_is_asked_without_a_signature_and_not_offered_says_so(server):
    provider = f"arn:aws:iam::{ACCOUNT}:saml-provider/none"
    with pytest.raises(ClientError) as caught:
        unsigned(server).assume_role_with_saml(
            RoleArn=f"arn:aws:iam::{ACCOUNT}:role/Any", PrincipalArn=provider, SAMLAssertion="none"
        )
    assert caught.value.response["Error"]["Code"] == "UnsupportedOperation"
