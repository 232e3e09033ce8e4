"""The simulation contract: its example, its errors, what it ignores and echoes."""

import importlib.util
import json
from pathlib import Path

import pytest

from keystead.policy import DerivedContext, Facts, Principal, ResourceDescription
from keystead.policy.context import derive
from keystead.policy.simulate import simulate

ACCOUNT = "111122223333"
KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
ALICE = {"type": "user", "arn": f"arn:aws:iam::{ACCOUNT}:user/Alice"}
ALLOW = {"Effect": "Allow", "Action": "*", "Resource": "*"}


def case(**members):
    request = {"action": "kms:ListKeys", "resource": "*", "resourceAccount": ACCOUNT, "context": {}}
    return {"id": "c", "principal": ALICE, "request": request} | members


def answer(members):
    return json.loads(simulate(json.dumps(members)))


def test_the_contract_s_example():
    bob = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/Bob"}, "Action": "kms:*"}
    given = answer({
        "id": "ex-1",
        "principal": ALICE,
        "request": {"action": "kms:Decrypt", "resourceAccount": ACCOUNT, "resource": KEY, "context": {}},
        "identityPolicies": [
            {"name": "p", "document": {"Version": "2012-10-17", "Statement": [ALLOW | {"Action": "kms:*"}]}}
        ],
        "resourcePolicy": {"name": "default", "document": {"Statement": [bob | {"Resource": "*"}]}},
    })  # fmt: skip
    assert given == {
        "id": "ex-1",
        "decision": "implicitDeny",
        "decidedBy": {"policyType": "resource"},
        "message": f"User: arn:aws:iam::{ACCOUNT}:user/Alice is not authorized to perform: kms:Decrypt on "
        f"resource: {KEY} because no resource-based policy allows the kms:Decrypt action",
    }


def test_names_the_statement_that_decided():
    document = {"Statement": [ALLOW | {"Action": "s3:*"}, ALLOW | {"Sid": "Lists"}]}
    given = answer(case(identityPolicies=[{"name": "p", "document": document}]))
    assert given == {
        "id": "c",
        "decision": "allowed",
        "decidedBy": {"policyType": "identity", "policy": "p", "statement": 1, "sid": "Lists"},
    }
    document["Statement"].append(ALLOW | {"Effect": "Deny"})
    given = answer(case(groupPolicies=[{"document": json.dumps(document)}]))
    assert given["decidedBy"] == {"policyType": "group", "statement": 2}


@pytest.mark.parametrize(
    ("line", "echoed"),
    [
        ('{"id": 7}', b'{"id":7,'),
        ('{"id": 1.50e3}', b'{"id":1.50e3,'),
        ('{"id": "\\ud800é"}', b'{"id":"\\ud800\\u00e9",'),
        ('{"id": [1]}', b'{"id":null,'),
        ("{}", b'{"id":null,'),
        ("nonsense", b'{"id":null,'),
        (b"\xff", b'{"id":null,'),
        ('[{"id": 1}]', b'{"id":null,'),
        ("[" * 100_000, b'{"id":null,'),
        ('{"id": "x", "principal": NaN}', b'{"id":null,'),
    ],
)
def test_errors_echo_the_id(line, echoed):
    given = simulate(line)
    assert given.startswith(echoed)
    assert json.loads(given)["error"]["type"] == "InvalidCase"


def test_null_is_absent_and_unknown_members_are_ignored():
    given = answer(case(
        resource=None, groupPolicies=None, permissionsBoundary=None, options=None, grants=None, more={"a": 1},
        identityPolicies=[{"name": None, "document": {"Statement": ALLOW | {"Sid": None, "Condition": None}}}],
    ))  # fmt: skip
    assert given["decision"] == "allowed"


def changed(where, **members):
    made = case()
    made[where] = {k: v for k, v in (made[where] | members).items() if v is not None}
    return made


