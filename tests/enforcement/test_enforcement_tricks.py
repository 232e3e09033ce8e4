"""Attacks on what policies compare: services set on others' behalf, and names that are almost other names."""

import json

import pytest
from botocore.exceptions import ClientError
from callers import service_client

from keystead.api.forward import SOURCE_ACCOUNT, SOURCE_ARN
from keystead.testing import RunningServer
from keystead.testing.people import allow, deny

ACCOUNT, OTHER = "000000000000", "444455556666"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
SERVICE = "logs.amazonaws.com"
DENIED = "AccessDeniedException"


@pytest.fixture(scope="module")
def server():
    with RunningServer() as running:
        yield running


@pytest.fixture(scope="module")
def kms(server):
    return server.client("kms")


def code_of(call, **members):
    """The error's code, empty if the call succeeds."""
    try:
        call(**members)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return ""


def key_for(kms, principal, *, action="kms:Encrypt", **condition):
    """A key that its account administers, and that one statement more lets be used."""
    keep = {
        "Effect": "Allow",
        "Principal": {"AWS": ROOT},
        "Action": ["kms:Put*", "kms:TagResource"],
        "Resource": "*",
    }
    more = {"Effect": "Allow", "Principal": principal, "Action": action, "Resource": "*"}
    if condition:
        more["Condition"] = condition
    policy = json.dumps({"Version": "2012-10-17", "Statement": [keep, more]})
    return kms.create_key(Policy=policy)["KeyMetadata"]["Arn"]


# ---------------------------------------------------------------------- the confused deputy


class acting_for:  # noqa: N801  reads as a phrase where it is used
    """A block in which a service says on behalf of which resource it calls."""

    def __init__(self, client, **headers):
        self.client, self.headers = client, headers

    def _add(self, request, **_):
        for name, value in self.headers.items():
            request.headers[{"arn": SOURCE_ARN, "account": SOURCE_ACCOUNT}[name]] = value

    def __enter__(self):
        self.client.meta.events.register("before-sign.*.*", self._add)

    def __exit__(self, *_):
        self.client.meta.events.unregister("before-sign.*.*", self._add)


OURS = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:ours"
DEPUTIES = [
    ({"StringEquals": {"aws:SourceAccount": ACCOUNT}}, {"arn": OURS, "account": ACCOUNT}),
    ({"ArnLike": {"aws:SourceArn": f"arn:aws:logs:*:{ACCOUNT}:*"}}, {"arn": OURS, "account": ACCOUNT}),
    ({"StringEquals": {"aws:SourceArn": OURS}}, {"arn": OURS}),
]
SOMEBODY_ELSES = [
    {"arn": f"arn:aws:logs:us-east-1:{OTHER}:log-group:ours", "account": OTHER},
    {"arn": f"arn:aws:logs:us-east-1:{OTHER}:log-group:{ACCOUNT}", "account": OTHER},
    {"arn": f"arn:aws:logs:{ACCOUNT}:{OTHER}:{OURS}", "account": OTHER},
    {},
]


@pytest.mark.parametrize(("condition", "ours"), DEPUTIES)
def test_a_service_called_by_another_account_s_resource_does_not_reach_the_key(server, kms, condition, ours):
    service = service_client(server, SERVICE)
    key = key_for(kms, {"Service": SERVICE}, **condition)
    with acting_for(service, **ours):
        assert code_of(service.encrypt, KeyId=key, Plaintext=b"x") == ""
    for theirs in SOMEBODY_ELSES:
        with acting_for(service, **theirs):
            assert code_of(service.encrypt, KeyId=key, Plaintext=b"x") == DENIED


def test_what_a_caller_says_of_a_source_is_not_believed(server, kms):
    """The headers count with a service's signature only."""
    key = key_for(kms, {"AWS": ROOT}, StringEquals={"aws:SourceAccount": ACCOUNT})
    with acting_for(server.client("kms"), arn=OURS, account=ACCOUNT):
        assert code_of(server.client("kms").encrypt, KeyId=key, Plaintext=b"x") == DENIED


