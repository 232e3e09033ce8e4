"""A development server whose clock was moved: restarts and commands beside it tell the same time."""

import gzip
import json
import time

from click.testing import CliRunner
from dev_process import DevServer

from keystead.cli.main import cli

DAY = 86_400
TARGET = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101."


def move(server, days):
    """The server's time after it was moved."""
    client = server.client()
    body = json.dumps({"advance_seconds": days * DAY}).encode()
    answer = client.send(client.prepare(None, body, target="/dev/clock"))
    assert answer.status == 200
    return answer.document["now"]


def test_time_does_not_go_back_at_a_restart(tmp_path):
    with DevServer(tmp_path / "data", tmp_path / "logs", "--manual-clock") as server:
        key = server.client().call("CreateKey", {}).document["KeyMetadata"]["KeyId"]
        assert (
            server.client().call("ScheduleKeyDeletion", {"KeyId": key, "PendingWindowInDays": 7}).status
            == 200
        )
        move(server, 4)
        server.kill()
        server.start()
        assert server.client().call("DescribeKey", {"KeyId": key}).status == 200
        assert move(server, 4) > time.time() + 8 * DAY - 60
        assert server.client().call("DescribeKey", {"KeyId": key}).status == 400
        server.stop()
        server.options = ()
        server.start()
        made = server.client().call("CreateKey", {}).document["KeyMetadata"]["CreationDate"]
        assert abs(made - time.time()) < DAY
        server.stop()
        server.options = ("--manual-clock",)
        server.start()
        assert move(server, 0) < time.time() + DAY


def test_what_happened_until_then_is_delivered_with_a_digest_each_time(tmp_path):
    store = tmp_path / "trails"
    (store / "logs").mkdir(parents=True)
    environment = {"KEYSTEAD_TRAIL_DIRECTORY": str(store)}
    with DevServer(tmp_path / "data", tmp_path / "logs", "--manual-clock", environment=environment) as server:
        client = server.client()
        trail = {"Name": "trail", "S3BucketName": "logs", "EnableLogFileValidation": True}
        trails = server.client(service="cloudtrail")
        for operation, asked in (("CreateTrail", trail), ("StartLogging", {"Name": "trail"})):
            answer = trails.send(trails.prepare(None, asked, headers={"X-Amz-Target": TARGET + operation}))
            assert answer.status == 200, answer.body
        for description in ("one", "two"):
            move(server, 3)
            assert client.call("CreateKey", {"Description": description}).status == 200
            done = CliRunner().invoke(
                cli,
                ["audit", "deliver", "--data-dir", str(server.data_dir), "--trail-directory", str(store)],
            )
            assert done.exit_code == 0, done.output
    logs = list(store.rglob("*_CloudTrail_*.json.gz"))
    events = [event for log in logs for event in json.loads(gzip.decompress(log.read_bytes()))["Records"]]
    told = [
        event["requestParameters"]["description"] for event in events if event["eventName"] == "CreateKey"
    ]
    assert sorted(told) == ["one", "two"]
    digests = [json.loads(gzip.decompress(each.read_bytes())) for each in store.rglob("*-Digest_*.json.gz")]
    newest = max(digest["digestEndTime"] for digest in digests)
    assert newest > time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 5 * DAY))
    assert {log.name for log in logs} == {
        file["s3Object"].rpartition("/")[2] for digest in digests for file in digest["logFiles"]
    }
