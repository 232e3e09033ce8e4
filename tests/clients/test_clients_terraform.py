"""Terraform with its AWS provider, unchanged, on the example: apply, no difference, change, destroy.

The provider comes from a filesystem mirror, since a test fetches nothing: the directory that
KEYSTEAD_TF_PLUGINS names, or one of Terraform's own places for mirrors.
"""

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import boto3
import pytest

pytestmark = [pytest.mark.client, pytest.mark.slow, pytest.mark.timeout(600)]

EXAMPLE = Path(__file__).parents[2] / "examples" / "terraform"
PROVIDER = "hashicorp/aws"
PLACES = (
    os.environ.get("KEYSTEAD_TF_PLUGINS", "/opt/tf-plugins"),
    str(Path.home() / ".terraform.d/plugins"),
    "/usr/local/share/terraform/plugins",
    "/usr/share/terraform/plugins",
)


CHANGED = """
resource "aws_kms_key" "symmetric" {
  description             = "Described anew"
  rotation_period_in_days = 365
  tags                    = { Team = "archive", Added = "later" }
}

resource "aws_kms_key" "disabled" {
  is_enabled = true
}

resource "aws_kms_alias" "symmetric" {
  target_key_id = aws_kms_key.guarded.key_id
}

resource "aws_kms_replica_key" "replica" {
  description = "Its replica, described anew"
  tags        = {}
}

resource "aws_kms_grant" "reader" {
  operations = ["Decrypt"]
}
"""
"""What the second apply changes, as a file that overrides the example."""


@pytest.fixture
def mirror(tmp_path):
    """A command-line configuration of Terraform that takes providers from the mirror and from nowhere else."""
    place = next((place for place in PLACES if any(Path(place).glob(f"*/{PROVIDER}"))), None)
    if place is None:
        pytest.skip(f"no mirror with {PROVIDER} in {', '.join(PLACES)}")
    configuration = tmp_path / "terraformrc"
    configuration.write_text(
        f'provider_installation {{\n  filesystem_mirror {{\n    path = "{place}"\n  }}\n}}\n'
    )
    return configuration


@pytest.fixture
def deployment(tmp_path, program, clean_environment):
    """The environment of clients of a `keystead dev` of its own, as the lines that it prints set it."""
    command = [program("keystead"), "dev", "--listen", "127.0.0.1:0", "--data-dir", str(tmp_path / "data")]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=log, text=True, env=clean_environment(tmp_path)
        )
    with process:
        assert process.stdout is not None
        exports = {}
        for line in process.stdout:
            words = line.strip().removeprefix("export ")
            name, is_export, value = words.partition("=")
            if is_export and name.startswith("AWS_"):
                exports[name] = value.strip("'\"")
            if {"AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"} <= set(
                exports
            ):
                break
        else:
            pytest.fail((tmp_path / "log").read_text())
        yield clean_environment(tmp_path, **exports)
        process.send_signal(signal.SIGTERM)
        process.stdout.read()
    assert process.returncode == 0


@pytest.fixture
def terraform(program, mirror, deployment, tmp_path):
    """`terraform(*words)`: its standard output, in a directory that holds the example."""
    found = shutil.which("terraform")
    if found is None:
        pytest.skip("the program terraform is not installed")
    directory = tmp_path / "example"
    shutil.copytree(EXAMPLE, directory, ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*"))
    variables = {
        **deployment,
        "TF_CLI_CONFIG_FILE": str(mirror),
        "TF_IN_AUTOMATION": "1",
        "CHECKPOINT_DISABLE": "1",
    }

    def call(*words, override=None):
        if override is not None:
            (directory / "override.tf").write_text(override)
        done = subprocess.run(
            [found, *words], cwd=directory, env=variables, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"terraform {words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    return call


@pytest.fixture
def kms(deployment):
    clients = []

    def client(region):
        clients.append(
            boto3.client(
                "kms",
                region_name=region,
                endpoint_url=deployment["AWS_ENDPOINT_URL"],
                aws_access_key_id=deployment["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=deployment["AWS_SECRET_ACCESS_KEY"],
            )
        )
        return clients[-1]

    yield client
    for one in clients:
        one.close()


def states(client):
    listed = client.get_paginator("list_keys").paginate().search("Keys[].KeyId")
    return [client.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] for key in listed]


def test_the_example_applies_settles_and_goes(terraform, kms):
    terraform("init", "-no-color", "-input=false")
    terraform("apply", "-auto-approve", "-no-color", "-input=false")
    outputs = {name: entry["value"] for name, entry in json.loads(terraform("output", "-json")).items()}
    assert outputs["account"] == "000000000000"
    assert outputs["password"] == "correct horse battery staple"
    assert outputs["alias_target"] == outputs["key_by_alias"] == outputs["key_arns"]["files"]
    assert [arn.split(":")[3] for arn in outputs["replica_arns"]] == ["eu-west-1"]
    assert outputs["imported_state"] == "Enabled"
    assert outputs["empty_state"] == "PendingImport"
    assert outputs["signer_pem"].startswith("-----BEGIN PUBLIC KEY-----")
    here, there = kms("us-east-1"), kms("eu-west-1")
    files = outputs["key_arns"]["files"]
    rotation = here.get_key_rotation_status(KeyId=files)
    assert (rotation["KeyRotationEnabled"], rotation["RotationPeriodInDays"]) == (True, 180)
    (grant,) = here.list_grants(KeyId=files)["Grants"]
    assert grant["Constraints"] == {"EncryptionContextEquals": {"Department": "Finance"}}
    # Terraform says with its exit status, 2, when something would change.
    settled = ("plan", "-detailed-exitcode", "-no-color", "-input=false")
    terraform(*settled)
    terraform("apply", "-auto-approve", "-no-color", "-input=false", override=CHANGED)
    metadata = here.describe_key(KeyId=files)["KeyMetadata"]
    assert metadata["Description"] == "Described anew"
    assert here.get_key_rotation_status(KeyId=files)["RotationPeriodInDays"] == 365
    tags = here.list_resource_tags(KeyId=files)["Tags"]
    assert {tag["TagKey"]: tag["TagValue"] for tag in tags} == {"Team": "archive", "Added": "later"}
    assert [grant["Operations"] for grant in here.list_grants(KeyId=files)["Grants"]] == [["Decrypt"]]
    terraform(*settled)
    terraform("destroy", "-auto-approve", "-no-color", "-input=false")
    assert set(states(here)) == {"PendingDeletion", "PendingReplicaDeletion"}
    assert set(states(there)) == {"PendingDeletion"}
    assert here.list_aliases()["Aliases"] == []
