"""Terraform with its AWS provider, unchanged, on trails: apply, what that delivers, no difference, change, destroy."""

import gzip
import json
from pathlib import Path

import boto3
import pytest

pytestmark = [pytest.mark.client, pytest.mark.slow, pytest.mark.timeout(600)]

CHANGED = """
resource "aws_cloudtrail" "all" {
  s3_key_prefix                 = "moved"
  is_multi_region_trail         = false
  enable_log_file_validation    = false
  tags                          = { Later = "added" }
}

resource "aws_cloudtrail" "changes" {
  enable_logging = true

  event_selector {
    read_write_type           = "ReadOnly"
    include_management_events = true
  }
}
"""
"""What the second apply changes, as a file that overrides the example."""


@pytest.fixture
def example():
    """The configuration that `terraform` works on."""
    return Path(__file__).parents[2] / "examples" / "terraform-trails"


@pytest.fixture
def server_settings(tmp_path):
    """A directory that stands for the bucket."""
    (tmp_path / "buckets" / "evidence").mkdir(parents=True)
    return {"KEYSTEAD_TRAIL_DIRECTORY": str(tmp_path / "buckets")}


@pytest.fixture
def trails(deployment):
    client = boto3.client(
        "cloudtrail",
        region_name="us-east-1",
        endpoint_url=deployment["AWS_ENDPOINT_URL"],
        aws_access_key_id=deployment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=deployment["AWS_SECRET_ACCESS_KEY"],
    )
    yield client
    client.close()


def delivered(buckets):
    files = buckets.glob("evidence/**/CloudTrail/**/*.json.gz")
    return [event for file in files for event in json.loads(gzip.decompress(file.read_bytes()))["Records"]]


def tags(trails, arn):
    (listed,) = trails.list_tags(ResourceIdList=[arn])["ResourceTagList"]
    return {tag["Key"]: tag["Value"] for tag in listed["TagsList"]}


def test_the_example_applies_delivers_settles_and_goes(
    terraform, trails, run, program, server_settings, tmp_path
):
    terraform("init", "-no-color", "-input=false")
    terraform("apply", "-auto-approve", "-no-color", "-input=false")
    everything, changes = json.loads(terraform("output", "-json"))["arns"]["value"]
    shown = trails.get_trail(Name="all")["Trail"]
    assert shown["TrailARN"] == everything
    assert (shown["IsMultiRegionTrail"], shown["LogFileValidationEnabled"]) == (True, True)
    assert trails.get_trail_status(Name="all")["IsLogging"]
    assert not trails.get_trail_status(Name="changes")["IsLogging"]
    (selector,) = trails.get_event_selectors(TrailName="changes")["EventSelectors"]
    assert selector["ReadWriteType"] == "WriteOnly"
    assert selector["ExcludeManagementEventSources"] == ["kms.amazonaws.com"]
    # Terraform says with its exit status, 2, when something would change.
    settled = ("plan", "-detailed-exitcode", "-no-color", "-input=false")
    terraform(*settled)
    run(program("keystead"), "audit", "deliver", "--data-dir", str(tmp_path / "data"), **server_settings)
    events = delivered(tmp_path / "buckets")
    # Of the two, Terraform may have made this one's neighbour later, when this one was already logging.
    created = {event["requestParameters"]["name"] for event in events if event["eventName"] == "CreateTrail"}
    assert "all" not in created
    assert "GetTrailStatus" in {event["eventName"] for event in events}
    terraform("apply", "-auto-approve", "-no-color", "-input=false", override=CHANGED)
    shown = trails.get_trail(Name="all")["Trail"]
    assert shown["S3KeyPrefix"] == "moved"
    assert (shown["IsMultiRegionTrail"], shown["LogFileValidationEnabled"]) == (False, False)
    assert tags(trails, everything) == {"Later": "added"}
    assert trails.get_trail_status(Name="changes")["IsLogging"]
    (selector,) = trails.get_event_selectors(TrailName="changes")["EventSelectors"]
    assert (selector["ReadWriteType"], selector["ExcludeManagementEventSources"]) == ("ReadOnly", [])
    terraform(*settled)
    terraform("destroy", "-auto-approve", "-no-color", "-input=false")
    assert trails.describe_trails()["trailList"] == []
    assert changes.endswith(":trail/changes")
