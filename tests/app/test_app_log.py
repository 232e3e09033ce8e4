"""A running server's log is one that the independent verifier accepts, by the key that `audit key` prints."""

import subprocess
import sys
import tarfile
import threading
from pathlib import Path

import pytest
from bundles import patient

from keystead.app.deployments import ephemeral_store
from keystead.audit.custody import known_log_keys, name_log, open_log_keys, remember_begun
from keystead.audit.logfiles import LogFiles
from keystead.entropy import SystemEntropy
from keystead.errors import SettingsError
from keystead.testing import RunningServer

BIN = Path(sys.executable).parent


def test_the_log_of_a_server_is_verified_by_another_program(tmp_path):
    data = tmp_path / "d"
    for _ in range(2):
        with RunningServer(data, receipt_wait=300) as server:
            keys = known_log_keys(server.store)
            key = keys.signer(keys.origin(None)).key.text
            kms = patient(server)
            for _ in range(3):
                kms.create_key()
    shown = subprocess.run(
        [BIN / "keystead", "audit", "key", "--data-dir", data], capture_output=True, text=True, check=True
    )
    assert shown.stdout.strip() == key
    assert keys.seed.hex() not in repr(keys)
    head = LogFiles(data).head()
    # 6 calls, the note of the first account, and the closing note of the first server
    assert head.journals == {"w0": 8}
    bundle = tmp_path / "bundle.tar"
    with tarfile.open(bundle, "w") as tar:
        tar.add(data / "log", "log", filter=lambda entry: None if entry.name == "log/head" else entry)
    found = subprocess.run(
        [BIN / "keystead-verify", "bundle", bundle, "--vkey", key],
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout + found.stderr


def published(data):
    """The log's first line, once there is a log."""
    pause, files = threading.Event(), LogFiles(data)
    while (head := files.head()) is None:
        pause.wait(0.02)
    return head.checkpoint.partition("\n")[0]


def test_a_log_has_the_name_that_is_set_and_keeps_it(tmp_path):
    data, name = tmp_path / "d", "kms.example.org/log"
    with RunningServer(data, log_origin=name) as server:
        server.client("kms").create_key()
        assert published(data) == name
    with RunningServer(data) as server:
        keys = known_log_keys(server.store)
        assert keys.signer(keys.origin(None)).key.name == name
    with (
        pytest.raises(SettingsError, match=f"the log is called {name} for good"),
        RunningServer(data, log_origin="another.example.org/log"),
    ):
        pass
    shown = subprocess.run(
        [BIN / "keystead", "audit", "key", "--data-dir", data], capture_output=True, text=True, check=True
    )
    assert shown.stdout.startswith(f"{name}+")


def test_a_name_that_no_key_can_have_is_refused(tmp_path):
    with (
        pytest.raises(SettingsError, match="log_origin: a key's name"),
        RunningServer(tmp_path / "d", log_origin="two words"),
    ):
        pass


def test_a_worker_that_names_the_log_when_another_has_begun_it_forgets_nothing():
    store = ephemeral_store(SystemEntropy())
    keys = open_log_keys(store, SystemEntropy())
    remember_begun(store)
    name_log(store, keys, "log.example", begun=False)
    known = known_log_keys(store)
    assert (known.begun, known.origin(None)) == (True, "log.example")
