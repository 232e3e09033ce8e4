"""The assembled server: its doors beside the APIs, its clock, its restarts."""

import asyncio
import json
import re
import urllib.error
import urllib.request

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from keystead.api.scheduler import Scheduler
from keystead.app import build, open_or_create
from keystead.audit import sequencing
from keystead.audit.logfiles import LogFiles
from keystead.entropy import SystemEntropy
from keystead.seal import SealOptions
from keystead.services.kms import deletion
from keystead.settings import Settings
from keystead.testing import RunningServer

DAY = 86_400


def post_clock(server, body, *, secret=None, account=None):
    credential = server.credential(account)
    request = AWSRequest("POST", f"{server.url}/dev/clock", data=body)
    keys = Credentials(credential.access_key_id, secret or credential.secret)
    SigV4Auth(keys, "kms", "us-east-1").add_auth(request)
    plain = urllib.request.Request(
        request.url, data=body, headers=dict(request.headers.items()), method="POST"
    )
    try:
        with urllib.request.urlopen(plain) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def test_health_readiness_and_metrics(server):
    server.client("kms").list_keys()
    with pytest.raises(ClientError):
        server.client("kms").describe_key(KeyId="nonsense")
    before, (status, body) = server.clock.now(), server.get("/healthz")
    told = json.loads(body)
    assert (status, told["status"], told["worker"]) == (200, "alive", "w0")
    assert before <= told["now"] <= server.clock.now()
    assert server.get("/readyz")[0] == 200
    status, page = server.get("/metrics")
    assert status == 200
    assert b'operation="ListKeys",outcome="ok",service="kms"} 1.0' in page
    assert b'operation="DescribeKey",outcome="NotFoundException",service="kms"} 1.0' in page


@pytest.mark.parametrize("path", ["/", "/keys", "/healthz/", "/dev", "/metrics?x=1"])
def test_nothing_else_answers_without_authentication(server, path):
    """A path may be a bucket's, and S3 tells everybody, as AWS does, that there is or can be none of that name."""
    status, body = server.get(path)
    told = re.search(rb"UnknownOperation|MissingAuthenticationToken|NoSuchBucket|InvalidBucketName", body)
    assert told is not None
    assert status == (404 if told[0] == b"NoSuchBucket" else 400)


def test_the_clock_runs_what_falls_due_before_it_answers(fresh_server):
    kms = fresh_server.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    status, answer = post_clock(fresh_server, json.dumps({"advance_seconds": 7 * DAY + 1}).encode())
    assert (status, answer["ran"]) == (200, 1)
    with pytest.raises(ClientError, match="does not exist"):
        kms.describe_key(KeyId=key)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"advance_seconds": -1}', "ValidationException"),
        (b'{"advance_seconds": 1e300}', "ValidationException"),
        (b'{"advance_seconds": "1"}', "SerializationException"),
        (b"{}", "SerializationException"),
        (b"nonsense", "SerializationException"),
    ],
)
def test_the_clock_refuses_bad_steps(server, body, code):
    before = server.clock.now()
    status, answer = post_clock(server, body)
    assert (status, answer["__type"]) == (400, code)
    assert server.clock.now() - before < DAY


def test_the_clock_wants_a_signature(server):
    assert (
        post_clock(server, b'{"advance_seconds": 1}', secret="wrong")[1]["__type"]
        == "InvalidSignatureException"
    )


def test_keys_and_last_uses_survive_a_restart(tmp_path):
    with RunningServer(tmp_path / "d") as server:
        kms = server.client("kms")
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        sealed = kms.encrypt(KeyId=key, Plaintext=b"kept")["CiphertextBlob"]
        use = kms.get_key_last_usage(KeyId=key)["KeyLastUsage"]
        events = [event["eventID"] for event in server.events()]
    with RunningServer(tmp_path / "d") as server:
        kms = server.client("kms")
        assert kms.get_key_last_usage(KeyId=key)["KeyLastUsage"] == use
        assert kms.decrypt(CiphertextBlob=sealed)["Plaintext"] == b"kept"
        assert [event["eventID"] for event in server.events()][: len(events)] == events


