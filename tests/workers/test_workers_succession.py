"""A single worker of `keystead serve` takes its own place at SIGHUP, and nobody is refused meanwhile."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from processes import children, wait_until
from signed_http import Client, get, read_answer

pytestmark = pytest.mark.slow

KEYSTEAD = Path(sys.executable).with_name("keystead")
PASSPHRASE = "correct horse battery staple"


class Served:
    """`keystead serve` with a passphrase seal and a settings file; one worker unless told otherwise."""

    def __init__(self, place, workers=1):
        self._workers = str(workers)
        self.config, self.data = place / "keystead.toml", place / "data"
        self.secret, self._stderr = place / "passphrase", place / "stderr"
        self.secret.write_text(PASSPHRASE)
        self.config.write_text("")
        made = subprocess.run(
            [KEYSTEAD, "init", "--data-dir", self.data, "--account-id", "000000000000", "--output", "json",
             "--seal", "passphrase", "--passphrase-file", self.secret],
            check=True, capture_output=True,
        )  # fmt: skip
        self._root = json.loads(made.stdout)

    def __enter__(self):
        with self._stderr.open("wb") as stderr:
            self.process = subprocess.Popen(
                [KEYSTEAD, "serve", "--data-dir", self.data, "--listen", "127.0.0.1:0", "--config",
                 self.config, "--passphrase-file", self.secret, "--workers", self._workers, "--log-format", "json"],
                stdout=subprocess.PIPE, stderr=stderr, text=True,
            )  # fmt: skip
        line = self.process.stdout.readline()
        assert line.startswith("keystead ready on "), self._stderr.read_text()
        self.port = int(line.rpartition(":")[2])
        self.secret.unlink()  # it was told once
        return self

    def __exit__(self, *_error):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def client(self, region="us-east-1"):
        return Client(self.port, self._root["access_key_id"], self._root["secret_access_key"], region=region)

    def log(self):
        return self._stderr.read_text()

    def rekey(self, passphrase):
        """None; the seal has another passphrase, which the server was not told."""
        old, new = self.secret.with_name("old"), self.secret.with_name("new")
        old.write_text(PASSPHRASE)
        new.write_text(passphrase)
        subprocess.run(
            [KEYSTEAD, "seal", "rekey", "--data-dir", self.data, "--passphrase-file", old,
             "--new-passphrase-file", new],
            check=True, capture_output=True,
        )  # fmt: skip

    def stop(self):
        self.process.terminate()
        return self.process.wait(300), self.process.stdout.read()


@pytest.fixture
def served(tmp_path):
    with Served(tmp_path) as running:
        yield running


def closes_after_readyz(asking):
    asking.sendall(b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    return read_answer(asking).headers.get("connection") == "close"


def test_settings_are_read_anew_and_no_connection_is_refused(served):
    client, stopping, answers = served.client(), threading.Event(), []
    key = client.call("CreateKey", {}).document["KeyMetadata"]["KeyId"]

    def ask():
        while not stopping.is_set():
            # A connection of its own for each call: one that is refused or cut raises here.
            answers.append(client.call("DescribeKey", {"KeyId": key}).status)

    asking = [threading.Thread(target=ask, daemon=True) for _ in range(4)]
    for thread in asking:
        thread.start()
    abroad = served.client("eu-west-1")
    assert abroad.call("ListKeys", {}).status == 200
    served.config.write_text('regions = ["us-east-1"]\n')
    served.process.send_signal(signal.SIGHUP)
    wait_until(lambda: abroad.call("ListKeys", {}).status == 400)
    count = len(answers)
    wait_until(lambda: len(answers) > count + 20)
    stopping.set()
    for thread in asking:
        thread.join(300)
        assert not thread.is_alive()
    assert set(answers) == {200}
    served.config.write_text("")
    served.process.send_signal(signal.SIGHUP)  # the successor heeds it too
    wait_until(lambda: abroad.call("ListKeys", {}).status == 200)
    assert served.stop() == (0, "")


def test_settings_that_cannot_be_used_change_nothing(served):
    served.config.write_text('regions = "nowhere\n')
    served.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "SIGHUP changes nothing" in served.log())
    assert get(served.port, "/readyz").status == 200
    assert served.client("eu-west-1").call("ListKeys", {}).status == 200
    assert served.stop() == (0, "")


def test_who_is_told_to_end_while_it_succeeds_itself_ends_in_order(served):
    served.process.send_signal(signal.SIGHUP)
    served.process.send_signal(signal.SIGTERM)
    assert served.process.wait(300) == 0


def test_who_is_told_to_end_while_it_drains_for_its_successor_has_none(served):
    with served.client().connect() as idle, served.client().connect() as asking:
        served.process.send_signal(signal.SIGHUP)
        wait_until(lambda: closes_after_readyz(asking))  # and goes on while `idle` may bring one more request
        served.process.send_signal(signal.SIGTERM)
        assert served.process.wait(300) == 0
        assert idle.recv(1) == b""


@pytest.mark.parametrize("workers", [1, 2])
def test_another_passphrase_is_found_in_its_file_and_stops_nobody_before(tmp_path, workers):
    with Served(tmp_path, workers) as served:
        wait_until(
            lambda: len(children(served.process.pid)) == workers
        )  # or the process of the only worker's log
        before = children(served.process.pid)
        served.rekey("another one")
        served.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "the seal has another passphrase by now" in served.log())
        assert children(served.process.pid) == before
        assert served.client().call("ListKeys", {}).status == 200
        served.secret.write_text("another one")
        served.process.send_signal(signal.SIGHUP)
        wait_until(lambda: len(children(served.process.pid) - before) == len(before))
        served.secret.unlink()
        assert served.client().call("ListKeys", {}).status == 200
        assert served.log().count("SIGHUP changes nothing") == 1
        assert "died" not in served.log()
        assert served.stop() == (0, "")


def test_a_passphrase_that_was_found_need_not_stay_where_it_was(served):
    served.rekey("another one")
    served.secret.write_text("another one")
    # The process of the log: by the one that follows it the server's successor is seen.
    wait_until(lambda: children(served.process.pid))
    before = children(served.process.pid)
    with served.client().connect(), served.client().connect() as asking:
        served.process.send_signal(signal.SIGHUP)
        wait_until(
            lambda: closes_after_readyz(asking)
        )  # and goes on while the first may bring one more request
        served.secret.unlink()
    wait_until(lambda: children(served.process.pid) - before)
    assert served.client().call("ListKeys", {}).status == 200
    assert served.stop() == (0, "")


def test_a_worker_that_dies_after_the_passphrase_was_changed_is_started_again(tmp_path):
    with Served(tmp_path, workers=2) as served:
        served.rekey("another one")
        before = children(served.process.pid)
        os.kill(min(before), signal.SIGKILL)
        wait_until(lambda: "a worker cannot be started" in served.log())
        assert served.client().call("ListKeys", {}).status == 200  # by the other one
        served.secret.write_text("another one")
        wait_until(lambda: len(children(served.process.pid)) == len(before))
        assert served.stop() == (0, "")