# ---------------------------------------------------------------------------------- names

LOOK_ALIKES = ["\u0430lias/pay", "alias/p\u0430y", "alias/pay\u200b", "alias/pay\u00a0", "alias/\uff50ay"]
"""A Cyrillic a, twice; a space of no width; one that does not break; a full-width p."""
SPELLED = [
    "Alias/pay", "ALIAS/pay", "alias/Pay", "alias/PAY", "alias/pay ", " alias/pay", "alias/pay/", "alias//pay",
    "alias/./pay", "alias/../alias/pay", "alias%2fpay", "alias/%70ay", "alias/pay\t", "alias/pay\n", "alias/pay\0",
    "alias/pay*", "alias/*", "alias/pa?", "alias/", *LOOK_ALIKES,
]  # fmt: skip


@pytest.fixture(scope="module")
def pay(kms):
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName="alias/pay", TargetKeyId=key)
    return key


@pytest.mark.parametrize("name", SPELLED, ids=ascii)
def test_a_name_that_is_almost_an_alias_names_nothing(kms, pay, name):
    assert kms.describe_key(KeyId="alias/pay")["KeyMetadata"]["KeyId"] == pay
    for spelled in (name, f"arn:aws:kms:us-east-1:{ACCOUNT}:{name}"):
        assert code_of(kms.describe_key, KeyId=spelled) in {
            "NotFoundException", "ValidationException", "InvalidArnException",
        }  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        lambda arn: arn.upper(),
        lambda arn: arn.replace("arn:", "ARN:"),
        lambda arn: arn.replace(":kms:", ":KMS:"),
        lambda arn: arn.replace("us-east-1", "US-EAST-1"),
        lambda arn: arn.replace(":key/", ":Key/"),
        lambda arn: arn.replace("key/", "key%2f"),
        lambda arn: arn.replace("key/", "key//"),
        lambda arn: arn.replace("key/", "alias/../key/"),
        lambda arn: arn + " ",
        lambda arn: " " + arn,
        lambda arn: arn + "/",
        lambda arn: arn.replace(ACCOUNT, "\u0660" * 12),
        lambda arn: arn.replace("arn:aws:", "arn:aws-cn:"),
        lambda arn: arn.replace(ACCOUNT, ""),
        lambda arn: arn.replace(ACCOUNT, "*"),
        lambda arn: arn[:-1] + "?",
    ],
)
def test_a_name_that_is_almost_a_key_s_names_nothing(kms, pay, change):
    spelled = change(f"arn:aws:kms:us-east-1:{ACCOUNT}:key/{pay}")
    assert code_of(kms.encrypt, KeyId=spelled, Plaintext=b"x") in {
        "NotFoundException", "ValidationException", "InvalidArnException", DENIED,
    }  # fmt: skip


def test_a_deny_by_alias_is_not_passed_by_another_spelling(server, kms, pay):
    """What a request may call the key, `kms:RequestAlias` tells in one way, and names are never folded."""
    user = server.user(
        "denied-by-alias",
        {"p": allow("kms:*"), "d": deny("kms:Encrypt", StringEquals={"kms:RequestAlias": "alias/pay"})},
    ).client("kms")
    for name in ("alias/pay", f"arn:aws:kms:us-east-1:{ACCOUNT}:alias/pay"):
        assert code_of(user.encrypt, KeyId=name, Plaintext=b"x") == DENIED
    for name in SPELLED:
        assert code_of(user.encrypt, KeyId=name, Plaintext=b"x") != ""
    assert (
        code_of(user.encrypt, KeyId=pay, Plaintext=b"x") == ""
    )  # not by alias: the policy says nothing of it


