"""Several worker processes behind one port: what one was told, all know; and none is missed."""

from __future__ import annotations

import base64
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from dev_process import ACCESS_KEY_ID, SECRET, DevServer
from load import Load
from processes import children, runs, wait_until
from signed_http import Client

pytestmark = pytest.mark.slow

KEYSTEAD = Path(sys.executable).with_name("keystead")
WORKERS = 3
CONNECTIONS = 12


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    place = tmp_path_factory.mktemp("workers")
    options = ("--workers", str(WORKERS), "--manual-clock")
    with DevServer(place / "data", place / "logs", *options) as running:
        yield running
        assert running.stop() == 0


def boto(server, service, access_key_id=ACCESS_KEY_ID, secret=SECRET, token=None):
    return boto3.client(
        service,
        endpoint_url=f"http://127.0.0.1:{server.port}",
        region_name="us-east-1",
        aws_access_key_id=access_key_id,
        aws_secret_access_key=secret,
        aws_session_token=token,
        config=Config(retries={"total_max_attempts": 1}),
    )


class Line:
    """One connection, which one worker keeps."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.worker = json.loads(self.get("/healthz"))["worker"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def get(self, path):
        self.connection.request("GET", path)
        return self.connection.getresponse().read()

    def send(self, client, operation, body, **headers):
        prepared = client.prepare(operation, body, headers=headers)
        self.connection.request(prepared.method, prepared.target, prepared.body, prepared.headers)
        answer = self.connection.getresponse()
        return answer.status, answer.read()


@contextmanager
def lines(server, count=CONNECTIONS):
    """Connections to every worker."""
    with ExitStack() as kept:
        found = []
        while len(found) < count or len({line.worker for line in found}) < WORKERS:
            assert len(found) < 100 * count, "not every worker takes connections"
            found.append(kept.enter_context(Line(server.port)))
        yield found


class Watch:
    """Sends one call again and again on every connection, and notes what was answered when."""

    def __init__(self, server, client, operation, body, **headers):
        self.successes = []
        self._stopping = threading.Event()
        self._client, self._operation, self._body, self._headers = client, operation, body, headers
        self._server, self._kept = server, ExitStack()
        self._threads = []

    def _run(self, line):
        while not self._stopping.is_set():
            sent = time.monotonic()
            status, _ = line.send(self._client, self._operation, self._body, **self._headers)
            if status == 200:
                self.successes.append((sent, line.worker))

    def __enter__(self):
        for line in self._kept.enter_context(lines(self._server)):
            self._threads.append(threading.Thread(target=self._run, args=(line,), daemon=True))
            self._threads[-1].start()
        self.wait_for_all()
        return self

    def __exit__(self, *_):
        self._stopping.set()
        for thread in self._threads:
            thread.join(300)
        self._kept.close()

    def wait_for_all(self, since=0.0):
        """Return once every worker has answered a call that was sent after `since`."""
        wait_until(lambda: len({worker for sent, worker in list(self.successes) if sent > since}) == WORKERS)

    def late(self, acknowledged):
        """The successes of calls that were sent after something was acknowledged."""
        return [entry for entry in self.successes if entry[0] > acknowledged]


@pytest.fixture
def key(server):
    return boto(server, "kms").create_key()["KeyMetadata"]["KeyId"]


@pytest.fixture
def user(server):
    """A user who may do everything: its name and a client that signs for it."""
    iam, name = boto(server, "iam"), f"user-{os.urandom(4).hex()}"
    iam.create_user(UserName=name)
    iam.attach_user_policy(UserName=name, PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    made = iam.create_access_key(UserName=name)["AccessKey"]
    return name, Client(server.port, made["AccessKeyId"], made["SecretAccessKey"])


def encrypting(key):
    return "Encrypt", {"KeyId": key, "Plaintext": "YQ=="}


def after(change):
    """When a change had been acknowledged."""
    change()
    return time.monotonic()


def stays_refused(watch, change):
    """No call that was sent after the change's answer succeeds, on any worker."""
    acknowledged = after(change)
    time_to_fail = threading.Event()
    time_to_fail.wait(0.3)  # the calls that could succeed too late are sent meanwhile
    assert watch.late(acknowledged) == []


