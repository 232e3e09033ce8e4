"""The sequencer: every durable record of every journal is in the log, once, whatever fails and whenever."""

import json

import pytest

from keystead.audit.custody import LogKeys
from keystead.audit.disk import OsDisk
from keystead.audit.journal import Journal
from keystead.audit.log import Sequencer, leaf_of
from keystead.audit.logfiles import LogFiles
from keystead.audit.reader import read_journal
from keystead.errors import LogError
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

    def rename(self, old, new):
        self.step(lambda: super(Failing, self).rename(old, new))


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