def test_users_of_other_paths_and_cases_are_other_users(server, kms):
    """A key policy that names one lets none of them in."""
    named = server.user("Ann", path="/team/")
    key = key_for(kms, {"AWS": named.arn})
    assert named.arn == f"arn:aws:iam::{ACCOUNT}:user/team/Ann"
    assert code_of(named.client("kms").encrypt, KeyId=key, Plaintext=b"x") == ""
    others = [
        server.user("ann2", path="/team/"), server.user("team", path="/Ann/"),
        server.user("Ann", account=OTHER, path="/team/"), server.user("Ann.", path="/team/"),
    ]  # fmt: skip
    for other in others:
        assert code_of(other.client("kms").encrypt, KeyId=key, Plaintext=b"x") == DENIED


@pytest.mark.parametrize(
    "principal",
    [
        "arn:aws:iam::{}:user/bea", "arn:aws:iam::{}:user/team%2fBea", "arn:aws:iam::{}:user/team/bea",
        "arn:aws:iam::{}:user//team/Bea", "arn:aws:iam::{}:user/team/Bea ", "arn:aws:iam::{}:User/team/Bea",
        "arn:aws:iam::{}:user/team/*", "arn:aws:iam::{}:user/team/Be?", "arn:aws:iam::*:user/team/Bea",
        "arn:aws:iam::{}:user/team/B\u0435a", "ARN:AWS:IAM::{}:USER/TEAM/BEA",
    ],
)  # fmt: skip
def test_a_principal_that_is_almost_a_user_is_refused_or_is_nobody(server, kms, principal):
    server.user("Bea", path="/team/")
    with pytest.raises(ClientError) as caught:
        key_for(kms, {"AWS": principal.format(ACCOUNT)})
    assert caught.value.response["Error"]["Code"] == "MalformedPolicyDocumentException"


# ---------------------------------------------------------------- cases of condition keys

CASES = [
    {"StringEquals": {"KMS:ENCRYPTIONCONTEXT:TENANT": "acme"}},
    {"StringEquals": {"kms:encryptioncontext:tenant": "acme"}},
    {"StringEquals": {"Kms:EncryptionContext:tEnAnT": "acme"}},
]


@pytest.mark.parametrize("condition", CASES)
@pytest.mark.parametrize("name", ["tenant", "Tenant", "TENANT"])
def test_the_case_of_a_condition_key_says_nothing_and_of_a_value_all(kms, condition, name):
    key = key_for(kms, {"AWS": ROOT}, **condition)
    assert code_of(kms.encrypt, KeyId=key, Plaintext=b"x", EncryptionContext={name: "acme"}) == ""
    for value in ("Acme", "acme ", "ac\u043ce", "acm*"):
        given = {name: value}
        assert code_of(kms.encrypt, KeyId=key, Plaintext=b"x", EncryptionContext=given) == DENIED


def test_a_deny_on_a_context_is_not_passed_by_the_case_of_its_name(server, kms):
    user = server.user(
        "cased",
        {
            "p": allow("kms:*"),
            "d": deny("kms:Encrypt", StringEquals={"kms:EncryptionContext:level": "secret"}),
        },
    ).client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    for name in ("level", "Level", "LEVEL", "leveL"):
        given = {name: "secret"}
        assert code_of(user.encrypt, KeyId=key, Plaintext=b"x", EncryptionContext=given) == DENIED


@pytest.mark.parametrize("pair", [{"level": "secret", "Level": "open"}, {"Level": "open", "level": "secret"}])
def test_a_second_name_in_another_case_does_not_hide_the_first_one_from_a_deny(server, kms, pair):
    user = server.user(
        "twice",
        {
            "p": allow("kms:*"),
            "d": deny("kms:Encrypt", StringEquals={"kms:EncryptionContext:level": "secret"}),
        },
    ).client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    assert code_of(user.encrypt, KeyId=key, Plaintext=b"x", EncryptionContext=pair) == DENIED


