"""Details in which public conformance suites found this server to differ from Amazon S3."""

from __future__ import annotations

import base64
import hashlib
import http.client
import zlib
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from signed_s3 import sent

from keystead.testing.server import RunningServer

PART = b"p" * (5 * 1024 * 1024)


def refused(call: Any, /, **arguments: Any) -> dict[str, Any]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return {
        **caught.value.response["Error"],
        "status": caught.value.response["ResponseMetadata"]["HTTPStatusCode"],
    }


def crc(body: bytes) -> str:
    return base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()


# ------------------------------------------------------------------------------ bodies


def put(server: RunningServer, bucket: str, body: bytes = b"body", **headers: str) -> tuple[int, str]:
    status, answer = sent(server, "PUT", f"/{bucket}/k", body, **headers)
    return status, answer.decode()


def test_a_wrong_digest_is_told_with_the_right_one(server: RunningServer, bucket: str) -> None:
    body, other = b"body", base64.b64encode(hashlib.md5(b"other", usedforsecurity=False).digest()).decode()
    own = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
    status, said = put(server, bucket, content_md5=other)
    assert (status, "<Code>BadDigest</Code>" in said) == (400, True)
    assert f"<ExpectedDigest>{base64.b64decode(other).hex()}</ExpectedDigest>" in said
    assert f"<CalculatedDigest>{own}</CalculatedDigest>" in said
    wrong = "0" * 64
    status, said = put(server, bucket, x_amz_content_sha256=wrong)
    assert f"<ClientComputedContentSHA256>{wrong}</ClientComputedContentSHA256>" in said
    assert f"<S3ComputedContentSHA256>{hashlib.sha256(body).hexdigest()}<" in said
    status, said = put(server, bucket, x_amz_content_sha256="nonsense")
    assert "<ArgumentName>x-amz-content-sha256</ArgumentName><ArgumentValue>nonsense<" in said


def test_a_digest_may_be_written_in_capitals(server: RunningServer, bucket: str) -> None:
    assert put(server, bucket, x_amz_content_sha256=hashlib.sha256(b"body").hexdigest().upper())[0] == 200


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        (
            {"x_amz_sdk_checksum_algorithm": "CRC32"},
            "x-amz-sdk-checksum-algorithm specified, but no corresponding",
        ),
        (
            {"x_amz_sdk_checksum_algorithm": "SHA1", "x_amz_checksum_crc32": crc(b"body")},
            "Value for x-amz-sdk-checksum-algorithm header is invalid.",
        ),
        (
            {"x_amz_checksum_bad": "AA=="},
            "The algorithm type you specified in x-amz-checksum- header is invalid.",
        ),
        ({"x_amz_checksum_crc32": "y/Q5Jh=="}, "Value for x-amz-checksum-crc32 header is invalid."),
        (
            {"x_amz_checksum_crc32": crc(b"body"), "x_amz_trailer": "x-amz-checksum-crc32"},
            "<Message>Expecting a single x-amz-checksum- header</Message>",
        ),
        ({"x_amz_trailer": "x-amz-checksum-crc32, ,"}, "The value specified in the x-amz-trailer header"),
        ({"x_amz_trailer": ",x-amz-checksum-crc32"}, "The value specified in the x-amz-trailer header"),
        ({"x_amz_trailer": "x-amz-meta-a"}, "The value specified in the x-amz-trailer header"),
    ],
)
def test_what_is_wrong_with_a_checksum_is_told(
    server: RunningServer, bucket: str, headers: dict[str, str], words: str
) -> None:
    status, said = put(server, bucket, **headers)
    assert (status, "<Code>InvalidRequest</Code>" in said) == (400, True)
    assert words in said


def chunked(server: RunningServer, bucket: str, tail: bytes, trailer: str = "x-amz-checksum-crc32") -> str:
    headers = {
        "x_amz_content_sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "x_amz_decoded_content_length": "4",
        "content_encoding": "foo, aws-chunked, bar",
        "x_amz_trailer": trailer,
    }
    return put(server, bucket, b"4\r\nbody\r\n0\r\n" + tail, **headers)[1]


RIGHT, WRONG = (f"x-amz-checksum-crc32:{crc(body)}\r\n".encode() for body in (b"body", b"other"))


