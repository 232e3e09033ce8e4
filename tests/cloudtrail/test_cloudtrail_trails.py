import gzip
import json

import pytest
from botocore.exceptions import ClientError

from keystead.audit.index import Index
from keystead.audit.sink import sink_of
from keystead.keyring import Keyring
from keystead.services.cloudtrail.delivery import Route, deliver, trails_of, turn
from keystead.testing import RunningServer

NAMES = {
    "ab": "too short",
    "a" * 129: "too long",
    "-abc": "starts with",
    "abc-": "ends with",
    "a..b": "can only contain",
    "192.168.5.4": "IP address",
}


@pytest.fixture
def trails(server):
    return server.client("cloudtrail")


def refused(code, call, **given):
    with pytest.raises(ClientError) as caught:
        call(**given)
    assert caught.value.response["Error"]["Code"] == code
    return caught.value.response["Error"]["Message"]


def send(server, digest_every=0):
    keyring = Keyring.open(server.store, server.entropy)
    sink = sink_of(server.settings)
    route = Route(server.store, keyring, Index(server.data_dir), sink, server.data_dir)
    with turn(server.data_dir, wait=True):  # the server delivers by itself when its clock is moved
        for trail in trails_of(server.store):
            deliver(route, trail, server.clock.now(), digest_every=digest_every)


def delivered(root):
    files = sorted(root.glob("evidence/**/CloudTrail/**/*.json.gz"))
    return [event for file in files for event in json.loads(gzip.decompress(file.read_bytes()))["Records"]]


def digests(root):
    files = sorted(root.glob("evidence/**/CloudTrail-Digest/**/*.json.gz"))
    return [json.loads(gzip.decompress(file.read_bytes())) for file in files]


@pytest.mark.parametrize("name", NAMES)
def test_names_that_no_trail_can_have(trails, name):
    said = refused("InvalidTrailNameException", trails.create_trail, Name=name, S3BucketName="evidence")
    assert NAMES[name] in said


def test_a_trail_is_made_described_changed_and_deleted(trails):
    made = trails.create_trail(Name="all", S3BucketName="evidence", TagsList=[{"Key": "a", "Value": "b"}])
    arn = made["TrailARN"]
    assert trails.get_trail(Name="all")["Trail"]["HomeRegion"] == "us-east-1"
    assert [each["TrailARN"] for each in trails.describe_trails()["trailList"]] == [arn]
    assert trails.describe_trails(trailNameList=[arn])["trailList"][0]["Name"] == "all"
    assert trails.list_trails()["Trails"][0]["TrailARN"] == arn
    assert trails.list_tags(ResourceIdList=[arn])["ResourceTagList"][0]["TagsList"] == [
        {"Key": "a", "Value": "b"}
    ]
    trails.add_tags(ResourceId=arn, TagsList=[{"Key": "c"}])
    trails.remove_tags(ResourceId=arn, TagsList=[{"Key": "a"}])
    assert trails.list_tags(ResourceIdList=[arn])["ResourceTagList"][0]["TagsList"] == [{"Key": "c"}]
    assert trails.update_trail(Name=arn, S3KeyPrefix="p")["S3KeyPrefix"] == "p"
    refused("TrailAlreadyExistsException", trails.create_trail, Name="all", S3BucketName="evidence")
    trails.delete_trail(Name="all")
    refused("TrailNotFoundException", trails.get_trail_status, Name="all")


def test_what_is_refused(trails):
    create = trails.create_trail
    refused("S3BucketDoesNotExistException", create, Name="all", S3BucketName="nowhere")
    refused("InvalidS3BucketNameException", create, Name="all", S3BucketName="..")
    refused("InvalidS3PrefixException", create, Name="all", S3BucketName="evidence", S3KeyPrefix="../x")
    refused("CloudTrailARNInvalidException", trails.get_trail, Name="arn:aws:s3:::b")


@pytest.mark.parametrize(
    "given",
    [
        {"KmsKeyId": "alias/x"},
        {"SnsTopicName": "topic"},
        {"IsOrganizationTrail": True},
        {"CloudWatchLogsLogGroupArn": "arn", "CloudWatchLogsRoleArn": "arn"},
    ],
    ids=lambda given: next(iter(given)),
)
def test_what_trails_cannot_do_here_is_said(trails, given):
    said = refused(
        "UnsupportedOperationException", trails.create_trail, Name="all", S3BucketName="evidence", **given
    )
    assert "does not support" in said


