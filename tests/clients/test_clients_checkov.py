"""The unmodified Checkov reads the examples, and says what is foretold of templates."""

import json
from pathlib import Path

import pytest

pytestmark = [pytest.mark.client, pytest.mark.slow]

EXAMPLES = Path(__file__).parents[2] / "examples"
OF_KEYS = "CKV_AWS_7,CKV_AWS_33,CKV_AWS_227,CKV2_AWS_64"


@pytest.fixture
def checkov(scanner):
    return scanner("checkov")


def checked(run, checkov, *words, expect=0):
    """Check and resource of each result that Checkov tells, by result."""
    done = run(
        checkov, *words, "--framework", "terraform", "cloudformation", "--output", "json",
        "--skip-download", "--quiet", expect=expect,
    )  # fmt: skip
    told = json.loads(done.stdout)
    results = [one["results"] for one in (told if isinstance(told, list) else [told])]
    return {(each["check_id"], each["resource"]) for one in results for each in one["failed_checks"]}


def test_checkov_passes_the_keys_of_all_examples(run, checkov):
    assert checked(run, checkov, "--directory", str(EXAMPLES), "--check", OF_KEYS) == set()


def test_checkov_passes_the_custom_key_in_every_respect(run, checkov):
    assert checked(run, checkov, "--directory", str(EXAMPLES / "custom-key")) == set()


def test_checkov_flags_what_template_analysis_foretells(run, checkov, program, tmp_path):
    open_one = {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"}]}
    resources = {
        "Open": {"EnableKeyRotation": True, "KeyPolicy": {"Version": "2012-10-17", **open_one}},
        "Still": {"KeyPolicy": json.loads(_DEFAULT)},
        "Signing": {"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY", "KeyPolicy": json.loads(_DEFAULT)},
    }
    file = tmp_path / "template.json"
    file.write_text(json.dumps({
        "Resources": {name: {"Type": "AWS::KMS::Key", "Properties": about} for name, about in resources.items()}
    }))  # fmt: skip
    flagged = checked(run, checkov, "--file", str(file), "--check", OF_KEYS, expect=1)
    told = run(
        program("keystead"), "analyze", "template", str(file), "--all", "--output", "json", expect=1
    ).stdout
    foretold = {
        (name.removeprefix("Checkov "), f"AWS::KMS::Key.{one['details']['subject']}")
        for one in json.loads(told)["findings"]
        for name, word in one["details"].get("scanners", {}).items()
        if name.startswith("Checkov ") and word == "FAIL"
    }
    assert flagged == foretold == {("CKV_AWS_33", "AWS::KMS::Key.Open"), ("CKV_AWS_7", "AWS::KMS::Key.Still")}


_DEFAULT = json.dumps({
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::000000000000:root"}, "Action": "kms:*", "Resource": "*"}],
})  # fmt: skip