@pytest.mark.parametrize("tail", [RIGHT + b"\r\n", RIGHT, RIGHT + b"\r\n\r\njunk", WRONG + RIGHT])
@pytest.mark.parametrize(
    "trailer", ["x-amz-checksum-crc32", "x-amz-checksum-crc32,,", "X-Amz-Checksum-CRC32, "]
)
def test_a_body_in_chunks_may_end_as_clients_end_it(
    server: RunningServer, s3: Any, bucket: str, tail: bytes, trailer: str
) -> None:
    assert chunked(server, bucket, tail, trailer) == ""
    got = s3.get_object(Bucket=bucket, Key="k")
    assert (got["Body"].read(), got["ContentEncoding"]) == (b"body", "foo, bar")


@pytest.mark.parametrize(
    ("tail", "code"),
    [
        (RIGHT + WRONG, "BadDigest"),
        (b"\r\n" + RIGHT, "MalformedTrailerError"),
        (b"", "MalformedTrailerError"),
        (RIGHT[:-2], "IncompleteBody"),
        (RIGHT[:-1], "IncompleteBody"),
        (b"x-amz-checksum-crc32:no\r\n", "InvalidRequest"),
        (RIGHT + b"x-amz-meta-a: b\r\n", "MalformedTrailerError"),
        (RIGHT * 9, "MalformedTrailerError"),
        (RIGHT + b"\r\n" + b"j" * 9000, "IncompleteBody"),
    ],
)
def test_a_body_in_chunks_that_ends_otherwise_is_refused(
    server: RunningServer, bucket: str, tail: bytes, code: str
) -> None:
    assert f"<Code>{code}</Code>" in chunked(server, bucket, tail)


def test_a_wrong_signature_shows_nothing_of_the_request(server: RunningServer, bucket: str) -> None:
    wrong = msgspec.structs.replace(server.root(), secret_access_key="wrong")
    caller = server.client_of(wrong, "s3")
    told = refused(caller.put_object, Bucket=bucket, Key="k", Body=b"", Metadata={"hidden": "canary"})
    assert (told["Code"], told["status"]) == ("SignatureDoesNotMatch", 403)
    assert set(told) == {"Code", "Message", "status"}


def test_an_object_must_say_where_it_ends(server: RunningServer, made: Any, bucket: str) -> None:
    signing = made(config=Config(signature_version="s3v4"))
    url = urlsplit(signing.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "k"}))
    client = http.client.HTTPConnection("127.0.0.1", server.port)
    client.putrequest("PUT", f"{url.path}?{url.query}")
    client.endheaders()
    answer = client.getresponse()
    assert (answer.status, b"<Code>MissingContentLength</Code>" in answer.read()) == (411, True)
    client.close()


# ------------------------------------------------------------------------------ parts


@pytest.fixture
def parted(s3: Any, bucket: str) -> str:
    """A bucket with an object of the parts 2 and 7."""
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k", ChecksumAlgorithm="SHA256")["UploadId"]
    named = {"Bucket": bucket, "Key": "k", "UploadId": upload}
    parts = []
    for number, body in ((2, PART), (7, b"end")):
        made = s3.upload_part(**named, PartNumber=number, Body=body, ChecksumAlgorithm="SHA256")
        parts.append({"PartNumber": number, "ETag": made["ETag"], "ChecksumSHA256": made["ChecksumSHA256"]})
    s3.complete_multipart_upload(**named, MultipartUpload={"Parts": parts})
    return bucket


def test_parts_are_counted_as_they_lie(s3: Any, parted: str) -> None:
    named = {"Bucket": parted, "Key": "k"}
    first, second = (s3.head_object(**named, PartNumber=number) for number in (1, 2))
    assert (first["ContentLength"], second["ContentLength"]) == (len(PART), 3)
    assert s3.get_object(**named, PartNumber=2)["Body"].read() == b"end"
    assert refused(s3.get_object, **named, PartNumber=3)["Code"] == "InvalidPartNumber"
    assert refused(s3.head_object, **named, PartNumber=7)["status"] == 416
    told = refused(s3.get_object, **named, PartNumber=0)
    assert (told["Code"], told["ArgumentName"], told["ArgumentValue"]) == (
        "InvalidArgument",
        "partNumber",
        "0",
    )


def test_an_object_in_one_piece_is_its_only_part(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"body")
    got = s3.get_object(Bucket=bucket, Key="k", PartNumber=1)
    assert (got["ResponseMetadata"]["HTTPStatusCode"], got["ContentRange"]) == (206, "bytes 0-3/4")
    assert "PartsCount" not in got


