"""What recorded use tells of policies: a running server's own journal, asked by the commands."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from keystead.testing import RunningServer, allow

OTHERS = "444455556666"
HERE = "000000000000"


@pytest.fixture(scope="module")
def world():
    """A deployment in which some used a key: Ann to decrypt for one tenant, an app through a grant, and the root."""
    with RunningServer() as server:
        server.credential(OTHERS)
        kms = server.client("kms")
        ann, bob = server.user("ann"), server.user("bob", {"use": allow("kms:*")})
        app = server.role("App")
        policy = {
            "Version": "2012-10-17",
            "Statement": [
                {"Sid": "Account", "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{HERE}:root"},
                 "Action": "kms:*", "Resource": "*"},
                {"Sid": "Use", "Effect": "Allow", "Principal": {"AWS": [ann.arn, app.arn]},
                 "Action": ["kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"], "Resource": "*"},
                {"Sid": "Partner", "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{OTHERS}:root"},
                 "Action": "kms:Decrypt", "Resource": "*"},
            ],
        }  # fmt: skip
        key = kms.create_key(Policy=json.dumps(policy))["KeyMetadata"]["Arn"]
        for document in ("a", "b"):
            context = {"tenant": "one", "document": document}
            sealed = ann.client().encrypt(KeyId=key, Plaintext=b"x", EncryptionContext=context)[
                "CiphertextBlob"
            ]
            ann.client().decrypt(CiphertextBlob=sealed, EncryptionContext=context)
        bob.client().generate_data_key(KeyId=key, KeySpec="AES_256")
        kms.create_grant(KeyId=key, GranteePrincipal=app.arn, Operations=["DescribeKey"])
        server.assume(app).client().describe_key(KeyId=key)
        yield server, key, policy


def asked(world, directory, question, *arguments, status=0):
    server, key, _ = world
    command = [Path(sys.executable).parent / "keystead", "analyze", question, *arguments, "--key-arn", key]
    if "--events" not in arguments:
        command += ["--data-dir", server.data_dir]
    run = subprocess.run(
        [*command, "--output", "json"], cwd=directory, capture_output=True, check=False, timeout=60
    )
    assert run.returncode == status, (run.stdout, run.stderr)
    return json.loads(run.stdout)


def changed(policy, directory, *, number, **members):
    new = json.loads(json.dumps(policy))
    new["Statement"][number] |= members
    path = directory / "proposed.json"
    path.write_text(json.dumps(new))
    return path.name


def principals(found):
    return {
        (one["details"]["principal"].rpartition(":")[2], one["details"]["operation"])
        for one in found["findings"]
    }


def test_the_present_policy_breaks_nothing(world, tmp_path):
    same = changed(world[2], tmp_path, number=0)
    assert asked(world, tmp_path, "replay", same)["findings"] == []


def test_a_replay_tells_who_would_be_refused_what(world, tmp_path):
    narrow = changed(world[2], tmp_path, number=1, Action=["kms:Encrypt"])
    found = asked(world, tmp_path, "replay", narrow, status=1)
    assert principals(found) == {("user/ann", "kms:Decrypt")}
    assert found["findings"][0]["details"]["count"] == 2
    closed = changed(world[2], tmp_path, number=0, Principal={"AWS": f"arn:aws:iam::{HERE}:user/ann"})
    found = asked(world, tmp_path, "replay", closed, status=1)
    assert ("user/bob", "kms:GenerateDataKey") in principals(found)


def test_a_replay_looks_at_each_encryption_context(world, tmp_path):
    one = {"StringEquals": {"kms:EncryptionContext:document": "a"}}
    found = asked(world, tmp_path, "replay", changed(world[2], tmp_path, number=1, Condition=one), status=1)
    assert principals(found) == {("user/ann", "kms:Encrypt"), ("user/ann", "kms:Decrypt")}
    assert all(each["details"]["count"] == 1 for each in found["findings"])
    both = {"StringEquals": {"kms:EncryptionContext:tenant": "one"}}
    assert (
        asked(world, tmp_path, "replay", changed(world[2], tmp_path, number=1, Condition=both))["findings"]
        == []
    )


def test_a_denial_is_told_with_its_statement(world, tmp_path):
    policy = json.loads(json.dumps(world[2]))
    policy["Statement"].append(
        {"Sid": "No", "Effect": "Deny", "Principal": "*", "Action": "kms:DescribeKey", "Resource": "*"}
    )
    (tmp_path / "p.json").write_text(json.dumps(policy))
    found = asked(world, tmp_path, "replay", "p.json", status=1)["findings"]
    assert [(one["statement"], one["sid"]) for one in found] == [(3, "No")]


def test_what_events_do_not_tell_is_not_claimed(world, tmp_path):
    source = {"ArnLike": {"aws:SourceArn": "arn:aws:s3:::bucket"}}
    found = asked(world, tmp_path, "replay", changed(world[2], tmp_path, number=1, Condition=source))
    assert {one["rule"] for one in found["findings"]} == {"use-not-known"}


def test_unused_access_is_told_and_a_narrower_policy_loses_nothing(world, tmp_path):
    found = asked(world, tmp_path, "unused", "--proposal", "narrow.json")
    by = {
        one["details"]["principal"].rpartition(":")[2]: one["details"]
        for one in found["findings"]
        if one["rule"] == "unused-access"
    }
    assert "kms:GenerateDataKey" in by["user/ann"]["unused"]
    assert set(by["user/ann"]["used"]) == {"kms:Encrypt", "kms:Decrypt"}
    assert by["user/ann"]["used"]["kms:Decrypt"][0]["commonPairs"] == {"tenant": "one"}
    assert "kms:Decrypt" in by["user/bob"]["unused"]
    narrow = {one["Sid"]: one for one in json.loads((tmp_path / "narrow.json").read_text())["Statement"]}
    assert set(narrow) == {"Account", "Use"}
    assert narrow["Use"]["Action"] == ["kms:Decrypt", "kms:Encrypt"]
    assert narrow["Use"]["Principal"] == {"AWS": ["arn:aws:iam::000000000000:user/ann"]}
    assert narrow["Use"]["Condition"] == {"StringEquals": {"kms:EncryptionContext:tenant": "one"}}
    assert "kms:PutKeyPolicy" in narrow["Account"]["Action"]
    assert "kms:GenerateDataKey" in narrow["Account"]["Action"]
    assert "kms:Sign" not in narrow["Account"]["Action"]
    assert asked(world, tmp_path, "replay", "narrow.json")["findings"] == []
    assert any(one["rule"] == "narrower-policy" for one in found["findings"])


def test_exported_events_and_files_are_enough(world, tmp_path):
    server, _, policy = world
    (tmp_path / "now.json").write_text(json.dumps(policy))
    lines = [json.dumps(event) for event in server.events()]
    (tmp_path / "events.jsonl").write_text("\n".join(lines) + "\n")
    narrow = changed(policy, tmp_path, number=1, Action=["kms:Encrypt"])
    files = ("--events", "events.jsonl", "--current", "now.json")
    found = asked(world, tmp_path, "replay", narrow, *files, status=1)
    assert principals(found) == {("user/ann", "kms:Decrypt")}
    assert asked(world, tmp_path, "unused", *files)["findings"]
