"""The unmodified Prowler scans a running server, and Checkov reads the examples: both say what is foretold of them.

Both pin hundreds of packages, so each lives in an environment of its own, made from `requirements/prowler.txt` and
`requirements/checkov.txt` by `make scanners`; KEYSTEAD_PROWLER and KEYSTEAD_CHECKOV name their programs elsewhere.
"""

import json
import os
import shutil
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

pytestmark = [pytest.mark.client, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
ASKED = {
    "kms_key_not_publicly_accessible": "not-public",
    "kms_cmk_rotation_enabled": "rotation",
    "kms_cmk_not_deleted_unintentionally": "no-deletion-with-users",
    "kms_cmk_are_used": "in-use",
    "kms_cmk_not_multi_region": "one-region",
}
OF_KEYS = "CKV_AWS_7,CKV_AWS_33,CKV_AWS_227,CKV2_AWS_64"


def scanner(name):
    """The path of a scanner's program; skips if it is not installed."""
    own = ROOT / f".venv-{name}"
    whole = (own / f".{name}").exists()  # the program is there before all that it needs is
    places = (os.environ.get(f"KEYSTEAD_{name.upper()}"), str(own / "bin" / name) if whole else None)
    found = next((place for place in places if place and Path(place).exists()), None) or shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed (`make scanners`); KEYSTEAD_{name.upper()} does not name it")
    return found


# -------------------------------------------------------------------------------- Prowler


def imported(kms, key):
    """The key, with material."""
    given = kms.get_parameters_for_import(
        KeyId=key, WrappingAlgorithm="RSAES_OAEP_SHA_256", WrappingKeySpec="RSA_2048"
    )
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    wrapped = serialization.load_der_public_key(given["PublicKey"]).encrypt(bytes(range(32)), oaep)
    kms.import_key_material(
        KeyId=key, ImportToken=given["ImportToken"], EncryptedKeyMaterial=wrapped,
        ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE",
    )  # fmt: skip
    return key


@pytest.fixture
def keys(kms, new_key):
    """Keys of all kinds by what is special about them."""

    def open_to_all(*more, **condition):
        policy = json.loads(kms.get_key_policy(KeyId=made["plain"])["Policy"])
        anybody = {"Sid": "A", "Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*"}
        policy["Statement"] += [{**anybody, **({"Condition": condition} if condition else {})}, *more]
        return new_key(Policy=json.dumps(policy))["KeyId"]

    made = {"plain": new_key()["KeyId"], "rotated": new_key()["KeyId"]}
    kms.enable_key_rotation(KeyId=made["rotated"])
    made["public"] = open_to_all()
    made["through S3"] = open_to_all(StringEquals={"kms:ViaService": "s3.us-east-1.amazonaws.com"})
    made["of the account"] = open_to_all(StringEquals={"kms:CallerAccount": "000000000000"})
    made["closed by a Deny"] = open_to_all({
        "Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*",
        "Condition": {"StringNotEquals": {"aws:PrincipalAccount": "000000000000"}},
    })  # fmt: skip
    made["waiting"] = new_key(Origin="EXTERNAL")["KeyId"]
    made["imported"] = imported(kms, new_key(Origin="EXTERNAL")["KeyId"])
    made["everywhere"] = new_key(MultiRegion=True)["KeyId"]
    made["disabled"] = new_key()["KeyId"]
    kms.disable_key(KeyId=made["disabled"])
    made["going"] = new_key()["KeyId"]
    kms.schedule_key_deletion(KeyId=made["going"], PendingWindowInDays=7)
    made["signing"] = new_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyId"]
    return made


def test_prowler_scans_a_server_and_says_what_posture_foretells(run, program, keys, tmp_path):
    run(
        scanner("prowler"), "aws", "--region", "us-east-1", "--checks", *ASKED,
        "--output-formats", "json-ocsf", "--output-directory", str(tmp_path / "told"), "--output-filename", "scan",
        "--no-banner", "--ignore-exit-code-3",
    )  # fmt: skip
    scanned = json.loads((tmp_path / "told/scan.ocsf.json").read_text())
    said = {
        (one["resources"][0]["uid"].rpartition("/")[2], one["metadata"]["event_code"]): one["status_code"]
        for one in scanned
    }
    told = run(program("keystead"), "analyze", "posture", "--all", "--output", "json", expect=1).stdout
    meant, foretold = {}, {}
    for one in json.loads(told)["findings"]:
        key = one["details"].get("subject", "").rpartition("/")[2]
        meant[key, one["rule"]] = one["details"].get("status")
        for name, word in one["details"].get("scanners", {}).items():
            if name.startswith("Prowler kms") and word:
                foretold[key, name.removeprefix("Prowler ")] = word
    ours = set(keys.values())
    assert {place: word for place, word in said.items() if place[0] in ours} == {
        place: word for place, word in foretold.items() if place[0] in ours and _looked_at(place, keys)
    }
    wrong = {
        (kind, check)
        for kind, key in keys.items()
        for check, rule in ASKED.items()
        if (key, check) in said and (said[key, check] == "PASS") != (meant[key, rule] != "fail")
    }
    assert wrong == {
        ("through S3", "kms_key_not_publicly_accessible"),  # anybody can have S3 call for them
        ("closed by a Deny", "kms_key_not_publicly_accessible"),
        ("imported", "kms_cmk_rotation_enabled"),
        ("everywhere", "kms_cmk_not_multi_region"),
        ("going", "kms_cmk_not_deleted_unintentionally"),  # nobody ever used it
    }


def _looked_at(place, keys):
    """Prowler passes over keys that are disabled when it looks for deletions."""
    return place != (keys["disabled"], "kms_cmk_not_deleted_unintentionally")


@pytest.mark.timeout(900)  # two scans, each of which loads all of Prowler
def test_prowler_sees_an_analyzer_and_its_findings(run, server, kms, new_key, tmp_path):
    def scanned(name):
        run(
            scanner("prowler"), "aws", "--region", "us-east-1", "--checks", "accessanalyzer_enabled",
            "accessanalyzer_enabled_without_findings", "--output-formats", "json-ocsf", "--output-directory",
            str(tmp_path / name), "--output-filename", "scan", "--no-banner", "--ignore-exit-code-3",
        )  # fmt: skip
        told = json.loads((tmp_path / name / "scan.ocsf.json").read_text())
        return {one["metadata"]["event_code"]: one["status_code"] for one in told}

    analyzers = server.client("accessanalyzer")
    arn = analyzers.create_analyzer(analyzerName="main", type="ACCOUNT")["arn"]
    key = new_key()
    policy = json.loads(kms.get_key_policy(KeyId=key["KeyId"])["Policy"])
    policy["Statement"].append(
        {"Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*"}
    )
    kms.put_key_policy(KeyId=key["KeyId"], Policy=json.dumps(policy))
    analyzers.start_resource_scan(analyzerArn=arn, resourceArn=key["Arn"])
    assert scanned("open") == {
        "accessanalyzer_enabled": "PASS", "accessanalyzer_enabled_without_findings": "FAIL",
    }  # fmt: skip
    keys = {"resourceType": {"eq": ["AWS::KMS::Key"]}}  # others of this server are open, too
    analyzers.create_archive_rule(analyzerName="main", ruleName="meant", filter=keys)
    analyzers.apply_archive_rule(analyzerArn=arn, ruleName="meant")
    assert scanned("archived")["accessanalyzer_enabled_without_findings"] == "PASS"
    analyzers.delete_analyzer(analyzerName="main")


# -------------------------------------------------------------------------------- Checkov


def checked(run, *words, expect=0):
    """Check and resource of each result that Checkov tells, by result."""
    done = run(
        scanner("checkov"), *words, "--framework", "terraform", "cloudformation", "--output", "json",
        "--skip-download", "--quiet", expect=expect,
    )  # fmt: skip
    told = json.loads(done.stdout)
    results = [one["results"] for one in (told if isinstance(told, list) else [told])]
    return {(each["check_id"], each["resource"]) for one in results for each in one["failed_checks"]}


def test_checkov_passes_the_keys_of_all_examples(run):
    assert checked(run, "--directory", str(EXAMPLES), "--check", OF_KEYS) == set()


def test_checkov_passes_the_custom_key_in_every_respect(run):
    assert checked(run, "--directory", str(EXAMPLES / "custom-key")) == set()


def test_checkov_flags_what_template_analysis_foretells(run, program, tmp_path):
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
    flagged = checked(run, "--file", str(file), "--check", OF_KEYS, expect=1)
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
