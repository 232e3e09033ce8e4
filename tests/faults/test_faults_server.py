"""The disk fails under a whole server: it refuses, says why, and goes on when the disk does."""

from __future__ import annotations

import errno
import json
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest
from dev_process import DevServer
from faulty_disk import one_after_the_other
from processes import wait_until
from signed_http import Client, get
from stores import open_store

from keystead.storage import Store
from keystead.testing import RunningServer
from keystead.testing.faulty import Fault, FaultyBackend

REFUSED = (500, "KMSInternalException")


class FaultyServer(RunningServer):
    """A server whose database fails when a test says so."""

    backend: FaultyBackend

    def open_store(self) -> Store:
        super().open_store().close()
        store = open_store(self.data_dir, FaultyBackend)
        self.backend = store.backend
        return store


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with FaultyServer() as running:
        yield running


@pytest.fixture
def raw(server) -> Client:
    return Client(server.port, server.access_key_id, server.secret_access_key)


def readiness(server) -> tuple[int, str]:
    answer = get(server.port, "/readyz")
    return answer.status, answer.document["state"]


def until_ready(server) -> None:
    """A look at the readiness makes an attempt to recover; the attempt itself runs beside."""
    wait_until(lambda: readiness(server) == (200, "ok"))


def created(server) -> list[str]:
    return [event["requestID"] for event in server.events() if event["eventName"] == "CreateKey"]


def test_a_lost_write_is_refused_and_leaves_nothing(server, raw) -> None:
    before = raw.must("ListKeys")
    server.backend.fail_next(Fault.LOST)
    answer = raw.call("CreateKey")
    assert answer.error() == REFUSED
    assert "readiness" in answer.message
    until_ready(server)
    assert raw.must("ListKeys") == before
    assert answer.headers["x-amzn-requestid"] not in created(server)


def test_a_write_that_persisted_though_reported_lost_is_there_with_its_event(server, raw) -> None:
    before = len(raw.must("ListKeys")["Keys"])
    server.backend.fail_next(Fault.PERSISTED)
    answer = raw.call("CreateKey")
    assert answer.error() == REFUSED
    until_ready(server)
    assert len(raw.must("ListKeys")["Keys"]) == before + 1
    assert created(server).count(answer.headers["x-amzn-requestid"]) == 1


def test_while_the_disk_is_full_nothing_is_answered_and_readyz_says_why(server, raw) -> None:
    key = raw.must("CreateKey")["KeyMetadata"]["KeyId"]
    blob = raw.must("Encrypt", {"KeyId": key, "Plaintext": "YQ=="})["CiphertextBlob"]
    server.backend.fail_next(Fault.DISK_FULL)
    assert raw.call("CreateKey").error() == REFUSED
    status, state = readiness(server)
    assert status == 503
    assert state.startswith("storage failed: ")
    assert "no space left" in state
    for operation, body in {
        "CreateKey": {},
        "Decrypt": {"CiphertextBlob": blob},
        "DescribeKey": {"KeyId": key},
        "GenerateDataKey": {"KeyId": key, "KeySpec": "AES_256"},
    }.items():
        answer = raw.call(operation, body)
        assert answer.error() == REFUSED
        assert "Plaintext" not in answer.document
    assert get(server.port, "/healthz").status == 200
    server.backend.full = False
    until_ready(server)
    assert raw.must("Decrypt", {"CiphertextBlob": blob})["Plaintext"] == "YQ=="
    assert raw.must("CreateKey")


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.PERSISTED])
def test_every_commit_of_a_keys_life_may_fail(server, raw, fault) -> None:
    """Whatever was refused is tried again; in the end all is as it should be and each success has one event."""
    done: list[str] = []

    def until_done(operation: str, body: dict) -> dict:
        for attempt in range(4):
            if attempt == 0:
                server.backend.fail_next(fault)
            answer = raw.call(operation, body)
            if answer.status == 200:
                done.append(answer.headers["x-amzn-requestid"])
                return answer.document if answer.body else {}
            if answer.status == 400:  # it had persisted after all
                return {}
            assert answer.error() == REFUSED
            until_ready(server)
        raise AssertionError(operation)

    key = until_done("CreateKey", {})["KeyMetadata"]["KeyId"]
    for operation, body in (
        ("TagResource", {"Tags": [{"TagKey": "a", "TagValue": "b"}]}),
        ("UpdateKeyDescription", {"Description": "changed"}),
        ("EnableKeyRotation", {}),
        ("RotateKeyOnDemand", {}),
        ("DisableKey", {}),
        ("EnableKey", {}),
        ("ScheduleKeyDeletion", {"PendingWindowInDays": 7}),
        ("CancelKeyDeletion", {}),
    ):
        until_done(operation, {"KeyId": key, **body})
    until_done("CreateAlias", {"AliasName": "alias/a", "TargetKeyId": key})
    described = raw.must("DescribeKey", {"KeyId": key})["KeyMetadata"]
    assert (described["Description"], described["KeyState"]) == ("changed", "Disabled")
    assert server.store.verify_all().findings == ()
    ids = [event["requestID"] for event in server.events() if "requestID" in event]
    assert len(ids) == len(set(ids))
    assert set(done) <= set(ids)


