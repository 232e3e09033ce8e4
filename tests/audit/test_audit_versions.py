"""A log that was begun with entries of an older version stays verifiable, and goes on in the newest; so does its journal."""

import json
import tarfile
from pathlib import Path

import msgspec
import pytest

from keystead.audit.bundle import chosen, events_of
from keystead.audit.disk import OsDisk
from keystead.audit.journal import Journal
from keystead.audit.log import Sequencer
from keystead.audit.logfiles import LogFiles
from keystead.audit.logkeys import LogKeys
from keystead.audit.published import Published
from keystead.audit.reader import headers
from keystead.audit.verify import check_log
from keystead.receipts import verify
from keystead.tlog.opening import Opening, check_event, check_opening
from keystead_verify.main import run

KEYS = LogKeys("11111111-1111-4111-8111-111111111111", bytes(32), b"s" * 32)
VKEY = KEYS.signer(KEYS.origin(None)).key.text
NEWEST = [4, 3]
"""Of three events that are alike, and of one by itself."""
KEPT = "log_of_version_{}.tar.gz"
"""Journal, log, openings of all events and a receipt, as the program made them that knew no newer version."""


@pytest.fixture(params=[1, 2])
def version(request):
    return request.param


@pytest.fixture
def root(tmp_path, version):
    with tarfile.open(Path(__file__).with_name(KEPT.format(version))) as tar:
        tar.extractall(tmp_path)
    return tmp_path


def entries(root):
    log = Published.newest(LogFiles(root))
    return [log.entry(number) for number in range(log.size)]


def versions(root):
    members = [json.loads(entry) for entry in entries(root)]
    return [entry["v"] for entry in members if "note" not in entry]


def test_a_kept_log_is_what_its_journal_says(root, version):
    assert versions(root) == [version] * 4
    checked = check_log(root, KEYS)
    assert (checked.findings, checked.waiting) == ((), 0)


def test_its_openings_and_its_receipt_hold(root):
    known = entries(root)
    for line in (root / "openings.jsonl").read_bytes().splitlines():
        opening = msgspec.json.decode(line, type=Opening)
        check_opening(known[opening.index], opening)
        if not opening.pointer:
            check_event(known[opening.index], opening.value)
    receipt = (root / "receipt").read_text()
    verify(receipt, VKEY)
    assert run(["receipt", str(root / "receipt"), "--vkey", VKEY]) == 0
    assert run(["bundle", str(root), "--vkey", VKEY]) == 0
    assert run(["openings", str(root), "--vkey", VKEY]) == 0


def test_it_opens_as_it_did(root):
    known, opened = entries(root), []
    for number, entry in enumerate(known):
        if b'"note"' not in entry:
            opened += chosen(events_of(root, entry), entry, number, KEYS.salts, ["all"])
    assert [msgspec.json.encode(one) for one in opened] == (root / "openings.jsonl").read_bytes().splitlines()


def test_it_goes_on_in_the_newest_version(root, version):
    old = entries(root)
    journal = Journal.open(root, "w0", segment_size=1 << 14, prepare_ahead=False)
    (event,) = events_of(root, old[1])
    more = [event.replace(b"00000001-7b7e", b"0000000%d-7b7e" % number) for number in range(6, 10)]
    journal.append([*more[:3], more[3].replace(b'"userAgent":"', b'"userAgent":"x')])
    journal.abandon()
    # What is alike is told once, which older programs do not read: that begins with a new segment.
    assert [segment.version for segment in headers(OsDisk(), root / "journal" / "w0", "w0")] == [1, 2]
    Sequencer(root, KEYS, lambda _: None, begun=True).run()
    assert entries(root)[: len(old)] == old
    assert versions(root) == [version] * 4 + NEWEST
    assert check_log(root, KEYS).findings == ()
    (root / "openings.jsonl").write_bytes(
        b"\n".join(
            msgspec.json.encode(opening)
            for number, entry in enumerate(entries(root))
            if b'"note"' not in entry
            for opening in chosen(events_of(root, entry), entry, number, KEYS.salts, ["all"])
        )
    )
    assert run(["bundle", str(root), "--vkey", VKEY]) == 0
    assert run(["openings", str(root), "--vkey", VKEY]) == 0
