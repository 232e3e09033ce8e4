"""What requests want besides: conditions on what they replace or delete, checksums of parts, dates of answers."""

from __future__ import annotations

import base64
import zlib
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError


def refused(call: Any, /, **arguments: Any) -> dict[str, Any]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    answer: dict[str, Any] = caught.value.response
    return {**answer["Error"], "status": answer["ResponseMetadata"]["HTTPStatusCode"]}


def crc(body: bytes) -> str:
    return base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()


def parts_begun(s3: Any, named: dict[str, str], algorithm: str, **more: str) -> tuple[str, dict[str, Any]]:
    upload = s3.create_multipart_upload(**named, ChecksumAlgorithm=algorithm, **more)["UploadId"]
    sent = s3.upload_part(**named, UploadId=upload, PartNumber=1, Body=b"body", ChecksumAlgorithm=algorithm)
    return upload, {
        "PartNumber": 1,
        "ETag": sent["ETag"],
        f"Checksum{algorithm}": sent[f"Checksum{algorithm}"],
    }


def test_a_part_comes_with_the_checksum_that_its_upload_has(s3: Any, bucket: str) -> None:
    named = {"Bucket": bucket, "Key": "k"}
    upload, _ = parts_begun(s3, named, "SHA256")
    told = refused(
        s3.upload_part, **named, UploadId=upload, PartNumber=2, Body=b"body", ChecksumAlgorithm="CRC32"
    )
    assert (told["Code"], told["status"]) == ("InvalidRequest", 400)
    assert "expected checksum Type: sha256, actual checksum Type: crc32" in told["Message"]
    assert [row["PartNumber"] for row in s3.list_parts(**named, UploadId=upload)["Parts"]] == [1]


def test_a_checksum_of_checksums_takes_those_of_the_parts(s3: Any, bucket: str) -> None:
    named = {"Bucket": bucket, "Key": "k"}
    upload, part = parts_begun(s3, named, "SHA256")
    ended = {**named, "UploadId": upload}
    bare = {name: part[name] for name in ("PartNumber", "ETag")}
    told = refused(s3.complete_multipart_upload, **ended, MultipartUpload={"Parts": [bare]})
    assert told["Code"] == "InvalidRequest"
    assert "It was missing for part 1 in the request." in told["Message"]
    made = s3.complete_multipart_upload(**ended, MultipartUpload={"Parts": [part]})
    assert (made["ChecksumType"], made["ChecksumSHA256"][-2:]) == ("COMPOSITE", "-1")


def test_an_upload_is_completed_with_the_checksum_type_that_it_was_begun_with(s3: Any, bucket: str) -> None:
    named = {"Bucket": bucket, "Key": "k"}
    upload, part = parts_begun(s3, named, "CRC32", ChecksumType="FULL_OBJECT")
    ended = {**named, "UploadId": upload, "MultipartUpload": {"Parts": [part]}}
    told = refused(s3.complete_multipart_upload, **ended, ChecksumType="COMPOSITE")
    assert (told["Code"], "using the FULL_OBJECT checksum mode" in told["Message"]) == (
        "InvalidRequest",
        True,
    )
    made = s3.complete_multipart_upload(**ended, ChecksumType="FULL_OBJECT")
    assert (made["ChecksumType"], made["ChecksumCRC32"]) == ("FULL_OBJECT", crc(b"body"))


def test_a_copy_is_made_on_condition_of_what_it_would_replace(s3: Any, bucket: str) -> None:
    named = {"Bucket": bucket, "Key": "k"}
    etag = s3.put_object(**named, Body=b"there")["ETag"]
    s3.put_object(Bucket=bucket, Key="source", Body=b"new")
    copied = {**named, "CopySource": {"Bucket": bucket, "Key": "source"}}
    assert refused(s3.copy_object, **copied, IfNoneMatch="*")["Code"] == "PreconditionFailed"
    assert refused(s3.copy_object, **copied, IfMatch='"0"')["Code"] == "PreconditionFailed"
    assert refused(s3.copy_object, **copied | {"Key": "none"}, IfMatch=etag)["Code"] == "NoSuchKey"
    assert s3.get_object(**named)["Body"].read() == b"there"
    s3.copy_object(**copied, IfMatch=etag)
    s3.copy_object(**copied | {"Key": "other"}, IfNoneMatch="*")
    assert {s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in ("k", "other")} == {b"new"}


def test_an_answer_can_be_given_a_date_of_expiry(s3: Any, bucket: str) -> None:
    named = {"Bucket": bucket, "Key": "k"}
    s3.put_object(**named, Body=b"body")
    date = datetime(2026, 10, 21, 7, 28, tzinfo=UTC)
    answer = s3.get_object(**named, ResponseExpires=date)
    assert answer["ResponseMetadata"]["HTTPHeaders"]["expires"] == "Wed, 21 Oct 2026 07:28:00 GMT"


def test_conditions_that_only_directory_buckets_know_delete_nothing(s3: Any, bucket: str) -> None:
    named = {"Bucket": bucket, "Key": "k"}
    s3.put_object(**named, Body=b"body")
    assert refused(s3.delete_object, **named, IfMatchSize=4)["status"] == 501
    date = datetime(2026, 10, 21, tzinfo=UTC)
    assert refused(s3.delete_object, **named, IfMatchLastModifiedTime=date)["status"] == 501
    told = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k", "Size": 4}]})
    assert [(row["Key"], row["Code"]) for row in told["Errors"]] == [("k", "NotImplemented")]
    upload = s3.create_multipart_upload(**named)["UploadId"]
    told = refused(s3.abort_multipart_upload, **named, UploadId=upload, IfMatchInitiatedTime=date)
    assert told["Code"] == "NotImplemented"
    assert s3.list_parts(**named, UploadId=upload)["UploadId"] == upload
    assert s3.get_object(**named)["Body"].read() == b"body"


def test_versions_are_listed_with_their_class_and_the_type_of_their_checksum(s3: Any, bucket: str) -> None:
    s3.put_object(
        Bucket=bucket, Key="k", Body=b"body", StorageClass="STANDARD_IA", ChecksumAlgorithm="SHA256"
    )
    (row,) = s3.list_object_versions(Bucket=bucket)["Versions"]
    assert (row["StorageClass"], row["ChecksumAlgorithm"], row["ChecksumType"]) == (
        "STANDARD_IA",
        ["SHA256"],
        "FULL_OBJECT",
    )
