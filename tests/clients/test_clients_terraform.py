"""Terraform with its AWS provider, unchanged, on the example: apply, no difference, change, destroy."""

import json
from pathlib import Path

import boto3
import pytest

pytestmark = [pytest.mark.client, pytest.mark.slow, pytest.mark.timeout(600)]

EXAMPLE = Path(__file__).parents[2] / "examples" / "terraform"


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
def example():
    """The configuration that `terraform` works on."""
    return EXAMPLE


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
