"""Posture checks: what policies mean, and where scanners that read syntax will say the opposite."""

import json

import pytest

from keystead.analysis.advisor import Held, KeyFacts, Rotation
from keystead.analysis.posture import CHECKS, judge_identity, judge_key, told
from keystead.policy.keypolicy import default_key_policy

ACCOUNT = "111122223333"
ARN = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
NOW = 1_800_000_000.0
DAY = 86400.0


def key(*statements, **more):
    given = {"rotation": Rotation(True, 365), "created": NOW - DAY, "last_used": NOW}
    policy = json.loads(default_key_policy(ACCOUNT))
    policy["Statement"] += [{"Effect": "Allow", "Resource": "*", **one} for one in statements]
    return KeyFacts(arn=ARN, account=ACCOUNT, policy=json.dumps(policy), **{**given, **more})


def judged(facts, **more):
    return {one.check: one for one in judge_key(facts, NOW, **more)}


def anybody(**condition):
    return {"Principal": "*", "Action": "kms:Decrypt", **({"Condition": condition} if condition else {})}


def test_a_good_key_passes_all_and_nobody_will_say_otherwise():
    found = judge_key(key(), NOW, template=True)
    assert {one.check for one in found} == {check.name for check in CHECKS}
    assert all(one.status in ("pass", "not-applicable") and not one.contradicted for one in found)


PUBLIC = [
    # condition, public by meaning, Prowler, Security Hub, Checkov
    ({}, True, "FAIL", "FAIL", "FAIL"),
    ({"StringEquals": {"kms:CallerAccount": ACCOUNT}}, False, "PASS", "PASS", "PASS"),
    ({"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}, True, "PASS", "PASS", "PASS"),
    ({"StringLike": {"aws:PrincipalOrgID": "o-*"}}, True, "PASS", "FAIL", "PASS"),
    ({"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}}, False, "PASS", "PASS", "PASS"),
    ({"StringEqualsIfExists": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}}, False, "FAIL", "PASS", "PASS"),
    ({"Bool": {"aws:SecureTransport": "true"}}, True, "FAIL", "PASS", "PASS"),
]


@pytest.mark.parametrize(("condition", "public", "prowler", "hub", "checkov"), PUBLIC)
def test_who_is_public_is_proven_and_what_others_say_is_told(condition, public, prowler, hub, checkov):
    found = judged(key(anybody(**condition)), template=True)["not-public"]
    if condition != {
        "StringEqualsIfExists": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}
    }:  # absent of those without one
        assert found.status == ("fail" if public else "pass"), found.reason
    assert found.said["Prowler kms_key_not_publicly_accessible"] == prowler
    assert found.said["Security Hub KMS.5"] == hub
    assert found.said["Checkov CKV_AWS_33"] == checkov


def test_a_deny_for_all_others_closes_what_syntax_calls_open():
    deny = {"Effect": "Deny", "Principal": "*", "Action": "kms:*",
            "Condition": {"StringNotEquals": {"aws:PrincipalAccount": ACCOUNT}}}  # fmt: skip
    found = judged(key(anybody(), deny))["not-public"]
    assert found.status == "pass"
    assert "Prowler kms_key_not_publicly_accessible" in found.contradicted
    (one,) = told([found], everything=False)
    assert one.level == "note"
    assert "will flag it" in one.message


@pytest.mark.parametrize(
    ("facts", "status", "contradicted"),
    [
        ({"rotation": Rotation(False)}, "fail", False),
        ({"rotation": Rotation(False), "origin": "EXTERNAL"}, "not-applicable", True),
        ({"rotation": Rotation(False), "spec": "RSA_2048"}, "not-applicable", False),
        ({"rotation": Rotation(True), "manager": "AWS"}, "pass", False),
    ],
)
def test_rotation_is_asked_where_it_is_possible(facts, status, contradicted):
    found = judged(key(**facts))["rotation"]
    assert found.status == status
    assert ("Prowler kms_cmk_rotation_enabled" in found.contradicted) == contradicted


@pytest.mark.parametrize(
    ("facts", "status"),
    [
        ({"last_used": NOW - 100 * DAY}, "pass"),
        ({"last_used": NOW - 2 * DAY}, "fail"),
        ({"last_used": None, "held": (Held(bucket="b", versions=1),)}, "fail"),
    ],
)
def test_a_deletion_is_wrong_where_it_hurts(facts, status):
    found = judged(key(state="PendingDeletion", **facts))["no-deletion-with-users"]
    assert found.status == status
    assert found.said["Security Hub KMS.3"] == "FAIL"


APP = {"AWS": f"arn:aws:iam::{ACCOUNT}:role/App"}


@pytest.mark.parametrize(
    ("statement", "status"),
    [
        ({"Principal": APP, "Action": "kms:CreateGrant"}, "fail"),
        ({"Principal": APP, "Action": "kms:CreateGrant", "Condition": {"Bool": {"kms:GrantIsForAWSResource": "true"}}}, "pass"),
        ({"Principal": APP, "Action": "kms:CreateGrant", "Condition": {"BoolIfExists": {"kms:GrantIsForAWSResource": "true"}}}, "fail"),
        ({"Principal": APP, "Action": "kms:Create*"}, "fail"),
        ({"Principal": {"AWS": ACCOUNT}, "Action": "kms:CreateGrant"}, "pass"),
    ],
)  # fmt: skip
def test_who_lends_a_key_to_whomever_it_wants_is_found(statement, status):
    assert judged(key(statement))["grants-for-services"].status == status


@pytest.mark.parametrize(
    ("statement", "status", "hub"),
    [
        ({"Effect": "Allow", "Action": "kms:*", "Resource": "*"}, "fail", "FAIL"),
        ({"Effect": "Allow", "Action": "kms:Decrypt", "Resource": ARN}, "pass", "PASS"),
        ({"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "arn:aws:kms:*:*:*"}, "fail", "FAIL"),
        ({"Effect": "Allow", "Action": "kms:Decrypt", "NotResource": ARN}, "fail", "PASS"),
        ({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}, "fail", "PASS"),
        ({"Effect": "Allow", "Action": "kms:Encrypt", "Resource": "*"}, "pass", "PASS"),
    ],
)
def test_identity_policies_that_open_every_key_are_found(statement, status, hub):
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    found = judge_identity(policy, "p", "inline", ACCOUNT)
    assert found.status == status
    assert found.said["Security Hub KMS.2"] == hub


def test_a_deny_beside_it_closes_every_key_and_syntax_does_not_see_it():
    statements = [
        {"Effect": "Allow", "Action": "kms:*", "Resource": "*"},
        {"Effect": "Deny", "Action": ["kms:Decrypt", "kms:ReEncrypt*"], "NotResource": ARN},
    ]
    found = judge_identity(json.dumps({"Statement": statements}), "p", "managed", ACCOUNT)
    assert found.status == "pass"
    assert "Security Hub KMS.1" in found.contradicted


def test_a_policy_that_is_too_hard_or_unreadable_is_never_a_pass():
    hard = anybody(StringLike={"aws:SourceIp": "10.*"})
    assert judged(key(hard))["not-public"].status == "undecided"
    assert judge_identity("{", "p", "inline", ACCOUNT).status == "undecided"
    assert next(told([judged(key(hard))["not-public"]], everything=False)).level == "error"
