"""A running server's log is one that the independent verifier accepts, by the key that `audit key` prints."""

import subprocess
import sys
import tarfile
from pathlib import Path

from keystead.audit.custody import known_log_keys
from keystead.audit.logfiles import LogFiles
from keystead.testing import RunningServer

BIN = Path(sys.executable).parent


def test_the_log_of_a_server_is_verified_by_another_program(tmp_path):
    data = tmp_path / "d"
    for _ in range(2):
        with RunningServer(data) as server:
            kms = server.root().client("kms")
            for _ in range(3):
                kms.create_key()
            keys = known_log_keys(server.store)
    key = keys.signer(keys.origin(None)).key.text
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
