"""What plans and templates declare, and that nothing is guessed."""

import contextlib
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from keystead.errors import OperatorError
from keystead.templates import UNKNOWN, read

ACCOUNT = "111122223333"


def of(text, **given_parameters):
    return read("file", text, ACCOUNT, "eu-west-1", given_parameters)


def key_with(policy, more=""):
    return f"""
Parameters:
  Partner: {{Type: String}}
  Stage: {{Type: String, Default: test}}
Conditions:
  Live: !Equals [!Ref Stage, live]
  Either: !Or [!Condition Live, !Equals [a, b]]
Mappings:
  Accounts: {{eu-west-1: {{id: "444455556666"}}}}
Resources:
  App:
    Type: AWS::IAM::Role
    Properties: {{Path: /team/}}
  K:
    Type: AWS::KMS::Key
    Properties:
      KeyPolicy:
        Statement:
          - {{Effect: Allow, Action: "kms:*", Resource: "*", Principal: {{AWS: {policy}}}}}
{more}"""


def principal(text, **parameters):
    (key,) = of(text, **parameters).keys
    return key.policy if key.policy is UNKNOWN else json.loads(key.policy)["Statement"][0]["Principal"]["AWS"]


ROOT = f"arn:aws:iam::{ACCOUNT}:root"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ('!Sub "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"', ROOT),
        ('!Join ["", ["arn:aws:iam::", !Ref AWS::AccountId, ":root"]]', ROOT),
        ('{"Fn::Join": [":", ["arn:aws:iam:", {"Ref": "AWS::AccountId"}, "root"]]}', ROOT),
        ("!GetAtt App.Arn", f"arn:aws:iam::{ACCOUNT}:role/team/App"),
        ('!Sub "${App.Arn}"', f"arn:aws:iam::{ACCOUNT}:role/team/App"),
        ('!FindInMap [Accounts, !Ref "AWS::Region", id]', "444455556666"),
        ('!Select [1, !Split [",", "a,b"]]', "b"),
        ("!If [Live, a, b]", "b"),
        ("!If [Either, a, b]", "b"),
        ('!Sub ["${x}${!y}", {x: 1}]', "1${y}"),
    ],
)
def test_functions_give_what_they_give_when_it_is_applied(written, meant):
    assert principal(key_with(written)) == meant


@pytest.mark.parametrize(
    "written",
    ["!Ref Partner", '!Sub "arn:aws:iam::${Partner}:root"', "!ImportValue x", "!GetAtt K.Arn", "!If [None, a, b]",
     '!Join ["", [a, !Ref Partner]]', "!Ref App", "!Select [7, [a]]", "!FindInMap [Accounts, x, y]",
     '{"Fn::Transform": {}}'],
)  # fmt: skip
def test_what_is_not_known_yet_is_not_guessed(written):
    assert principal(key_with(written)) is UNKNOWN


def test_parameters_and_conditions_are_given():
    assert principal(key_with("!Ref Partner"), Partner="444455556666") == "444455556666"
    assert principal(key_with("!If [Live, a, b]"), Stage="live") == "a"
    absent = key_with("x", "    Condition: Live\n")
    assert of(absent).keys == ()
    assert len(of(absent, Stage="live").keys) == 1


def test_no_value_is_no_property_and_a_key_without_a_policy_has_none():
    text = "Resources:\n  K:\n    Type: AWS::KMS::Key\n    Properties:\n      KeyPolicy: !Ref AWS::NoValue\n"
    (key,) = of(text).keys
    assert key.policy is None
    assert key.line == 3


def test_policies_and_buckets_are_found_and_where_they_stand():
    found = of("""
Resources:
  R:
    Type: AWS::IAM::Role
    Properties:
      Policies: [{PolicyName: own, PolicyDocument: {Statement: []}}]
  M:
    Type: AWS::IAM::ManagedPolicy
    Properties: {PolicyDocument: {Statement: []}}
  B:
    Type: AWS::S3::Bucket
  C:
    Type: AWS::S3::Bucket
    Properties:
      BucketEncryption:
        ServerSideEncryptionConfiguration: [{ServerSideEncryptionByDefault: {SSEAlgorithm: "aws:kms", KMSMasterKeyID: !GetAtt K.Arn}}]
""")
    assert [(one.address, one.place) for one in found.policies] == [("R.own", "inline"), ("M", "managed")]
    assert [(one.algorithm, one.key) for one in found.buckets] == [(None, None), ("aws:kms", UNKNOWN)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        "a: [",
        "Resources: 1",
        "{}",
        "a: !Ref\n b",
        "key: *none",
        "\x00",
    ],
)
def test_what_is_no_template_is_refused(text):
    with pytest.raises(OperatorError, match="file"):
        of(text)


