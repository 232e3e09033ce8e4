"""What no bucket here can be set to is told as of a bucket that was never set so, to whoever may ask for it."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from keystead.testing.server import RunningServer

EMPTY = [
    ("get_bucket_logging", {}, "s3:GetBucketLogging"),
    ("get_bucket_notification_configuration", {}, "s3:GetBucketNotification"),
    ("get_bucket_request_payment", {"Payer": "BucketOwner"}, "s3:GetBucketRequestPayment"),
    ("get_bucket_accelerate_configuration", {}, "s3:GetAccelerateConfiguration"),
    ("get_bucket_abac", {"AbacStatus": {"Status": "Disabled"}}, "s3:GetBucketAbac"),
    ("list_bucket_analytics_configurations", {"IsTruncated": False}, "s3:GetAnalyticsConfiguration"),
    (
        "list_bucket_intelligent_tiering_configurations",
        {"IsTruncated": False},
        "s3:GetIntelligentTieringConfiguration",
    ),
    ("list_bucket_inventory_configurations", {"IsTruncated": False}, "s3:GetInventoryConfiguration"),
    ("list_bucket_metrics_configurations", {"IsTruncated": False}, "s3:GetMetricsConfiguration"),
]
ABSENT = [
    ("get_bucket_website", {}, "NoSuchWebsiteConfiguration", "s3:GetBucketWebsite"),
    (
        "get_bucket_replication",
        {},
        "ReplicationConfigurationNotFoundError",
        "s3:GetReplicationConfiguration",
    ),
    (
        "get_bucket_metadata_configuration",
        {},
        "MetadataConfigurationNotFound",
        "s3:GetBucketMetadataTableConfiguration",
    ),
    (
        "get_bucket_metadata_table_configuration",
        {},
        "MetadataConfigurationNotFound",
        "s3:GetBucketMetadataTableConfiguration",
    ),
    (
        "get_bucket_analytics_configuration",
        {"Id": "one"},
        "NoSuchConfiguration",
        "s3:GetAnalyticsConfiguration",
    ),
    (
        "get_bucket_intelligent_tiering_configuration",
        {"Id": "one"},
        "NoSuchConfiguration",
        "s3:GetIntelligentTieringConfiguration",
    ),
    (
        "get_bucket_inventory_configuration",
        {"Id": "one"},
        "NoSuchConfiguration",
        "s3:GetInventoryConfiguration",
    ),
    ("get_bucket_metrics_configuration", {"Id": "one"}, "NoSuchConfiguration", "s3:GetMetricsConfiguration"),
]
PERMISSIONS = [(name, {}, action) for name, _, action in EMPTY] + [
    (name, asked, action) for name, asked, _, action in ABSENT
]
OWN = {"ResponseMetadata"}


def refusal(caught: Any) -> tuple[str, int]:
    answer = caught.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]


@pytest.mark.parametrize(("operation", "told", "_action"), EMPTY)
def test_what_is_not_set_is_empty(
    s3: Any, bucket: str, operation: str, told: dict[str, Any], _action: str
) -> None:
    answer = getattr(s3, operation)(Bucket=bucket)
    assert {name: value for name, value in answer.items() if name not in OWN} == told


@pytest.mark.parametrize(("operation", "asked", "code", "_action"), ABSENT)
def test_what_is_not_set_is_not_found(
    s3: Any, bucket: str, operation: str, asked: dict[str, str], code: str, _action: str
) -> None:
    with pytest.raises(ClientError) as caught:
        getattr(s3, operation)(Bucket=bucket, **asked)
    assert refusal(caught) == (code, 404)


@pytest.mark.parametrize(("operation", "asked", "action"), PERMISSIONS)
def test_each_takes_its_own_permission(
    server: RunningServer, made: Any, bucket: str, operation: str, asked: dict[str, str], action: str
) -> None:
    statements = [
        {"Effect": "Allow", "Action": "s3:*", "Resource": "*"},
        {"Effect": "Deny", "Action": action, "Resource": f"arn:aws:s3:::{bucket}"},
    ]
    policy = {"Version": "2012-10-17", "Statement": statements}
    person = server.user(f"without-{operation}", {"p": policy})
    with pytest.raises(ClientError) as caught:
        getattr(made(person), operation)(Bucket=bucket, **asked)
    assert refusal(caught) == ("AccessDenied", 403)
    assert action in caught.value.response["Error"]["Message"]


@pytest.mark.parametrize(("operation", "asked", "_action"), PERMISSIONS)
def test_a_bucket_must_be_there_and_whose_it_is_said_to_be(
    s3: Any, bucket: str, operation: str, asked: dict[str, str], _action: str
) -> None:
    with pytest.raises(ClientError) as caught:
        getattr(s3, operation)(Bucket=f"{bucket}-that-is-not-there", **asked)
    assert refusal(caught) == ("NoSuchBucket", 404)
    with pytest.raises(ClientError) as caught:
        getattr(s3, operation)(Bucket=bucket, ExpectedBucketOwner="222222222222", **asked)
    assert refusal(caught) == ("AccessDenied", 403)


@pytest.mark.parametrize(
    "operation", [name for name, _, _ in EMPTY if name.startswith("list_")], ids=lambda name: name
)
def test_a_list_of_nothing_has_no_second_page(s3: Any, bucket: str, operation: str) -> None:
    with pytest.raises(ClientError) as caught:
        getattr(s3, operation)(Bucket=bucket, ContinuationToken="forged")
    assert refusal(caught) == ("MalformedContinuationToken", 400)


def test_no_question_about_a_bucket_is_not_implemented(s3: Any, bucket: str) -> None:
    model, methods = s3.meta.service_model, s3.meta.method_to_api_mapping
    asking = {
        name: method for method, name in methods.items() if name.startswith(("GetBucket", "ListBucket"))
    }
    assert len(asking) >= 30
    for name, method in asking.items():
        members = model.operation_model(name).input_shape
        asked = dict.fromkeys(members.required_members, "one") | {"Bucket": bucket}
        given = {key: value for key, value in asked.items() if key in members.members}
        assert status_of(getattr(s3, method), **given) in {200, 404}, name


def status_of(call: Any, **request: str) -> int:
    try:
        answer = call(**request)
    except ClientError as error:
        answer = error.response
    return int(answer["ResponseMetadata"]["HTTPStatusCode"])


def test_the_question_has_an_event(server: RunningServer, s3: Any, bucket: str) -> None:
    asked = s3.get_bucket_logging(Bucket=bucket)["ResponseMetadata"]["RequestId"]
    with pytest.raises(ClientError) as caught:
        s3.get_bucket_website(Bucket=bucket)
    refused = caught.value.response["ResponseMetadata"]["RequestId"]
    events = {event["requestID"]: event for event in server.events()}
    assert events[asked]["eventName"] == "GetBucketLogging"
    assert events[asked]["resources"][0]["ARN"] == f"arn:aws:s3:::{bucket}"
    assert (events[refused]["eventName"], events[refused]["errorCode"]) == (
        "GetBucketWebsite",
        "NoSuchWebsiteConfiguration",
    )
