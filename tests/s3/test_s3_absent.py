"""What is not offered says so, and nothing of it is done."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from keystead.services.s3 import S3
from keystead.wire.models.s3 import OPERATIONS


@pytest.mark.parametrize(
    ("operation", "request_"),
    [
        ("put_bucket_acl", {"ACL": "private"}),
        ("put_bucket_logging", {"BucketLoggingStatus": {}}),
        ("put_bucket_notification_configuration", {"NotificationConfiguration": {}}),
        ("put_bucket_request_payment", {"RequestPaymentConfiguration": {"Payer": "Requester"}}),
        ("put_bucket_accelerate_configuration", {"AccelerateConfiguration": {"Status": "Enabled"}}),
        ("put_bucket_website", {"WebsiteConfiguration": {"IndexDocument": {"Suffix": "i"}}}),
        ("get_object_torrent", {"Key": "k"}),
        ("restore_object", {"Key": "k"}),
    ],
)
def test_what_is_not_offered_says_so(s3: Any, bucket: str, operation: str, request_: dict[str, Any]) -> None:
    with pytest.raises(ClientError) as caught:
        getattr(s3, operation)(Bucket=bucket, **request_)
    answer = caught.value.response
    assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == ("NotImplemented", 501)


@pytest.mark.parametrize("acl", ["public-read", "authenticated-read"])
def test_acls_that_open_are_refused(s3: Any, bucket: str, acl: str) -> None:
    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket=bucket, Key="k", Body=b"x", ACL=acl)
    assert caught.value.response["Error"]["Code"] == "AccessControlListNotSupported"


def test_every_operation_of_the_model_has_a_place() -> None:
    assert set(S3.operations) <= set(OPERATIONS)