def test_what_falls_due_while_the_server_is_down_is_done_once_when_it_is_back(tmp_path):
    with RunningServer(tmp_path / "d") as server:
        kms = server.client("kms")
        gone, kept = (kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(2))
        kms.schedule_key_deletion(KeyId=gone, PendingWindowInDays=7)
        kms.schedule_key_deletion(KeyId=kept, PendingWindowInDays=30)
    with RunningServer(tmp_path / "d") as server:
        server.advance(8 * DAY)
        kms = server.client("kms")
        assert [row["KeyId"] for row in kms.list_keys()["Keys"]] == [kept]
        server.advance(1)
        assert [e["eventName"] for e in server.events()].count("DeleteKey") == 1


def test_a_region_is_a_key_space_of_its_own(server):
    here, there = server.client("kms", region="us-east-1"), server.client("kms", region="ap-south-1")
    arn = there.create_key()["KeyMetadata"]["Arn"]
    assert [row["KeyArn"] for row in there.list_keys()["Keys"]] == [arn]
    with pytest.raises(ClientError, match="Invalid arn ap-south-1"):
        here.describe_key(KeyId=arn)
    with pytest.raises(ClientError, match="does not exist"):
        here.describe_key(KeyId=arn.rpartition("/")[2])


def test_the_quota_of_keys_is_a_setting():
    with RunningServer(quota_keys=2) as server:
        kms = server.client("kms")
        kms.create_key()
        kms.create_key()
        with pytest.raises(ClientError, match="LimitExceededException"):
            kms.create_key()
        server.client("kms", region="eu-west-1").create_key()


def test_a_stop_during_the_first_look_at_what_is_due_leaves_the_log_whole(tmp_path, monkeypatch):
    async def run():
        store = open_or_create(
            tmp_path, SealOptions(directory=tmp_path, entropy=SystemEntropy()), SystemEntropy()
        )
        app = build(Settings(), store, tmp_path)
        looking = asyncio.Event()

        async def look(_self):
            looking.set()
            await asyncio.Event().wait()

        monkeypatch.setattr(Scheduler, "run", look)
        monkeypatch.setattr(sequencing, "_STUBBORN", 600.0)  # a slow machine may take long to start a process
        await app.start()
        await looking.wait()
        await app.stop()

    asyncio.run(run())
    assert LogFiles(tmp_path).head() is not None


@pytest.mark.parametrize("turns", range(6))
def test_a_stop_right_after_a_change_is_not_missed(tmp_path, turns):
    """A change wakes what looks for due work; a stop that comes while it wakes up must still end it."""

    async def run():
        store = open_or_create(
            tmp_path, SealOptions(directory=tmp_path, entropy=SystemEntropy()), SystemEntropy()
        )
        app = build(Settings(), store, tmp_path)
        await app.start()
        while not app._upkeep._kick._waiters:  # noqa: ASYNC110  nothing tells when it waits for a change
            await asyncio.sleep(0)
        app._upkeep.look_soon()
        for _ in range(turns):
            await asyncio.sleep(0)
        stopping = asyncio.create_task(app.stop())
        await asyncio.wait({stopping}, timeout=60)  # the log's process may take some to start and to end
        ended = stopping.done()
        await asyncio.wait_for(stopping, 60)
        assert ended

    asyncio.run(run())


def test_what_fails_by_a_defect_keeps_nothing_else_waiting(fresh_server, monkeypatch):
    kms = fresh_server.client("kms")
    first, second = (kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(2))
    kms.schedule_key_deletion(KeyId=first, PendingWindowInDays=7)
    kms.schedule_key_deletion(KeyId=second, PendingWindowInDays=8)
    handlers = fresh_server.app.scheduler._work.handlers
    real = handlers[deletion.DUE]

    def failing(call, subject):
        if subject.endswith(first):
            raise ZeroDivisionError
        return real(call, subject)

    def state(key):
        try:
            return kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"]
        except ClientError as error:
            return error.response["Error"]["Code"]

    monkeypatch.setitem(handlers, deletion.DUE, failing)
    fresh_server.advance(9 * DAY)
    assert (state(first), state(second)) == ("PendingDeletion", "NotFoundException")
    monkeypatch.undo()
    fresh_server.advance(61)
    assert state(first) == "NotFoundException"
