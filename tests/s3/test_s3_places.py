"""Where buckets and objects are said to be: URLs that find them, as the caller addressed them."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest
from signed_s3 import sent

from keystead.testing.server import RunningServer

KEY = "dir/ä b&c+d"
WRITTEN = "dir%2F%C3%A4%20b%26c%2Bd"


def completed(s3: Any, bucket: str) -> Any:
    named = {"Bucket": bucket, "Key": KEY}
    upload = s3.create_multipart_upload(**named)["UploadId"]
    part = s3.upload_part(**named, UploadId=upload, PartNumber=1, Body=b"body")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    return lambda: s3.complete_multipart_upload(**named, UploadId=upload, MultipartUpload=parts)


def test_an_upload_in_parts_is_told_where_it_is(server: RunningServer, s3: Any, bucket: str) -> None:
    complete = completed(s3, bucket)
    for _ in range(2):
        assert complete()["Location"] == f"{server.url}/{bucket}/{WRITTEN}"
    assert sent(server, "GET", f"/{bucket}/{WRITTEN}") == (200, b"body")


def test_a_bucket_before_the_host_stays_there(server: RunningServer, s3: Any, bucket: str) -> None:
    upload = s3.create_multipart_upload(Bucket=bucket, Key=KEY)["UploadId"]
    tag = s3.upload_part(Bucket=bucket, Key=KEY, UploadId=upload, PartNumber=1, Body=b"body")["ETag"]
    part = f"<Part><PartNumber>1</PartNumber><ETag>{tag}</ETag></Part>"
    body = f"<CompleteMultipartUpload>{part}</CompleteMultipartUpload>".encode()
    host = f"{bucket}.localhost:{server.port}"
    status, answer = sent(server, "POST", f"/{WRITTEN}?uploadId={upload}", body, host=host)
    assert (status, f"<Location>http://{host}/{WRITTEN}</Location>" in answer.decode()) == (200, True)


@pytest.mark.parametrize(
    ("region", "more"),
    [("us-east-1", {}), ("eu-west-1", {"CreateBucketConfiguration": {"LocationConstraint": "eu-west-1"}})],
)
def test_a_bucket_is_a_path_in_the_first_region_and_a_url_elsewhere(
    server: RunningServer, made: Any, region: str, more: dict[str, Any]
) -> None:
    name = f"placed-in-{region}"
    place = made(None, region=region).create_bucket(Bucket=name, **more)["Location"]
    assert place == (f"/{name}" if region == "us-east-1" else f"{server.url}/{name}/")
    assert urlsplit(place).path.strip("/") == name
