"""The sequencer: every durable record of every journal is in the log, once, whatever fails and whenever."""

import json
import shutil

import pytest
from faulty_disk import one_after_the_other

from keystead.audit.acknowledged import acknowledged
from keystead.audit.disk import OsDisk
from keystead.audit.journal import Journal
from keystead.audit.log import MOST, Sequencer, expect_logged, leaf_of
from keystead.audit.logfiles import LogFiles
from keystead.audit.logkeys import LogKeys
from keystead.audit.reader import read_journal
from keystead.errors import JournalError, LogError
from keystead.tlog import open_checkpoint, root_of, tiles_of
from keystead.tlog.tile import ENTRIES, decode_bundle

KEYS = LogKeys("11111111-1111-4111-8111-111111111111", bytes(32), b"s" * 32)
ORIGIN = KEYS.origin(None)


def event(number):
    return json.dumps(
        {"eventID": f"{number:08d}-1111-4111-8111-111111111111", "eventName": "Encrypt"}
    ).encode()


def sequencer(root, disk=None, acknowledged=lambda _: None):
    return Sequencer(root, KEYS, acknowledged, disk=disk)


def logged(root):
    """All leaves, after checking that head, checkpoint and tiles agree."""
    files = LogFiles(root)
    head = files.head()
    assert (files.root / "checkpoint").read_text() == head.checkpoint
    checkpoint = open_checkpoint(head.checkpoint, [KEYS.signer(ORIGIN).key])
    assert root_of(checkpoint.size, files.read) == checkpoint.root
    bundles = [tile for tile in tiles_of(checkpoint.size) if tile.level == ENTRIES]
    return [leaf for tile in bundles for leaf in decode_bundle(files.read(tile), tile.width)]


def expected(root, *workers):
    return sorted(leaf_of(f, worker, KEYS.salts) for worker in workers for f in read_journal(root, worker))


@pytest.fixture
def journals(tmp_path):
    opened = [
        Journal.open(tmp_path, name, segment_size=1 << 16, prepare_ahead=False) for name in ("w0", "w1")
    ]
    yield opened
    for journal in opened:
        journal.abandon()


def test_journals_of_all_workers_are_merged_and_go_on(tmp_path, journals):
    first, second = journals
    one = sequencer(tmp_path)
    assert one.run() == 0
    for turn in range(40):
        first.append([event(n) for n in range(turn * 20, turn * 20 + 11)])
        second.append([event(n) for n in range(turn * 20 + 11, turn * 20 + 20)])
        assert one.run() == 20
        if turn % 7 == 0:
            one = sequencer(tmp_path)  # another process
    first.close()
    assert one.run() == 1  # its closing note
    assert one.run() == 0
    assert sorted(logged(tmp_path)) == expected(tmp_path, "w0", "w1")
    partial = [path for path in (tmp_path / "log").rglob("*.p/*") if path.is_file()]
    assert len(partial) == len([t for t in tiles_of(801) if t.width < 256])


def test_what_is_not_acknowledged_waits(tmp_path, journals):
    journals[0].append([event(1), event(2), event(3)])
    limits = {"w0": 2}
    one = sequencer(tmp_path, acknowledged=limits.get)
    assert one.run() == 2
    assert one.run() == 0
    limits["w0"] = 3
    assert one.run() == 1
    assert sorted(logged(tmp_path)) == expected(tmp_path, "w0")


def test_a_checkpoint_adds_so_many_records_at_most(tmp_path, journals):
    one = sequencer(tmp_path, acknowledged=lambda name: journals[name == "w1"].next_index)
    for journal, count in zip(journals, (5000, 4500), strict=True):
        journal.append([event(n) for n in range(count)])
    assert [one.step() for _ in range(3)] == [MOST, 9500 - MOST, 0]
    assert sorted(logged(tmp_path)) == expected(tmp_path, "w0", "w1")


