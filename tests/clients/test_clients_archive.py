"""The archive in a store of S3 that is not ours: fetched by the unmodified aws CLI, it is evidence by itself."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import boto3
import pytest

from keystead.audit.archive import Archive
from keystead.audit.event import event_time
from keystead.audit.journal import Journal
from keystead.audit.log import Sequencer
from keystead.audit.logkeys import LogKeys
from keystead.audit.sink import sink_of
from keystead.errors import SinkFailed
from keystead.settings import Settings

pytestmark = pytest.mark.client

KEYS = LogKeys("11111111-1111-4111-8111-111111111111", bytes(32), b"s" * 32)
BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def s3():
    moto = pytest.importorskip("moto.server", reason="moto is not installed")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3):
    client = boto3.client(
        "s3", endpoint_url=s3, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="y"
    )
    yield client
    client.close()


@pytest.fixture
def evidence(tmp_path):
    """A data directory with 700 events, all in the log."""
    journal = Journal.open(tmp_path / "d", "w0", segment_size=1 << 15, prepare_ahead=False)
    for start in range(0, 700, 20):
        journal.append(
            [
                json.dumps(
                    {
                        "eventID": f"{n:08d}-1111-4111-8111-111111111111",
                        "eventName": "Encrypt",
                        "eventTime": event_time(1_700_000_000 + n),
                    }
                ).encode()
                for n in range(start, start + 20)
            ]
        )
    Sequencer(tmp_path / "d", KEYS, lambda _: None).run()
    journal.abandon()
    return tmp_path / "d"


def archive(evidence, s3, bucket):
    settings = Settings(
        trail_s3_endpoint=s3,
        trail_s3_access_key_id="x",
        trail_s3_secret_access_key="y",
        archive_bucket=bucket,
    )
    return Archive(evidence, sink_of(settings), bucket, "keystead/d", f"{s3} {bucket}")


def called(*command, **more):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    done = subprocess.run(command, env=clean | more, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_what_the_cli_fetches_from_the_archive_is_verified(evidence, s3, bucket, tmp_path):
    bucket.create_bucket(Bucket="cold")
    assert archive(evidence, s3, "cold").run() > 5
    head = bucket.head_object(Bucket="cold", Key="keystead/d/log/checkpoint.gz")
    assert head["ContentType"] == "application/gzip"
    assert "ContentEncoding" not in head  # nobody unpacks it on the way
    back = tmp_path / "back"
    where = {
        "AWS_ENDPOINT_URL_S3": s3,
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "y",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    called(str(BIN / "aws"), "s3", "sync", "s3://cold/keystead/d", str(back), **where)
    called(shutil.which("gunzip"), "-r", str(back))
    vkey = KEYS.signer(KEYS.origin(None)).key.text
    assert "VERIFIED" in called(str(BIN / "keystead-verify"), "bundle", str(back), "--vkey", vkey)
    found = called(str(BIN / "keystead"), "audit", "query", "--data-dir", str(back), "--operation", "Encrypt")
    assert len(found.splitlines()) > 500


def test_a_store_that_refuses_is_told_and_gone_on_with(evidence, s3, bucket):
    cold = archive(evidence, s3, "late")
    with pytest.raises(SinkFailed, match=r"bucket late refused keystead/d/journal/w0/00000000\.seg\.gz"):
        cold.run()
    assert cold.position().journals == {}
    bucket.create_bucket(Bucket="late")
    assert cold.run() > 5
    gone = archive(evidence, "http://127.0.0.1:9", "late")
    with pytest.raises(SinkFailed, match="does not answer"):
        gone.run()
