"""Uploads in parts and copies, by boto3's transfer manager and step by step."""

from __future__ import annotations

import hashlib
import io
import os
from typing import Any

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

MIB = 1024 * 1024
SMALL = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB, max_concurrency=2)


def code(caught: Any) -> str:
    return str(caught.value.response["Error"]["Code"])


@pytest.mark.parametrize("encryption", [{}, {"ServerSideEncryption": "aws:kms"}])
def test_the_transfer_manager_sends_and_fetches_in_parts(
    s3: Any, bucket: str, encryption: dict[str, str]
) -> None:
    body = os.urandom(12 * MIB + 7)
    s3.upload_fileobj(io.BytesIO(body), bucket, "k", ExtraArgs=encryption, Config=SMALL)
    got = io.BytesIO()
    s3.download_fileobj(bucket, "k", got, Config=SMALL)
    assert got.getvalue() == body
    head = s3.head_object(Bucket=bucket, Key="k", PartNumber=3)
    assert (head["ContentLength"], head["PartsCount"]) == (2 * MIB + 7, 3)
    assert head["ETag"].endswith('-3"')
    part = s3.get_object(Bucket=bucket, Key="k", Range=f"bytes={5 * MIB - 3}-{5 * MIB + 3}")
    assert part["Body"].read() == body[5 * MIB - 3 : 5 * MIB + 4]
    s3.copy({"Bucket": bucket, "Key": "k"}, bucket, "copy", Config=SMALL)
    assert s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == body


def begun(s3: Any, bucket: str, **more: Any) -> str:
    return str(s3.create_multipart_upload(Bucket=bucket, Key="k", **more)["UploadId"])


def part(s3: Any, bucket: str, upload: str, number: int, body: bytes, **more: Any) -> dict[str, Any]:
    put = s3.upload_part(Bucket=bucket, Key="k", UploadId=upload, PartNumber=number, Body=body, **more)
    return {"PartNumber": number, "ETag": put["ETag"]}


def completed(s3: Any, bucket: str, upload: str, parts: list[dict[str, Any]], **more: Any) -> Any:
    return s3.complete_multipart_upload(
        Bucket=bucket, Key="k", UploadId=upload, MultipartUpload={"Parts": parts}, **more
    )


def test_the_etag_is_made_of_the_parts(s3: Any, bucket: str) -> None:
    bodies = [b"a" * 5 * MIB, b"b"]
    upload = begun(s3, bucket)
    parts = [part(s3, bucket, upload, number, body) for number, body in enumerate(bodies, 1)]
    digests = b"".join(hashlib.md5(body, usedforsecurity=False).digest() for body in bodies)
    done = completed(s3, bucket, upload, parts)
    assert done["ETag"] == f'"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-2"'
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"".join(bodies)


def test_a_part_that_comes_again_takes_the_place_of_the_first(s3: Any, bucket: str) -> None:
    upload = begun(s3, bucket)
    first = part(s3, bucket, upload, 1, b"first")
    second = part(s3, bucket, upload, 1, b"second")
    with pytest.raises(ClientError) as caught:
        completed(s3, bucket, upload, [first])
    assert code(caught) == "InvalidPart"
    completed(s3, bucket, upload, [second])
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"second"


def test_parts_must_be_in_order_large_enough_and_there(s3: Any, bucket: str) -> None:
    upload = begun(s3, bucket)
    parts = [part(s3, bucket, upload, number, b"x") for number in (1, 2)]
    for listed, expected in (
        (parts[::-1], "InvalidPartOrder"),
        (parts, "EntityTooSmall"),
        ([{"PartNumber": 3, "ETag": parts[0]["ETag"]}], "InvalidPart"),
        ([], "MalformedXML"),
    ):
        with pytest.raises(ClientError) as caught:
            completed(s3, bucket, upload, listed)
        assert code(caught) == expected
    for number in (0, 10_001):
        with pytest.raises(ClientError) as caught:
            part(s3, bucket, upload, number, b"x")
        assert code(caught) == "InvalidArgument"