@pytest.mark.parametrize(
    "members",
    [
        {"principal": ALICE},
        case(principal=None),
        case(principal="Alice"),
        changed("principal", type="alien"),
        changed("principal", arn=None),
        changed("principal", arn="Alice"),
        changed("principal", arn="arn:aws:iam::12:user/Alice"),
        changed("principal", account=111122223333),
        changed("principal", mfaPresent="yes"),
        changed("principal", tags={"a": 1}),
        case(principal={"type": "assumedRole", "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/Keys"}),
        case(principal={"type": "service"}),
        changed("request", action=None),
        changed("request", action="ListKeys"),
        changed("request", resource=None),
        changed("request", resource="1234"),
        changed("request", resourceAccount=None),
        changed("request", resourceAccount="1"),
        changed("request", context=[]),
        changed("request", context={"aws:x": {}}),
        changed("request", context={"aws:x": [[]]}),
        changed("request", parameters=[]),
        changed("request", grantTokens="t"),
        changed("request", action="kms:RetireGrant"),
        case(identityPolicies={}),
        case(identityPolicies=["x"]),
        case(identityPolicies=[{"name": "p"}]),
        case(serviceControlPolicies=[{"policies": {}}]),
        case(grants=[{"IssuingAccount": "me"}]),
        case(grants=[{"Operations": "Decrypt"}]),
        case(resource={"keyManager": "ME"}),
        case(options={"trust": "none"}),
        case(options={"deriveContext": "yes"}),
    ],
)
def test_invalid_case(members):
    assert answer(members)["error"]["type"] == "InvalidCase"


@pytest.mark.parametrize(
    "document",
    [
        "not json",
        "[]",
        "7",
        7,
        [],
        {},
        {"Statement": None},
        {"Statement": "x"},
        {"Statement": ["x"]},
        {"Statement": [ALLOW | {"Effect": "allow"}]},
        {"Statement": [ALLOW | {"Effect": None}]},
        {"Statement": [ALLOW | {"NotAction": "x"}]},
        {"Statement": [{"Effect": "Allow", "Resource": "*"}]},
        {"Statement": [ALLOW, {"Effect": "Allow", "Action": None, "Resource": "*"}]},
    ],
)
@pytest.mark.parametrize("place", ["identityPolicies", "resourcePolicy", "serviceControlPolicies"])
def test_malformed_policy(document, place):
    policy = {"document": document}
    held = {
        "identityPolicies": [policy],
        "resourcePolicy": policy,
        "serviceControlPolicies": [{"policies": [policy]}],
    }
    assert answer(case(**{place: held[place]}))["error"]["type"] == "MalformedPolicy"


def test_without_derivation_nothing_is_added_to_the_context():
    statement = ALLOW | {"Condition": {"Null": {"aws:username": "true"}}}
    given = answer(case(identityPolicies=[{"document": {"Statement": statement}}]))
    assert given["decision"] == "allowed"
    assert "context" not in given


def test_derived_context_decides():
    statement = ALLOW | {"Condition": {"StringEquals": {"AWS:UserName": "Alice"}}}
    held = {"identityPolicies": [{"document": {"Statement": statement}}]}
    assert answer(case(**held))["decision"] == "implicitDeny"
    assert answer(case(**held, options={"deriveContext": True}))["decision"] == "allowed"


def test_context_asked_key_by_key_equals_the_whole():
    facts = Facts(
        principal=Principal(type="user", arn=ALICE["arn"], account=ACCOUNT, tags={"Team": "red"}),
        action="kms:Encrypt",
        resource=KEY,
        account=ACCOUNT,
        description=ResourceDescription(trust="keyPolicy", tags={"Env": "p"}, multi_region=False),
        parameters={"KeyId": "alias/a", "EncryptionContext": {"Dept": "IT"}},
        given={"aws:sourceip": "192.0.2.1", "aws:calledvia": ("a.amazonaws.com",)},
    )
    whole, context = derive(facts), DerivedContext.of(facts)
    assert {name: context.get(name.lower()) for name in whole} == whole
    assert whole["kms:MultiRegion"] == "false"
    assert context.get("kms:encryptioncontext:other") is None
    assert context.get("s3:prefix") is None


def test_fuzz_target_holds_on_a_small_corpus():
    path = Path(__file__).parents[2] / "fuzz" / "fuzz_policy.py"
    spec = importlib.util.spec_from_file_location("fuzz_policy", path)
    fuzz = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fuzz)
    valid = json.dumps({"Statement": ALLOW | {"Principal": "*"}}).encode()
    for data in (b"", b"{}", b"\xff\xfe", valid, valid[:-1], b"[" * 50_000, json.dumps(case()).encode()):
        fuzz.one_input(data)
