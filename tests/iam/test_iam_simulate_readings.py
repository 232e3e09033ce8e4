"""Names that differ only in case are read in every way by IAM's simulations, as the server reads them."""

import json

import pytest

from keystead.testing import allow, deny

LEVEL = "kms:EncryptionContext:level"


def entry(name, value):
    return {"ContextKeyName": name, "ContextKeyValues": [value], "ContextKeyType": "string"}


def custom(iam, *policies, entries):
    texts = [json.dumps(policy) for policy in policies]
    told = iam.simulate_custom_policy(
        PolicyInputList=texts, ActionNames=["kms:Encrypt"], ContextEntries=entries
    )
    return told["EvaluationResults"][0]["EvalDecision"]


@pytest.mark.parametrize("name", [LEVEL, "kms:EncryptionContext:Level"])
def test_context_entries_that_differ_only_in_case_hide_nothing(iam, name):
    entries = [entry(name, "secret"), entry("kms:EncryptionContext:LEVEL", "open")]
    for ordered in (entries, entries[::-1]):
        policies = allow("kms:*"), deny("kms:*", StringEquals={LEVEL: "secret"})
        assert custom(iam, *policies, entries=ordered) == "explicitDeny"
        assert custom(iam, allow("kms:*", StringEquals={LEVEL: "open"}), entries=ordered) == "implicitDeny"
        assert custom(iam, allow("kms:*"), entries=ordered) == "allowed"


def test_tags_of_a_key_that_differ_only_in_case_hide_nothing_as_in_requests(server, iam, refused):
    kms = server.client("kms")
    user = server.user(
        "labelled",
        {"p": allow("kms:*"), "d": deny("kms:Encrypt", StringEquals={"aws:ResourceTag/team": "secret"})},
    )
    rows = [{"TagKey": "Team", "TagValue": "secret"}, {"TagKey": "team", "TagValue": "open"}]
    for tags in (rows, rows[::-1]):
        key = kms.create_key(Tags=tags)["KeyMetadata"]["Arn"]
        told = iam.simulate_principal_policy(
            PolicySourceArn=user.arn, ActionNames=["kms:Encrypt"], ResourceArns=[key]
        )
        assert told["EvaluationResults"][0]["EvalDecision"] == "explicitDeny"
        with refused("AccessDeniedException"):
            user.client("kms").encrypt(KeyId=key, Plaintext=b"x")


def test_there_are_not_too_many_ways_to_read_the_entries(iam, refused):
    spelt = ["".join(c.upper() if n >> i & 1 else c for i, c in enumerate("a" * 7)) for n in range(65)]
    entries = [entry(f"kms:EncryptionContext:{name}", "x") for name in spelt]
    with refused("InvalidInput"):
        custom(iam, allow("kms:*"), entries=entries)
    assert custom(iam, allow("kms:*"), entries=entries[:64]) == "allowed"
