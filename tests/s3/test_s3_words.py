"""What S3 says, in its own words and members, of headers that make no sense."""

from __future__ import annotations

import urllib.error
import urllib.request
from typing import Any

import pytest
from botocore.exceptions import ClientError
from signed_s3 import sent, told

from keystead.testing.server import RunningServer

SSE = "x-amz-server-side-encryption"
NO_TAGS = (
    "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters "
    "without tag name duplicates."
)
NO_ALGORITHM = "The Encryption request you specified is not valid. Supported value: AES256."
PROVIDE = "Requests specifying Server Side Encryption with Customer provided keys must provide"
NO_COPY_SOURCE = "Copy Source must mention the source bucket and key: sourcebucket/sourcekey"
ACL_WITHOUT = "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting"


def argument(name: str, value: str) -> dict[str, str]:
    return {"ArgumentName": name, "ArgumentValue": value}


# ------------------------------------------------------------------------------ headers

INVALID, REQUEST = "InvalidArgument", "InvalidRequest"
PUT = [
    (
        "x-amz-storage-class",
        "BOGUS",
        "InvalidStorageClass",
        "The storage class you specified is not valid",
        0,
    ),
    (
        "x-amz-storage-class",
        "standard",
        "InvalidStorageClass",
        "The storage class you specified is not valid",
        0,
    ),
    (SSE, "AES128", INVALID, "The encryption method specified is not supported", 2),
    (SSE, "", INVALID, "The encryption method specified is not supported", 2),
    ("x-amz-acl", "bogus", INVALID, "Invalid Argument", 2),
    ("x-amz-object-lock-mode", "governance", INVALID, "Unknown wormMode directive.", 2),
    ("x-amz-object-lock-legal-hold", "MAYBE", INVALID, "Legal Hold must be either of 'ON' or 'OFF'", 2),
    (
        "x-amz-object-lock-retain-until-date",
        "never",
        INVALID,
        "The retain until date must be provided in ISO 8601 format",
        2,
    ),
    (f"{SSE}-bucket-key-enabled", "maybe", INVALID, "Invalid Argument", 2),
    (
        "x-amz-website-redirect-location",
        "a.html",
        "InvalidRedirectLocation",
        "The website redirect location must have a prefix of 'http://' or 'https://' or '/'.",
        0,
    ),
    ("x-amz-tagging", "=1", INVALID, NO_TAGS, 2),
    ("x-amz-tagging", "a=%FF", INVALID, NO_TAGS, 2),
    ("x-amz-tagging", "a=1;a=2", "InvalidTag", "The TagValue you have provided is invalid", None),
    ("x-amz-tagging", "a,b=1", "InvalidTag", "The TagKey you have provided is invalid", None),
    (f"{SSE}-customer-algorithm", "AES128", "InvalidEncryptionAlgorithmError", NO_ALGORITHM, None),
    (f"{SSE}-customer-key", "a", INVALID, f"{PROVIDE} a valid encryption algorithm.", None),
    (f"{SSE}-customer-algorithm", "AES256", INVALID, f"{PROVIDE} an appropriate secret key.", None),
]
COPY = [
    ("x-amz-metadata-directive", "MERGE", INVALID, "Unknown metadata directive.", 2),
    ("x-amz-metadata-directive", "replace", INVALID, "Unknown metadata directive.", 2),
    ("x-amz-tagging-directive", "MERGE", INVALID, "Unknown tagging directive.", 2),
    ("x-amz-copy-source", "bucket", INVALID, NO_COPY_SOURCE, 2),
    ("x-amz-copy-source", "bucket/%FF", INVALID, "Invalid copy source encoding", 2),
    ("x-amz-copy-source", "No-Bucket/k", INVALID, "Invalid copy source bucket name", 2),
]


def check_said(
    answer: tuple[int, bytes], name: str, value: str, code: str, said: str, members: int | None
) -> None:
    status, body = answer
    found = told(body.replace(b"&amp;", b"&"))
    assert (status, *found[:2]) == (400, code, said)
    if members is not None:
        assert found[2] == dict(list(argument(name, value).items())[:members])


@pytest.mark.parametrize(("name", "value", "code", "said", "members"), PUT)
def test_a_header_of_an_object_that_makes_no_sense_is_told_of(
    server: RunningServer, kept: str, name: str, value: str, code: str, said: str, members: int | None
) -> None:
    answer = sent(server, "PUT", f"/{kept}/k", b"other", **{name: value})
    check_said(answer, name, value, code, said, members)
    assert sent(server, "GET", f"/{kept}/k") == (200, b"hello")


@pytest.mark.parametrize(("name", "value", "code", "said", "members"), COPY)
def test_a_header_of_a_copy_likewise(
    server: RunningServer, kept: str, name: str, value: str, code: str, said: str, members: int
) -> None:
    given = {"x-amz-copy-source": f"{kept}/k", name: value}
    check_said(sent(server, "PUT", f"/{kept}/copy", **given), name, value, code, said, members)