class Failing(OsDisk):
    """Fails at its step number `at`, before or after it is carried out."""

    def __init__(self, at, *, persists):
        self.at, self.persists, self.steps = at, persists, 0

    def step(self, work):
        self.steps += 1
        if self.steps - 1 != self.at:
            return work()
        if self.persists:
            work()
        raise OSError(5, "fault")

    def create(self, path, size):
        return self.step(lambda: super(Failing, self).create(path, size))

    def move(self, old, new):
        self.step(lambda: super(Failing, self).move(old, new))


@pytest.mark.parametrize("persists", [False, True])
def test_every_write_of_the_sequencer_fails_once(tmp_path_factory, persists):
    at, failed = 0, True
    while failed:
        root = tmp_path_factory.mktemp("log")
        journal = Journal.open(root, "w0", segment_size=1 << 16, prepare_ahead=False)
        journal.append([event(n) for n in range(300)])
        disk = Failing(at, persists=persists)
        one = sequencer(root, disk)
        failed = False
        for _ in range(3):
            try:
                one.run()
            except OSError:
                failed = True
                one = one if at % 2 else sequencer(root, disk)  # goes on, or starts again after a crash
            journal.append([event(1000 + at)])
        disk.at = -1
        one.run()
        assert sorted(logged(root)) == expected(root, "w0")
        journal.abandon()
        at += 1
    assert at > 12


def test_a_log_that_does_not_fit_its_head_is_not_continued(tmp_path, journals):
    journals[0].append([event(1)])
    sequencer(tmp_path).run()
    tile = tmp_path / "log/tile/0/000.p/1"
    tile.write_bytes(bytes(32))
    journals[0].append([event(2)])
    with pytest.raises(LogError, match="edge"):
        sequencer(tmp_path).run()
    tile.unlink()
    with pytest.raises(LogError, match=r"log/tile/0/000\.p/1 is missing"):
        sequencer(tmp_path).run()


class Doubtful(OsDisk):
    """Runs `seen` between a group's write and its sync, and then loses the sync, if it is told to."""

    def __init__(self):
        self.seen = None

    def create(self, path, size):
        return DoubtfulFile(self, super().create(path, size))

    def open(self, path):
        return DoubtfulFile(self, super().open(path))


class DoubtfulFile:
    def __init__(self, disk, file):
        self.disk, self.file = disk, file
        self.write, self.read, self.close = file.write, file.read, file.close

    def sync(self):
        if self.disk.seen is not None:
            seen, self.disk.seen = self.disk.seen, None
            seen()
            raise OSError(5, "lost")
        self.file.sync()

    def write_through(self, data, offset):
        return one_after_the_other(self, data, offset)


def test_what_another_worker_may_still_give_up_is_not_in_the_log(tmp_path, journals):
    """The group can be read before its sync fails; then its numbers are used again."""
    disk = Doubtful()
    other = Journal.open(tmp_path, "w2", segment_size=1 << 16, prepare_ahead=False, disk=disk)
    one = sequencer(tmp_path, acknowledged=lambda worker: acknowledged(tmp_path, worker))
    other.append([event(1)])
    assert one.run() == 1
    disk.seen = one.run
    with pytest.raises(JournalError):
        other.append([event(2), event(3)])
    assert one.run() == 0
    other.reopen()
    other.append([event(4)])
    assert one.run() == 1
    other.close()
    assert one.run() == 1
    assert sorted(logged(tmp_path)) == expected(tmp_path, "w2")


def test_what_is_durable_of_a_dead_worker_is_in_the_log_once_somebody_took_its_place(tmp_path):
    journal = Journal.open(tmp_path, "w0", segment_size=1 << 16, prepare_ahead=False)
    journal.append([event(1)])
    journal._acknowledged.close()
    journal._acknowledged = None
    journal.append([event(2)])  # it is durable, and the machine stops before anybody is told
    journal.abandon()
    one = sequencer(tmp_path, acknowledged=lambda worker: acknowledged(tmp_path, worker))
    assert one.run() == 1
    journal = Journal.open(tmp_path, "w0", segment_size=1 << 16, prepare_ahead=False)
    assert one.run() == 1
    assert sorted(logged(tmp_path)) == expected(tmp_path, "w0")
    journal.abandon()


