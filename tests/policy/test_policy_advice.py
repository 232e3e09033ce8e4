"""What may be stored but does not do what it seems to: each finding, and that what is right has none."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystead.policy import default_key_policy, validate_key_policy
from keystead.policy.actions import ACTIONS
from keystead.policy.advice import advise
from keystead.policy.condition import OPERATORS
from keystead.policy.condition_keys import CONDITION_KEYS, actions_of

ALLOW = {"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"}


def policy(**members):
    statement = {name: value for name, value in (ALLOW | members).items() if value is not None}
    text = json.dumps({"Version": "2012-10-17", "Statement": [ALLOW, {"Sid": "second", **statement}]})
    validate_key_policy(text)
    return text


def found(**members):
    findings = advise(policy(**members))
    assert all((finding.statement, finding.sid) == (1, "second") for finding in findings)
    return [(f.path.removeprefix("Statement[1]."), f.problem, f.instead) for f in findings]


def on(operator, key, value="x", **members):
    """The findings on one condition, without its path."""
    findings = found(Condition={operator: {key: value}}, **members)
    assert all(path == f"Condition.{operator}.{key}" for path, _, _ in findings)
    return [(problem, instead) for _, problem, instead in findings]


CONDITIONS = [
    ("StringEquals", "kms:ViaServise", "kms:ViaServise is no condition key", "kms:ViaService"),
    ("StringEquals", "kms:EncryptionContext", "kms:EncryptionContext is no condition key", "kms:EncryptionContext:"),
    ("StringEquals", "s3:prefix", "s3:prefix means nothing in a key policy", "s3:prefix in a bucket policy"),
    ("StringEquals", "s3:prefixes", "s3:prefixes is no condition key", "a key that KMS supports"),
    ("NumericEquals", "kms:KeySpec", "NumericEquals does not compare what kms:KeySpec holds: string", "StringEquals"),
    ("ArnLike", "kms:KeySpec", "ArnLike does not compare what kms:KeySpec holds: string", "StringEquals"),
    ("StringEquals", "kms:MultiRegion", "StringEquals does not compare what kms:MultiRegion holds: bool", "Bool"),
    ("StringLike", "aws:SourceIp", "StringLike does not compare what aws:SourceIp holds: ip", "IpAddress"),
    ("DateLessThan", "aws:SourceArn", "DateLessThan does not compare what aws:SourceArn holds: arn", "ArnLike"),
    ("StringEquals", "aws:CurrentTime", "StringEquals does not compare what aws:CurrentTime holds: date", "DateLessThan"),
    (
        "StringLikeIfExists", "kms:GrantOperations",
        "kms:GrantOperations has several values, which StringLikeIfExists never matches",
        "ForAnyValue:StringLikeIfExists or ForAllValues:StringLikeIfExists",
    ),
    (
        "ForAnyValue:StringEquals", "kms:EncryptionContext:tenant",
        "kms:EncryptionContext:tenant has one value; ForAnyValue is for keys with several", "StringEquals",
    ),
    (
        "ForAllValues:ArnLike", "aws:PrincipalArn",
        "aws:PrincipalArn has one value; ForAllValues is for keys with several", "ArnLike",
    ),
    (
        "ForAnyValue:StringEquals", "kms:ResourceAliases",
        "kms:ResourceAliases means nothing in a key policy", "kms:ResourceAliases in an identity policy",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("operator", "key", "problem", "instead"), CONDITIONS)
def test_a_condition_that_does_not_do_what_it_seems_to(operator, key, problem, instead):
    assert on(operator, key) == [(problem, instead)]


def test_a_key_that_no_action_of_the_statement_has():
    (finding,) = on("StringEquals", "kms:SigningAlgorithm", Action=["kms:Decrypt", "kms:Encrypt"])
    assert finding == ("no action of the statement has kms:SigningAlgorithm", "it with kms:Sign, kms:Verify")
    assert on("StringEquals", "kms:SigningAlgorithm", Action=["kms:Decrypt", "kms:Sign"]) == []
    assert on("StringEquals", "kms:SigningAlgorithm", Action=None, NotAction="kms:Sign") == []
    assert on("StringEquals", "kms:SigningAlgorithm", Action=None, NotAction=["kms:Sign", "kms:Verify"])


@pytest.mark.parametrize(
    ("operator", "key"),
    [
        ("Null", "kms:GrantOperations"),
        ("ForAnyValue:StringEquals", "kms:EncryptionContextKeys"),
        ("ArnLike", "kms:EncryptionContext:aws:logs:arn"),
        ("ArnLike", "kms:GranteePrincipal"),
        ("StringLike", "aws:PrincipalArn"),
        ("NumericGreaterThan", "aws:EpochTime"),
        ("DateGreaterThan", "aws:EpochTime"),
        ("Bool", "KMS:grantisforawsresource"),
        ("StringEqualsIfExists", "aws:principaltag/Team"),
    ],
)
def test_a_condition_that_is_right(operator, key):
    assert on(operator, key) == []


@pytest.mark.parametrize(
    ("action", "problem", "instead"),
    [
        ("kms:ReEncrypt", "kms:ReEncrypt is no action of AWS KMS", "kms:ReEncrypt*"),
        ("kms:decript", "kms:decript is no action of AWS KMS", "kms:Decrypt"),
        ("kms:Melt?", "kms:Melt? is no action of AWS KMS", "an action of the Service Authorization Reference for AWS KMS"),
        ("s3:GetObject", "s3:GetObject is no action of AWS KMS", "an action of the Service Authorization Reference for AWS KMS"),
        ("kms:CreateKey", "kms:CreateKey is asked of no key, so no key policy can allow or deny it", "an identity policy"),
    ],
)  # fmt: skip
def test_an_action_that_is_never_asked_for(action, problem, instead):
    assert found(Action=[action, "kms:Encrypt"]) == [("Action", problem, instead)]
    assert found(Action=None, NotAction=action) == [("NotAction", problem, instead)]


@pytest.mark.parametrize("action", ["*", "kms:*", "KMS:DECRYPT", "kms:Describe*", "kms:?ncrypt"])
def test_an_action_that_exists(action):
    assert found(Action=action) == []


@pytest.mark.parametrize("row", ACTIONS.values(), ids=ACTIONS)
def test_every_action_of_the_catalogue_is_known(row):
    assert (found(Action=row.name) == []) is ("key" in row.targets)


def test_a_resource_that_is_not_this_key():
    named = "arn:aws:kms:us-east-1:111122223333:key/1234"
    problem = f'"{named}" is not "*"; a key policy is about its own key only'
    assert found(Resource=["*", named]) == [("Resource", problem, '"*"')]
    assert found(Resource=None, NotResource=named) == [("NotResource", problem, '"*"')]


def test_statements_without_effect():
    assert found(Action=None) == [
        ("Action", "without Action the statement has no effect", '"Action": "kms:…"')
    ]
    assert found(Resource=None) == [
        ("Resource", "without Resource the statement has no effect", '"Resource": "*"')
    ]


def test_the_default_key_policy_has_no_finding():
    assert advise(default_key_policy("111122223333")) == ()


@given(
    st.sampled_from(["", "ForAnyValue:", "ForAllValues:"]),
    st.sampled_from([*OPERATORS]),
    st.sampled_from([*CONDITION_KEYS.values()]),
)
def test_a_right_quantifier_is_never_found_fault_with(quantifier, operator, row):
    """And a wrong one always is, for every key of the table and every operator."""
    problems = [problem for problem, _ in on(f"{quantifier}{operator}", row.name)]
    about = [problem for problem in problems if "several" in problem]
    assert len(about) == (bool(quantifier) is not row.multi)
    if not actions_of(row):
        assert problems
