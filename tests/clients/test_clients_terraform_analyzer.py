"""Terraform with its AWS provider, unchanged, on an analyzer: apply, no difference, change, import, destroy."""

import json
from pathlib import Path

import boto3
import pytest

pytestmark = [pytest.mark.client, pytest.mark.slow, pytest.mark.timeout(600)]

CHANGED = """
resource "aws_accessanalyzer_analyzer" "account" {
  tags = { Later = "added" }
}

resource "aws_accessanalyzer_archive_rule" "partner" {
  filter {
    criteria = "resourceType"
    neq      = ["AWS::S3::Bucket"]
  }
}
"""
"""What the second apply changes, as a file that overrides the example."""
ADDRESSES = ("aws_accessanalyzer_analyzer.account", "aws_accessanalyzer_archive_rule.partner")
IMPORTED = "".join(
    f'import {{\n  to = {address}\n  id = "{name}"\n}}\n'
    for address, name in zip(ADDRESSES, ("account", "account/partner"), strict=True)
)


@pytest.fixture
def example():
    """The configuration that `terraform` works on."""
    return Path(__file__).parents[2] / "examples" / "terraform-analyzer"


@pytest.fixture
def analyzers(deployment):
    client = boto3.client(
        "accessanalyzer",
        region_name="us-east-1",
        endpoint_url=deployment["AWS_ENDPOINT_URL"],
        aws_access_key_id=deployment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=deployment["AWS_SECRET_ACCESS_KEY"],
    )
    yield client
    client.close()


def test_the_example_applies_settles_changes_and_goes(terraform, analyzers, tmp_path):
    terraform("init", "-no-color", "-input=false")
    terraform("apply", "-auto-approve", "-no-color", "-input=false")
    arn = json.loads(terraform("output", "-json"))["analyzer"]["value"]
    shown = analyzers.get_analyzer(analyzerName="account")["analyzer"]
    assert (shown["arn"], shown["type"], shown["tags"]) == (arn, "ACCOUNT", {"Team": "audit"})
    rule = analyzers.get_archive_rule(analyzerName="account", ruleName="partner")["archiveRule"]
    assert rule["filter"] == {
        "principal.AWS": {"eq": ["444455556666"]},
        "isPublic": {"eq": ["false"]},
        "error": {"exists": False},
    }
    # Terraform says with its exit status, 2, when something would change.
    settled = ("plan", "-detailed-exitcode", "-no-color", "-input=false")
    terraform(*settled)
    terraform("apply", "-auto-approve", "-no-color", "-input=false", override=CHANGED)
    assert analyzers.list_tags_for_resource(resourceArn=arn)["tags"] == {"Later": "added"}
    rule = analyzers.get_archive_rule(analyzerName="account", ruleName="partner")["archiveRule"]
    assert rule["filter"] == {"resourceType": {"neq": ["AWS::S3::Bucket"]}}
    terraform(*settled)
    terraform("state", "rm", *ADDRESSES)
    # What it imports it compares with the configuration: nothing else is to be done.
    (tmp_path / "example" / "imported.tf").write_text(IMPORTED)
    said = terraform("apply", "-auto-approve", "-no-color", "-input=false")
    assert "Resources: 2 imported, 0 added, 0 changed, 0 destroyed." in said
    terraform("destroy", "-auto-approve", "-no-color", "-input=false")
    assert analyzers.list_analyzers()["analyzers"] == []
