"""`keystead analyze blast-radius` on a running server's deployment, and on files."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from keystead.testing import RunningServer, allow

HERE = "000000000000"


def trusting(*principals, **condition):
    statement = {"Effect": "Allow", "Principal": {"AWS": list(principals)}, "Action": "sts:AssumeRole"}
    if condition:
        statement["Condition"] = condition
    return {"Version": "2012-10-17", "Statement": [statement]}


@pytest.fixture(scope="module")
def world():
    """Ann may only decrypt with one key; but Build trusts her with an external id, and Admin trusts Build."""
    with RunningServer() as server:
        kms = server.client("kms")
        ann = server.user("ann", {"decrypt": allow("kms:Decrypt")})
        server.user("bob", {"none": allow("s3:*")})
        external = {"StringEquals": {"sts:ExternalId": "ticket"}}
        build = server.role("Build", {"up": allow("sts:AssumeRole")}, trust=trusting(ann.arn, **external))
        server.role(
            "Admin",
            {"a": allow("kms:PutKeyPolicy", "iam:PutRolePolicy")},
            trust=trusting(f"arn:aws:iam::{HERE}:root"),
        )
        server.role("Closed", {"a": allow("kms:*")}, trust=trusting(f"arn:aws:iam::{HERE}:user/bob"))
        key = kms.create_key()["KeyMetadata"]["Arn"]
        yield server, key, ann, build


def told(*arguments, status=0):
    command = [
        Path(sys.executable).parent / "keystead",
        "analyze",
        "blast-radius",
        *arguments,
        "--output",
        "json",
    ]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert run.returncode == status, run.stderr
    return json.loads(run.stdout)["findings"] if status == 0 else run.stderr


def reach(findings):
    return {
        (
            one["rule"],
            tuple(each.rpartition("/")[2] for each in one["details"]["path"]),
            tuple(one["details"]["operations"]),
        )
        for one in findings
    }


def test_keys_are_reached_directly_and_through_roles(world):
    server, key, ann, _ = world
    found = told(ann.arn, "--data-dir", str(server.data_dir))
    assert reach(found) == {
        ("reached", (), ("kms:Decrypt",)),
        ("reached-by-role", ("Build", "Admin"), ("kms:PutKeyPolicy",)),
        ("gives-itself-more", ("Build", "Admin"), ("iam:PutRolePolicy",)),
    }
    (admin,) = [one for one in found if one["rule"] == "reached-by-role"]
    assert admin["details"]["steps"] == ["kms:PutKeyPolicy"]
    assert admin["details"]["key"] == key
    first = admin["details"]["assuming"][0]["request"]
    assert (first["action"], first["context"]["sts:externalid"]) == ("sts:AssumeRole", "ticket")


def test_who_reaches_nothing_reaches_nothing(world):
    server, *_ = world
    found = told(f"arn:aws:iam::{HERE}:role/Build", "--data-dir", str(server.data_dir))
    assert {path for _, path, _ in reach(found)} == {("Admin",)}
    found = told(f"arn:aws:iam::{HERE}:user/bob", "--data-dir", str(server.data_dir))
    assert [one["details"]["path"] for one in found] == [[f"arn:aws:iam::{HERE}:role/Closed"]]


def test_files_are_enough(world, tmp_path):
    server, key, ann, _ = world
    details = server.client("iam").get_account_authorization_details()
    (tmp_path / "details.json").write_text(json.dumps(details, default=str))
    (tmp_path / "policy.json").write_text(server.client("kms").get_key_policy(KeyId=key)["Policy"])
    files = ("--account-details", str(tmp_path / "details.json"), "--policy", str(tmp_path / "policy.json"))
    found = told(ann.arn, *files, "--key-arn", key)
    assert ("reached-by-role", ("Build", "Admin"), ("kms:PutKeyPolicy",)) in reach(found)


def test_who_is_not_there_is_said_to_be(world):
    assert "there is no arn" in told(
        f"arn:aws:iam::{HERE}:user/nobody", "--data-dir", str(world[0].data_dir), status=1
    )
