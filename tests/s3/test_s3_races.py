"""A bucket is deleted while something arrives in it: one of the two is refused, and what was acknowledged is there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from keystead.audit.commit import Submission
from keystead.objects import DirectoryBlobs
from keystead.services.s3.tables import BUCKETS, OBJECTS, PARTS, UPLOADS

Arrival = Callable[[Any, str], Callable[[], Any]]


def put(s3: Any, bucket: str) -> Callable[[], Any]:
    return lambda: s3.put_object(Bucket=bucket, Key="k", Body=b"body")


def copy(s3: Any, bucket: str) -> Callable[[], Any]:
    other = f"{bucket}-source"
    s3.create_bucket(Bucket=other)
    s3.put_object(Bucket=other, Key="k", Body=b"body")
    return lambda: s3.copy_object(Bucket=bucket, Key="k", CopySource=f"{other}/k")


def complete(s3: Any, bucket: str) -> Callable[[], Any]:
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    named = {"Bucket": bucket, "Key": "k", "UploadId": upload}
    part = s3.upload_part(**named, PartNumber=1, Body=b"body")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    return lambda: s3.complete_multipart_upload(**named, MultipartUpload=parts)


def mark(s3: Any, bucket: str) -> Callable[[], Any]:
    versioned = {"Status": "Enabled"}
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=versioned)
    return lambda: s3.delete_object(Bucket=bucket, Key="k")


ARRIVALS: dict[str, Arrival] = {"put": put, "copy": copy, "complete": complete, "mark": mark}


@pytest.fixture
def before_deletion(server: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What runs a function once, when DeleteBucket has looked and is about to commit."""

    def arrange(act: Callable[[], Any]) -> None:
        submit, left = server.app.committer.submit, [act]

        def held(*submissions: Submission) -> None:
            transactions = (each.transaction for each in submissions if each.transaction)
            writes = [write for tx in transactions for write in tx.writes.values()]
            if any(write.table is BUCKETS and write.record is None for write in writes) and left:
                left.pop()()
            submit(*submissions)

        monkeypatch.setattr(server.app.committer, "submit", held)

    return arrange


def code(caught: Any) -> str:
    return str(caught.value.response["Error"]["Code"])


@pytest.mark.parametrize("kind", ARRIVALS)
def test_a_bucket_with_an_object_that_came_meanwhile_is_not_deleted(
    s3: Any, bucket: str, before_deletion: Any, kind: str
) -> None:
    before_deletion(ARRIVALS[kind](s3, bucket))
    with pytest.raises(ClientError) as caught:
        s3.delete_bucket(Bucket=bucket)
    assert code(caught) == "BucketNotEmpty"
    if kind != "mark":
        assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"body"


def test_an_upload_that_begins_meanwhile_goes_with_the_bucket(
    server: Any, s3: Any, bucket: str, before_deletion: Any
) -> None:
    before_deletion(lambda: s3.create_multipart_upload(Bucket=bucket, Key="k"))
    s3.delete_bucket(Bucket=bucket)
    assert not [
        upload for _, upload in server.store.transaction().scan(UPLOADS, "") if upload.bucket == bucket
    ]


def test_a_part_that_arrives_meanwhile_goes_with_the_bucket(
    server: Any, s3: Any, bucket: str, before_deletion: Any
) -> None:
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    part = {"Bucket": bucket, "Key": "k", "UploadId": upload, "PartNumber": 1, "Body": b"body"}
    before_deletion(lambda: s3.upload_part(**part))
    s3.delete_bucket(Bucket=bucket)
    assert server.store.transaction().scan(PARTS, f"{upload}/") == []


def test_an_object_whose_bucket_goes_while_its_bytes_come_is_refused(
    server: Any, s3: Any, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep, left = DirectoryBlobs.put, [bucket]

    def held(blobs: DirectoryBlobs, name: str, chunks: Any) -> int:
        size = keep(blobs, name, chunks)
        if left:
            s3.delete_bucket(Bucket=left.pop())
        return size

    monkeypatch.setattr(DirectoryBlobs, "put", held)
    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket=bucket, Key="k", Body=bytes(100_000))
    assert code(caught) == "NoSuchBucket"
    assert server.store.transaction().get(BUCKETS, bucket) is None


def test_a_bucket_of_the_same_name_has_nothing_of_the_one_before(server: Any, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"body")
    s3.delete_object(Bucket=bucket, Key="k")
    s3.delete_bucket(Bucket=bucket)
    s3.create_bucket(Bucket=bucket)
    s3.delete_bucket(Bucket=bucket)
    tx = server.store.transaction()
    ids = {record.id for _, record in tx.scan(BUCKETS, "")}
    assert {place.partition("/")[0] for place, _ in tx.scan(OBJECTS, "")} <= ids