# ------------------------------------------------------------------ what is revoked is refused


def test_a_disabled_key(server, key, user):
    kms = boto(server, "kms")
    with Watch(server, user[1], *encrypting(key)) as watch:
        for _ in range(3):
            stays_refused(watch, lambda: kms.disable_key(KeyId=key))
            watch.wait_for_all(since=after(lambda: kms.enable_key(KeyId=key)))


def test_a_changed_key_policy(server, key, user):
    kms = boto(server, "kms")
    policy = json.loads(kms.get_key_policy(KeyId=key)["Policy"])
    deny = {"Effect": "Deny", "Principal": "*", "Action": "kms:Encrypt", "Resource": "*"}
    closed = json.dumps({**policy, "Statement": [*policy["Statement"], deny]})
    with Watch(server, user[1], *encrypting(key)) as watch:
        for _ in range(3):
            stays_refused(watch, lambda: kms.put_key_policy(KeyId=key, Policy=closed))
            watch.wait_for_all(since=after(lambda: kms.put_key_policy(KeyId=key, Policy=json.dumps(policy))))


def test_a_revoked_grant(server, key):
    kms, iam, name = boto(server, "kms"), boto(server, "iam"), f"user-{os.urandom(4).hex()}"
    arn = iam.create_user(UserName=name)["User"]["Arn"]
    made = iam.create_access_key(UserName=name)["AccessKey"]
    client = Client(server.port, made["AccessKeyId"], made["SecretAccessKey"])
    grant = kms.create_grant(KeyId=key, GranteePrincipal=arn, Operations=["Encrypt"])["GrantId"]
    with Watch(server, client, *encrypting(key)) as watch:
        stays_refused(watch, lambda: kms.revoke_grant(KeyId=key, GrantId=grant))