@pytest.mark.parametrize("pair", [{"level": "secret", "Level": "open"}, {"Level": "open", "level": "secret"}])
def test_nor_from_an_allow_or_a_grant(server, kms, pair):
    user = server.user(
        "open", {"p": allow("kms:Encrypt", StringEquals={"kms:EncryptionContext:level": "open"})}
    )
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    assert code_of(user.client("kms").encrypt, KeyId=key, Plaintext=b"x", EncryptionContext=pair) == DENIED
    granted = server.user("granted")
    terms = {"EncryptionContextSubset": {"level": "open"}}
    kms.create_grant(KeyId=key, GranteePrincipal=granted.arn, Operations=["Encrypt"], Constraints=terms)
    encrypt = granted.client("kms").encrypt
    assert code_of(encrypt, KeyId=key, Plaintext=b"x", EncryptionContext={"Level": "open"}) == ""
    assert code_of(encrypt, KeyId=key, Plaintext=b"x", EncryptionContext=pair) == DENIED


def test_every_name_of_a_context_is_among_its_keys_in_each_way_to_read_it(server, kms):
    """`kms:EncryptionContextKeys` has several values, so that nothing of it need be chosen."""
    named = {"ForAnyValue:StringEquals": {"kms:EncryptionContextKeys": "level"}}
    user = server.user("named", {"p": allow("kms:Encrypt", **named)}).client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    for pair in ({"level": "a", "Level": "b"}, {"Level": "b", "level": "a"}):
        assert code_of(user.encrypt, KeyId=key, Plaintext=b"x", EncryptionContext=pair) == ""
    assert code_of(user.encrypt, KeyId=key, Plaintext=b"x", EncryptionContext={"Level": "b"}) == DENIED


@pytest.mark.parametrize("pair", [{"level": "a", "Level": "b"}, {"Level": "b", "level": "a"}])
def test_a_deny_in_one_reading_is_told_before_what_lacks_in_another(server, kms, pair):
    only, never = ({"StringEquals": {"kms:EncryptionContext:level": value}} for value in "ab")
    user = server.user("split", {"p": allow("kms:Encrypt", **only), "d": deny("kms:Encrypt", **never)})
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    with pytest.raises(ClientError, match="with an explicit deny in an identity-based policy"):
        user.client("kms").encrypt(KeyId=key, Plaintext=b"x", EncryptionContext=pair)


