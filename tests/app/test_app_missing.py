"""Where evidence is gone that the store knows of, no server begins it anew by itself; an operator can say so."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from bundles import patient
from processes import wait_until
from signed_http import get

from keystead.audit.custody import known_log_keys
from keystead.audit.logfiles import LogFiles
from keystead.errors import JournalError
from keystead.testing import RunningServer

BIN = Path(sys.executable).parent


def keystead(*arguments):
    return subprocess.run(
        [BIN / "keystead", *map(str, arguments)], capture_output=True, text=True, check=False
    )


@pytest.fixture
def used(tmp_path):
    """A data directory whose server answered some calls, which are in its log, and ended."""
    data = tmp_path / "d"
    with RunningServer(data, receipt_wait=300) as server:
        kms = patient(server)
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        kms.encrypt(KeyId=key, Plaintext=b"x")
    return data


def gone(data, *names):
    for name in names:
        shutil.rmtree(data / name)


def begins_anew(data):
    """Whether a server starts."""
    try:
        with RunningServer(data, receipt_wait=300) as server:
            patient(server).create_key()
            return True
    except JournalError:
        return False


def test_without_journals_and_log_no_server_starts_however_often_it_is_tried(used):
    gone(used, "journal", "log")
    for _ in range(2):
        with (
            pytest.raises(JournalError, match="journals and log are gone, and the store knows of them"),
            RunningServer(used),
        ):
            pass
    assert not (used / "log").exists()
    found = keystead("audit", "verify", "--data-dir", used)
    assert found.returncode == 1
    assert "FAIL journal w0: the store knows " in found.stdout
    assert "FAIL log: it is gone; the store knows that there was one" in found.stdout
    told = keystead("doctor", "--data-dir", used)
    assert told.returncode == 1
    assert "fail evidence: log: it is gone" in told.stdout


def test_a_journal_that_was_emptied_together_with_the_log_is_told_from_a_new_one(used):
    gone(used, "journal/w0", "log")
    (used / "journal" / "w7").mkdir()
    with pytest.raises(JournalError, match="journals and log are gone"), RunningServer(used):
        pass


def test_a_journal_that_ends_before_what_the_store_knows_is_not_continued(used, tmp_path):
    shutil.copytree(used, tmp_path / "before")
    with RunningServer(used, receipt_wait=300) as server:
        kms = patient(server)
        for _ in range(3):
            kms.create_key()
    gone(used, "journal", "log")
    shutil.copytree(tmp_path / "before" / "journal", used / "journal")
    with (
        pytest.raises(
            JournalError, match=r"journal w0: .*(the store knows \d+ records|the database was put back)"
        ),
        RunningServer(used),
    ):
        pass


def test_a_log_that_is_gone_is_not_begun_anew_after_a_restart(used):
    gone(used, "log")
    with RunningServer(used) as server:
        server.client("kms").create_key()
        behind = b"log behind: log/head is gone; the log is not begun anew"
        wait_until(lambda: behind in get(server.port, "/readyz").body)
    assert not LogFiles(used).begun


def test_an_operator_lets_evidence_begin_anew_and_that_is_the_first_event(used):
    gone(used, "journal", "log")
    done = keystead("audit", "begin-anew", "--data-dir", used, "--reason", "the disk broke")
    assert done.returncode == 0, done.stderr
    assert "lost: log: it is gone" in done.stdout
    assert begins_anew(used)
    events = [
        json.loads(line)
        for line in keystead(
            "audit", "tail", "-n", "100", "--output", "json", "--data-dir", used
        ).stdout.splitlines()
    ]
    told = next(event for event in events if event["eventName"] == "BeginEvidenceAnew")
    assert told["serviceEventDetails"]["reason"] == "the disk broke"
    assert any("the store knows" in line for line in told["serviceEventDetails"]["missing"])
    found = keystead("audit", "verify", "--state", "--data-dir", used)
    assert found.returncode == 0, found.stdout


def test_the_new_log_is_another_one(used):
    keys = []
    for _ in range(2):
        keys.append(keystead("audit", "key", "--data-dir", used).stdout)
        gone(used, "journal", "log")
        assert keystead("audit", "begin-anew", "--data-dir", used, "--reason", "r").returncode == 0
        assert begins_anew(used)
    assert keys[0] != keys[1]


def test_nothing_begins_anew_while_all_is_there_or_the_log_is(used):
    refused = keystead("audit", "begin-anew", "--data-dir", used, "--reason", "r")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "no evidence is missing" in refused.stderr
    gone(used, "journal")
    refused = keystead("audit", "begin-anew", "--data-dir", used, "--reason", "r")
    assert refused.returncode == 1
    assert f"move {used / 'log'} away first" in refused.stderr


def test_a_deployment_that_no_server_has_run_on_has_nothing_missing(tmp_path):
    data = tmp_path / "d"
    assert keystead("init", "--data-dir", data, "--account-id", "111122223333").returncode == 0
    assert keystead("doctor", "--data-dir", data).returncode == 0
    with RunningServer(data, account_id="111122223333", receipt_wait=300) as server:
        patient(server).create_key()
        assert not known_log_keys(server.store).anew
