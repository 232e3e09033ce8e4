"""Advice by itself: what is drawn from facts, that proposed policies are proven, and that a bad one is refuted."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keystead.analysis.account import standings
from keystead.analysis.advisor import (
    AccountFacts,
    Held,
    KeyFacts,
    Rotation,
    Use,
    abilities,
    files,
    hygiene,
    needs,
    read_use,
    recommend,
    told_migration,
    totals,
)
from keystead.analysis.advisor.migration import prove
from keystead.policy.keypolicy import default_key_policy
from keystead.policy.lint import validate_key_policy
from keystead.policy.request import Grant
from keystead.services.kms.managed_keys import MANAGED_KEYS, managed_policy

ACCOUNT = "111122223333"
REGION = "us-east-1"
ARN = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
APP = f"arn:aws:iam::{ACCOUNT}:role/App"
READER = f"arn:aws:iam::{ACCOUNT}:role/Reader"
ADMIN = f"arn:aws:iam::{ACCOUNT}:role/KeyAdmin"
NOW = 1_800_000_000.0
DAY = 86400.0


def default_key(**more):
    policy = managed_policy(MANAGED_KEYS["alias/aws/s3"], ACCOUNT, REGION)
    given = {
        "manager": "AWS",
        "aliases": ("alias/aws/s3",),
        "rotation": Rotation(True, 365),
        "policy": policy,
    }
    return KeyFacts(arn=ARN, account=ACCOUNT, **{**given, **more})


def custom_key(**more):
    given = {
        "aliases": ("alias/data",),
        "rotation": Rotation(True, 365),
        "created": NOW - DAY,
        "last_used": NOW,
    }
    return KeyFacts(arn=ARN, account=ACCOUNT, **{**given, "policy": default_key_policy(ACCOUNT), **more})


def account(**more):
    return AccountFacts(account=ACCOUNT, region=REGION, now=NOW, **more)


def use(principal=APP, operation="GenerateDataKey", bucket="docs", **more):
    given = {"account": ACCOUNT, "service": "s3.amazonaws.com", "at": NOW - DAY}
    context = {"aws:s3:arn": f"arn:aws:s3:::{bucket}/a"}
    return Use(principal=principal, operation=operation, context=context, **{**given, **more})


def judged(key, *stated, **more):
    found = needs(key, account(**more), frozenset(stated))
    return {one.name: one for one in found}, recommend(key, found)


# ---------------------------------------------------------------------- default or custom


def test_without_a_need_the_default_key_is_enough():
    found, recommended = judged(default_key(uses=(use(),), held=(Held(bucket="docs", versions=1),)))
    assert recommended.verdict == "default-is-enough"
    assert not any(one.applies for one in found.values())
    assert all(one.reasons for one in found.values())


def test_a_key_that_nothing_lies_under_is_not_in_use():
    assert judged(default_key())[1].verdict == "not-in-use"


def test_different_people_for_different_data_need_granularity():
    found, recommended = judged(default_key(uses=(use(), use(READER, bucket="other"))))
    assert found["granularity"].applies
    assert recommended.verdict == "custom"


def test_who_only_reads_beside_who_writes_needs_granularity():
    assert judged(default_key(uses=(use(), use(READER, "Decrypt"))))[0]["granularity"].applies
    assert not judged(default_key(uses=(use(), use(READER))))[0]["granularity"].applies


def test_another_account_in_a_bucket_policy_needs_sharing():
    held = Held(bucket="docs", versions=1, readers=("444455556666",))
    found, _ = judged(default_key(uses=(use(),), held=(held,)))
    assert "444455556666" in found["sharing"].reasons[0]


def test_a_refused_call_from_another_account_needs_sharing():
    refused = use("arn:aws:iam::444455556666:role/P", "Decrypt", account="444455556666", error="AccessDenied")
    assert judged(default_key(uses=(refused,)))[0]["sharing"].applies


def test_tags_tell_of_compliance_and_lifecycle_rules_of_disposal():
    held = Held(bucket="docs", versions=1, tags={"Classification": "secret"}, expires=True)
    found, _ = judged(default_key(uses=(use(),), held=(held,)))
    assert found["compliance"].applies
    assert found["disposal"].applies


def person(name, *statements):
    policy = {"Version": "2012-10-17", "Statement": list(statements)}
    return {
        "RoleName": name, "Arn": f"arn:aws:iam::{ACCOUNT}:role/{name}", "RoleId": f"AROA{name}",
        "RolePolicyList": [{"PolicyName": "own", "PolicyDocument": json.dumps(policy)}],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("statement", "applies"),
    [
        ({"Effect": "Allow", "Action": "s3:Get*", "Resource": "arn:aws:s3:::do*"}, True),
        ({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::other/*"}, False),
        ({"Effect": "Allow", "Action": "kms:*", "Resource": "*"}, False),
    ],
)
def test_who_may_read_and_never_did_is_what_a_thief_gains(statement, applies):
    details = {"RoleDetailList": [person("Batch", statement)]}
    key = default_key(uses=(use(),), held=(Held(bucket="docs", versions=1),))
    found, _ = judged(key, standings=tuple(standings(details)), people=frozenset({APP}))
    assert found["resilience"].applies == applies


def test_a_stated_need_counts_though_nothing_shows_it():
    found, recommended = judged(default_key(uses=(use(),)), "disposal")
    assert found["disposal"].stated
    assert recommended.verdict == "custom"


# ------------------------------------------------------------------------------ abilities


def test_what_a_default_key_cannot_do_is_proven():
    assert not any(one.possible for one in abilities(default_key()))
    assert {one.name for one in abilities(default_key())} == {
        "own-policy", "sharing", "disabling", "shredding", "grants",
    }  # fmt: skip


def test_what_a_custom_key_can_do_comes_with_a_request():
    told = {one.name: one for one in abilities(custom_key())}
    assert told["shredding"].possible
    assert "kms:ScheduleKeyDeletion" in told["shredding"].shown
    assert not told["sharing"].possible


# ------------------------------------------------------------------------------ migration


def plan(key, **more):
    return told_migration(key, alias="alias/s3-data", admin=ADMIN, creates_admin=True, **more)


def test_the_new_policy_parts_duties_and_keeps_to_what_was_done():
    made = plan(default_key(uses=(use(), use(READER, "Decrypt"))))
    statements = {one["Sid"]: one for one in json.loads(made.policy)["Statement"]}
    assert statements["KeyAdministration"]["Principal"] == {"AWS": ADMIN}
    assert statements["WriteThroughTheService"]["Principal"] == {"AWS": APP}
    assert statements["ReadThroughTheService"]["Action"] == ["kms:Decrypt", "kms:DescribeKey"]
    through = statements["ReadThroughTheService"]["Condition"]["StringEquals"]
    assert through == {"kms:CallerAccount": ACCOUNT, "kms:ViaService": f"s3.{REGION}.amazonaws.com"}
    assert made.proven


PEOPLE = st.sampled_from([APP, READER, ADMIN, f"arn:aws:iam::{ACCOUNT}:user/ann", f"arn:aws:iam::{ACCOUNT}:root",
                          "arn:aws:iam::444455556666:role/P"])  # fmt: skip
USES = st.builds(use, PEOPLE, st.sampled_from(["GenerateDataKey", "Decrypt", "CreateGrant", "Encrypt"]))


@settings(max_examples=40, deadline=None)
@given(st.lists(USES, max_size=6), st.sampled_from(sorted(MANAGED_KEYS)))
def test_every_proposal_is_a_key_policy_that_is_proven(uses, alias):
    key = default_key(uses=tuple(uses), policy=managed_policy(MANAGED_KEYS[alias], ACCOUNT, REGION))
    made = plan(key)
    validate_key_policy(made.policy)
    assert made.proven, made.proof


@pytest.mark.parametrize(
    ("change", "claim"),
    [
        ({"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:role/Other"}, "Condition": {}}, 0),
        ({"Sid": "KeyAdministration", "Principal": {"AWS": ADMIN}, "Condition": {}}, 1),
        ({"Principal": {"AWS": "arn:aws:iam::444455556666:root"}, "Condition": {}}, 2),
        ({"Principal": "*", "Condition": {}}, 3),
    ],
)
def test_a_policy_that_opens_more_is_refuted(change, claim):
    key = default_key(uses=(use(),))
    policy = json.loads(plan(key).policy)
    statement = {**policy["Statement"][2], "Sid": "More", **change}
    if not statement["Condition"]:
        del statement["Condition"]
    proof = prove(key, {**policy, "Statement": [*policy["Statement"], statement]})
    assert not proof[claim].holds
    assert "may kms:" in proof[claim].shown


def test_the_files_say_the_same():
    made = plan(default_key(uses=(use(),), held=(Held(bucket="docs", versions=7, size=70, older=2),)))
    written = files(made)
    resources = json.loads(written["template.json"])["Resources"]
    assert resources["CustomKey"]["Properties"]["KeyPolicy"] == json.loads(made.policy)
    assert json.loads(written["key-policy.json"]) == json.loads(made.policy)
    assert made.policy in written["main.tf"]
    assert "7 versions of objects, 2 of them older versions" in written["reencrypt.sh"]


# -------------------------------------------------------------------------------- hygiene


def rules(key, **more):
    return {one.rule: one for one in hygiene(key, account(**more), 90)}


def test_a_good_key_needs_nothing():
    assert rules(custom_key()) == {}


@pytest.mark.parametrize(
    ("key", "rule", "level"),
    [
        ({"rotation": Rotation(False)}, "rotation", "warning"),
        ({"rotation": Rotation(False), "origin": "EXTERNAL"}, "rotation", "note"),
        ({"aliases": ()}, "alias", "note"),
        ({"state": "Disabled", "aliases": ("alias/a",)}, "alias", "warning"),
        ({"created": NOW - 200 * DAY, "last_used": None}, "unused", "note"),
        ({"last_used": NOW - 91 * DAY}, "unused", "note"),
        ({"state": "PendingDeletion", "aliases": (), "uses": (use(),)}, "deletion-with-users", "error"),
        ({"state": "PendingDeletion", "aliases": (), "held": (Held(bucket="b", versions=1),)}, "deletion-with-users", "error"),
        ({"state": "Disabled", "aliases": (), "uses": (use(error="DisabledException"),)}, "disabled-with-users", "warning"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_key_is_told(key, rule, level):
    assert rules(custom_key(**key))[rule].level == level


def test_nothing_is_said_of_a_deletion_that_hurts_nobody():
    assert rules(custom_key(state="PendingDeletion", aliases=())) == {}


def test_rotation_is_not_asked_of_keys_that_cannot_have_it():
    assert rules(custom_key(rotation=Rotation(False), spec="RSA_2048")) == {}


def grant(grantee):
    return Grant(
        grant_id="g", key_arn=ARN, grantee=grantee, operations=frozenset({"Decrypt"}), issuing_account=ACCOUNT
    )


def test_grants_of_who_is_gone_or_never_came_are_stale():
    gone = rules(custom_key(grants=(grant(READER),)), people=frozenset({APP}))
    assert gone["stale-grant"].level == "warning"
    old = custom_key(grants=(grant(APP),), grants_issued={"g": NOW - 91 * DAY})
    assert rules(old, people=frozenset({APP}))["stale-grant"].level == "note"
    used = custom_key(grants=(grant(APP),), grants_issued={"g": NOW - 91 * DAY}, uses=(use(),))
    assert rules(used, people=frozenset({APP})) == {}


def test_a_public_policy_is_an_error_and_shows_a_request():
    statement = {"Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*"}
    policy = json.loads(default_key_policy(ACCOUNT))
    policy["Statement"].append(statement)
    found = [
        one for one in hygiene(custom_key(policy=json.dumps(policy)), account(), 90) if one.level == "error"
    ]
    assert "the public is let in" in found[0].message
    assert "may kms:Decrypt" in found[0].message


# --------------------------------------------------------------------------------- events


def test_a_session_counts_as_its_role_and_a_service_by_what_it_came_for():
    event = {
        "eventType": "AwsApiCall", "eventName": "Decrypt", "eventTime": "2027-01-15T08:00:00Z",
        "userIdentity": {
            "type": "AssumedRole", "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/App/x", "accountId": ACCOUNT,
            "invokedBy": "s3.amazonaws.com", "sessionContext": {"sessionIssuer": {"arn": APP}},
        },
        "requestParameters": {"encryptionContext": {"aws:s3:arn": "arn:aws:s3:::docs/a"}},
    }  # fmt: skip
    assert read_use(event) == use(APP, "Decrypt", at=1_800_000_000.0)
    assert read_use({**event, "eventType": "AwsServiceEvent"}) is None


def test_uses_are_added_up_and_values_kept_where_they_are_one():
    found = totals([use(), use(), use(READER), use(bucket="other"), use(error="AccessDenied")])
    assert [(one.principal, one.count, one.contexts["aws:s3:arn"]) for one in found] == [
        (APP, 3, None),
        (READER, 1, "arn:aws:s3:::docs/a"),
    ]