def test_names_that_differ_in_case_are_used_where_no_policy_cares(kms):
    pair = {"level": "secret", "Level": "open"}
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    blob = kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext=pair)["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=blob, EncryptionContext=pair)["Plaintext"] == b"x"
    assert code_of(kms.decrypt, CiphertextBlob=blob, EncryptionContext={"level": "secret"}) == (
        "InvalidCiphertextException"
    )
    many = {"".join(c.upper() if n >> i & 1 else c for i, c in enumerate("aaaaaaa")): "x" for n in range(128)}
    assert code_of(kms.encrypt, KeyId=key, Plaintext=b"x", EncryptionContext=many) == "ValidationException"


@pytest.mark.parametrize("names", [("Team", "team"), ("team", "Team")])
def test_a_second_tag_in_another_case_does_not_hide_the_first_one(server, names):
    """`aws:RequestTag/Team` is one condition key; a request may have two such tags."""
    user = server.user(
        "tagger",
        {"p": allow("kms:*"), "d": deny("kms:CreateKey", StringEquals={"aws:RequestTag/Team": "secret"})},
    ).client("kms")
    tags = [{"TagKey": name, "TagValue": "secret" if name == "Team" else "open"} for name in names]
    assert code_of(user.create_key, Tags=tags) == DENIED
    assert code_of(user.create_key, Tags=[{"TagKey": "Team", "TagValue": "open"}]) == ""


@pytest.mark.parametrize("names", [("Team", "team"), ("team", "Team")])
def test_a_second_tag_of_a_key_does_not_hide_the_first_one(server, kms, names):
    """Whoever may put the tag `team`, but not `Team`, would else take a key out of a policy on `Team`."""
    denied = server.user(
        "kept-out",
        {"p": allow("kms:*"), "d": deny("kms:Encrypt", StringEquals={"aws:ResourceTag/Team": "secret"})},
    ).client("kms")
    let_in = server.user("let-in", {"p": allow("kms:Encrypt", StringEquals={"aws:ResourceTag/Team": "open"})})
    tags = [{"TagKey": name, "TagValue": "secret" if name == "Team" else "open"} for name in names]
    key = kms.create_key(Tags=tags)["KeyMetadata"]["KeyId"]
    assert code_of(denied.encrypt, KeyId=key, Plaintext=b"x") == DENIED
    assert code_of(let_in.client("kms").encrypt, KeyId=key, Plaintext=b"x") == DENIED
    assert code_of(kms.encrypt, KeyId=key, Plaintext=b"x") == ""
    kms.untag_resource(KeyId=key, TagKeys=["Team"])
    assert code_of(denied.encrypt, KeyId=key, Plaintext=b"x") == ""
    assert code_of(let_in.client("kms").encrypt, KeyId=key, Plaintext=b"x") == ""


def test_nobody_tags_a_key_until_it_cannot_be_used(server, kms):
    """Each pair of tags that are alike doubles the questions, so their number is bounded before, not after."""
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    put = 0
    for name in "abcdefgh":
        tags = [{"TagKey": name, "TagValue": "1"}, {"TagKey": name.upper(), "TagValue": "2"}]
        put += code_of(kms.tag_resource, KeyId=key, Tags=tags) == ""
    assert put == 4
    context = {"a": "1", "A": "2", "b": "1", "B": "2"}
    assert code_of(kms.encrypt, KeyId=key, Plaintext=b"x", EncryptionContext=context) == ""
    assert code_of(kms.untag_resource, KeyId=key, TagKeys=["a", "A"]) == ""


# ----------------------------------------------------------------- wild cards brought along


def tagged(kms, value):
    key = kms.create_key(Tags=[{"TagKey": "owner", "TagValue": value}])
    return key["KeyMetadata"]["KeyId"]


@pytest.mark.parametrize("operator", ["StringEquals", "StringLike"])
@pytest.mark.parametrize("star", ["+", "a+=@-b"])
def test_a_tag_in_a_variable_stands_for_itself(server, kms, operator, star):
    """The caller's tag is the pattern: what is special in other languages is nothing here."""
    own = {operator: {"aws:ResourceTag/owner": "${aws:PrincipalTag/owner}"}}
    user = server.user(
        f"tagged-{operator}-{len(star)}", {"p": allow("kms:Encrypt", **own)}, tags={"owner": star}
    )
    for value in ("ann", "", "aab", "a.b"):
        assert code_of(user.client("kms").encrypt, KeyId=tagged(kms, value), Plaintext=b"x") == DENIED
    assert code_of(user.client("kms").encrypt, KeyId=tagged(kms, star), Plaintext=b"x") == ""


def test_a_star_that_a_session_brings_along_matches_only_itself(server, kms):
    """Session tags, and the encryption context, are what a caller chooses."""
    own = {"StringLike": {"kms:EncryptionContext:tenant": "${aws:PrincipalTag/tenant}"}}
    role = server.role("tenants", {"p": allow("kms:Encrypt", **own)})
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    for tag, asked, code in (
        ("*", "acme", DENIED), ("*", "*", ""), ("ac?e", "acme", DENIED), ("ac?e", "ac?e", ""),
        ("acme", "acme", ""), ("acme", "*", DENIED), ("${*}", "acme", DENIED), ("${aws:username}", "", DENIED),
    ):  # fmt: skip
        session = server.assume(role, tags={"tenant": tag}).client("kms")
        given = {"tenant": asked}
        assert code_of(session.encrypt, KeyId=key, Plaintext=b"x", EncryptionContext=given) == code, (
            tag,
            asked,
        )
