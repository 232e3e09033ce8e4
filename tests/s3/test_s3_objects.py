"""Objects: put, read, read in part, on conditions, deleted; by an unchanged boto3."""

from __future__ import annotations

import base64
import hashlib
import os
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError

from keystead.crypto.checksum import ALGORITHMS, SIZES, new_hash
from keystead.services.s3.kept import CHECKSUM_ATTRIBUTES


def code(caught: Any) -> tuple[str, int]:
    answer = caught.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]


@pytest.mark.parametrize("size", [0, 1, 11, 262_143, 262_144, 262_145, 3_000_001])
@pytest.mark.parametrize(
    "encryption", [{}, {"ServerSideEncryption": "aws:kms"}, {"ServerSideEncryption": "aws:kms:dsse"}]
)
def test_what_was_put_is_read(s3: Any, bucket: str, size: int, encryption: dict[str, str]) -> None:
    body = os.urandom(size)
    put = s3.put_object(Bucket=bucket, Key="a/b c+ü%2f..//x", Body=body, **encryption)
    got = s3.get_object(Bucket=bucket, Key="a/b c+ü%2f..//x")
    assert got["Body"].read() == body
    assert got["ETag"] == put["ETag"]
    assert got["ServerSideEncryption"] == encryption.get("ServerSideEncryption", "AES256")
    if not encryption:
        assert put["ETag"] == f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'


def test_metadata_and_headers_come_back(s3: Any, bucket: str) -> None:
    s3.put_object(
        Bucket=bucket,
        Key="k",
        Body=b"x",
        Metadata={"Colour": "blue"},
        ContentType="text/plain",
        CacheControl="no-cache",
    )
    for answer in (s3.head_object(Bucket=bucket, Key="k"), s3.get_object(Bucket=bucket, Key="k")):
        assert answer["Metadata"] == {"colour": "blue"}
        assert (answer["ContentType"], answer["CacheControl"], answer["ContentLength"]) == (
            "text/plain",
            "no-cache",
            1,
        )
    other = s3.get_object(Bucket=bucket, Key="k", ResponseContentType="text/html")
    assert other["ContentType"] == "text/html"


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=262000-263000", 262000, 263001),
        ("bytes=699999-", 699999, 700000),
        ("bytes=-5", 699995, 700000),
        ("bytes=-900000", 0, 700000),
        ("bytes=600000-999999", 600000, 700000),
    ],
)
def test_a_range_is_read_alone(s3: Any, bucket: str, asked: str, start: int, end: int) -> None:
    body = os.urandom(700_000)
    s3.put_object(Bucket=bucket, Key="k", Body=body)
    got = s3.get_object(Bucket=bucket, Key="k", Range=asked)
    assert got["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert got["ContentRange"] == f"bytes {start}-{end - 1}/700000"
    assert got["Body"].read() == body[start:end]


def test_a_range_behind_the_end_is_refused_and_one_that_is_none_is_ignored(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"0123456789")
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket=bucket, Key="k", Range="bytes=10-")
    assert code(caught) == ("InvalidRange", 416)
    assert s3.get_object(Bucket=bucket, Key="k", Range="bytes=5-2")["Body"].read() == b"0123456789"


def test_conditions(s3: Any, bucket: str) -> None:
    tag = s3.put_object(Bucket=bucket, Key="k", Body=b"x")["ETag"]
    assert s3.get_object(Bucket=bucket, Key="k", IfMatch=tag)["ETag"] == tag
    for given, expected in (
        ({"IfMatch": '"other"'}, ("PreconditionFailed", 412)),
        ({"IfNoneMatch": tag}, ("304", 304)),
    ):
        with pytest.raises(ClientError) as caught:
            s3.get_object(Bucket=bucket, Key="k", **given)
        assert code(caught) == expected
    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket=bucket, Key="k", Body=b"y", IfNoneMatch="*")
    assert code(caught) == ("PreconditionFailed", 412)
    s3.put_object(Bucket=bucket, Key="k", Body=b"y", IfMatch=tag)
    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket=bucket, Key="k", Body=b"z", IfMatch=tag)
    assert code(caught) == ("PreconditionFailed", 412)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"y"


def test_what_is_deleted_is_gone_and_deleting_it_again_is_no_error(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    for _ in range(2):
        assert s3.delete_object(Bucket=bucket, Key="k")["ResponseMetadata"]["HTTPStatusCode"] == 204
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket=bucket, Key="k")
    assert code(caught) == ("NoSuchKey", 404)
    with pytest.raises(ClientError) as caught:
        s3.head_object(Bucket=bucket, Key="k")
    assert code(caught) == ("404", 404)


def test_many_are_deleted_at_once_each_with_its_own_answer(s3: Any, bucket: str) -> None:
    for name in "abc":
        s3.put_object(Bucket=bucket, Key=name, Body=b"x")
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": name} for name in "abd"]})
    assert [row["Key"] for row in answer["Deleted"]] == ["a", "b", "d"]
    assert [row["Key"] for row in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["c"]


@pytest.mark.parametrize(
    "algorithm",
    ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256", "SHA512", "XXHASH64", "XXHASH3", "XXHASH128"],
)
def test_checksums_are_kept_and_told(s3: Any, bucket: str, algorithm: str) -> None:
    name = f"Checksum{algorithm}"
    put = s3.put_object(Bucket=bucket, Key="k", Body=b"some bytes" * 1000, ChecksumAlgorithm=algorithm)
    got = s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert got["Body"].read() == b"some bytes" * 1000  # which boto3 holds to the checksum
    assert got[name] == put[name]
    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket=bucket, Key="l", Body=b"other", **{name: put[name]})
    assert code(caught) == ("BadDigest", 400)
    with pytest.raises(ClientError):
        s3.head_object(Bucket=bucket, Key="l")


def test_every_checksum_of_the_model_is_offered() -> None:
    model = botocore.session.get_session().get_service_model("s3")
    named = set(model.shape_for("ChecksumAlgorithm").enum)
    assert named == set(ALGORITHMS) == set(SIZES) == set(CHECKSUM_ATTRIBUTES)
    assert {name: len(new_hash(name).digest()) for name in ALGORITHMS} == SIZES


def test_an_md5_can_be_the_checksum(s3: Any, bucket: str) -> None:
    md5 = base64.b64encode(hashlib.md5(b"body", usedforsecurity=False).digest()).decode()
    assert s3.put_object(Bucket=bucket, Key="k", Body=b"body", ChecksumMD5=md5)["ChecksumMD5"] == md5
    assert s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")["ChecksumMD5"] == md5
    copy = s3.copy_object(Bucket=bucket, Key="l", CopySource=f"{bucket}/k")["CopyObjectResult"]
    assert copy["ChecksumMD5"] == md5
    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket=bucket, Key="m", Body=b"other", ChecksumMD5=md5)
    assert code(caught) == ("BadDigest", 400)


def test_a_key_of_more_than_1024_bytes_is_refused(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="ü" * 512, Body=b"")
    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket=bucket, Key="ü" * 512 + "x", Body=b"")
    assert code(caught) == ("KeyTooLongError", 400)
