"""Somebody, or something, harms the evidence of a whole server: it refuses or recovers, says why, and names what is lost."""

from __future__ import annotations

import errno
import os
import resource
import shutil
from pathlib import Path

import pytest
from dev_process import DevServer
from evidence import findings
from processes import wait_until
from signed_http import Client, get

from keystead import app
from keystead.audit.logfiles import LogFiles
from keystead.clock import ManualClock
from keystead.errors import JournalError
from keystead.testing import RunningServer

LOG_FILES = ("head", "checkpoint", "tile")
REFUSED = (500, "KMSInternalException")


def raw(server: RunningServer) -> Client:
    return Client(server.port, server.access_key_id, server.secret_access_key)


def readiness(server: RunningServer) -> tuple[int, str]:
    answer = get(server.port, "/readyz")
    return answer.status, answer.document["state"]


def until(server: RunningServer, status: int, beginning: str) -> None:
    """The log is written twice a second, and a failed journal tries again when it is looked at."""

    def told() -> bool:
        found = readiness(server)
        return found[0] == status and found[1].startswith(beginning)

    wait_until(told)


def sequenced(server: RunningServer) -> None:
    """Returns once all that was recorded is in the log."""
    files = LogFiles(server.data_dir)

    def shown() -> bool:
        head = files.head()
        return (
            head is not None
            and head.journals.get(app.WORKER) == server.app.journal.next_index
            and (files.shown() or "").startswith(head.checkpoint)
        )

    wait_until(shown)


def newest(data_dir: Path) -> Path:
    return max((data_dir / "journal" / app.WORKER).glob("*.seg"))


# ---------------------------------------------------------------- under the running server


def removed(path: Path) -> None:
    path.unlink()


def cut_off(path: Path) -> None:
    os.truncate(path, 700)


def removed_with_all(path: Path) -> None:
    shutil.rmtree(path.parent)


@pytest.mark.parametrize("harm", [removed, cut_off, removed_with_all])
def test_no_call_is_answered_whose_event_nobody_could_read(fresh_server, harm) -> None:
    client = raw(fresh_server)
    key = client.must("CreateKey")["KeyMetadata"]["KeyId"]
    sequenced(fresh_server)
    harm(newest(fresh_server.data_dir))
    for _ in range(2):
        answer = client.call("Encrypt", {"KeyId": key, "Plaintext": "YQ=="})
        assert answer.error() == REFUSED
        assert "CiphertextBlob" not in answer.document
    status, state = readiness(fresh_server)
    assert status == 503
    assert state.startswith("journal failed: ")
    assert any("journal w0: " in line for line in findings(fresh_server.data_dir))


def test_a_journal_that_was_replaced_by_a_copy_goes_on_in_a_new_segment(fresh_server) -> None:
    """All that was acknowledged is in the copy; only the call that found out is refused."""
    client = raw(fresh_server)
    key = client.must("CreateKey")["KeyMetadata"]["KeyId"]
    path = newest(fresh_server.data_dir)
    shutil.copy(path, path.with_suffix(".copy"))
    path.with_suffix(".copy").replace(path)
    assert client.call("Encrypt", {"KeyId": key, "Plaintext": "YQ=="}).error() == REFUSED
    until(fresh_server, 200, "ok")
    assert client.must("Encrypt", {"KeyId": key, "Plaintext": "YQ=="})
    assert newest(fresh_server.data_dir).name == "00000001.seg"
    sequenced(fresh_server)
    assert findings(fresh_server.data_dir) == ()


def limit_files(pid: int, size: int) -> None:
    """The kernel refuses to let the process's files grow beyond `size` bytes, as a full disk does."""
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def test_a_log_that_cannot_be_written_is_behind_and_catches_up(fresh_server) -> None:
    client = raw(fresh_server)
    client.must("CreateKey")
    sequenced(fresh_server)
    limit_files(fresh_server.app._sequencing.pid, 0)
    key = client.must("CreateKey")["KeyMetadata"]["KeyId"]
    wait_until(lambda: os.strerror(errno.EFBIG) in readiness(fresh_server)[1])
    until(fresh_server, 503, "log behind: ")
    assert client.must("Encrypt", {"KeyId": key, "Plaintext": "YQ=="})  # the journal has the evidence
    limit_files(fresh_server.app._sequencing.pid, resource.RLIM_INFINITY)
    until(fresh_server, 200, "ok")
    sequenced(fresh_server)
    assert findings(fresh_server.data_dir) == ()


def test_a_log_that_is_removed_is_not_begun_anew(fresh_server, tmp_path) -> None:
    client = raw(fresh_server)
    client.must("CreateKey")
    sequenced(fresh_server)
    for name in LOG_FILES:
        (fresh_server.data_dir / "log" / name).rename(tmp_path / name)
    client.must("CreateKey")
    until(fresh_server, 503, "log behind: ")
    for name in LOG_FILES:
        (tmp_path / name).rename(fresh_server.data_dir / "log" / name)
    until(fresh_server, 200, "ok")
    sequenced(fresh_server)
    assert findings(fresh_server.data_dir) == ()


# ------------------------------------------------------------------- between two servers


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    with RunningServer(tmp_path / "data") as server:
        raw(server).must("CreateKey")
        sequenced(server)
    return tmp_path / "data"


def test_a_journal_that_was_deleted_is_not_begun_anew(data_dir) -> None:
    shutil.rmtree(data_dir / "journal" / app.WORKER)
    with (
        pytest.raises(JournalError, match=r"the log has \d+ records of it, 0 are there"),
        RunningServer(data_dir),
    ):
        raise AssertionError("served without its journal")
    assert any("journal w0: record 0" in line for line in findings(data_dir))


def test_a_torn_last_record_is_cut_and_told(data_dir) -> None:
    path = newest(data_dir)
    data = bytearray(path.read_bytes())
    end = len(bytes(data).rstrip(b"\0"))
    data[end - 10 : end] = bytes(10)  # of the closing note, which is behind the log
    path.write_bytes(data)
    with RunningServer(data_dir) as server:
        assert server.app.journal.recovered is not None
        raw(server).must("CreateKey")
        sequenced(server)
    assert findings(data_dir) == ()


def test_a_clock_that_is_set_back_changes_no_order(tmp_path) -> None:
    data_dir = tmp_path / "data"
    for now in (1_800_000_000.0, 1_700_000_000.0):
        with RunningServer(data_dir, clock=ManualClock(now)) as server:
            raw(server).must("CreateKey")
            sequenced(server)
    times = [event["eventTime"] for event in server.events() if event["eventName"] == "CreateKey"]
    assert [time[:4] for time in times] == ["2027", "2023"]
    assert findings(data_dir) == ()


def test_a_second_server_on_the_directory_does_not_start(tmp_path) -> None:
    with DevServer(tmp_path / "data", tmp_path / "logs") as first:
        second = DevServer(tmp_path / "data", tmp_path / "more")
        with pytest.raises(RuntimeError, match="another process writes it"):
            second.start()
        second.kill()
        assert first.client().must("CreateKey")
        assert first.ready()[0] == 200
        assert first.stop() == 0
    assert findings(tmp_path / "data") == ()
