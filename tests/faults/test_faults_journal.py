"""Every write of the evidence fails in every way, at every point; the machine stops at every point.

Whatever happens: what was acknowledged is in the journal, nothing is there twice, and a change is
stored exactly if its event is journaled (once the worker has recovered).
"""

import errno
import os
import shutil
import tempfile
from collections import deque
from pathlib import Path

import msgspec
import pytest
from faulty_disk import LOST, MODES, PERSISTED, SHORT, FaultyDisk, FaultyFile
from hypothesis import given, settings
from hypothesis import strategies as st

from keystead.audit.commit import Committer, Submission
from keystead.audit.disk import OsDisk
from keystead.audit.journal import Journal
from keystead.audit.segment import SECTOR
from keystead.errors import JournalError, StorageUnavailable
from keystead.storage.memory import MemoryBackend
from keystead.storage.store import Store
from keystead.storage.table import Table

TURNS = 8


class Thing(msgspec.Struct, frozen=True):
    value: int


THINGS = Table("things", Thing)
ROOT = bytes(32)


@pytest.fixture(scope="module")
def scratch():
    """Where syncing costs nothing, if the host has such a place: these tests sync ten thousand times."""
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=place) as name:
        yield Path(name)


class FaultyBackend(MemoryBackend):
    def __init__(self):
        super().__init__()
        self.faults = {}
        self.commits = 0

    def commit(self, batch):
        fault = self.faults.pop(self.commits, None)
        self.commits += 1
        if fault == LOST:
            raise StorageUnavailable(fault)
        super().commit(batch)
        if fault is not None:
            raise StorageUnavailable(fault)

    def copied(self):
        twin = FaultyBackend()
        twin._values, twin._keys = dict(self._values), list(self._keys)
        twin._generation = self._generation
        return twin


def open_journal(root, disk=None):
    return Journal.open(root, "w0", segment_size=5 * SECTOR, disk=disk, prepare_ahead=False)


class Worker:
    """A worker's writer, driven turn by turn."""

    def __init__(self, root, disk=None, backend=None):
        self.root, self.disk = root, disk
        self.backend = backend or FaultyBackend()
        self.store = Store.open(self.backend, ROOT) if backend else Store.create(self.backend, ROOT)
        self.journal = open_journal(root, disk)
        self.calls = deque()
        self.committer = Committer(self.store, self.journal, self.calls.append)
        self.acknowledged, self.refused = [], []

    def submit(self, name, *, change):
        # As of a call that is told to two accounts.
        records = tuple(text.encode().ljust(150, b".") for text in (name, f"copy of {name}"))
        transaction = None
        if change:
            transaction = self.store.transaction()
            transaction.put(THINGS, name, Thing(1))

        def done(error):
            if error is None:
                self.acknowledged.extend(records)
            else:
                self.refused.append(records[0])

        self.committer.submit(Submission(records, transaction, done))

    def turn(self):
        self.committer._turn()
        while self.calls:
            self.calls.popleft()()

    def work(self):
        for number in range(TURNS):
            self.submit(f"read {number}", change=False)
            if number % 3 != 2:
                self.submit(f"change {number}", change=True)
                self.submit(f"change {number} too", change=True)
            self.turn()

    def settle(self):
        """Whatever failed is repaired; the next calls bring the worker back."""
        if self.disk is not None:
            self.disk.heal()
        self.backend.faults = {}
        for number in range(2):
            self.submit(f"after {number}", change=True)
            self.turn()
        assert self.committer.state == "ok"
        assert self.acknowledged[-1].startswith(b"copy of after 1")

    def check(self):
        check(self.store, self.journal, self.acknowledged)


def check(store, journal, acknowledged):
    events = [event for _, event in journal.read()]
    assert len(set(events)) == len(events), "an event is journaled twice"
    assert [event for event in events if event in set(acknowledged)] == acknowledged
    stored = {name for name, _ in store.transaction().scan(THINGS, "")}
    told = {event.decode().rstrip(".") for event in events}
    copies = {name.removeprefix("copy of ") for name in told if name.startswith("copy of ")}
    told -= {f"copy of {name}" for name in copies}
    assert {name for name in told if not name.startswith("read")} == stored
    assert {name for name in copies if not name.startswith("read")} == stored, "a change is told to one only"


def restart(root, backend, acknowledged):
    """A new process on what is there."""
    store, journal = Store.open(backend, ROOT), open_journal(root)
    try:
        Committer(store, journal, lambda _: None).recover()
        check(store, journal, acknowledged)
        journal.append([b"the next one"])
        assert [event for _, event in journal.read()][-1] == b"the next one"
    finally:
        journal.abandon()


