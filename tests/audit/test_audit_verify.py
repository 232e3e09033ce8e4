"""Whatever somebody does to journals, entries, tiles, head or checkpoint is found, and named."""

import base64
import json
import shutil

import pytest

from keystead.audit.journal import Journal
from keystead.audit.log import Sequencer
from keystead.audit.logfiles import LogFiles
from keystead.audit.logkeys import LogKeys
from keystead.audit.segment import Kind
from keystead.audit.verify import LogChecked, check_log
from keystead.tlog import Checkpoint, Tile, append, sign_checkpoint
from keystead.tlog.tile import ENTRIES, decode_bundle, encode_bundle

KEYS = LogKeys("11111111-1111-4111-8111-111111111111", bytes(32), b"s" * 32)
OTHER = LogKeys(KEYS.deployment, b"1" * 32, b"s" * 32)
RECORDS = 1400


def event(number):
    return json.dumps(
        {"eventID": f"{number:08d}-1111-4111-8111-111111111111", "eventName": "Encrypt"}
    ).encode()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Two journals of 700 records in turns, and their log: five full bundles, a level above them."""
    root = tmp_path_factory.mktemp("whole")
    journals = [Journal.open(root, name, segment_size=1 << 15, prepare_ahead=False) for name in ("w0", "w1")]
    sequencer = Sequencer(root, KEYS, lambda _: None)
    for turn in range(70):
        for number, journal in enumerate(journals):
            journal.append([event((turn * 2 + number) * 10 + n) for n in range(10)])
        sequencer.run()
        if turn == 30:
            (root / "kept").write_text((root / "log/checkpoint").read_text())
    for journal in journals:
        journal.abandon()
    return root


@pytest.fixture
def root(whole, tmp_path):
    copy = tmp_path / "data"
    for path in whole.rglob("*"):
        target = copy / path.relative_to(whole)
        if path.is_dir():
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    return copy


def findings(root, **how):
    return list(check_log(root, KEYS, **how).findings)


def edit(root, number, change):
    """Change the entries of a bundle as `change` says."""
    path = root / "log" / Tile(ENTRIES, number).path
    path.write_bytes(encode_bundle(change(decode_bundle(path.read_bytes(), 256))))


def flip(path, at):
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(bytes(data))


def test_a_log_as_it_was_written_is_in_order(root):
    checked = check_log(root, KEYS, kept={"kept": (root / "kept").read_text()})
    assert (checked.entries, checked.waiting, checked.pruned, checked.findings) == (RECORDS, 0, 0, ())


def test_there_is_none_before_a_server_ran(tmp_path):
    assert check_log(tmp_path, KEYS) == LogChecked(0, 0, 0, ())


def test_records_that_wait_are_counted_and_heard(root):
    journal = Journal.open(root, "w0", segment_size=1 << 15, prepare_ahead=False)
    journal.append([event(90_000), event(90_001)])
    journal.abandon()
    heard = []
    checked = check_log(root, KEYS, visit=lambda *seen: heard.append(seen))
    assert (checked.waiting, checked.findings) == (2, ())
    assert [number for number, *_ in heard[:-2]] == list(range(RECORDS))
    assert all(leaf is not None and frame is not None for _, _, leaf, frame in heard[:-2])
    assert [(number, worker, leaf, frame.index) for number, worker, leaf, frame in heard[-2:]] == [
        (None, "w0", None, 700),
        (None, "w0", None, 701),
    ]


def test_an_edited_entry_is_named(root):
    edit(root, 2, lambda entries: [*entries[:7], entries[7].replace(b"Encrypt", b"Decrypt"), *entries[8:]])
    found = findings(root)
    assert found[0].startswith("entry 519 (number 7 in log/tile/entries/002) is not what record ")
    assert found[0].endswith("gives: the entry was changed")
    assert found[1:] == [
        "log/tile/1/000.p/5: hash 2 is not that of what is below it",
        "the tree of all entries has another root than log/head signed",
    ]


def test_exchanged_entries_are_named(root):
    edit(root, 1, lambda entries: [entries[1], entries[0], *entries[2:]])
    found = findings(root)
    assert found[0].startswith("entry 256 is of record ")
    assert any("which has an entry already, or is not in its order" in line for line in found)
    assert not any("the tile was changed" in line for line in found)
    assert found[-1] == "the tree of all entries has another root than log/head signed"


def test_entries_that_are_no_json_are_named(root):
    edit(root, 0, lambda entries: [b"x" * len(entries[0]), *entries[1:]])
    assert findings(root)[0] == "entry 0 (number 0 in log/tile/entries/000) is not an entry"


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("tile/entries/003", "log/tile/entries/003 is missing"),
        ("tile/0/003", "log/tile/0/003 is missing"),
        ("tile/1/000.p/5", "log/tile/1/000.p/5 is missing"),
        ("checkpoint", "log/checkpoint is missing"),
        ("head", "log/head is missing, though there is a log"),
    ],
)
def test_a_missing_file_is_named_and_nothing_else(root, file, line):
    (root / "log" / file).unlink()
    assert findings(root) == [line]


def test_a_missing_bundle_and_its_tile_leave_the_root_unproved(root):
    for kind in ("entries", "0"):
        (root / "log/tile" / kind / "003").unlink()
    assert findings(root) == [
        "log/tile/0/003 is missing",
        "log/tile/entries/003 is missing",
        "entries 768 to 1023 and their hashes are lost: there is no root to compare",
    ]


def test_a_flipped_bit_in_any_file_is_found(root):
    for path in sorted(path for path in (root / "log").rglob("*") if path.is_file()):
        for at in (0, path.stat().st_size // 2, path.stat().st_size - 1):
            flip(path, at)
            name = path.relative_to(root).as_posix()
            found = findings(root)
            assert any(name in line for line in found), (name, at, found)
            flip(path, at)
    assert findings(root) == []


def test_a_truncated_tile_and_bundle_are_named(root):
    for kind in ("entries", "0"):
        path = root / "log/tile" / kind / "002"
        path.write_bytes(path.read_bytes()[:-1])
    found = findings(root)
    assert "log/tile/0/002: a tile has another size than its name says" in found
    assert "log/tile/entries/002: a bundle ends too early: entries 512 to 767 cannot be read" in found


def segments(root, worker):
    return sorted((root / "journal" / worker).glob("*.seg"))


def test_a_deleted_segment_is_named_by_its_records_and_their_entries(root):
    segments(root, "w1")[0].unlink()
    (line,) = findings(root)
    assert line.startswith("journal w1: record 0 to ")
    assert " is gone; in the log it is entry 10 to " in line


def test_what_was_pruned_need_not_be_there(root):
    segments(root, "w1")[0].unlink()
    checked = check_log(root, KEYS, pruned={"w1": 700})
    assert checked.findings == ()
    assert 0 < checked.pruned < 700


def test_a_deleted_journal_is_named(root):
    for path in segments(root, "w0"):
        path.unlink()
    assert findings(root) == ["journal w0: record 0 to 699 is gone; in the log it is entry 0 to 1389"]


def test_newest_records_that_were_cut_off_are_named(root):
    newest = segments(root, "w0")[-1]
    newest.unlink()
    (line,) = findings(root)
    assert line.startswith("journal w0: record ")
    assert " to 699 is gone; in the log it is entry " in line
    assert line.endswith(" to 1389")


def test_a_journal_that_was_written_anew_is_found(root):
    """Its chain is sound: only the log knows that its records are others."""
    for path in segments(root, "w0"):
        path.unlink()
    journal = Journal.open(root, "w0", segment_size=1 << 15, prepare_ahead=False)
    journal.append([event(500_000 + n) for n in range(700)])
    journal.abandon()
    found = findings(root)
    assert len(found) == 700
    assert found[0].startswith(
        "entry 0 (number 0 in log/tile/entries/000) is not what record 0 of journal w0"
    )


def test_a_broken_chain_ends_the_comparison_of_that_journal_only(root):
    flip(segments(root, "w0")[1], 5000)
    (line,) = findings(root)
    assert line.startswith("journal w0: journal segment 00000001.seg: the chain is broken at offset ")


def forged(root, keys, change):
    """The log written anew over other entries, signed by `keys`."""
    files = LogFiles(root)
    entries = [e for n in range(5) for e in decode_bundle(files.read(Tile(ENTRIES, n)), 256)]
    entries += decode_bundle(files.read(Tile(ENTRIES, 5, 120)), 120)
    growth = append(0, None, change(entries))
    files.write(growth.writes)
    head = files.head()
    origin = keys.origin(None)
    note = sign_checkpoint(Checkpoint(origin, growth.size, growth.root), keys.signer(origin))
    return files, type(head)(note, head.journals)


def test_a_log_that_was_signed_by_somebody_else_is_found(root):
    files, head = forged(root, OTHER, lambda entries: entries)
    files.publish(head)
    assert findings(root) == ["log/head: no signature by a key that is trusted here"]


def test_an_entry_without_a_record_is_found_though_the_key_signed_it(root):
    files, head = forged(
        root,
        KEYS,
        lambda entries: [*entries, entries[-1].replace(b'"index":699', b'"index":700')],
    )
    files.publish(head)
    assert findings(root)[:2] == [
        "log/head has come to record 700 of journal w1, the entries to 701",
        "journal w1: record 700 is gone; in the log it is entry 1400",
    ]


def test_a_record_without_an_entry_is_found_though_the_key_signed_it(root):
    files, head = forged(root, KEYS, lambda entries: entries[:300] + entries[301:])
    files.publish(head)
    (line,) = findings(root)
    assert line.startswith("entry 300 is of record 151 of journal w0: record 150 has no entry before it")


def test_a_head_that_was_put_back_is_found(root):
    old = base64.b64decode(b"")
    head = LogFiles(root).head()
    (root / "log/head").write_bytes(
        old + json.dumps({"checkpoint": (root / "kept").read_text(), "journals": head.journals}).encode()
    )
    found = findings(root)
    assert found[0] == (
        "log/checkpoint is of 1400 entries, log/head of 620: the newest were cut off, or put back"
    )


def test_a_log_that_was_put_back_whole_is_found_by_a_kept_checkpoint(root):
    newest = (root / "log/checkpoint").read_text()
    for path in (root / "log/head", root / "log/checkpoint"):
        old = (root / "kept").read_text()
        text = json.dumps({"checkpoint": old, "journals": {"w0": 310, "w1": 310}})
        path.write_text(text if path.name == "head" else old)
    checked = check_log(root, KEYS)
    assert (checked.findings, checked.entries, checked.waiting) == ((), 620, 780)
    assert findings(root, kept={"mine": newest}) == [
        "mine is of 1400 entries, log/head of 620: the newest were cut off, or put back"
    ]


def test_a_fork_is_found_by_a_kept_checkpoint(root):
    kept = (root / "kept").read_text()
    files, head = forged(root, KEYS, lambda entries: [*entries[256:512], *entries[:256], *entries[512:]])
    files.publish(head)
    assert "mine: the first 620 entries do not have its root: the log was forked" in findings(
        root, kept={"mine": kept}
    )


def test_a_checkpoint_behind_the_head_is_what_a_crash_leaves(root):
    (root / "log/checkpoint").write_text((root / "kept").read_text())
    assert findings(root) == []


def test_a_partial_tile_is_read_from_a_fuller_one_that_followed_meanwhile(root):
    before = LogFiles(root).head()
    shown = (root / "log/checkpoint").read_text()
    journal = Journal.open(root, "w0", segment_size=1 << 15, prepare_ahead=False)
    sequencer = Sequencer(root, KEYS, lambda _: None)
    for count in (20, 200):
        journal.append([event(90_000 + count + n) for n in range(count)])
        sequencer.run()
        files = LogFiles(root)
        after = files.head(), (root / "log/checkpoint").read_text()
        files.publish(before)
        (root / "log/checkpoint").write_text(shown)
        checked = check_log(root, KEYS)
        assert (checked.entries, checked.findings) == (RECORDS, ())
        files.publish(after[0])
        (root / "log/checkpoint").write_text(after[1])
    journal.abandon()


def test_notes_are_entries_too(root):
    journal = Journal.open(root, "w0", segment_size=1 << 15, prepare_ahead=False)
    journal.close()
    Sequencer(root, KEYS, lambda _: None).run()
    kinds = []
    checked = check_log(root, KEYS, visit=lambda *seen: kinds.append(seen[3].kind))
    assert (checked.entries, checked.findings) == (RECORDS + 1, ())
    assert kinds.count(Kind.NOTE) == 1


def test_a_log_that_begins_beside_the_check_is_not_one_whose_head_is_gone(root, monkeypatch):
    shutil.rmtree(root / "log")
    look = LogFiles.head

    def head(files):
        found = look(files)
        if found is None:
            with monkeypatch.context() as patched:
                patched.setattr(LogFiles, "head", look)
                Sequencer(root, KEYS, lambda _: None).run()
        return found

    monkeypatch.setattr(LogFiles, "head", head)
    assert check_log(root, KEYS) == LogChecked(0, RECORDS, 0, ())