@pytest.mark.parametrize(
    ("name", "value", "code", "said", "members"),
    [
        ("x-amz-object-ownership", "Nobody", INVALID, "Invalid x-amz-object-ownership header: Nobody", 1),
        ("x-amz-acl", "public-read", "InvalidBucketAclWithObjectOwnership", ACL_WITHOUT, 0),
        ("x-amz-grant-write", "id=x", "InvalidBucketAclWithObjectOwnership", ACL_WITHOUT, 0),
        ("x-amz-bucket-object-lock-enabled", "maybe", INVALID, "Invalid Argument", 2),
    ],
)
def test_a_header_of_a_new_bucket_likewise(
    server: RunningServer, s3: Any, name: str, value: str, code: str, said: str, members: int
) -> None:
    check_said(sent(server, "PUT", "/never-made", **{name: value}), name, value, code, said, members)
    with pytest.raises(ClientError):
        s3.head_bucket(Bucket="never-made")


@pytest.mark.parametrize(
    ("name", "value", "code", "said"),
    [
        ("x-amz-checksum-type", "COMPOSITE", REQUEST, "The x-amz-checksum-type header can only be used with"),
        ("x-amz-checksum-type", "BOGUS", REQUEST, "Value for x-amz-checksum-type header is invalid."),
        ("x-amz-checksum-algorithm", "BOGUS", REQUEST, "Checksum algorithm provided is unsupported."),
    ],
)
def test_a_header_of_an_upload_likewise(
    server: RunningServer, kept: str, name: str, value: str, code: str, said: str
) -> None:
    found = told(sent(server, "POST", f"/{kept}/k?uploads=", **{name: value})[1])
    assert (found[0], found[1].startswith(said)) == (code, True)


READ = [
    ("", "x-amz-checksum-mode", "BOGUS", REQUEST, "Value for x-amz-checksum-mode header is invalid.", {}),
    (
        "",
        SSE,
        "AES256",
        INVALID,
        "x-amz-server-side-encryption header is not supported for this operation.",
        argument(SSE, "AES256"),
    ),
    (
        "",
        "x-amz-copy-source",
        "b/k",
        INVALID,
        "You can only specify a copy source header for copy requests.",
        argument("x-amz-copy-source", "b/k"),
    ),
    (
        "?attributes",
        "x-amz-object-attributes",
        "ETag,Owner",
        INVALID,
        "Invalid attribute name specified.",
        argument("x-amz-object-attributes", "Owner"),
    ),
    (
        "?attributes",
        "x-amz-other",
        "",
        REQUEST,
        "The x-amz-object-attributes header specifying the attributes to be retrieved is either missing or empty",
        {},
    ),
    (
        "?response-content-language=%E6%96%87",
        "x-amz-other",
        "",
        INVALID,
        "Header value cannot be represented using ISO-8859-1.",
        argument("response-content-language", "文"),
    ),
]


@pytest.mark.parametrize(("asked", "name", "value", "code", "said", "members"), READ)
def test_a_header_of_a_question_likewise(
    server: RunningServer,
    kept: str,
    asked: str,
    name: str,
    value: str,
    code: str,
    said: str,
    members: dict[str, str],
) -> None:
    status, answer = sent(server, "GET", f"/{kept}/k{asked}", **{name: value})
    assert (status, *told(answer)) == (400, code, said, members)


def test_what_only_others_take_is_not_passed_over(server: RunningServer, kept: str) -> None:
    for headers, body in (
        ({"x-amz-object-lock-event-hold": "ON"}, b""),
        ({"x-amz-object-lock-event-hold-duration-days": "1"}, b""),
    ):
        assert sent(server, "PUT", f"/{kept}/held", body, **headers)[0] == 501
    status, answer = sent(
        server, "PUT", "/within-an-account", **{"x-amz-bucket-namespace": "account-regional"}
    )
    assert (status, told(answer)[0]) == (501, "NotImplemented")
    directory = (
        b"<CreateBucketConfiguration><Bucket><Type>Directory</Type></Bucket></CreateBucketConfiguration>"
    )
    assert sent(server, "PUT", "/a-directory", directory)[0] == 501
    hold = b"<Retention><EventHold>ON</EventHold></Retention>"
    assert sent(server, "PUT", f"/{kept}/k?retention", hold)[0] == 501


def test_a_date_of_expiry_is_kept_as_it_came_though_it_is_none(
    server: RunningServer, s3: Any, kept: str
) -> None:
    assert sent(server, "PUT", f"/{kept}/k", b"hello", expires="0")[0] == 200
    assert s3.head_object(Bucket=kept, Key="k")["ExpiresString"] == "0"


def test_answers_to_nobody_have_no_headers_of_his(server: RunningServer, s3: Any, kept: str) -> None:
    s3.delete_public_access_block(Bucket=kept)
    public = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject",'
    s3.put_bucket_policy(Bucket=kept, Policy=f'{public}"Resource":"arn:aws:s3:::{kept}/*"}}]}}')
    url = f"{server.url}/{kept}/k"
    with urllib.request.urlopen(url) as answer:
        assert answer.read() == b"hello"
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{url}?response-content-type=text/html")
    assert told(caught.value.read())[:2] == (
        "InvalidRequest",
        "Request specific response headers cannot be used for anonymous GET requests.",
    )
    caught.value.close()