def steps_of_work(root):
    worker = Worker(root, FaultyDisk())
    first = worker.disk.steps
    worker.work()
    worker.journal.abandon()
    assert worker.refused == []
    return range(first, worker.disk.steps), worker.backend.commits


@pytest.mark.parametrize("mode", MODES)
def test_every_step_of_the_disk_fails_once(scratch, mode):
    with tempfile.TemporaryDirectory(dir=scratch) as name:
        steps, _ = steps_of_work(Path(name))
    assert len(steps) >= 30
    for step in steps:
        with tempfile.TemporaryDirectory(dir=scratch) as name:
            worker = Worker(Path(name), FaultyDisk({step: mode}))
            worker.work()
            assert worker.refused, f"step {step} failed unnoticed"
            worker.settle()
            worker.check()
            worker.journal.abandon()
            restart(worker.root, worker.backend.copied(), worker.acknowledged)


@pytest.mark.parametrize("mode", MODES)
def test_the_process_ends_right_after_every_failure(scratch, mode):
    with tempfile.TemporaryDirectory(dir=scratch) as name:
        steps, _ = steps_of_work(Path(name))
    for step in steps:
        with tempfile.TemporaryDirectory(dir=scratch) as name:
            worker = Worker(Path(name), FaultyDisk({step: mode}))
            while not worker.refused:
                worker.work()
            worker.journal.abandon()
            restart(worker.root, worker.backend.copied(), worker.acknowledged)


@pytest.mark.parametrize("mode", [LOST, PERSISTED])
def test_every_commit_of_the_store_fails_once(scratch, mode):
    with tempfile.TemporaryDirectory(dir=scratch) as name:
        _, commits = steps_of_work(Path(name))
    for commit in range(1, commits):
        with tempfile.TemporaryDirectory(dir=scratch) as name:
            worker = Worker(Path(name))
            worker.backend.faults = {commit: mode}
            worker.work()
            assert worker.refused
            worker.settle()
            worker.check()
            worker.journal.abandon()
            restart(worker.root, worker.backend.copied(), worker.acknowledged)


faults = st.dictionaries(st.integers(0, 60), st.sampled_from([LOST, PERSISTED, SHORT]), max_size=6)
commit_faults = st.dictionaries(st.integers(1, 12), st.sampled_from([LOST, PERSISTED]), max_size=4)


@given(disk=faults, backend=commit_faults)
@settings(max_examples=80, deadline=None)
def test_several_failures_of_disk_and_store(scratch, disk, backend):
    with tempfile.TemporaryDirectory(dir=scratch) as name:
        worker = Worker(Path(name), FaultyDisk())
        worker.disk.faults = {worker.disk.steps + step: mode for step, mode in disk.items()}
        worker.backend.faults = dict(backend)
        worker.work()
        worker.settle()
        worker.check()
        worker.journal.abandon()
        restart(worker.root, worker.backend.copied(), worker.acknowledged)


def test_the_machine_stops_before_every_step(scratch):
    """What was not synced is there or not; either is a state to start from."""
    with tempfile.TemporaryDirectory(dir=scratch) as name:
        base = Path(name)
        crashes = []

        def remember(file):
            for keep_unsynced in (True, False):
                image = base / f"crash-{len(crashes)}"
                shutil.copytree(base / "live", image)
                if not keep_unsynced and file is not None:
                    drop_unsynced(file, image)
                crashes.append((image, worker.backend.copied(), list(worker.acknowledged)))

        worker = Worker(base / "live", FaultyDisk())
        worker.disk.before_each = remember
        worker.work()
        worker.journal.abandon()
        assert len(crashes) >= 60
        for image, backend, acknowledged in crashes:
            restart(image, backend, acknowledged)


def drop_unsynced(file, image):
    path = image / "journal" / "w0" / file.path.name
    if not path.exists():
        path = max(path.parent.glob("*.seg"))  # it has got its name since
    data = bytearray(path.read_bytes())
    for offset, before in reversed(file.unsynced):
        data[offset : offset + len(before)] = before
    path.write_bytes(data)