# ---------------------------------------------------------------------------- the journal


class BadFile:
    """A journal's file that refuses to write or to sync."""

    def __init__(self, inner, broken: dict[str, int]) -> None:
        self.inner, self.broken = inner, broken

    def write(self, data: bytes, offset: int) -> int:
        self._fail("write")
        return self.inner.write(data, offset)

    def begin_sync(self) -> None:
        self.inner.begin_sync()

    def sync(self) -> None:
        self._fail("sync")
        self.inner.sync()

    def write_through(self, data: bytes, offset: int) -> int:
        return one_after_the_other(self, data, offset)

    def read(self, length: int, offset: int) -> bytes:
        return self.inner.read(length, offset)

    def close(self) -> None:
        self.inner.close()

    def _fail(self, what: str) -> None:
        if what in self.broken:
            raise OSError(self.broken[what], os.strerror(self.broken[what]))


class BadDisk:
    """The disk of a running server's journal; `broken` maps `write` or `sync` to an errno."""

    def __init__(self, journal) -> None:
        self.inner, self.broken = journal._disk, {}
        journal._spare._join()
        journal._disk = journal._spare._disk = self
        if journal._spare._file is not None:
            journal._spare._file = BadFile(journal._spare._file, self.broken)
        journal._file = BadFile(journal._file, self.broken)

    def create(self, path, size):
        file = self.inner.create(path, size)
        if self.broken:
            file.close()
            path.unlink()
            code = next(iter(self.broken.values()))
            raise OSError(code, os.strerror(code))
        return BadFile(file, self.broken)

    def open(self, path):
        return BadFile(self.inner.open(path), self.broken)

    def rename(self, old, new) -> None:
        self.inner.rename(old, new)

    def names(self, directory):
        return self.inner.names(directory)

    def sync_names(self, directory) -> None:
        self.inner.sync_names(directory)


@pytest.mark.parametrize("what", ["write", "sync"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EROFS])
def test_what_cannot_be_recorded_is_not_answered(server, raw, what, code) -> None:
    key = raw.must("CreateKey")["KeyMetadata"]["KeyId"]
    blob = raw.must("Encrypt", {"KeyId": key, "Plaintext": "YQ=="})["CiphertextBlob"]
    disk = BadDisk(server.app.journal)
    disk.broken[what] = code
    for operation, body in {
        "Decrypt": {"CiphertextBlob": blob},
        "GenerateDataKey": {"KeyId": key, "KeySpec": "AES_256"},
        "DisableKey": {"KeyId": key},
        "ListKeys": {},
    }.items():
        answer = raw.call(operation, body)
        assert answer.error() == REFUSED
        assert "Plaintext" not in answer.document
    status, state = readiness(server)
    assert status == 503
    assert state.startswith("journal failed: ")
    assert os.strerror(code) in state
    disk.broken.clear()
    until_ready(server)
    assert raw.must("ListKeys")
    ids = [event["requestID"] for event in server.events() if "requestID" in event]
    assert len(ids) == len(set(ids))
    assert server.app.journal.verify() > 0


# ----------------------------------------------------------------- a real file size limit


def test_files_that_cannot_grow(tmp_path: Path) -> None:
    """The kernel itself refuses (EFBIG), the way it does for a quota; then it no longer does."""
    with DevServer(tmp_path / "data", tmp_path / "logs", "--log-format", "json") as server:
        client = server.client()
        key = client.must("CreateKey")["KeyMetadata"]["KeyId"]
        assert server.process is not None
        _, hard = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (512, hard))
        assert client.call("CreateKey").error() == REFUSED
        assert client.call("Encrypt", {"KeyId": key, "Plaintext": "YQ=="}).error() == REFUSED
        status, body = server.ready()
        assert status == 503
        assert "failed: " in json.loads(body)["state"]
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (hard, hard))
        wait_until(lambda: server.ready()[0] == 200)
        assert client.must("Encrypt", {"KeyId": key, "Plaintext": "YQ=="})
        assert client.must("CreateKey")
        assert len(client.must("ListKeys")["Keys"]) == 2
        server.kill()
        server.start()
        assert len(server.client().must("ListKeys")["Keys"]) == 2
