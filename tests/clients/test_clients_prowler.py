"""The unmodified Prowler scans a running server, and says what is foretold of it."""

import json

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

pytestmark = [pytest.mark.client, pytest.mark.slow, pytest.mark.late, pytest.mark.timeout(900)]

ASKED = {
    "kms_key_not_publicly_accessible": "not-public",
    "kms_cmk_rotation_enabled": "rotation",
    "kms_cmk_not_deleted_unintentionally": "no-deletion-with-users",
    "kms_cmk_are_used": "in-use",
    "kms_cmk_not_multi_region": "one-region",
}
REGIONS = HERE, ARCHIVED = "us-east-1", "eu-west-1"
OF_ANALYZERS = ("accessanalyzer_enabled", "accessanalyzer_enabled_without_findings")


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


@pytest.fixture
def analyzers(server):
    """By Region, an analyzer that has found a key that is open to all; in eu-west-1 its findings are archived."""
    clients = {region: server.client("accessanalyzer", region) for region in REGIONS}
    for region, client in clients.items():
        arn = client.create_analyzer(analyzerName="main", type="ACCOUNT")["arn"]
        kms = server.client("kms", region)
        key = kms.create_key()["KeyMetadata"]
        policy = json.loads(kms.get_key_policy(KeyId=key["KeyId"])["Policy"])
        policy["Statement"].append(
            {"Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*"}
        )
        kms.put_key_policy(KeyId=key["KeyId"], Policy=json.dumps(policy))
        client.start_resource_scan(analyzerArn=arn, resourceArn=key["Arn"])
        if region == ARCHIVED:
            keys = {"resourceType": {"eq": ["AWS::KMS::Key"]}}  # others of this server are open, too
            client.create_archive_rule(analyzerName="main", ruleName="meant", filter=keys)
            client.apply_archive_rule(analyzerArn=arn, ruleName="meant")
    yield clients
    for client in clients.values():
        client.delete_analyzer(analyzerName="main")


@pytest.fixture
def scan(run, scanner, tmp_path):
    """`scan(checks)`: the results that Prowler tells of the server."""

    def call(checks):
        run(
            scanner("prowler"), "aws", "--region", *REGIONS, "--checks", *checks,
            "--output-formats", "json-ocsf", "--output-directory", str(tmp_path), "--output-filename", "scan",
            "--no-banner", "--ignore-exit-code-3",
        )  # fmt: skip
        return json.loads((tmp_path / "scan.ocsf.json").read_text())

    return call


def test_prowler_scans_a_server_and_says_what_posture_and_archive_rules_foretell(
    run, program, scan, keys, analyzers
):
    scanned = scan([*ASKED, *OF_ANALYZERS])
    said = {
        (one["resources"][0]["uid"].rpartition("/")[2], one["metadata"]["event_code"]): one["status_code"]
        for one in scanned
    }
    of_analyzers = {
        (one["cloud"]["region"], one["metadata"]["event_code"]): one["status_code"]
        for one in scanned
        if one["metadata"]["event_code"] in OF_ANALYZERS
    }
    assert of_analyzers == {
        (HERE, "accessanalyzer_enabled"): "PASS",
        (HERE, "accessanalyzer_enabled_without_findings"): "FAIL",
        (ARCHIVED, "accessanalyzer_enabled"): "PASS",
        (ARCHIVED, "accessanalyzer_enabled_without_findings"): "PASS",
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