def test_a_checksum_of_checksums_is_told_without_their_number_by_attributes(s3: Any, parted: str) -> None:
    told = s3.get_object_attributes(Bucket=parted, Key="k", ObjectAttributes=["Checksum"])["Checksum"]
    head = s3.head_object(Bucket=parted, Key="k", ChecksumMode="ENABLED")
    assert head["ChecksumSHA256"] == told["ChecksumSHA256"] + "-2"


@pytest.mark.parametrize("algorithm", [None, "CRC32"])
def test_the_checksum_of_a_completion_is_the_object_s(made: Any, bucket: str, algorithm: str | None) -> None:
    s3 = made(config=Config(request_checksum_calculation="when_required"))
    named = {"Bucket": bucket, "Key": "k"}
    asked = {"ChecksumAlgorithm": algorithm, "ChecksumType": "FULL_OBJECT"} if algorithm else {}
    upload = s3.create_multipart_upload(**named, **asked)["UploadId"]
    part = s3.upload_part(**named, UploadId=upload, PartNumber=1, Body=b"body", ChecksumCRC32=crc(b"body"))
    end = {"UploadId": upload, "MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}}
    if algorithm:
        told = refused(s3.complete_multipart_upload, **named, **end, ChecksumCRC32=crc(b"other"))
        assert told["Code"] == "BadDigest"
    s3.complete_multipart_upload(**named, **end, ChecksumCRC32=crc(b"body"))
    assert s3.get_object(**named)["Body"].read() == b"body"


def test_a_completion_is_not_told_again_when_its_object_is_gone(s3: Any, bucket: str) -> None:
    named = {"Bucket": bucket, "Key": "k"}
    upload = s3.create_multipart_upload(**named)["UploadId"]
    part = s3.upload_part(**named, UploadId=upload, PartNumber=1, Body=b"body")
    end = {"UploadId": upload, "MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}}
    first = s3.complete_multipart_upload(**named, **end)
    assert s3.complete_multipart_upload(**named, **end)["ETag"] == first["ETag"]
    s3.put_object(**named, Body=b"another")
    assert refused(s3.complete_multipart_upload, **named, **end)["Code"] == "NoSuchUpload"
    assert s3.get_object(**named)["Body"].read() == b"another"


def test_parts_without_an_etag_are_no_document(s3: Any, bucket: str) -> None:
    named = {"Bucket": bucket, "Key": "k"}
    upload = s3.create_multipart_upload(**named)["UploadId"]
    s3.upload_part(**named, UploadId=upload, PartNumber=1, Body=b"body")
    parts = {"Parts": [{"PartNumber": 1}]}
    told = refused(s3.complete_multipart_upload, **named, UploadId=upload, MultipartUpload=parts)
    assert told["Code"] == "MalformedXML"


def test_an_upload_in_parts_under_the_caller_s_own_key_is_completed(s3: Any, bucket: str) -> None:
    rule = {
        "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"},
        "BlockedEncryptionTypes": {"EncryptionType": ["NONE"]},
    }
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    named = {"Bucket": bucket, "Key": "k"}
    own = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "k" * 32}
    upload = s3.create_multipart_upload(**named, **own)["UploadId"]
    part = s3.upload_part(**named, **own, UploadId=upload, PartNumber=1, Body=b"body")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    s3.complete_multipart_upload(**named, UploadId=upload, MultipartUpload=parts)
    assert s3.get_object(**named, **own)["Body"].read() == b"body"
    assert refused(s3.get_object, **named)["status"] == 400


# ------------------------------------------------------------------------------ deleting


