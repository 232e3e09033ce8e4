"""The journal on a real disk: what was appended is read back, and every change to it is noticed."""

import itertools
import os
import shutil
import tempfile
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keystead.audit import disk, reader
from keystead.audit.disk import OsDisk, OsFile
from keystead.audit.journal import Journal
from keystead.audit.segment import SECTOR, Kind, encode_header, genesis
from keystead.errors import JournalError

SMALL = 8 * SECTOR
few = settings(max_examples=30, deadline=None)
groups = st.lists(st.lists(st.binary(min_size=1, max_size=300), max_size=6), max_size=8)


def open_journal(root, size=SMALL, worker="w0"):
    return Journal.open(root, worker, segment_size=size, prepare_ahead=False)


def events(journal, start=0):
    return [payload for _, payload in journal.read(start)]


def newest(root, worker="w0"):
    return max((root / "journal" / worker).glob("*.seg"))


def used(root):
    """The journal's newest segment and how many of its bytes hold anything."""
    path = newest(root)
    data = path.read_bytes()
    return path, len(data.rstrip(b"\0"))


@given(groups=groups, size=st.sampled_from([3 * SECTOR, SMALL, 64 * SECTOR]), restarts=st.booleans())
@few
def test_what_was_appended_is_read_back_in_order(scratch, groups, size, restarts):
    with tempfile.TemporaryDirectory(dir=scratch) as name:
        journal = open_journal(Path(name), size)
        for group in groups:
            journal.append(group)
            if restarts:
                journal.abandon()
                journal = open_journal(Path(name), size)
                assert journal.recovered is None
        flat = [record for group in groups for record in group]
        assert events(journal) == flat
        assert [index for index, _ in journal.read()] == list(range(len(flat)))
        assert events(journal, len(flat) // 2) == flat[len(flat) // 2 :]
        assert journal.verify() == journal.next_index == len(flat)
        journal.close()
        assert [f.payload for f in reader.read_journal(Path(name), "w0") if f.kind is Kind.EVENT] == flat


def test_a_closed_journal_continues_where_it_ended(root):
    journal = open_journal(root)
    journal.append([b"one", b"two"])
    journal.close()
    journal = open_journal(root)
    journal.append([b"three"])
    assert list(journal.read()) == [(0, b"one"), (1, b"two"), (3, b"three")]
    assert [f.kind for f in journal.frames()] == [Kind.EVENT, Kind.EVENT, Kind.NOTE, Kind.EVENT]
    assert journal.recovered is None
    journal.close()


def test_the_tail_may_be_truncated_at_every_byte(root):
    journal = open_journal(root)
    journal.append([b"first"])
    journal.append([b"a" * 40, b"b" * 40, b"c" * 40])
    journal.abandon()
    path, length = used(root)
    whole = path.read_bytes()
    for cut in range(2 * SECTOR, length):
        for tail in (b"", bytes(len(whole) - cut), b"\xff" * (len(whole) - cut)):
            shutil.rmtree(root / "journal")
            path.parent.mkdir(parents=True)
            path.write_bytes(whole[:cut] + tail)
            again = open_journal(root)
            found = events(again)
            assert found == [b"first", b"a" * 40, b"b" * 40, b"c" * 40][: len(found)]
            assert found
            assert again.recovered is not None or not any(whole[cut:]) or cut == 2 * SECTOR
            again.append([b"after"])
            assert events(again) == [*found, b"after"]
            again.abandon()
            last = open_journal(root)
            assert events(last) == [*found, b"after"]
            assert last.recovered is None
            last.abandon()


def test_a_cut_is_noted_in_the_first_record_after_it_and_the_torn_bytes_are_kept(root):
    journal = open_journal(root)
    journal.append([b"kept"])
    journal.append([b"torn"])
    journal.abandon()
    path, length = used(root)
    data = bytearray(path.read_bytes())
    data[length - 1] ^= 1
    path.write_bytes(data)
    journal = open_journal(root)
    assert journal.recovered.segment == "00000000.seg"
    kept, note = journal.frames()
    assert kept.payload == b"kept"
    assert note.kind is Kind.NOTE
    assert b'"note":"cut","segment":"00000000.seg"' in note.payload
    assert path.read_bytes() == data
    assert newest(root).name == "00000001.seg"
    journal.close()


def test_every_flipped_byte_is_detected(root):
    journal = open_journal(root)
    journal.append([b"one", b"two"])
    journal.append([b"three" * 30])
    journal.close()
    path, length = used(root)
    whole = path.read_bytes()
    closing = length // SECTOR * SECTOR
    for place in range(length):
        damaged = bytearray(whole)
        damaged[place] ^= 0x10
        path.write_bytes(damaged)
        if place < closing:
            with pytest.raises(JournalError, match=r"00000000\.seg: .* offset \d+"):
                open_journal(root)
        else:
            again = open_journal(root)
            assert again.recovered is not None
            assert events(again) == [b"one", b"two", b"three" * 30]
            again.abandon()
            newest(root).unlink()


def test_a_flipped_byte_in_an_older_segment_is_found_when_read(root):
    journal = open_journal(root, 3 * SECTOR)
    for number in range(6):
        journal.append([b"%d" % number * 400])
    first = min(path for path in newest(root).parent.glob("*.seg"))
    data = bytearray(first.read_bytes())
    data[SECTOR + 200] ^= 1
    first.write_bytes(data)
    with pytest.raises(JournalError, match=r"00000000\.seg: the chain is broken at offset 600"):
        journal.verify()
    assert events(journal, 4) == [b"4" * 400, b"5" * 400]
    journal.abandon()


@pytest.mark.parametrize("missing", [0, 1])
def test_a_missing_segment_is_detected(root, missing):
    journal = open_journal(root, 3 * SECTOR)
    for number in range(4):
        journal.append([b"%d" % number * 900])
    journal.abandon()
    (root / "journal" / "w0" / f"{missing:08d}.seg").unlink()
    if missing:
        with pytest.raises(JournalError, match="does not follow"):
            open_journal(root, 3 * SECTOR)
    else:  # the oldest ones may have been archived
        journal = open_journal(root, 3 * SECTOR)
        assert events(journal)[0] == b"1" * 900
        journal.abandon()


def test_a_segment_of_another_worker_is_refused(root):
    for worker in ("w0", "w1"):
        open_journal(root, worker=worker).close()
    shutil.copy(newest(root, "w1"), newest(root, "w0"))
    with pytest.raises(JournalError, match="of worker w1"):
        open_journal(root)


def test_a_newer_format_is_refused(root):
    open_journal(root).close()
    path = newest(root)
    header = bytearray(path.read_bytes()[:SECTOR])
    header[11] = 3
    header[104:136] = sha256(header[:104]).digest()
    path.write_bytes(header + path.read_bytes()[SECTOR:])
    with pytest.raises(JournalError, match="format 3"):
        open_journal(root)


def test_the_anchor_is_kept_over_restarts_and_new_segments(root):
    journal = open_journal(root, 3 * SECTOR)
    assert journal.anchor == 0
    journal.append([b"one"], 7)
    journal.append([b"two" * 200], 9)
    journal.append([b"three" * 100], 8)
    journal.append([b"four"])
    assert journal.anchor == 9
    for _ in range(2):
        journal.abandon()
        journal = open_journal(root, 3 * SECTOR)
        assert journal.anchor == 9
    journal.reopen()
    journal.abandon()
    journal = open_journal(root, 3 * SECTOR)
    assert journal.anchor == 9
    journal.close()


def test_two_writers_exclude_each_other(root):
    journal = open_journal(root)
    with pytest.raises(JournalError, match="another process"):
        open_journal(root)
    journal.close()
    open_journal(root).close()


def test_who_only_asks_whether_somebody_writes_keeps_nobody_from_writing(root, monkeypatch):
    open_journal(root).close()
    place = root / "journal" / "w0"
    asked = disk.Lock(place, asking=True)
    disk.Lock(place, asking=True).release()
    monkeypatch.setattr(disk, "sleep", lambda _: asked.release())  # the moment passes while the writer waits
    open_journal(root).close()


def test_a_group_that_comes_while_a_journal_is_read_does_not_make_it_look_broken(root):
    """Who reads beside a writer may see the end of what is written before its beginning."""

    class TornOnce(OsFile):
        torn = False

        def read(self, length, offset):
            data = super().read(length, offset)
            if length == SECTOR or TornOnce.torn:
                return data
            TornOnce.torn = True
            return data[:SECTOR] + bytes(SECTOR) + data[2 * SECTOR :]

    class Beside(OsDisk):
        def open(self, path):
            return TornOnce(os.open(path, os.O_RDONLY))

    journal = open_journal(root)
    for text in (b"one", b"two"):
        journal.append([text])
    found = [frame.payload for frame in reader.read_journal(root, "w0", disk=Beside())]
    journal.close()
    assert (found, TornOnce.torn) == ([b"one", b"two"], True)


def test_a_record_that_does_not_fit_is_refused_and_nothing_written(root):
    journal = open_journal(root)
    for bad in (b"", bytes(journal.longest_record + 1)):
        with pytest.raises(ValueError):
            journal.append([b"good", bad])
    journal.append([b"x" * journal.longest_record])
    assert events(journal) == [b"x" * journal.longest_record]
    journal.close()


def test_where_writing_and_syncing_at_once_is_not_known_it_is_done_one_after_the_other(root, monkeypatch):
    monkeypatch.setattr(OsFile, "through", 1 << 30)  # a flag that no kernel knows
    journal = open_journal(root)
    journal.append([b"a", b"b"])
    assert OsFile.through == 0
    journal.append([b"c"])
    assert events(journal) == [b"a", b"b", b"c"]


@pytest.mark.parametrize("size", [SECTOR, 1 << 16, (1 << 20) + SECTOR, 3 << 20])
def test_a_new_segment_is_zeros_that_are_all_synced(tmp_path, monkeypatch, size):
    steps = []

    class Seen(OsFile):
        def write(self, data, offset):
            steps.append(offset + len(data))
            return super().write(data, offset)

        def sync(self):
            steps.append("synced")
            super().sync()

    monkeypatch.setattr(disk, "OsFile", Seen)
    OsDisk().create(tmp_path / "segment", size).close()
    assert (tmp_path / "segment").read_bytes() == bytes(size)
    assert steps[-2:] == [size, "synced"]
    ends = [0, *(before for before, step in itertools.pairwise(steps) if step == "synced")]
    assert all(after - before <= 1 << 20 for before, after in itertools.pairwise(ends)), (
        "nobody waits long beside it"
    )


@pytest.mark.parametrize("worker", ["", "../up", "a/b", "x" * 33, "ä"])
def test_bad_workers_are_refused(root, worker):
    with pytest.raises(ValueError):
        Journal.open(root, worker)


def test_files_are_the_owners_only(root):
    journal = Journal.open(root, "w0", segment_size=SMALL)
    journal.append([b"x"])
    journal.close()
    directory = root / "journal" / "w0"
    assert [path.stat().st_mode & 0o777 for path in sorted(directory.iterdir())] == [0o600] * 3
    assert directory.stat().st_mode & 0o777 == 0o700


def test_the_next_segment_is_prepared_ahead(root):
    journal = Journal.open(root, "w0", segment_size=3 * SECTOR)
    for number in range(20):
        journal.append([b"%02d" % number * 300])
    assert len(events(journal)) == 20
    journal.close()
    assert (root / "journal" / "w0" / "spare").read_bytes() == bytes(3 * SECTOR)


def test_a_live_journal_can_be_read_beside_its_writer(root):
    journal = open_journal(root)
    journal.append([b"one"])
    assert [f.payload for f in reader.read_journal(root, "w0")] == [b"one"]
    assert list(reader.read_journal(root, "nobody")) == []
    journal.close()


def test_a_payload_that_looks_like_a_marker_does_not_fool_recovery(root):
    """Only a group's start at a sector's start counts, and it must prove itself."""
    journal = open_journal(root)
    journal.append([b"first"])
    journal.append(
        [encode_header(reader.headers(OsDisk(), root / "journal" / "w0", "w0")[0]) + genesis("w0")]
    )
    journal.abandon()
    path, length = used(root)
    path.write_bytes(path.read_bytes()[: length - 1].ljust(SMALL, b"\0"))
    journal = open_journal(root)
    assert events(journal) == [b"first"]
    assert journal.recovered is not None
    journal.close()
