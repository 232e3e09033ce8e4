"""Events of S3 as CloudTrail has them: their names, and what they tell besides the request's members."""

from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

ADDITIONAL = {"SignatureVersion": "SigV4", "AuthenticationMethod": "AuthHeader"}


@pytest.fixture
def told(server):
    """The events of what was done meanwhile, each with its request's id."""
    before = len(server.events())
    return lambda: server.events()[before:]


def test_an_event_tells_where_the_request_was_sent_how_it_was_signed_and_what_was_carried(
    server, s3, bucket, told
):
    put = s3.put_object(Bucket=bucket, Key="k", Body=b"hello")
    s3.get_object(Bucket=bucket, Key="k", Range="bytes=1-3")["Body"].read()
    s3.head_object(Bucket=bucket, Key="k")
    listed = s3.list_objects_v2(Bucket=bucket)
    events = told()
    host = urlsplit(server.url).netloc
    assert {event["requestParameters"]["Host"] for event in events} == {host}
    assert [event["additionalEventData"].items() >= ADDITIONAL.items() for event in events] == [True] * 4
    carried = [
        [event["additionalEventData"][f"bytesTransferred{way}"] for way in ("In", "Out")] for event in events
    ]
    length = int(listed["ResponseMetadata"]["HTTPHeaders"]["content-length"])
    assert carried == [[5, 0], [0, 3], [0, 0], [0, length]]
    answered = put["ResponseMetadata"]["HTTPHeaders"]["x-amz-id-2"]
    assert events[0]["additionalEventData"]["x-amz-id-2"] == answered


def test_events_have_cloudtrails_names_and_what_says_which_operation_it_is(s3, bucket, told):
    rule = {"ID": "a", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [rule]})
    s3.get_bucket_lifecycle_configuration(Bucket=bucket)
    s3.get_bucket_notification_configuration(Bucket=bucket)
    s3.get_public_access_block(Bucket=bucket)
    s3.delete_public_access_block(Bucket=bucket)
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration={"BlockPublicAcls": True})
    s3.list_objects_v2(Bucket=bucket)
    asked = ("lifecycle", "notification", "publicAccessBlock", "list-type")
    found = [
        (
            event["eventName"],
            *(
                (name, event["requestParameters"][name])
                for name in asked
                if name in event["requestParameters"]
            ),
        )
        for event in told()
    ]
    assert found == [
        ("PutBucketLifecycle", ("lifecycle", "")),
        ("GetBucketLifecycle", ("lifecycle", "")),
        ("GetBucketNotification", ("notification", "")),
        ("GetBucketPublicAccessBlock", ("publicAccessBlock", "")),
        ("DeleteBucketPublicAccessBlock", ("publicAccessBlock", "")),
        ("PutBucketPublicAccessBlock", ("publicAccessBlock", "")),
        ("ListObjects", ("list-type", "2")),
    ]  # fmt: skip


def test_a_presigned_url_is_told_without_what_would_let_others_use_it(kept, made, told):
    signer = made(config=Config(signature_version="s3v4"))
    url = signer.generate_presigned_url("get_object", {"Bucket": kept, "Key": "k"}, ExpiresIn=300)
    with urlopen(url) as answer:
        assert answer.read() == b"hello"
    (event,) = told()
    asked = event["requestParameters"]
    assert event["additionalEventData"]["AuthenticationMethod"] == "QueryString"
    assert (asked["X-Amz-Expires"], asked["X-Amz-Algorithm"]) == ("300", "AWS4-HMAC-SHA256")
    assert {"X-Amz-Date", "X-Amz-SignedHeaders"} < asked.keys()
    assert not {"X-Amz-Signature", "X-Amz-Credential", "X-Amz-Security-Token"} & asked.keys()


@pytest.mark.parametrize(
    ("options", "applied"),
    [
        ({}, "Default_SSE_S3"),
        ({"ServerSideEncryption": "AES256"}, "SSE_S3"),
        ({"ServerSideEncryption": "aws:kms"}, "SSE_KMS"),
        ({"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "k" * 32}, "SSE_C"),
    ],
)
def test_the_encryption_that_was_applied_is_told(s3, bucket, told, options, applied):
    rule = {
        "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"},
        "BlockedEncryptionTypes": {"EncryptionType": ["NONE"]},
    }
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", **options)
    upload = s3.create_multipart_upload(Bucket=bucket, Key="m", **options)["UploadId"]
    s3.abort_multipart_upload(Bucket=bucket, Key="m", UploadId=upload)
    names = ("PutObject", "CreateMultipartUpload", "AbortMultipartUpload")
    events = [event for event in told() if event["eventName"] in names]
    assert [event["additionalEventData"].get("SSEApplied") for event in events] == [applied, applied, None]


def test_who_is_refused_is_told_with_what_was_asked_for(server, kept, made, told):
    stranger = made(server.user("stranger"))
    with pytest.raises(ClientError, match="AccessDenied"):
        stranger.get_object(Bucket=kept, Key="k")
    (event,) = told()
    assert (event["errorCode"], event["requestParameters"]["key"]) == ("AccessDenied", "k")
    assert "bytesTransferredOut" not in event["additionalEventData"]


def test_who_signs_nothing_has_no_signatures_version(server, kept, told):
    with pytest.raises(HTTPError, match="403"):
        urlopen(f"{server.url}/{kept}/k")
    (event,) = told()
    assert not ADDITIONAL.keys() & event["additionalEventData"].keys()
    assert event["requestParameters"]["Host"] == urlsplit(server.url).netloc