def test_nobody_has_told_of_a_journal_that_is_not_there(tmp_path):
    assert acknowledged(tmp_path, "w7") == 0


def cut_off(root, worker="w0"):
    for path in (root / "journal" / worker).glob("*.seg"):
        path.unlink()


def test_a_journal_that_is_shorter_than_the_log_knows_is_not_continued(tmp_path, journals):
    journals[0].append([event(1), event(2)])
    sequencer(tmp_path).run()
    journals[0].abandon()
    cut_off(tmp_path)
    with pytest.raises(LogError, match="journal w0: record 0 was in the log and is gone"):
        sequencer(tmp_path).run()
    journal = Journal.open(tmp_path, "w0", segment_size=1 << 16, prepare_ahead=False)
    with pytest.raises(JournalError, match="the log has 2 records of it, 0 are there"):
        expect_logged(tmp_path, journal)
    journal = Journal.open(tmp_path, "w0", segment_size=1 << 16, prepare_ahead=False)  # it was let go
    journal.append([event(3), event(4)])
    expect_logged(tmp_path, journal)
    journal.abandon()


def test_a_log_that_is_removed_under_the_server_is_not_begun_anew(tmp_path, journals):
    one = sequencer(tmp_path)
    journals[0].append([event(1)])
    one.run()
    shutil.rmtree(tmp_path / "log")
    journals[0].append([event(2)])
    for _ in range(2):
        with pytest.raises(LogError):
            one.run()
    assert not (tmp_path / "log/head").exists()


@pytest.mark.parametrize("count", [0, 1, 256])
def test_a_log_that_is_removed_while_nothing_comes_is_missed_and_goes_on_when_it_is_put_back(
    tmp_path, journals, count
):
    """Nothing is written into another directory from memory, with no record to add and with the next one."""
    one = sequencer(tmp_path)
    journals[0].append([event(number) for number in range(count)])
    one.run()
    (tmp_path / "log").rename(tmp_path / "elsewhere")
    with pytest.raises(LogError, match="log/head was removed or changed beside the server"):
        one.run()
    journals[0].append([event(count)])
    with pytest.raises(LogError, match="log/head is gone"):
        one.run()
    assert not (tmp_path / "log/head").exists()
    (tmp_path / "elsewhere").rename(tmp_path / "log")
    assert one.run() == 1
    assert sorted(logged(tmp_path)) == expected(tmp_path, "w0")


def test_an_older_log_that_is_put_back_under_the_server_is_not_continued(tmp_path, journals):
    """Others may have seen the newer one; several workers' records could come into another order."""
    one = sequencer(tmp_path)
    journals[0].append([event(1)])
    one.run()
    shutil.copytree(tmp_path / "log", tmp_path / "older")
    journals[0].append([event(2)])
    one.run()
    (tmp_path / "log").rename(tmp_path / "newer")
    (tmp_path / "older").rename(tmp_path / "log")
    with pytest.raises(LogError, match="log/head was removed or changed beside the server"):
        one.run()
    with pytest.raises(LogError, match="log/head is of 1 entries, 2 were published: it was put back"):
        one.run()
    shutil.rmtree(tmp_path / "log")
    (tmp_path / "newer").rename(tmp_path / "log")
    journals[0].append([event(3)])
    assert one.run() == 1


@pytest.mark.parametrize("missing", [["head"], ["head", "checkpoint"]])
def test_a_log_whose_head_is_missing_is_not_begun_anew(tmp_path, journals, missing):
    journals[0].append([event(1)])
    sequencer(tmp_path).run()
    for name in missing:
        (tmp_path / "log" / name).unlink()
    with pytest.raises(LogError, match="log/head is gone"):
        sequencer(tmp_path).run()


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe garbage"])
def test_a_checkpoint_that_is_damaged_is_written_again(tmp_path, journals, content):
    journals[0].append([event(1)])
    sequencer(tmp_path).run()
    path = tmp_path / "log/checkpoint"
    before = path.read_text()
    path.unlink() if content is None else path.write_bytes(content)
    sequencer(tmp_path).run()
    assert path.read_text() == before