def test_uploads_and_parts_are_listed_until_they_end(s3: Any, bucket: str) -> None:
    upload = begun(s3, bucket)
    for number in (1, 2, 5):
        part(s3, bucket, upload, number, b"x" * number)
    assert [row["UploadId"] for row in s3.list_multipart_uploads(Bucket=bucket)["Uploads"]] == [upload]
    pages = s3.get_paginator("list_parts").paginate(
        Bucket=bucket, Key="k", UploadId=upload, PaginationConfig={"PageSize": 2}
    )
    assert [(row["PartNumber"], row["Size"]) for page in pages for row in page["Parts"]] == [
        (1, 1),
        (2, 2),
        (5, 5),
    ]
    s3.abort_multipart_upload(Bucket=bucket, Key="k", UploadId=upload)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)
    with pytest.raises(ClientError) as caught:
        part(s3, bucket, upload, 1, b"x")
    assert code(caught) == "NoSuchUpload"


@pytest.mark.parametrize(
    ("algorithm", "kind", "suffix"),
    [
        ("CRC32", "COMPOSITE", "-2"),
        ("CRC32", "FULL_OBJECT", ""),
        ("CRC64NVME", "FULL_OBJECT", ""),
        ("SHA256", "COMPOSITE", "-2"),
        ("SHA512", "COMPOSITE", "-2"),
        ("XXHASH64", "COMPOSITE", "-2"),
        ("XXHASH3", "COMPOSITE", "-2"),
        ("XXHASH128", "COMPOSITE", "-2"),
    ],
)
def test_checksums_of_parts_make_one_of_the_object(
    s3: Any, bucket: str, algorithm: str, kind: str, suffix: str
) -> None:
    bodies = [os.urandom(5 * MIB), b"end"]
    upload = begun(s3, bucket, ChecksumAlgorithm=algorithm, ChecksumType=kind)
    parts = []
    for number, body in enumerate(bodies, 1):
        put = s3.upload_part(
            Bucket=bucket, Key="k", UploadId=upload, PartNumber=number, Body=body, ChecksumAlgorithm=algorithm
        )
        name = f"Checksum{algorithm}"
        parts.append({"PartNumber": number, "ETag": put["ETag"], name: put[name]})
    done = completed(s3, bucket, upload, parts)
    assert done[f"Checksum{algorithm}"].endswith(suffix)
    assert done["ChecksumType"] == kind
    s3.put_object(Bucket=bucket, Key="whole", Body=b"".join(bodies), ChecksumAlgorithm=algorithm)
    whole = s3.head_object(Bucket=bucket, Key="whole", ChecksumMode="ENABLED")[f"Checksum{algorithm}"]
    assert (done[f"Checksum{algorithm}"] == whole) == (kind == "FULL_OBJECT")
    told = s3.get_object_attributes(
        Bucket=bucket, Key="k", ObjectAttributes=["Checksum", "ObjectParts", "ObjectSize"]
    )
    assert told["ObjectSize"] == 5 * MIB + 3
    assert told["ObjectParts"]["TotalPartsCount"] == 2


def test_a_copy_can_change_what_it_says_and_how_it_is_encrypted(s3: Any, bucket: str) -> None:
    s3.put_object(
        Bucket=bucket, Key="k", Body=b"bytes", Metadata={"a": "1"}, ContentType="text/plain", Tagging="t=1"
    )
    source = {"Bucket": bucket, "Key": "k"}
    s3.copy_object(Bucket=bucket, Key="same", CopySource=source, ServerSideEncryption="aws:kms")
    same = s3.get_object(Bucket=bucket, Key="same")
    assert (same["Body"].read(), same["Metadata"], same["ContentType"]) == (
        b"bytes",
        {"a": "1"},
        "text/plain",
    )
    assert (same["ServerSideEncryption"], same["TagCount"]) == ("aws:kms", 1)
    s3.copy_object(
        Bucket=bucket, Key="other", CopySource=source, MetadataDirective="REPLACE", Metadata={"b": "2"}
    )
    assert s3.head_object(Bucket=bucket, Key="other")["Metadata"] == {"b": "2"}
    with pytest.raises(ClientError) as caught:
        s3.copy_object(Bucket=bucket, Key="k", CopySource=source)
    assert code(caught) == "InvalidRequest"
    s3.copy_object(Bucket=bucket, Key="k", CopySource=source, ServerSideEncryption="aws:kms")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"bytes"
    with pytest.raises(ClientError) as caught:
        s3.copy_object(Bucket=bucket, Key="x", CopySource=source, CopySourceIfMatch='"no"')
    assert code(caught) == "PreconditionFailed"