@pytest.mark.parametrize("mode", MODES)
def test_every_step_of_a_start_fails_once(scratch, mode):
    with tempfile.TemporaryDirectory(dir=scratch) as name:
        source = Path(name) / "source"
        journal = open_journal(source)
        journal.append([b"kept"])
        journal.append([b"torn" * 100])
        journal.abandon()
        path = source / "journal" / "w0" / "00000000.seg"
        os.truncate(path, 3 * SECTOR)
        for fresh in (False, True):
            disk = FaultyDisk()
            again = copy_of(source, fresh=fresh)
            open_journal(again, disk).abandon()
            for step in range(disk.steps):
                again = copy_of(source, fresh=fresh)
                with pytest.raises(JournalError):
                    open_journal(again, FaultyDisk({step: mode}))
                journal = open_journal(again)
                journal.append([b"more"])
                assert [event for _, event in journal.read()] == ([] if fresh else [b"kept"]) + [b"more"]
                journal.abandon()


def copy_of(source, *, fresh):
    again = source.parent / "again"
    shutil.rmtree(again, ignore_errors=True)
    if not fresh:
        shutil.copytree(source, again)
    return again


class ForgettingFile(FaultyFile):
    """After a failed sync the kernel shows pages as clean that never reached the disk."""

    def sync(self):
        if self.disk.step(self) is not None:
            self.disk.shown_only += self.unsynced
            raise OSError(errno.EIO, "lost, though it can be read")
        synced = [(offset, offset + len(before)) for offset, before in self.unsynced]
        self.unsynced = []
        self.disk.shown_only = [
            (offset, before)
            for offset, before in self.disk.shown_only
            if not any(start <= offset and offset + len(before) <= end for start, end in synced)
        ]


def test_what_only_the_page_cache_showed_is_not_relied_on(scratch):
    """A sync fails, the process ends, a new one starts, and then the machine stops."""
    with tempfile.TemporaryDirectory(dir=scratch) as name:
        worker = Worker(Path(name), FaultyDisk())
        path = Path(name) / "journal" / "w0" / "00000000.seg"
        disk = worker.disk
        disk.shown_only = []
        worker.journal._file = ForgettingFile(disk, OsDisk().open(path), path)
        disk.faults = {disk.steps + 1: LOST}
        worker.submit("change", change=True)
        worker.turn()
        assert len(worker.refused) == len(disk.shown_only) == 1
        worker.journal.abandon()

        disk.open = lambda path: ForgettingFile(disk, OsDisk().open(path), path)
        journal = open_journal(Path(name), disk)
        Committer(Store.open(worker.backend, ROOT), journal, lambda _: None).recover()
        journal.abandon()

        data = bytearray(path.read_bytes())
        for offset, before in disk.shown_only:
            data[offset : offset + len(before)] = before
        path.write_bytes(data)
        restart(Path(name), worker.backend, [])


def test_a_segments_name_is_durable_before_it_is_written_to(scratch):
    """The process ends between a segment's renaming and its directory's sync; the next one finds the name."""
    with tempfile.TemporaryDirectory(dir=scratch) as name:
        steps, _ = steps_of_work(Path(name) / "trial")
        for step in steps:
            disk = FaultyDisk({step: LOST})
            worker = Worker(Path(name) / str(step), disk)
            while not worker.refused:
                worker.work()
            worker.journal.abandon()
            journal = open_journal(worker.root, disk)
            assert not disk.unsynced_names
            journal.abandon()


def test_while_the_disk_is_full_calls_are_refused_and_then_accepted(scratch):
    with tempfile.TemporaryDirectory(dir=scratch) as name:
        worker = Worker(Path(name), FaultyDisk())
        worker.work()
        worker.disk.full = True
        for number in range(3):
            worker.submit(f"full {number}", change=True)
            worker.turn()
            assert worker.committer.state.startswith("journal failed: ")
        assert [event[:6] for event in worker.refused] == [b"full 0", b"full 1", b"full 2"]
        worker.disk.heal()
        worker.committer.probe()
        worker.turn()
        assert worker.committer.state == "ok"
        worker.settle()
        worker.check()
        worker.journal.abandon()


def test_during_an_attempt_to_recover_calls_are_refused_at_once(scratch):
    with tempfile.TemporaryDirectory(dir=scratch) as name:
        worker = Worker(Path(name), FaultyDisk())
        worker.disk.full = True
        worker.submit("first", change=False)
        worker.turn()
        during = []

        def meanwhile(_file):
            worker.disk.before_each = None
            worker.submit("meanwhile", change=False)
            during.append(worker.calls.copy())
            worker.calls.pop()()

        worker.disk.before_each = meanwhile
        worker.submit("the attempt", change=False)
        worker.turn()
        assert len(during) == 1
        assert [event.rstrip(b".") for event in worker.refused] == [b"first", b"meanwhile", b"the attempt"]
        worker.settle()
        worker.check()
        worker.journal.abandon()
