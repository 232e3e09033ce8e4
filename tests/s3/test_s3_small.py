"""Small objects are kept with their records, by the same write: what that changes, and what it must not."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from keystead.services.s3 import garbage
from keystead.services.s3.inventory import named_blobs
from keystead.services.s3.tables import INLINE
from keystead.testing.server import RunningServer

LIMIT = 65_536


def rows(server: RunningServer) -> set[str]:
    return {name for name, _ in server.store.transaction().scan(INLINE, "", limit=1000)}


def blobs(server: RunningServer) -> set[str]:
    return {entry.name for entry in server.app._blobs.stored()}


@pytest.fixture
def there(server: RunningServer) -> Any:
    """What came to be since the test began: how many rows, how many blobs."""
    before = rows(server), blobs(server)
    return lambda: (len(rows(server) - before[0]), len(blobs(server) - before[1]))


@pytest.mark.parametrize("algorithm", ["AES256", "aws:kms", "aws:kms:dsse"])
@pytest.mark.parametrize(("size", "where"), [(0, (1, 0)), (1, (1, 0)), (LIMIT, (1, 0)), (LIMIT + 1, (0, 1))])
def test_the_size_decides_where_an_object_is_kept_and_nothing_else(
    s3: Any, bucket: str, there: Any, size: int, where: tuple[int, int], algorithm: str
) -> None:
    body = os.urandom(size)
    s3.put_object(Bucket=bucket, Key="k", Body=body, ServerSideEncryption=algorithm)
    assert there() == where
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == body
    if size > 1:
        part = s3.get_object(Bucket=bucket, Key="k", Range=f"bytes=1-{size - 1}")
        assert part["Body"].read() == body[1:]


def test_copies_and_versions_of_small_objects_and_parts_however_small(
    s3: Any, bucket: str, there: Any
) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    first = s3.put_object(Bucket=bucket, Key="k", Body=b"first")["VersionId"]
    s3.put_object(Bucket=bucket, Key="k", Body=b"second")
    s3.copy_object(Bucket=bucket, Key="c", CopySource={"Bucket": bucket, "Key": "k", "VersionId": first})
    assert there() == (3, 0)
    assert s3.get_object(Bucket=bucket, Key="k", VersionId=first)["Body"].read() == b"first"
    assert s3.get_object(Bucket=bucket, Key="c")["Body"].read() == b"first"
    upload = s3.create_multipart_upload(Bucket=bucket, Key="m")["UploadId"]
    named = {"Bucket": bucket, "Key": "m", "UploadId": upload, "PartNumber": 1}
    tag = s3.upload_part_copy(**named, CopySource=f"{bucket}/k")["CopyPartResult"]["ETag"]
    parts = {"Parts": [{"PartNumber": 1, "ETag": tag}]}
    s3.complete_multipart_upload(Bucket=bucket, Key="m", UploadId=upload, MultipartUpload=parts)
    assert there() == (3, 1)
    assert s3.get_object(Bucket=bucket, Key="m")["Body"].read() == b"second"


def test_what_is_replaced_or_deleted_goes_after_a_while_and_scrubbing_knows_of_no_blob(
    server: RunningServer, s3: Any, bucket: str, there: Any
) -> None:
    before = set(named_blobs(server.store))
    s3.put_object(Bucket=bucket, Key="k", Body=b"first")
    s3.put_object(Bucket=bucket, Key="k", Body=b"second")
    s3.put_object(Bucket=bucket, Key="gone", Body=b"gone")
    s3.delete_object(Bucket=bucket, Key="gone")
    assert there() == (3, 0)
    assert set(named_blobs(server.store)) == before
    server.advance(garbage.GRACE + 1)
    garbage.collect(server.store, server.app._blobs, server.clock.now())
    assert there() == (1, 0)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"second"


def test_a_body_that_is_not_what_it_should_be_leaves_nothing(s3: Any, bucket: str, there: Any) -> None:
    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket=bucket, Key="k", Body=b"x", ContentMD5="1B2M2Y8AsgTpgAmY7PhCfg==")
    assert caught.value.response["Error"]["Code"] == "BadDigest"
    assert there() == (0, 0)


def test_a_key_can_be_replaced_and_a_shredded_one_opens_nothing(
    server: RunningServer, s3: Any, bucket: str
) -> None:
    kms = server.client("kms")
    old, new = (kms.create_key()["KeyMetadata"]["Arn"] for _ in range(2))
    for name in ("moved", "left"):
        s3.put_object(Bucket=bucket, Key=name, Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId=old)
    s3.update_object_encryption(
        Bucket=bucket, Key="moved", ObjectEncryption={"SSEKMS": {"KMSKeyArn": new, "BucketKeyEnabled": False}}
    )
    kms.schedule_key_deletion(KeyId=old, PendingWindowInDays=7)
    server.advance(7 * 86_400 + 1)
    assert s3.get_object(Bucket=bucket, Key="moved")["Body"].read() == b"x"
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket=bucket, Key="left")
    assert caught.value.response["Error"]["Code"] == "KMS.NotFoundException"


def test_the_setting_may_change_at_any_time(tmp_path: Path) -> None:
    root = None
    for number, limit in enumerate((0, LIMIT, 0)):
        with RunningServer(tmp_path, inline_objects=limit) as server:
            if root is not None:
                server._credentials[root.account] = root
            root = server.credential()
            s3 = server.client("s3")
            if number == 0:
                s3.create_bucket(Bucket="kept")
            s3.put_object(Bucket="kept", Key=str(number), Body=b"canary" * 100 + bytes([number]))
            for earlier in range(number + 1):
                body = s3.get_object(Bucket="kept", Key=str(earlier))["Body"].read()
                assert body == b"canary" * 100 + bytes([earlier])
            assert (len(rows(server)), len(blobs(server))) == [(0, 1), (1, 1), (1, 2)][number]
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or b"canary" not in path.read_bytes(), path