def test_operations_that_are_not_offered_say_so(trails):
    assert "not supported" in refused("UnsupportedOperationException", trails.list_channels)


def test_without_a_store_there_is_no_bucket():
    with RunningServer() as server:
        said = refused(
            "S3BucketDoesNotExistException",
            server.client("cloudtrail").create_trail,
            Name="all",
            S3BucketName="evidence",
        )
        assert "trail_s3_endpoint" in said


def test_permissions_count_on_the_trail(server, trails):
    arn = trails.create_trail(Name="all", S3BucketName="evidence")["TrailARN"]
    allow = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "cloudtrail:GetTrailStatus", "Resource": arn}],
    }
    alice = server.user("alice", {"p": allow}).client("cloudtrail")
    assert alice.get_trail_status(Name="all")["IsLogging"] is False
    for call, given in (
        (alice.start_logging, {"Name": "all"}),
        (alice.get_trail_status, {"Name": "other"}),
        (alice.lookup_events, {}),
        (alice.list_public_keys, {}),
        (alice.list_trails, {}),
    ):
        refused("AccessDeniedException", call, **given)


def test_what_happens_while_it_logs_is_delivered(server, trails, tmp_path):
    kms = server.client("kms")
    kms.create_key(Description="before")
    server.clock.advance(1)
    trails.create_trail(Name="all", S3BucketName="evidence", EnableLogFileValidation=True)
    trails.start_logging(Name="all")
    kms.create_key(Description="while")
    server.client("kms", region="eu-west-1").create_key(Description="elsewhere")
    trails.stop_logging(Name="all")
    server.clock.advance(2)
    kms.create_key(Description="after")
    send(server)
    told = [
        event["requestParameters"]["description"]
        for event in delivered(tmp_path)
        if event["eventName"] == "CreateKey"
    ]
    assert told == ["while"]
    status = trails.get_trail_status(Name="all")
    assert status["IsLogging"] is False
    assert status["LatestDeliveryTime"]


def test_a_new_period_begins_a_new_chain(server, trails, tmp_path):
    trails.create_trail(Name="all", S3BucketName="evidence", EnableLogFileValidation=True)
    for _ in range(2):
        trails.start_logging(Name="all")
        server.clock.advance(10)
        send(server)
        server.clock.advance(10)
        trails.stop_logging(Name="all")
        send(server)
        server.clock.advance(10)
    found = digests(tmp_path)
    assert [each["previousDigestSignature"] is None for each in found] == [True, False, True, False]
    assert found[1]["digestStartTime"] == found[0]["digestEndTime"]


def test_selectors_and_several_regions(server, trails, tmp_path):
    trails.create_trail(Name="all", S3BucketName="evidence", IsMultiRegionTrail=True)
    trails.put_event_selectors(
        TrailName="all", EventSelectors=[{"ReadWriteType": "WriteOnly", "IncludeManagementEvents": True}]
    )
    assert trails.get_event_selectors(TrailName="all")["EventSelectors"][0]["ReadWriteType"] == "WriteOnly"
    trails.start_logging(Name="all")
    server.client("kms").list_keys()
    server.client("kms", region="eu-west-1").create_key()
    send(server)
    names = {(event["eventName"], event["awsRegion"]) for event in delivered(tmp_path)}
    assert ("CreateKey", "eu-west-1") in names
    assert all(name != "ListKeys" for name, _ in names)


def test_a_signing_key_serves_a_year_and_stays_known(server, trails):
    trails.create_trail(Name="all", S3BucketName="evidence", EnableLogFileValidation=True)
    trails.start_logging(Name="all")
    first = server.clock.now()
    send(server)
    server.clock.advance(400 * 86400)
    send(server)
    keys = trails.list_public_keys(StartTime=first, EndTime=server.clock.now())["PublicKeyList"]
    assert len({key["Fingerprint"] for key in keys}) == 2
    assert len(trails.list_public_keys()["PublicKeyList"]) == 1
    refused("InvalidTimeRangeException", trails.list_public_keys, StartTime=2, EndTime=1)