@pytest.mark.parametrize("versioned", [False, True])
def test_what_was_replaced_is_not_deleted(s3: Any, bucket: str, versioned: bool) -> None:
    if versioned:
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    named = {"Bucket": bucket, "Key": "k"}
    old = s3.put_object(**named, Body=b"old")["ETag"]
    new = s3.put_object(**named, Body=b"new")["ETag"]
    told = refused(s3.delete_object, **named, IfMatch=old)
    assert (told["Code"], told["Condition"], told["status"]) == ("PreconditionFailed", "If-Match", 412)
    (failed,) = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k", "ETag": old}]})["Errors"]
    assert failed["Code"] == "PreconditionFailed"
    assert s3.get_object(**named)["Body"].read() == b"new"
    s3.delete_object(**named, IfMatch=new)
    assert refused(s3.delete_object, **named, IfMatch="*")["Code"] == "NoSuchKey"
    s3.put_object(**named, Body=b"new")
    (gone,) = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k", "ETag": new}]})["Deleted"]
    assert gone["Key"] == "k"
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_a_version_that_is_gone_is_deleted_by_its_name(s3: Any, bucket: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    named = {"Bucket": bucket, "Key": "k"}
    version = s3.put_object(**named, Body=b"")["VersionId"]
    for _ in range(2):
        assert s3.delete_object(**named, VersionId=version)["VersionId"] == version


def test_who_may_not_read_compares_no_etag(server: RunningServer, s3: Any, made: Any, bucket: str) -> None:
    allowed = {"Effect": "Allow", "Action": "s3:DeleteObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    person = made(server.user("remover", {"p": {"Version": "2012-10-17", "Statement": [allowed]}}))
    tag = s3.put_object(Bucket=bucket, Key="k", Body=b"body")["ETag"]
    assert refused(person.delete_object, Bucket=bucket, Key="k", IfMatch=tag)["Code"] == "AccessDenied"
    many = {"Objects": [{"Key": "k", "ETag": tag}]}
    (failed,) = person.delete_objects(Bucket=bucket, Delete=many)["Errors"]
    assert failed["Code"] == "AccessDenied"
    person.delete_object(Bucket=bucket, Key="k", IfMatch="*")
    assert refused(s3.head_object, Bucket=bucket, Key="k")["Code"] == "404"


def test_policies_can_want_a_condition(server: RunningServer, s3: Any, made: Any, bucket: str) -> None:
    wanted = {"Null": {"s3:if-match": "false"}}
    allowed = {"Effect": "Allow", "Action": "s3:DeleteObject", "Resource": "*", "Condition": wanted}
    person = made(server.user("careful", {"p": {"Version": "2012-10-17", "Statement": [allowed]}}))
    for condition in ({}, {"ETag": "*"}):
        s3.put_object(Bucket=bucket, Key="k", Body=b"body")
        many = {"Objects": [{"Key": "k", **condition}]}
        assert ("Deleted" in person.delete_objects(Bucket=bucket, Delete=many)) == bool(condition)
    s3.put_object(Bucket=bucket, Key="k", Body=b"body")
    assert refused(person.delete_object, Bucket=bucket, Key="k")["Code"] == "AccessDenied"
    person.delete_object(Bucket=bucket, Key="k", IfMatch="*")


def test_deleting_many_takes_a_digest_of_their_names(server: RunningServer, bucket: str) -> None:
    body = b"<Delete><Object><Key>k</Key></Object></Delete>"
    status, answer = sent(server, "POST", f"/{bucket}?delete=", body)
    assert (status, b"Content-MD5 OR x-amz-checksum-*" in answer) == (400, True)
    assert sent(server, "POST", f"/{bucket}?delete=", body, x_amz_checksum_crc32=crc(body))[0] == 200


# ------------------------------------------------------------------------------ buckets and what is kept with them


def test_the_first_region_makes_buckets_for_others(server: RunningServer, s3: Any, made: Any) -> None:
    def place(name: str) -> dict[str, Any]:
        return {"Bucket": f"placed-{name}", "CreateBucketConfiguration": {"LocationConstraint": name}}

    s3.create_bucket(**place("eu-central-1"))
    there = made(None, region="eu-central-1")
    there.put_object(Bucket="placed-eu-central-1", Key="k", Body=b"body")
    found = there.get_bucket_location(Bucket="placed-eu-central-1")["LocationConstraint"]
    assert found == "eu-central-1"
    assert refused(s3.create_bucket, **place("us-east-1"))["Code"] == "InvalidLocationConstraint"
    assert refused(s3.create_bucket, **place("nowhere"))["Code"] == "InvalidLocationConstraint"
    for name in ("us-east-1", "us-gov-east-2", "eu-west-1"):
        assert refused(there.create_bucket, **place(name))["Code"] == "IllegalLocationConstraintException"


def test_a_bucket_is_made_once(server: RunningServer, s3: Any, made: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"body")
    assert s3.create_bucket(Bucket=bucket)["Location"] == f"/{bucket}"
    assert s3.head_object(Bucket=bucket, Key="k")["ContentLength"] == 4
    other = made(server.root("222222222222"))
    assert refused(other.create_bucket, Bucket=bucket)["Code"] == "BucketAlreadyExists"
    there, place = made(None, region="eu-west-1"), {"LocationConstraint": "eu-west-1"}
    there.create_bucket(Bucket="made-once", CreateBucketConfiguration=place)
    told = refused(there.create_bucket, Bucket="made-once", CreateBucketConfiguration=place)
    assert (told["Code"], told["status"]) == ("BucketAlreadyOwnedByYou", 409)


def test_names_that_no_bucket_has_are_told_apart_from_those_that_none_has(s3: Any) -> None:
    assert refused(s3.list_objects_v2, Bucket="none-has-it")["Code"] == "NoSuchBucket"
    for name in ("No-Bucket", "a..b", "192.0.2.1"):
        told = refused(s3.list_objects_v2, Bucket=name)
        assert (told["Code"], told["BucketName"]) == ("InvalidBucketName", name)


def test_documents_that_break_their_model_are_malformed(s3: Any, bucket: str) -> None:
    def lifecycle(**rule: Any) -> dict[str, Any]:
        return {"Bucket": bucket, "LifecycleConfiguration": {"Rules": [{"Expiration": {"Days": 1}, **rule}]}}

    filtered = {"Filter": {"Prefix": "a"}}
    for status in ("enabled", "Suspended", ""):
        told = refused(s3.put_bucket_lifecycle_configuration, **lifecycle(**filtered, Status=status))
        assert told["Code"] == "MalformedXML", status
    told = refused(s3.put_bucket_versioning, Bucket=bucket, VersioningConfiguration={"Status": "On"})
    assert told["Code"] == "MalformedXML"
    assert refused(s3.put_object_lock_configuration, Bucket=bucket)["Code"] == "MissingRequestBodyError"


def test_tags_that_no_object_has_are_told_apart(s3: Any, bucket: str) -> None:
    named = {"Bucket": bucket, "Key": "k"}
    told = refused(s3.put_object, **named, Body=b"", Tagging="aws:a=b")
    assert (told["Code"], told["Message"]) == ("InvalidTag", "Your TagKey cannot be prefixed with aws:")
    s3.put_object(**named, Body=b"")
    many = {"TagSet": [{"Key": f"k{number}", "Value": ""} for number in range(11)]}
    told = refused(s3.put_object_tagging, **named, Tagging=many)
    assert (told["Code"], told["Message"]) == ("BadRequest", "Object tags cannot be greater than 10")


def test_answers_about_delete_markers_say_what_can_be_done(s3: Any, bucket: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    named = {"Bucket": bucket, "Key": "k"}
    marker = s3.delete_object(**named)["VersionId"]
    with pytest.raises(ClientError) as caught:
        s3.head_object(**named, VersionId=marker)
    assert caught.value.response["ResponseMetadata"]["HTTPHeaders"]["allow"] == "DELETE"
    told = refused(s3.put_object_tagging, **named, VersionId=marker, Tagging={"TagSet": []})
    assert (told["Code"], told["Method"], told["ResourceType"]) == ("MethodNotAllowed", "PUT", "DeleteMarker")


def test_copies_have_a_redirection_of_their_own(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a", Body=b"", WebsiteRedirectLocation="/from")
    copied = {"Bucket": bucket, "CopySource": f"{bucket}/a"}
    s3.copy_object(**copied, Key="b", WebsiteRedirectLocation="/to")
    s3.copy_object(**copied, Key="c")
    assert s3.head_object(Bucket=bucket, Key="b")["WebsiteRedirectLocation"] == "/to"
    assert "WebsiteRedirectLocation" not in s3.head_object(Bucket=bucket, Key="c")
    tag = s3.head_object(Bucket=bucket, Key="a")["ETag"]
    told = refused(s3.copy_object, **copied, Key="d", CopySourceIfNoneMatch=tag)
    assert told["Condition"] == "x-amz-copy-source-If-None-Match"


def test_listings_say_what_was_asked_for(s3: Any, bucket: str) -> None:
    for call in (s3.list_objects, s3.list_objects_v2):
        assert "Delimiter" not in call(Bucket=bucket, Delimiter="")
    assert (
        s3.head_bucket(Bucket=bucket)["ResponseMetadata"]["HTTPHeaders"]["content-type"] == "application/xml"
    )
    assert refused(s3.get_bucket_cors, Bucket=bucket)["BucketName"] == bucket
    for marker, more, words in (
        ("bogus", {"KeyMarker": "k"}, "Invalid version id specified"),
        ("a" * 32, {}, "without a key marker"),
    ):
        told = refused(s3.list_object_versions, Bucket=bucket, VersionIdMarker=marker, **more)
        assert (told["Code"], words in told["Message"]) == ("InvalidArgument", True)