def test_a_detached_policy(server, key, user):
    iam = boto(server, "iam")
    own = {"UserName": user[0], "PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}
    with Watch(server, user[1], *encrypting(key)) as watch:
        for _ in range(3):
            stays_refused(watch, lambda: iam.detach_user_policy(**own))
            watch.wait_for_all(since=after(lambda: iam.attach_user_policy(**own)))


def test_an_access_key_that_is_inactive_and_then_deleted(server, key, user):
    iam, own = boto(server, "iam"), {"UserName": user[0], "AccessKeyId": user[1].access_key_id}
    with Watch(server, user[1], *encrypting(key)) as watch:
        stays_refused(watch, lambda: iam.update_access_key(**own, Status="Inactive"))
        watch.wait_for_all(since=after(lambda: iam.update_access_key(**own, Status="Active")))
        stays_refused(watch, lambda: iam.delete_access_key(**own))


def test_sessions_of_a_deleted_role(server, key, user):
    iam, name = boto(server, "iam"), f"role-{os.urandom(4).hex()}"
    trust = {"Effect": "Allow", "Principal": {"AWS": "000000000000"}, "Action": "sts:AssumeRole"}
    arn = iam.create_role(
        RoleName=name,
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    )["Role"]["Arn"]
    allow = {"Effect": "Allow", "Action": "kms:*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=document)
    sts = boto(server, "sts", user[1].access_key_id, user[1].secret)
    given = sts.assume_role(RoleArn=arn, RoleSessionName="session")["Credentials"]
    client = Client(server.port, given["AccessKeyId"], given["SecretAccessKey"])
    token = {"X-Amz-Security-Token": given["SessionToken"]}
    with Watch(server, client, *encrypting(key), **token) as watch:
        stays_refused(watch, lambda: iam.delete_role_policy(RoleName=name, PolicyName="all"))
        iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=document)
        watch.wait_for_all(since=time.monotonic())

        def delete():
            iam.delete_role_policy(RoleName=name, PolicyName="all")
            iam.delete_role(RoleName=name)

        stays_refused(watch, delete)


# ------------------------------------------------------------------------------- one deployment


def test_what_one_worker_makes_all_have(server):
    client = server.client()
    with lines(server) as (first, *others):
        status, body = first.send(client, "CreateKey", {})
        assert status == 200
        made = json.loads(body)["KeyMetadata"]["KeyId"]
        status, body = first.send(client, *encrypting(made))
        blob = json.loads(body)["CiphertextBlob"]
        for line in others:
            status, body = line.send(client, "Decrypt", {"CiphertextBlob": blob})
            assert (status, base64.b64decode(json.loads(body)["Plaintext"])) == (200, b"a")


def test_a_request_is_carried_out_once_by_all_of_them_together(server):
    prepared = server.client().prepare("CreateKey", {})
    outcomes = []
    with lines(server) as found:
        for line in found:
            line.connection.request(prepared.method, prepared.target, prepared.body, prepared.headers)
            answer = line.connection.getresponse()
            outcomes.append(answer.status)
            answer.read()
    assert outcomes == [200] + [400] * (len(outcomes) - 1)


def test_the_clock_is_moved_for_all(server, key):
    boto(server, "kms").schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    move = server.client().prepare(
        None, json.dumps({"advance_seconds": 8 * 86_400}).encode(), target="/dev/clock"
    )
    assert server.client().send(move).status == 200
    with lines(server) as found:
        for line in found:
            status, body = line.send(server.client(), "DescribeKey", {"KeyId": key})
            assert (status, json.loads(body)["__type"]) == (400, "NotFoundException")


# --------------------------------------------------------------------------------- life and death


def workers_of(server):
    return children(server.process.pid)


def verified(server):
    done = subprocess.run(
        [KEYSTEAD, "audit", "verify", "--state", "--data-dir", str(server.data_dir)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def recorded(server):
    """The request ids of all events of all workers."""
    done = subprocess.run(
        [KEYSTEAD, "audit", "tail", "--data-dir", str(server.data_dir), "-n", "1000000", "--output", "json"],
        check=True,
        capture_output=True,
        text=True,
    )
    return {json.loads(line).get("requestID") for line in done.stdout.splitlines() if line.startswith("{")}


def test_a_killed_worker_takes_nothing_with_it_and_is_replaced(tmp_path):
    with DevServer(tmp_path / "data", tmp_path / "logs", "--workers", str(WORKERS)) as server:
        loads = []
        for round_ in range(3):
            before = workers_of(server)
            load = Load(server.client(), 6, f"round-{round_}", lasting=True)
            load.start()
            load.wait_for(60)
            os.kill(sorted(before)[round_], signal.SIGKILL)
            load.wait_for(60)  # the others go on
            wait_until(lambda: len(workers_of(server) - before) == 1)  # noqa: B023
            load.end()
            load.join()  # else it may disable a key while that is looked at
            client = server.client()
            for known in load.keys:
                assert client.must("DescribeKey", {"KeyId": known.id})
                if known.blobs and not known.disabled and not known.doubtful:
                    blob, plaintext = known.blobs[0]
                    assert client.must("Decrypt", {"CiphertextBlob": blob})["Plaintext"] == plaintext
            loads.append(load)
        server.stop()
        assert {known for load in loads for known in load.request_ids} <= recorded(server)
        verified(server)


def test_workers_are_replaced_without_a_refused_connection(tmp_path):
    with DevServer(tmp_path / "data", tmp_path / "logs", "--workers", "2") as server:
        before = workers_of(server)
        client, stopping, answers = server.client(), threading.Event(), []

        def ask():
            while not stopping.is_set():
                # A connection of its own for each call: one that is refused or cut raises here.
                answers.append(client.call("ListKeys", {}).status)

        asking = [threading.Thread(target=ask, daemon=True) for _ in range(4)]
        for thread in asking:
            thread.start()
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: len(workers_of(server) - before) == 2)
        count = len(answers)
        wait_until(lambda: len(answers) > count + 20)
        stopping.set()
        for thread in asking:
            thread.join(300)
        assert set(answers) == {200}
        assert server.stop() == 0


def test_kept_connections_lose_no_request_while_workers_are_replaced(tmp_path):
    with DevServer(tmp_path / "data", tmp_path / "logs", "--workers", "2") as server:
        before = workers_of(server)
        client, stopping, answers = server.client(), threading.Event(), []

        def ask():
            while not stopping.is_set():
                with Line(server.port) as line:
                    told_to_close = False
                    while not told_to_close and not stopping.is_set():
                        prepared = client.prepare("ListKeys", {})
                        line.connection.request(
                            prepared.method, prepared.target, prepared.body, prepared.headers
                        )
                        answer = line.connection.getresponse()  # raises if it is cut instead
                        answer.read()
                        answers.append(answer.status)
                        told_to_close = answer.getheader("Connection") == "close"

        asking = [threading.Thread(target=ask, daemon=True) for _ in range(4)]
        for thread in asking:
            thread.start()
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: len(workers_of(server) - before) == 2)
        stopping.set()
        for thread in asking:
            thread.join(300)
        assert set(answers) == {200}
        assert server.stop() == 0


def test_many_changes_by_all_workers_at_once_succeed(server):
    """Every change of every client is carried out: none is told of a conflict, and none waits for ever."""
    done = {}

    def change(number, line):
        client = server.client()
        for _ in range(10):
            status, body = line.send(client, "CreateKey", {})
            assert status == 200, body
            made = json.loads(body)["KeyMetadata"]["KeyId"]
            tags = {"KeyId": made, "Tags": [{"TagKey": "by", "TagValue": str(number)}]}
            grant = {
                "KeyId": made,
                "GranteePrincipal": "arn:aws:iam::000000000000:root",
                "Operations": ["Encrypt"],
            }
            for operation, asked in (("TagResource", tags), ("CreateGrant", grant)):
                status, body = line.send(client, operation, asked)
                assert status == 200, body
            done[number] = done.get(number, 0) + 1

    with lines(server) as found:
        threads = [threading.Thread(target=change, args=place) for place in enumerate(found)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(300)
        assert done == dict.fromkeys(range(len(found)), 10)


def test_workers_end_with_their_supervisor(tmp_path):
    with DevServer(tmp_path / "data", tmp_path / "logs", "--workers", "2") as server:
        workers = workers_of(server)
        assert len(workers) == 2
        server.kill()
        wait_until(lambda: not any(map(runs, workers)))
    with DevServer(tmp_path / "data", tmp_path / "logs", "--workers", "2") as again:
        assert again.client().must("ListKeys")["Keys"] == []


def test_fewer_workers_take_up_what_others_left(tmp_path):
    with DevServer(tmp_path / "data", tmp_path / "logs", "--workers", "3") as server:
        load = Load(server.client(), 6, "left")
        load.start()
        load.wait_for(60)
        server.process.send_signal(signal.SIGSTOP)  # so that it starts none again
        for worker in workers_of(server):
            os.kill(worker, signal.SIGKILL)
        server.kill()  # it holds the door open, at which clients would wait for nobody
        load.join()
    with DevServer(tmp_path / "data", tmp_path / "logs") as one:
        one.client().must("ListKeys")
        one.stop()
        assert set(load.request_ids) <= recorded(one)
        verified(one)


@pytest.mark.parametrize(
    "words", [("--workers", "0"), ("--workers", "65"), ("--workers", "2", "--ephemeral")]
)
def test_what_cannot_be_is_said(tmp_path, words):
    done = subprocess.run(
        [KEYSTEAD, "dev", "--listen", "127.0.0.1:0", "--data-dir", str(tmp_path / "data"), *words],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "worker" in done.stderr
