"""`keystead audit deliver`: what trails would deliver later, now, beside a running server."""

import gzip
import json
import shutil

import pytest
from click.testing import CliRunner
from structlog.testing import capture_logs

from keystead.audit.sink import sink_of
from keystead.cli.main import cli
from keystead.settings import Settings
from keystead.testing import RunningServer


@pytest.fixture
def server(tmp_path):
    (tmp_path / "evidence").mkdir()
    with RunningServer(tmp_path / "d", trail_directory=str(tmp_path)) as running:
        trails = running.client("cloudtrail")
        trails.create_trail(Name="all", S3BucketName="evidence", EnableLogFileValidation=True)
        trails.start_logging(Name="all")
        yield running


def deliver(server, *more):
    where = ("--data-dir", server.data_dir, "--trail-directory", server.data_dir.parent)
    arguments = ["audit", "deliver", *map(str, (*where, *more))]
    return CliRunner().invoke(cli, arguments, catch_exceptions=False)


def delivered(server):
    files = sorted(server.data_dir.parent.glob("evidence/**/CloudTrail/**/*.json.gz"))
    return [event for file in files for event in json.loads(gzip.decompress(file.read_bytes()))["Records"]]


def digests(server):
    files = sorted(server.data_dir.parent.glob("evidence/**/CloudTrail-Digest/**/*.json.gz"))
    return [json.loads(gzip.decompress(file.read_bytes())) for file in files]


def test_log_files_and_a_digest_are_there_at_once(server):
    key = server.client("kms").create_key()["KeyMetadata"]["Arn"]
    told = deliver(server)
    assert told.exit_code == 0
    assert told.output == "ok   arn:aws:cloudtrail:us-east-1:000000000000:trail/all\n"
    (made,) = [event for event in delivered(server) if event["eventName"] == "CreateKey"]
    assert made["responseElements"]["keyMetadata"]["arn"] == key
    (digest,) = digests(server)
    assert len(digest["logFiles"]) == 1
    status = server.client("cloudtrail").get_trail_status(Name="all")
    assert "LatestDeliveryError" not in status
    assert status["LatestDigestDeliveryTime"]


def test_each_event_is_delivered_once_however_often_it_is_asked(server):
    for _ in range(3):
        server.client("kms").create_key()
        assert deliver(server).exit_code == 0
    names = [event["eventName"] for event in delivered(server)]
    assert names.count("CreateKey") == 3
    first, second, third = digests(server)
    assert first["previousDigestS3Object"] is None
    assert second["previousDigestHashValue"]
    assert third["previousDigestS3Object"] != second["previousDigestS3Object"]


def test_a_store_that_is_gone_is_told_and_nothing_is_lost(server):
    server.client("kms").create_key()
    shutil.rmtree(server.data_dir.parent / "evidence")
    server.data_dir.parent.joinpath("evidence").write_text("not a directory")
    told = deliver(server, "--output", "json")
    assert told.exit_code == 1
    (trail,) = json.loads(told.output)
    assert "cannot be written" in trail["error"]
    assert (
        "cannot be written" in server.client("cloudtrail").get_trail_status(Name="all")["LatestDeliveryError"]
    )
    assert deliver(server).output.startswith("FAIL arn:aws:cloudtrail:")
    server.data_dir.parent.joinpath("evidence").unlink()
    (server.data_dir.parent / "evidence").mkdir()
    assert deliver(server).exit_code == 0
    assert "CreateKey" in {event["eventName"] for event in delivered(server)}


def test_without_a_store_in_the_settings_it_says_so(server):
    server.client("kms").create_key()
    told = CliRunner().invoke(cli, ["audit", "deliver", "--data-dir", str(server.data_dir)])
    assert told.exit_code == 1
    assert "no store for trails is configured" in told.output


def test_a_directory_that_is_not_there_is_told_of_at_the_start(tmp_path):
    with capture_logs() as logs:
        sink_of(Settings(trail_directory=str(tmp_path)))
        sink_of(Settings(trail_directory=str(tmp_path / "nowhere")))
    (told,) = logs
    assert (told["log_level"], told["directory"]) == ("warning", str(tmp_path / "nowhere"))
