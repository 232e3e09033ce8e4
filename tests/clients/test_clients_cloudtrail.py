"""The unmodified aws CLI makes a trail, and validates what it delivered to a server of S3 that is not ours."""

import gzip
import json
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import boto3
import pytest

from keystead.audit.index import Index
from keystead.audit.sink import sink_of
from keystead.errors import SinkFailed
from keystead.keyring import Keyring
from keystead.services.cloudtrail.delivery import Route, deliver, trails_of, turn
from keystead.testing import RunningServer

pytestmark = pytest.mark.client


@pytest.fixture(scope="module")
def s3():
    moto = pytest.importorskip("moto.server", reason="moto is not installed")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def bucket_client(url):
    return boto3.client(
        "s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="y"
    )


class Deployment:
    def __init__(self, server, s3):
        self.server, self.s3 = server, s3
        self.bucket = bucket_client(s3)

    def aws(self, *arguments):
        clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        run = subprocess.run(
            [str(Path(sys.executable).with_name("aws")), *arguments],
            env=clean
            | {
                "AWS_ENDPOINT_URL_CLOUDTRAIL": self.server.url,
                "AWS_ENDPOINT_URL_KMS": self.server.url,
                "AWS_ENDPOINT_URL_S3": self.s3,
                "AWS_ACCESS_KEY_ID": self.server.access_key_id,
                "AWS_SECRET_ACCESS_KEY": self.server.secret_access_key,
                "AWS_DEFAULT_REGION": "us-east-1",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        return run.returncode, run.stdout + run.stderr

    def route(self):
        server = self.server
        keyring = Keyring.open(server.store, server.entropy)
        return Route(server.store, keyring, Index(server.data_dir), sink_of(server.settings), server.data_dir)

    def deliver(self):
        with turn(self.server.data_dir, wait=True):
            for trail in trails_of(self.server.store):
                deliver(self.route(), trail, self.server.clock.now(), digest_every=0)

    def keys(self, kind):
        listed = self.bucket.list_objects_v2(Bucket=self.name).get("Contents", [])
        return sorted(each["Key"] for each in listed if f"/{kind}/" in each["Key"])

    def records(self):
        bodies = [
            self.bucket.get_object(Bucket=self.name, Key=key)["Body"].read()
            for key in self.keys("CloudTrail")
        ]
        return [event for body in bodies for event in json.loads(gzip.decompress(body))["Records"]]

    def validate(self):
        code, said = self.aws(
            "cloudtrail",
            "validate-logs",
            "--trail-arn",
            self.arn,
            "--start-time",
            "2000-01-01T00:00:00Z",
            "--verbose",
        )
        return code, said


@contextmanager
def deployment(s3, name):
    with RunningServer(
        trail_s3_endpoint=s3, trail_s3_access_key_id="x", trail_s3_secret_access_key="y"
    ) as server:
        made = Deployment(server, s3)
        made.name = name
        made.bucket.create_bucket(Bucket=name)
        code, said = made.aws(
            "cloudtrail",
            "create-trail",
            "--name",
            "all",
            "--s3-bucket-name",
            name,
            "--enable-log-file-validation",
        )
        assert code == 0, said
        made.arn = json.loads(said)["TrailARN"]
        assert made.aws("cloudtrail", "start-logging", "--name", "all")[0] == 0
        for _ in range(3):
            assert made.aws("kms", "create-key")[0] == 0
            made.deliver()
            server.clock.advance(1)
        yield made


@pytest.fixture
def delivered(s3, request):
    with deployment(s3, f"evidence-{abs(hash(request.node.name)) % 10**8}") as made:
        yield made


def test_the_cli_validates_what_was_delivered(delivered):
    code, said = delivered.validate()
    assert code == 0, said
    assert "3/3 digest files valid" in said
    assert "3/3 log files valid" in said
    names = [event["eventName"] for event in delivered.records()]
    assert names.count("CreateKey") == 3


def flip(delivered, key):
    found = delivered.bucket.get_object(Bucket=delivered.name, Key=key)
    content = bytearray(gzip.decompress(found["Body"].read()))
    content[len(content) // 2] ^= 1
    delivered.bucket.put_object(
        Bucket=delivered.name, Key=key, Body=gzip.compress(bytes(content)), Metadata=found["Metadata"]
    )


def remove(delivered, key):
    delivered.bucket.delete_object(Bucket=delivered.name, Key=key)


@pytest.mark.parametrize("kind", ["CloudTrail", "CloudTrail-Digest"])
@pytest.mark.parametrize("tamper", [flip, remove])
def test_the_cli_names_tampering(delivered, kind, tamper):
    tamper(delivered, delivered.keys(kind)[1])
    code, said = delivered.validate()
    assert code == 1, said
    assert "INVALID" in said or "not found" in said


class Faulty:
    def __init__(self, sink):
        self.sink, self.taken = sink, 0

    def exists(self, bucket):
        return self.sink.exists(bucket)

    def put(self, bucket, key, body, metadata):
        self.taken += 1
        if self.taken % 2:
            raise SinkFailed("the line is down")
        self.sink.put(bucket, key, body, metadata)


def test_a_store_that_fails_every_other_time_gets_everything_in_the_end(delivered):
    route = delivered.route()
    faulty = Faulty(route.sink)
    for _ in range(4):
        assert delivered.aws("kms", "create-key")[0] == 0
        delivered.server.clock.advance(1)
        for trail in trails_of(delivered.server.store):
            for _ in range(6):
                try:
                    deliver(
                        type(route)(route.store, route.keyring, route.index, faulty, route.directory),
                        trail,
                        delivered.server.clock.now(),
                        digest_every=0,
                    )
                    break
                except SinkFailed:
                    pass
    names = [event["eventName"] for event in delivered.records()]
    assert names.count("CreateKey") == 7
    code, said = delivered.validate()
    assert code == 0, said