@given(st.text(max_size=200))
def test_no_text_does_anything_but_be_read_or_refused(text):
    with contextlib.suppress(OperatorError):
        of(text)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["Ref", "Fn::Sub", "Fn::Join", "Fn::If", "Fn::GetAtt", "Fn::Select", "Fn::Split",
                                       "Fn::FindInMap", "Fn::Equals", "Fn::And", "Fn::Or", "Fn::Not", "a"]), inner, max_size=2),
    max_leaves=12,
)  # fmt: skip


@example(None, {"Fn::Split": {}})
@example(None, {"Fn::Split": ["", "a"]})
@given(VALUES, VALUES)
def test_odd_functions_are_not_known_and_break_nothing(policy, conditions):
    document = {
        "Conditions": {"C": conditions},
        "Resources": {"K": {"Type": "AWS::KMS::Key", "Condition": "C", "Properties": {"KeyPolicy": policy}}},
    }
    for key in of(json.dumps(document)).keys:
        assert key.policy is UNKNOWN or key.policy is None or isinstance(key.policy, str)


# ------------------------------------------------------------------------------ terraform


def plan(*resources, unknown=None, configured=None, **more):
    return json.dumps({
        "planned_values": {"root_module": {"resources": [{"mode": "managed", **one} for one in resources]}},
        "resource_changes": [{"address": name, "change": {"after_unknown": of}} for name, of in (unknown or {}).items()],
        "configuration": {"root_module": {"resources": [
            {"address": name, "expressions": about} for name, about in (configured or {}).items()]}},
        **more,
    })  # fmt: skip


def resource(kind, name="k", **values):
    return {"type": kind, "address": f"{kind}.{name}", "values": values}


def test_a_policy_that_the_plan_does_not_know_is_not_known():
    text = plan(
        resource("aws_kms_key"),
        unknown={"aws_kms_key.k": {"policy": True}},
        configured={"aws_kms_key.k": {"policy": {"references": ["aws_iam_role.r.arn"]}}},
    )
    assert of(text).keys[0].policy is UNKNOWN


def test_a_policy_that_nobody_wrote_is_the_default_one():
    text = plan(
        resource("aws_kms_key"), unknown={"aws_kms_key.k": {"policy": True}}, configured={"aws_kms_key.k": {}}
    )
    assert of(text).keys[0].policy is None


def test_a_policy_kept_apart_is_that_of_its_key():
    text = plan(
        resource("aws_kms_key"),
        resource("aws_kms_key_policy", policy="{}"),
        configured={
            "aws_kms_key_policy.k": {"key_id": {"references": ["aws_kms_key.k.id", "aws_kms_key.k"]}}
        },
    )
    assert of(text).keys[0].policy == "{}"


def test_keys_of_modules_and_indexes_are_found():
    inner = {
        "resources": [{"mode": "managed", **resource("aws_kms_key", 'k["a"]', enable_key_rotation=True)}]
    }
    text = json.dumps({"planned_values": {"root_module": {"child_modules": [inner]}}})
    (key,) = of(text).keys
    assert key.rotation


def test_the_account_is_the_one_that_the_plan_read():
    state = {"values": {"root_module": {"resources": [
        {"type": "aws_caller_identity", "values": {"account_id": "777788889999"}}]}}}  # fmt: skip
    assert of(plan(prior_state=state)).account == "777788889999"
    assert of(plan()).account is None


def test_buckets_and_identity_policies_of_a_plan():
    rule = [
        {"apply_server_side_encryption_by_default": [{"sse_algorithm": "aws:kms", "kms_master_key_id": None}]}
    ]
    found = of(plan(
        resource("aws_s3_bucket_server_side_encryption_configuration", rule=rule),
        resource("aws_iam_policy", policy="{}"), resource("aws_iam_role_policy", policy="{}"),
    ))  # fmt: skip
    assert [(one.algorithm, one.key) for one in found.buckets] == [("aws:kms", None)]
    assert [one.place for one in found.policies] == ["managed", "inline"]
