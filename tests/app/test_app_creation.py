"""The first start, cut off after each of its steps."""

import shutil

import pytest
from structlog.testing import capture_logs

from keystead import app
from keystead.entropy import SystemEntropy
from keystead.errors import OperatorError, SettingsError
from keystead.seal import SealOptions
from keystead.testing import RunningServer

STEPS = ["seal.key", "root.sealed", "store.db"]


@pytest.mark.parametrize("left", range(len(STEPS) + 1))
def test_a_deployment_half_made_is_finished(tmp_path, left):
    with RunningServer(tmp_path / "whole") as server:
        server.client("kms").create_key()
    half = tmp_path / "half"
    half.mkdir(mode=0o700)
    for name in STEPS[:left]:
        if name == "store.db":
            (half / name).touch(mode=0o600)  # SQLite makes the file before the first commit fills it
        else:
            shutil.copy2(tmp_path / "whole" / name, half / name)
    with RunningServer(half) as server:
        key = server.client("kms").create_key()["KeyMetadata"]["KeyId"]
    with RunningServer(half) as server:
        assert server.client("kms").describe_key(KeyId=key)


@pytest.mark.parametrize("lost", ["store.db", "root.sealed", "seal.key"])
def test_nothing_is_made_anew_where_there_is_evidence(tmp_path, lost):
    with RunningServer(tmp_path / "d") as server:
        server.client("kms").create_key()
    for path in (tmp_path / "d").glob(f"{lost}*"):
        path.unlink()
    with pytest.raises(OperatorError), RunningServer(tmp_path / "d"):
        pass


def test_init_refuses_what_is_there(tmp_path):
    options = SealOptions(directory=tmp_path / "d")
    app.create(tmp_path / "d", options, "file", SystemEntropy()).close()
    with pytest.raises(SettingsError, match="never overwritten"):
        app.create(tmp_path / "d", options, "file", SystemEntropy())


def test_a_start_in_a_directory_that_others_write_in_says_so(tmp_path):
    for mode, told in ((0o700, 0), (0o755, 0), (0o777, 1)):
        tmp_path.chmod(mode)
        with capture_logs() as logs, app.starting(tmp_path):
            pass
        assert [line["mode"] for line in logs] == ["0777"] * told
