"""Buckets behind two workers: what one of them took the other has, and what one was told to refuse both refuse."""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config
from dev_process import ACCESS_KEY_ID, SECRET, DevServer

WORKERS = 2
MOST = 400
"""Connections before it is no chance any more that one worker takes them all."""
PART = 5 * 1024 * 1024


class Line:
    """One connection, which one worker keeps."""

    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.connection.request("GET", "/healthz")
        self.worker = str(json.loads(self.connection.getresponse().read())["worker"])

    def send(self, method: str, url: str, body: bytes = b"") -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of what is answered to a signed URL."""
        parts = urlsplit(url)
        self.connection.request(method, f"{parts.path}?{parts.query}", body)
        answer = self.connection.getresponse()
        return answer.status, {name.lower(): text for name, text in answer.getheaders()}, answer.read()


class Buckets:
    """A client of KMS and S3, and a connection to each worker."""

    def __init__(self, port: int, first: Line, second: Line) -> None:
        self.first, self.second = first, second
        self.both = (first, second)
        self.kms, self.s3 = (_client(port, service) for service in ("kms", "s3"))
        self.bucket = f"shared-{os.urandom(4).hex()}"
        self.s3.create_bucket(Bucket=self.bucket)

    def encrypt_by_default(self) -> str:
        key = str(self.kms.create_key()["KeyMetadata"]["Arn"])
        default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
        rules = [{"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": True}]
        self.s3.put_bucket_encryption(Bucket=self.bucket, ServerSideEncryptionConfiguration={"Rules": rules})
        return key

    def send(self, line: Line, operation: str, key: str, body: bytes = b"", **members: Any) -> Any:
        """What the worker of that connection answers."""
        named = {"Bucket": self.bucket, "Key": key, **members}
        method = {"get": "GET", "put": "PUT", "upload": "PUT", "delete": "DELETE"}[
            operation.partition("_")[0]
        ]
        return line.send(method, self.s3.generate_presigned_url(operation, Params=named), body)

    def put(self, line: Line, key: str, body: bytes) -> str:
        """The version id, empty without versions."""
        status, headers, told = self.send(line, "put_object", key, body)
        assert status == 200, told
        return headers.get("x-amz-version-id", "")

    def read(self, line: Line, key: str, **members: Any) -> bytes | int:
        """The bytes, or the status of a refusal."""
        status, _, body = self.send(line, "get_object", key, **members)
        return bytes(body) if status == 200 else int(status)


def _client(port: int, service: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="us-east-1",
        aws_access_key_id=ACCESS_KEY_ID,
        aws_secret_access_key=SECRET,
        config=Config(
            retries={"total_max_attempts": 1}, signature_version="s3v4", s3={"addressing_style": "path"}
        ),
    )


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServer]:
    place = tmp_path_factory.mktemp("workers")
    with DevServer(place / "data", place / "logs", "--workers", str(WORKERS)) as running:
        yield running
        assert running.stop() == 0


@pytest.fixture
def buckets(server: DevServer) -> Iterator[Buckets]:
    with ExitStack() as kept:
        found: dict[str, Line] = {}
        for _ in range(MOST):
            line = Line(server.port)
            kept.callback(line.connection.close)
            found.setdefault(line.worker, line)
            if len(found) == WORKERS:
                break
        yield Buckets(server.port, *found.values())


@pytest.mark.parametrize("size", [1000, 200_000])
def test_what_one_worker_took_the_other_gives_and_deletes(buckets: Buckets, size: int) -> None:
    body = os.urandom(size)
    for one, other in (buckets.both, buckets.both[::-1]):
        buckets.put(one, "k", body)
        assert buckets.read(other, "k") == body
        buckets.put(other, "k", body[::-1])
        assert buckets.read(one, "k") == body[::-1]
        assert buckets.send(other, "delete_object", "k")[0] == 204
        assert buckets.read(one, "k") == 404


def test_parts_arrive_through_different_workers(buckets: Buckets) -> None:
    buckets.encrypt_by_default()
    s3, named = buckets.s3, {"Bucket": buckets.bucket, "Key": "large"}
    upload = s3.create_multipart_upload(**named)["UploadId"]
    body = os.urandom(2 * PART + 1)
    tags = []
    for number, line in enumerate((buckets.second, buckets.first, buckets.second), 1):
        part = body[(number - 1) * PART : number * PART]
        status, headers, told = buckets.send(
            line, "upload_part", "large", part, UploadId=upload, PartNumber=number
        )
        assert status == 200, told
        tags.append({"PartNumber": number, "ETag": headers["etag"]})
    s3.complete_multipart_upload(**named, UploadId=upload, MultipartUpload={"Parts": tags})
    for line in buckets.both:
        assert buckets.read(line, "large") == body


def test_versions_of_both_workers_stand_in_one_order(buckets: Buckets) -> None:
    buckets.s3.put_bucket_versioning(Bucket=buckets.bucket, VersioningConfiguration={"Status": "Enabled"})
    put = [buckets.put(buckets.both[number % WORKERS], "k", bytes([number])) for number in range(6)]
    assert len(set(put)) == 6
    listed = buckets.s3.list_object_versions(Bucket=buckets.bucket)["Versions"]
    assert [entry["VersionId"] for entry in listed] == put[::-1]
    for line in buckets.both:
        assert buckets.read(line, "k") == bytes([5])
        assert [buckets.read(line, "k", VersionId=each) for each in put] == [bytes([n]) for n in range(6)]
    assert buckets.send(buckets.first, "delete_object", "k")[0] == 204
    assert buckets.read(buckets.second, "k") == 404


def test_a_key_that_is_disabled_closes_its_objects_on_every_worker_at_once(buckets: Buckets) -> None:
    key = buckets.encrypt_by_default()
    for round_ in range(5):
        for line in buckets.both:  # each holds the bucket's key from here on
            buckets.put(line, line.worker, b"x")
        for line in buckets.both:
            assert [buckets.read(line, each.worker) for each in buckets.both] == [b"x", b"x"]
        buckets.kms.disable_key(KeyId=key)
        for line in buckets.both:
            assert [buckets.read(line, each.worker) for each in buckets.both] == [400, 400]
            assert buckets.send(line, "put_object", f"new-{round_}", b"y")[0] == 400
        buckets.kms.enable_key(KeyId=key)


def test_a_policy_that_changes_counts_on_every_worker_at_once(buckets: Buckets) -> None:
    key = buckets.encrypt_by_default()
    for line in buckets.both:
        buckets.put(line, "k", b"x")
        assert buckets.read(line, "k") == b"x"
    policy = json.loads(buckets.kms.get_key_policy(KeyId=key)["Policy"])
    denial = {"Effect": "Deny", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*"}
    changed = {**policy, "Statement": [*policy["Statement"], denial]}
    buckets.kms.put_key_policy(KeyId=key, Policy=json.dumps(changed))
    assert [buckets.read(line, "k") for line in buckets.both] == [403, 403]
    buckets.kms.put_key_policy(KeyId=key, Policy=json.dumps(policy))
    assert [buckets.read(line, "k") for line in buckets.both] == [b"x", b"x"]
