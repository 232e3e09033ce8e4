"""Parameters that no operation takes, that contradict each other or that are none, are refused: nothing else is done."""

from __future__ import annotations

import re
from typing import Any

import pytest
from signed_s3 import sent

from keystead.testing.server import RunningServer

NO_INTEGER = "Provided {} not an integer or within integer range"
OUT_OF_RANGE = "Argument {} must be an integer between 0 and 2147483647"
NO_ENCODING = "Invalid Encoding Method specified in Request"
NO_TOKEN = "The continuation token provided is incorrect"
NO_PART = "Part number must be an integer between 1 and 10000, inclusive"
NO_VERSION_ID = "This operation does not accept a version-id."
REFUSED = [
    ("GET", "?acl&versioning", "Conflicting query string parameters: acl, versioning", "ResourceType"),
    ("PUT", "/k?tagging&acl", "Conflicting query string parameters: acl, tagging", "ResourceType"),
    ("GET", "?versionId=x", NO_VERSION_ID, "versionId"),
    ("DELETE", "?versionId=x", NO_VERSION_ID, "versionId"),
    ("PUT", "/k?versionId=x", NO_VERSION_ID, "versionId"),
    ("PUT", "/k?partNumber=1", "This operation does not accept partNumber without uploadId", "partNumber"),
    ("PUT", "/k?uploadId=x", "This operation does not accept uploadId", "uploadId"),
    ("GET", "/k?partNumber=abc", NO_PART, "partNumber"),
    ("GET", "?max-keys=abc", NO_INTEGER.format("max-keys"), "max-keys"),
    ("GET", "?max-keys=2147483648", NO_INTEGER.format("max-keys"), "max-keys"),
    ("GET", "?versions&max-keys=%205", NO_INTEGER.format("max-keys"), "max-keys"),
    ("GET", f"?max-keys={'9' * 5000}", NO_INTEGER.format("max-keys"), "max-keys"),
    ("GET", "?max-keys=-1", OUT_OF_RANGE.format("maxKeys"), "maxKeys"),
    ("GET", "?versions&max-keys=-1", "max-keys cannot be negative", "max-keys"),
    ("GET", "?uploads&max-uploads=-1", OUT_OF_RANGE.format("max-uploads"), "max-uploads"),
    ("GET", "?uploads&max-uploads=abc", NO_INTEGER.format("max-uploads"), "max-uploads"),
    ("GET", "?encoding-type=bogus", NO_ENCODING, "encoding-type"),
    ("GET", "?versions&encoding-type=", NO_ENCODING, "encoding-type"),
    ("GET", "?uploads&encoding-type=bogus", NO_ENCODING, "encoding-type"),
    ("GET", "?list-type=2&continuation-token=garbage", NO_TOKEN, "continuation-token"),
    ("GET", "?list-type=2&continuation-token=", NO_TOKEN, "continuation-token"),
    (
        "GET",
        "?versions&version-id-marker=x",
        "A version-id marker cannot be specified without a key marker.",
        "version-id-marker",
    ),
    (
        "GET",
        "?versions&key-marker=a&version-id-marker=",
        "A version-id marker cannot be empty.",
        "version-id-marker",
    ),
    (
        "GET",
        "?versions&key-marker=a&version-id-marker=x",
        "Invalid version id specified",
        "version-id-marker",
    ),
]


