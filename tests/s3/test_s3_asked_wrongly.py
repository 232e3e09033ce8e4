"""Parameters that no operation takes, that contradict each other or that are none, are refused: nothing else is done."""

from __future__ import annotations

import re
from typing import Any

import pytest
from signed_s3 import answered, sent, told

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
    found = re.search(r"<Code>(.*?)</Code><Message>(.*?)</Message><ArgumentName>(.*?)<", answer.decode())
    assert found is not None
    assert (status, *found.groups()) == (400, "InvalidArgument", said, argument)


@pytest.mark.parametrize(
    ("method", "asked"),
    [
        ("GET", "?delete"),
        ("GET", "?torrent"),
        ("GET", "/k?cors"),
        ("PUT", "/k?lifecycle"),
        ("DELETE", "/k?policy"),
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
    assert (page["Uploads"][0]["Key"], page["NextKeyMarker"]) == ("a+b/%01", "a+b/%01")
    grouped = s3.list_multipart_uploads(Bucket=bucket, Delimiter="/", EncodingType="url")
    assert [row["Prefix"] for row in grouped["CommonPrefixes"]] == ["a+b/"]


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
        got, answer = sent(server, method, f"/{kept}{asked}", **given, x_amz_expected_bucket_owner=owner)
        assert (got, b"<Code>" + code + b"</Code>" in answer) == (status, True)


@pytest.mark.parametrize("name", ["if_modified_since", "if_unmodified_since"])
def test_a_condition_whose_date_is_none_counts_for_nothing(
    server: RunningServer, kept: str, name: str
) -> None:
    """RFC 9110 sections 13.1.3 and 13.1.4."""
    assert sent(server, "GET", f"/{kept}/k", **{name: "yesterday"}) == (200, b"body")
    given = {"x_amz_copy_source": f"{kept}/k", f"x_amz_copy_source_{name}": "yesterday"}
    assert sent(server, "PUT", f"/{kept}/copy", **given)[0] == 200


MARKER = "Marker unsupported with REST.GET.BUCKET in list-type=2"
TOKEN = "continuation-token only supported in REST.GET.BUCKET with list-type=2"
AFTER = "startAfter only supported in REST.GET.BUCKET with list-type=2"


@pytest.mark.parametrize(
    ("asked", "said", "argument"),
    [
        ("?list-type=2&marker=a", MARKER, "marker"),
        ("?list-type=2&marker=", MARKER, "marker"),
        ("?start-after=a", AFTER, "start-after"),
        ("?list-type=1&start-after=a&continuation-token=b", TOKEN, "continuation-token"),
        ("?list-type=3&continuation-token=", TOKEN, "continuation-token"),
    ],
)
def test_each_list_refuses_what_says_where_the_other_begins(
    server: RunningServer, kept: str, asked: str, said: str, argument: str
) -> None:
    status, answer = sent(server, "GET", f"/{kept}{asked}")
    assert (status, *told(answer)) == (400, "InvalidArgument", said, {"ArgumentName": argument})


def test_whatever_is_no_second_list_is_the_first(server: RunningServer, kept: str) -> None:
    for asked in ("?list-type=3", "?list-type=bogus", "?max-keys=&fetch-owner=bogus"):
        status, answer = sent(server, "GET", f"/{kept}{asked}")
        assert (status, b"<Marker>" in answer, b"<KeyCount>" in answer) == (200, True, False)
    for owner, is_told in (("true", True), ("TRUE", False), ("bogus", False)):
        status, answer = sent(server, "GET", f"/{kept}?list-type=2&fetch-owner={owner}")
        assert (status, b"<Owner>" in answer) == (200, is_told)


@pytest.mark.parametrize(
    ("method", "asked", "resource", "allowed"),
    [
        ("PUT", "/", "SERVICE", "GET"),
        ("POST", "/{}/k", "OBJECT", "DELETE, GET, HEAD, POST, PUT"),
        ("PATCH", "/{}", "BUCKET", "DELETE, GET, HEAD, PUT"),
        ("DELETE", "/{}?acl", "ACL", "GET, PUT"),
        ("PUT", "/{}?location", "LOCATION", "GET"),
        ("GET", "/{}?delete", "MULTI_OBJECT_DELETE", "POST"),
        ("POST", "/{}/k?tagging", "OBJECT_TAGGING", "DELETE, GET, PUT"),
        ("GET", "/{}?torrent", "TORRENT", None),
        ("HEAD", "/{}?versioning", "", "GET, PUT"),
    ],
)
def test_what_a_resource_does_not_take_is_told_with_what_it_takes(
    server: RunningServer, kept: str, method: str, asked: str, resource: str, allowed: str | None
) -> None:
    answer = answered(server, method, asked.format(kept))
    body = answer.read()
    assert (answer.status, answer.getheader("allow")) == (405, allowed)
    assert answer.getheader("content-type") == "application/xml"
    if method != "HEAD":
        assert told(body)[2] == {"Method": method, "ResourceType": resource}


@pytest.mark.parametrize(
    ("asked", "code", "said"),
    [
        ("versions", "InvalidRequest", "There is no such thing as the ?versions sub-resource for a key"),
        ("uploads", "InvalidRequest", "Key is not expected for the GET method ?uploads subresource"),
        ("logging", "NoLoggingStatusForKey", "There is no such thing as the ?logging sub-resource for a key"),
    ],
)
def test_some_questions_about_a_bucket_are_refused_of_a_key_in_words_of_their_own(
    server: RunningServer, kept: str, asked: str, code: str, said: str
) -> None:
    status, answer = sent(server, "GET", f"/{kept}/k?{asked}")
    assert (status, *told(answer)) == (400, code, said, {})


def test_what_is_posted_to_a_bucket_is_a_form(server: RunningServer, kept: str) -> None:
    status, answer = sent(server, "POST", f"/{kept}")
    code, _, members = told(answer)
    wanted = "Bucket POST must be of the enclosure-type multipart/form-data"
    assert (status, code, members) == (412, "PreconditionFailed", {"Condition": wanted})


def test_buckets_are_listed_with_their_places_where_pages_are_asked_for(
    server: RunningServer, kept: str
) -> None:
    for asked, is_told in (("", False), ("?prefix=", True), ("?max-buckets=5", True)):
        status, answer = sent(server, "GET", f"/{asked}")
        assert (status, b"<BucketRegion>" in answer) == (200, is_told)
    for asked, said in (
        ("max-buckets=0", "Argument max-buckets must be an integer between 1 and 10000"),
        ("max-buckets=x", NO_INTEGER.format("max-buckets")),
        ("bucket-region=us-east-1a", "Argument value us-east-1a is not a valid AWS Region"),
    ):
        status, answer = sent(server, "GET", f"/?{asked}")
        assert (status, *told(answer)[:2]) == (400, "InvalidArgument", said)


def test_an_address_that_cannot_be_read_is_no_document(server: RunningServer, kept: str) -> None:
    for asked in (f"/{kept}/%FF", f"/{kept}?prefix=%FF"):
        status, answer = sent(server, "GET", asked)
        assert (status, told(answer)[0]) == (400, "InvalidURI")
