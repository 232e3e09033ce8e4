"""Divergences that no other test shows, and that each divergence names a test that exists."""

import json
import re
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

ROOT = Path(__file__).parent.parent.parent
DIVERGENCES = (ROOT / "docs/divergences.md").read_text()
MODEL = (ROOT / "docs/threat-model.md").read_text()


def rows():
    lines = (
        line for line in DIVERGENCES.splitlines() if line.startswith("| ") and not line.startswith("| ---")
    )
    return [line for line in lines if not line.endswith("| shown by |")]


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.split("|")[1].strip()[:40])
def test_each_divergence_names_a_test_that_exists(row):
    named = re.findall(r"`(\w+/\w+\.py)::(\w+)`", row.split("|")[-2])
    assert named, "it names no test"
    for file, test in named:
        assert f"def {test}(" in (ROOT / "tests" / file).read_text(), f"{file} has no {test}"


def test_the_threat_model_names_tests_that_exist():
    named = re.findall(r"`(?!tests/)(\w+/(?:\w+\.py)?)(?:::(\w+))?`", MODEL)
    assert named
    for file, test in named:
        path = ROOT / "tests" / file
        assert path.exists(), f"tests/{file}"
        assert not test or f"def {test}(" in path.read_text(), test


def test_calls_are_not_throttled(server):
    kms = server.client("kms")
    answers = [kms.generate_random(NumberOfBytes=1) for _ in range(200)]
    assert len(answers) == 200


def test_accounts_in_a_policy_need_not_exist(server):
    kms = server.client("kms")
    policy = json.loads(kms.get_key_policy(KeyId=kms.create_key()["KeyMetadata"]["KeyId"])["Policy"])
    somebody = {"AWS": "arn:aws:iam::999988887777:root", "Service": "nothing.amazonaws.com"}
    statement = {"Effect": "Allow", "Principal": somebody, "Action": "kms:Decrypt", "Resource": "*"}
    policy["Statement"].append(statement)
    assert kms.create_key(Policy=json.dumps(policy))["KeyMetadata"]["Enabled"]


def test_there_are_no_vpc_endpoints(server):
    """The keys of endpoints are absent, so a Deny for who does not come through one denies everybody."""
    kms = server.client("kms")
    policy = json.loads(kms.get_key_policy(KeyId=kms.create_key()["KeyMetadata"]["KeyId"])["Policy"])
    condition = {
        "StringNotEquals": {"aws:SourceVpce": "vpce-1"},
        "IpAddress": {"aws:SourceIp": "127.0.0.0/8"},
    }
    policy["Statement"].append(
        {"Effect": "Deny", "Principal": "*", "Action": "kms:Encrypt", "Resource": "*", "Condition": condition}
    )
    key = kms.create_key(Policy=json.dumps(policy))["KeyMetadata"]["KeyId"]
    with pytest.raises(ClientError, match="with an explicit deny in a resource-based policy"):
        kms.encrypt(KeyId=key, Plaintext=b"x")


def test_any_region_name_is_a_key_space(server):
    there = server.client("kms", region="moon-base-7")
    arn = there.create_key()["KeyMetadata"]["Arn"]
    assert arn.startswith("arn:aws:kms:moon-base-7:000000000000:key/")
    assert server.client("kms", region="moon-base-8").list_keys()["Keys"] == []