@pytest.fixture
def kept(s3: Any, bucket: str) -> Any:
    """The name of a bucket whose object is there afterwards as it was before."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"body")
    yield bucket
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"body"


@pytest.mark.parametrize(("method", "asked", "said", "argument"), REFUSED, ids=lambda text: text[:40])
def test_what_makes_no_sense_is_an_invalid_argument(
    server: RunningServer, kept: str, method: str, asked: str, said: str, argument: str
) -> None:
    status, answer = sent(server, method, f"/{kept}{asked}")
    told = re.search(r"<Code>(.*?)</Code><Message>(.*?)</Message><ArgumentName>(.*?)<", answer.decode())
    assert told is not None
    assert (status, *told.groups()) == (400, "InvalidArgument", said, argument)


@pytest.mark.parametrize(
    ("method", "asked"),
    [
        ("GET", "?delete"),
        ("GET", "?torrent"),
        ("GET", "/k?cors"),
        ("PUT", "/k?lifecycle"),
        ("DELETE", "/k?policy"),
        ("GET", "/k?uploads"),
        ("HEAD", "?versions"),
        ("DELETE", "/k?acl"),
    ],
)
def test_what_a_bucket_or_an_object_does_not_have_is_not_passed_over(
    server: RunningServer, kept: str, method: str, asked: str
) -> None:
    status, answer = sent(server, method, f"/{kept}{asked}")
    assert status == 405
    assert method == "HEAD" or b"<Code>MethodNotAllowed</Code>" in answer


@pytest.mark.parametrize("asked", ["?partNumber=1", "?uploadId=x"])
def test_parts_are_of_an_object(server: RunningServer, kept: str, asked: str) -> None:
    status, answer = sent(server, "GET", f"/{kept}{asked}")
    assert (status, b"<Code>InvalidRequest</Code>" in answer) == (400, True)


def test_what_nobody_knows_is_passed_over(server: RunningServer, kept: str) -> None:
    assert sent(server, "GET", f"/{kept}/k?foo=bar&x-id=GetObject") == (200, b"body")
    status, answer = sent(server, "GET", f"/{kept}?Versioning&max-keys=0000000001&encoding-type=URL")
    assert (status, b"<EncodingType>URL</EncodingType>" in answer) == (200, True)


def test_uploads_are_listed_as_many_as_asked_for_and_encoded(s3: Any, bucket: str) -> None:
    for key in ("a b/\x01", "c"):
        s3.create_multipart_upload(Bucket=bucket, Key=key)
    none = s3.list_multipart_uploads(Bucket=bucket, MaxUploads=0)
    assert (none["MaxUploads"], none["IsTruncated"], "Uploads" in none) == (0, False, False)
    page = s3.list_multipart_uploads(Bucket=bucket, MaxUploads=1, EncodingType="url")
    assert (page["Uploads"][0]["Key"], page["NextKeyMarker"]) == ("a%20b/%01", "a%20b/%01")
    grouped = s3.list_multipart_uploads(Bucket=bucket, Delimiter="/", EncodingType="url")
    assert [row["Prefix"] for row in grouped["CommonPrefixes"]] == ["a%20b/"]


OWNED = [
    ("GET", "", {}),
    ("PUT", "/k", {}),
    ("GET", "/k", {}),
    ("GET", "/k?tagging", {}),
    ("GET", "/k?retention", {}),
    ("PUT", "/copy", {"x_amz_copy_source": "{}/k"}),
]


@pytest.mark.parametrize(("method", "asked", "headers"), OWNED)
def test_an_owner_that_no_account_can_be_is_told_from_another_account(
    server: RunningServer, kept: str, method: str, asked: str, headers: dict[str, str]
) -> None:
    given = {name: text.format(kept) for name, text in headers.items()}
    for owner, status, code in (
        ("me", 400, b"InvalidBucketOwnerAWSAccountID"),
        ("1234567890123", 400, b"InvalidBucketOwnerAWSAccountID"),
        ("222222222222", 403, b"AccessDenied"),
    ):
        told, answer = sent(server, method, f"/{kept}{asked}", **given, x_amz_expected_bucket_owner=owner)
        assert (told, b"<Code>" + code + b"</Code>" in answer) == (status, True)


@pytest.mark.parametrize("name", ["if_modified_since", "if_unmodified_since"])
def test_a_condition_whose_date_is_none_counts_for_nothing(
    server: RunningServer, kept: str, name: str
) -> None:
    """RFC 9110 sections 13.1.3 and 13.1.4."""
    assert sent(server, "GET", f"/{kept}/k", **{name: "yesterday"}) == (200, b"body")
    given = {"x_amz_copy_source": f"{kept}/k", f"x_amz_copy_source_{name}": "yesterday"}
    assert sent(server, "PUT", f"/{kept}/copy", **given)[0] == 200
