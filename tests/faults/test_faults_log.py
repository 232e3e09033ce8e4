"""Every write of the log fails in every way; the machine stops before every write; and the log is whole afterwards."""

import json
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from faulty_disk import MODES, FaultyDisk

from keystead.audit.journal import Journal
from keystead.audit.log import Sequencer
from keystead.audit.logkeys import LogKeys
from keystead.audit.verify import check_log
from keystead.errors import OperatorError

KEYS = LogKeys("11111111-1111-4111-8111-111111111111", bytes(32), b"s" * 32)
TURNS = 3


@pytest.fixture(scope="module")
def scratch():
    """Where syncing costs nothing, if the host has such a place."""
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=place) as name:
        yield Path(name)


def event(number):
    return json.dumps(
        {"eventID": f"{number:08d}-1111-4111-8111-111111111111", "eventName": "Encrypt"}
    ).encode()


class Log:
    """A journal, and its log, which is written turn by turn: at the third a bundle is full."""

    def __init__(self, root, disk):
        self.root, self.disk = root, disk
        self.journal = Journal.open(root, "w0", segment_size=1 << 16, prepare_ahead=False)
        self.failures = 0
        self.sequencer = self.fresh()

    def fresh(self):
        return Sequencer(self.root, KEYS, lambda _: None, disk=self.disk)

    def work(self, *, restarting):
        for turn in range(TURNS):
            self.journal.append([event(turn * 100 + n) for n in range(100)])
            try:
                self.sequencer.run()
            except (OSError, OperatorError):
                self.failures += 1
                if restarting:
                    self.sequencer = self.fresh()

    def check(self):
        self.sequencer.run()
        checked = check_log(self.root, KEYS)
        assert (checked.entries, checked.waiting, checked.findings) == (TURNS * 100, 0, ())


@pytest.fixture(scope="module")
def steps(scratch):
    disk = FaultyDisk()
    log = Log(scratch / "counted", disk)
    log.work(restarting=False)
    log.check()
    log.journal.abandon()
    return range(disk.steps)


@pytest.mark.parametrize("mode", MODES)
def test_every_step_of_the_disk_fails_once(scratch, steps, mode):
    """After half of the failures the same process goes on, after the others a new one starts."""
    assert len(steps) >= 40
    for step in steps:
        with tempfile.TemporaryDirectory(dir=scratch) as name:
            log = Log(Path(name), FaultyDisk({step: mode}))
            log.work(restarting=bool(step % 2))
            assert log.failures, f"step {step} failed unnoticed"
            log.disk.heal()
            log.check()
            log.journal.abandon()


def test_the_machine_stops_before_every_step(scratch):
    """What was not synced is there or not. Either way what is there is sound, and a start completes it."""
    with tempfile.TemporaryDirectory(dir=scratch) as name:
        base = Path(name)
        images = []

        def remember(file):
            for keep_unsynced in (True, False):
                image = base / f"crash-{len(images)}"
                shutil.copytree(base / "live", image)
                if not keep_unsynced and file is not None:
                    drop_unsynced(file, base / "live", image)
                images.append(image)

        disk = FaultyDisk()
        log = Log(base / "live", disk)
        disk.before_each = remember
        log.work(restarting=False)
        log.journal.abandon()
        assert len(images) >= 80
        for image in images:
            left = check_log(image, KEYS)
            assert left.findings == ()
            Sequencer(image, KEYS, lambda _: None).run()
            checked = check_log(image, KEYS)
            assert (checked.waiting, checked.findings) == (0, ())
            assert checked.entries >= left.entries


def drop_unsynced(file, live, image):
    path = image / file.path.relative_to(live)
    if path.exists():
        data = bytearray(path.read_bytes())
        for offset, before in reversed(file.unsynced):  # of what is longer than it was, the end goes below
            data[offset : offset + len(before)] = before
        path.write_bytes(data[: file.synced_size])
