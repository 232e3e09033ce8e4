"""What S3 says, in its own words and members, of tags and documents that make no sense."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest
from botocore import session
from botocore.exceptions import ClientError
from signed_s3 import sent, told

from keystead.services.s3 import S3
from keystead.testing.server import RunningServer

INVALID, REQUEST = "InvalidArgument", "InvalidRequest"
MIXED = "Base level prefix cannot be used in Lifecycle V2, prefixes are only supported in the Filter."

# ------------------------------------------------------------------------------ tags

TAG_KEY, TAG_VALUE = (f"The {part} you have provided is invalid" for part in ("TagKey", "TagValue"))


def tagging(*pairs: tuple[str, str]) -> dict[str, Any]:
    return {"TagSet": [{"Key": name, "Value": value} for name, value in pairs]}


@pytest.mark.parametrize(
    ("pairs", "code", "said", "members"),
    [
        ([("k" * 129, "v")], "InvalidTag", TAG_KEY, {"TagKey": "k" * 129}),
        ([("k", "v" * 257)], "InvalidTag", TAG_VALUE, {"TagKey": "k", "TagValue": "v" * 257}),
        *(([(f"a{sign}b", "v")], "InvalidTag", TAG_KEY, {"TagKey": f"a{sign}b"}) for sign in ",;?!*#%()\t😀"),
        ([("k", "a,b")], "InvalidTag", TAG_VALUE, {"TagKey": "k", "TagValue": "a,b"}),
        (
            [("a", "1"), ("a", "2")],
            "InvalidTag",
            "Cannot provide multiple Tags with the same key",
            {"TagKey": "a"},
        ),
        (
            [("AWS:cost", "v")],
            "InvalidTag",
            "System tags cannot be added/updated by requester",
            {"TagKey": "AWS:cost"},
        ),
    ],
)
def test_a_tag_that_nothing_can_have_is_told_of(
    s3: Any, kept: str, pairs: list[tuple[str, str]], code: str, said: str, members: dict[str, str]
) -> None:
    for call, named in ((s3.put_object_tagging, {"Key": "k"}), (s3.put_bucket_tagging, {})):
        with pytest.raises(ClientError) as caught:
            call(Bucket=kept, **named, Tagging=tagging(*pairs))
        found = caught.value.response["Error"]
        assert found == {"Code": code, "Message": said, **members}


def test_tags_are_of_letters_numbers_spaces_and_some_signs(s3: Any, kept: str) -> None:
    pairs = [("b c+d-e=f.g_h:i/j@k", "2 + 2 = 4"), ("empty", ""), ("\U0001d49c" * 128, "文" * 256)]
    s3.put_object_tagging(Bucket=kept, Key="k", Tagging=tagging(*pairs))
    assert s3.get_object_tagging(Bucket=kept, Key="k")["TagSet"] == tagging(*pairs)["TagSet"]
    s3.put_object(Bucket=kept, Key="k", Body=b"", Tagging="a&b=&e+f=g=h")
    found = s3.get_object_tagging(Bucket=kept, Key="k")["TagSet"]
    assert found == tagging(("a", ""), ("b", ""), ("e f", "g=h"))["TagSet"]


def test_a_bucket_has_fifty_tags_at_most(s3: Any, kept: str) -> None:
    with pytest.raises(ClientError) as caught:
        s3.put_bucket_tagging(Bucket=kept, Tagging=tagging(*((f"k{n}", "") for n in range(51))))
    assert caught.value.response["Error"] == {
        "Code": "BadRequest",
        "Message": "Bucket tag count cannot be greater than 50",
    }


# ------------------------------------------------------------------------------ documents

MODEL = session.get_session().get_service_model("s3")
DOCUMENTS = {
    name: shape.members[shape.serialization["payload"]].serialization["name"]
    for name in S3.operations
    if (shape := MODEL.operation_model(name).input_shape) is not None
    and shape.serialization.get("payload")
    and shape.members[shape.serialization["payload"]].type_name == "structure"
    and name != "CreateBucket"
}


def posted(server: RunningServer, bucket: str, name: str, body: bytes) -> tuple[int, bytes]:
    asked = MODEL.operation_model(name).http
    path = asked["requestUri"].replace("{Bucket}", bucket).replace("{Key+}", "k")
    path += "?uploadId=x" if name == "CompleteMultipartUpload" else ""
    digest = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
    return sent(server, str(asked["method"]), path, body, content_md5=digest)


@pytest.mark.parametrize("name", sorted(DOCUMENTS))
def test_a_document_that_is_missing_or_another_is_refused(
    server: RunningServer, kept: str, name: str
) -> None:
    root = DOCUMENTS[name]
    for body in (b"<Other/>", f"<{root}".encode(), f"<{root}><Unknown/></{root}>".encode()):
        status, answer = posted(server, kept, name, body)
        assert (status, told(answer)[0]) == (400, "MalformedXML"), body
    if name != "CompleteMultipartUpload":
        status, answer = posted(server, kept, name, b"")
        assert (status, *told(answer)) == (400, "MissingRequestBodyError", "Request Body is empty", {})


def test_a_wrong_document_opens_no_bucket(server: RunningServer, s3: Any, kept: str) -> None:
    closed = s3.get_public_access_block(Bucket=kept)["PublicAccessBlockConfiguration"]
    name = "PublicAccessBlockConfiguration"
    twice = "<BlockPublicAcls>true</BlockPublicAcls>" * 2
    for body in (
        "<Other/>",
        f"<{name}><BlockPublicAcl>true</BlockPublicAcl></{name}>",
        f"<{name}>{twice}</{name}>",
    ):
        assert posted(server, kept, "PutPublicAccessBlock", body.encode())[0] == 400
    assert s3.get_public_access_block(Bucket=kept)["PublicAccessBlockConfiguration"] == closed


def test_an_upload_needs_parts(server: RunningServer, s3: Any, kept: str) -> None:
    upload = s3.create_multipart_upload(Bucket=kept, Key="k")["UploadId"]
    status, answer = sent(server, "POST", f"/{kept}/k?uploadId={upload}")
    assert (status, *told(answer)) == (400, REQUEST, "You must specify at least one part", {})


# ------------------------------------------------------------------------------ lifecycle

DUPLICATES = {"And": {"Tags": [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]}}
ONE_DAY = {"Expiration": {"Days": 1}}
SIZES = "'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'."


@pytest.mark.parametrize(
    ("rules", "code", "said"),
    [
        ([{"Filter": DUPLICATES, **ONE_DAY}], REQUEST, "Duplicate Tag Keys are not allowed."),
        (
            [{"Filter": {"And": {"ObjectSizeGreaterThan": 5, "ObjectSizeLessThan": 5}}, **ONE_DAY}],
            REQUEST,
            SIZES,
        ),
        (
            [{"Filter": {"ObjectSizeLessThan": 0}, **ONE_DAY}],
            REQUEST,
            "'ObjectSizeLessThan' should be between 1 and 1099511627776000.",
        ),
        ([{"Filter": {"And": {"Prefix": "a"}}, **ONE_DAY}], "MalformedXML", None),
        ([{"Filter": {"Tag": {"Key": "a,b", "Value": ""}}, **ONE_DAY}], "InvalidTag", TAG_KEY),
        (
            [
                {
                    "Filter": {"ObjectSizeGreaterThan": 5},
                    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
                }
            ],
            REQUEST,
            "AbortIncompleteMultipartUpload cannot be specified with Object Size.",
        ),
        ([{"Filter": {}, **ONE_DAY}, {"Prefix": "a", **ONE_DAY}], REQUEST, MIXED),
        (
            [{"Prefix": "a", **ONE_DAY}, {"Filter": {}, **ONE_DAY}],
            REQUEST,
            "Filter element can only be used in Lifecycle V2.",
        ),
        ([{"Filter": {}, "Expiration": {"Days": 1, "Date": "2030-01-01"}}], "MalformedXML", None),
        (
            [{"ID": "one", "Filter": {}, **ONE_DAY}, {"ID": "one", "Filter": {"Prefix": "a"}, **ONE_DAY}],
            INVALID,
            "Rule ID must be unique. Found same ID for more than one rule",
        ),
    ],
)
def test_rules_that_contradict_themselves_are_told_of(
    s3: Any, kept: str, rules: list[dict[str, Any]], code: str, said: str | None
) -> None:
    given = {"Rules": [{"Status": "Enabled", **rule} for rule in rules]}
    with pytest.raises(ClientError) as caught:
        s3.put_bucket_lifecycle_configuration(Bucket=kept, LifecycleConfiguration=given)
    found = caught.value.response["Error"]
    assert (found["Code"], said or found["Message"]) == (code, found["Message"])


def test_which_objects_are_too_small_is_told_again(s3: Any, kept: str) -> None:
    given = {"Rules": [{"Status": "Enabled", "Filter": {}, **ONE_DAY}]}
    named, size = {"Bucket": kept, "LifecycleConfiguration": given}, "TransitionDefaultMinimumObjectSize"
    assert s3.put_bucket_lifecycle_configuration(**named)[size] == "all_storage_classes_128K"
    assert s3.get_bucket_lifecycle_configuration(Bucket=kept)[size] == "all_storage_classes_128K"
    s3.put_bucket_lifecycle_configuration(**named, **{size: "varies_by_storage_class"})
    assert s3.get_bucket_lifecycle_configuration(Bucket=kept)[size] == "varies_by_storage_class"
    with pytest.raises(ClientError) as caught:
        s3.put_bucket_lifecycle_configuration(**named, **{size: "value"})
    assert caught.value.response["Error"] == {
        "Code": REQUEST,
        "Message": "Invalid TransitionDefaultMinimumObjectSize found: value",
    }
