"""The log's process, or whoever leads it, is killed while calls come in: the log goes on and others can verify it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from dev_process import DevServer
from evidence import findings
from load import Load
from processes import children, log_process, runs, wait_until

from keystead.api.leader import Leader
from keystead.audit.logfiles import LogFiles
from keystead.audit.reader import read_journal

BIN = Path(sys.executable).parent


def sequenced(data_dir: Path) -> bool:
    """Whether all records of all journals are in the log."""
    head = LogFiles(data_dir).head()
    names = [entry.name for entry in (data_dir / "journal").iterdir()]
    ends = {name: sum(1 for _ in read_journal(data_dir, name)) for name in names}
    return head is not None and head.journals == {name: end for name, end in ends.items() if end}


def verify(data_dir: Path, place: Path) -> None:
    """The log is what the journals hold, and another program accepts it."""
    assert findings(data_dir) == ()
    asked = [BIN / "keystead", "audit", "key", "--data-dir", data_dir]
    key = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    bundle = place / "bundle.tar"
    subprocess.run(
        [BIN / "keystead", "audit", "export", "--data-dir", data_dir, "--bundle", bundle],
        check=True,
        capture_output=True,
    )
    found = subprocess.run(
        [BIN / "keystead-verify", "bundle", bundle, "--vkey", key],
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout + found.stderr


def recorded(data_dir: Path) -> set[str]:
    names = [entry.name for entry in (data_dir / "journal").iterdir()]
    return {json.loads(f.payload).get("requestID") for name in names for f in read_journal(data_dir, name)}


def ends_told(place: Path) -> int:
    return (place / "logs" / "stderr").read_text().count("its process ended with status -9")


def test_a_killed_log_process_loses_nothing_and_keeps_no_call_waiting(tmp_path):
    with DevServer(tmp_path / "data", tmp_path / "logs") as server:
        load = Load(server.client(), 4, "log")
        load.start()
        for turn in range(3):
            load.wait_for(40)
            wait_until(lambda: log_process(server.process.pid))
            killed = log_process(server.process.pid)
            os.kill(killed, signal.SIGKILL)
            # The log of the server stays; what it answers is another thing as soon as the next process is up.
            wait_until(lambda: ends_told(tmp_path) == turn + 1)  # noqa: B023  called before the loop goes on
            load.wait_for(40)  # calls are answered meanwhile: the journal has their evidence
            wait_until(lambda: log_process(server.process.pid) not in {None, killed})  # noqa: B023
            wait_until(lambda: server.ready()[0] == 200)
        assert server.stop() == 0
        load.join()
        assert set(load.request_ids) <= recorded(tmp_path / "data")
        verify(tmp_path / "data", tmp_path)


def test_a_killed_server_leaves_no_log_process_behind(tmp_path):
    with DevServer(tmp_path / "data", tmp_path / "logs") as server:
        load = Load(server.client(), 4, "log")
        load.start()
        load.wait_for(100)
        wait_until(lambda: log_process(server.process.pid))
        left = log_process(server.process.pid)
        server.kill()
        wait_until(lambda: not runs(left))
        load.join()
    with DevServer(tmp_path / "data", tmp_path / "logs") as server:
        wait_until(lambda: sequenced(tmp_path / "data"))
        assert server.stop() == 0
    assert set(load.request_ids) <= recorded(tmp_path / "data")
    verify(tmp_path / "data", tmp_path)


def leader_of(server: DevServer) -> int:
    """The worker that has the log's process."""
    found: list[int] = []

    def led() -> bool:
        found.extend(worker for worker in children(server.process.pid) if log_process(worker))
        return bool(found)

    wait_until(led)
    return found[0]


def test_when_the_leader_is_killed_another_worker_has_the_log_written(tmp_path):
    with DevServer(tmp_path / "data", tmp_path / "logs", "--workers", "2") as server:
        loads = []
        for turn in range(2):
            load = Load(server.client(), 4, f"leader-{turn}")
            loads.append(load)
            load.start()
            load.wait_for(60)
            leader = leader_of(server)
            left = log_process(leader)
            os.kill(leader, signal.SIGKILL)
            wait_until(lambda: not runs(left))  # noqa: B023
            wait_until(lambda: leader_of(server) != leader)  # noqa: B023
        assert not Leader(tmp_path / "data").leads()
        assert server.stop() == 0
        for load in loads:
            load.join()
    assert {known for load in loads for known in load.request_ids} <= recorded(tmp_path / "data")
    with DevServer(tmp_path / "data", tmp_path / "logs") as server:
        wait_until(lambda: sequenced(tmp_path / "data"))
        assert server.stop() == 0
    verify(tmp_path / "data", tmp_path)
