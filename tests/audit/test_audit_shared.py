"""Events in a row that differ in their ids alone share an entry: each is found, proved, opened, checked and pruned all the same."""

import io
import json
import shutil
from base64 import b64decode, b64encode
from uuid import UUID

import msgspec
import pytest

from keystead.audit import prune as pruning
from keystead.audit.bundle import chosen, events_of, pack
from keystead.audit.disk import OsDisk
from keystead.audit.journal import Journal
from keystead.audit.log import Sequencer
from keystead.audit.logfiles import Head, LogFiles
from keystead.audit.logkeys import LogKeys
from keystead.audit.prune import Rules, carry_out, plan
from keystead.audit.published import Published, named
from keystead.audit.verify import check_log
from keystead.errors import LogError
from keystead.tlog import (
    Checkpoint,
    Pruned,
    append,
    leaf_hash,
    sign_checkpoint,
    sign_pruned,
    verify_inclusion,
)
from keystead.tlog.checkpoint import open_checkpoint
from keystead.tlog.opening import check_event, check_opening
from keystead_verify.main import run

KEYS = LogKeys("11111111-1111-4111-8111-111111111111", bytes(32), b"s" * 32)
SIGNER = KEYS.signer(KEYS.origin(None))
ALIKE = {"w0": 40, "w1": 5}
"""Events of each journal, all alike; those of w0 are in entries of 16, 16 and 8, then there is one by itself."""
ENTRIES = 5


def event_id(number):
    return str(UUID(int=number + 1 << 64 | 0xA << 124))


def event(number, name="Encrypt", time="2026-03-01T10:00:00Z"):
    members = {
        "eventVersion": "1.11",
        "userIdentity": {"type": "IAMUser", "userName": "ann"},
        "eventTime": time,
        "eventSource": "kms.amazonaws.com",
        "eventName": name,
        "awsRegion": "us-east-1",
        "sourceIPAddress": "192.0.2.17",
        "userAgent": "agent/1",
        "requestParameters": {"keyId": "alias/a", "encryptionContext": {"ward": "7"}},
        "responseElements": None,
        "requestID": str(UUID(int=number + 1 << 64 | 1)),
        "eventID": event_id(number),
        "readOnly": True,
        "resources": [],
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": "111122223333",
        "eventCategory": "Management",
    }
    return json.dumps(members, separators=(",", ":")).encode()


def events(worker):
    first = 100 * sorted(ALIKE).index(worker)
    alike = [event(first + number) for number in range(ALIKE[worker])]
    return [*alike, event(first + 99, "Decrypt")] if worker == "w0" else alike


def keep(root, worker, records):
    """The worker's journal has these and no other records."""
    shutil.rmtree(root / "journal" / worker, ignore_errors=True)
    journal = Journal.open(root, worker, segment_size=1 << 15, prepare_ahead=False)
    journal.append(records)
    journal.abandon()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    root = tmp_path_factory.mktemp("shared")
    for worker in ALIKE:
        keep(root, worker, events(worker))
    Sequencer(root, KEYS, lambda _: None).run()
    return root


@pytest.fixture
def root(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "data")
    return tmp_path / "data"


def published(root):
    return Published.newest(LogFiles(root))


def entries(root):
    log = published(root)
    return [log.entry(number) for number in range(log.size)]


def findings(root):
    return list(check_log(root, KEYS).findings)


# ------------------------------------------------------------------------------- found


def test_every_event_is_found_by_its_place_and_by_its_id(whole):
    log = published(whole)
    assert [(named(entry).journal, named(entry).records) for entry in entries(whole)] == [
        ("w0", range(16)),
        ("w0", range(16, 32)),
        ("w0", range(32, 40)),
        ("w0", range(40, 41)),
        ("w1", range(5)),
    ]
    by_id = log.places([json.loads(each)["eventID"] for worker in ALIKE for each in events(worker)])
    for worker in ALIKE:
        for index, text in enumerate(events(worker)):
            number = log.place(worker, index)
            assert index in named(log.entry(number)).records
            assert by_id[json.loads(text)["eventID"]] == number
        assert log.place(worker, len(events(worker))) is None
    assert log.places([event_id(50), "no id", event_id(3).upper()]) == {}


def test_an_event_in_the_middle_is_proved_and_opened(whole):
    log = published(whole)
    number = log.place("w0", 21)
    proof = log.prove(number)
    root = open_checkpoint(log.note, [SIGNER.key]).root
    verify_inclusion(leaf_hash(proof.leaf), number, log.size, proof.proof, root)
    record = named(proof.leaf).record(event_id(21))
    (text,) = events_of(whole, proof.leaf, record)
    assert (record, text) == (21, event(21))
    (opening,) = chosen([text], proof.leaf, number, KEYS.salts, ["event"])
    check_opening(proof.leaf, opening)
    assert check_event(proof.leaf, opening.value)["eventID"] == event_id(21)


def test_of_all_events_what_they_have_alike_is_opened_once(whole):
    entry = published(whole).entry(2)
    found = events_of(whole, entry)
    assert found == [event(number) for number in range(32, 40)]
    opened = chosen(found, entry, 2, KEYS.salts, ["all"])
    assert [one.value for one in opened if not one.pointer] == [each.decode() for each in found]
    others = [one.pointer for one in opened if one.pointer]
    assert others == ["/caller", "/requestParameters", "/requestParameters/encryptionContext/0"]
    for one in opened:
        check_opening(entry, one)


def test_a_bundle_with_the_openings_of_all_of_them_holds(whole, tmp_path):
    log, file = published(whole), io.BytesIO()
    shown = [
        one
        for number in range(ENTRIES)
        for one in chosen(events_of(whole, log.entry(number)), log.entry(number), number, KEYS.salts, ["all"])
    ]
    pack(file, log, SIGNER.key, shown, compress=False)
    (tmp_path / "bundle.tar").write_bytes(file.getvalue())
    for command in ("bundle", "openings"):
        assert run([command, str(tmp_path / "bundle.tar"), "--vkey", SIGNER.key.text]) == 0


def test_an_entry_whose_ids_are_none_is_named_and_finds_nothing(root):
    rewrite(root, lambda leaves: [members(leaves[0], events="AAAA"), *leaves[1:]])
    with pytest.raises(LogError, match="damaged"):
        published(root).place("w0", 3)
    assert findings(root)[0] == "entry 0 (number 0 in log/tile/entries/000.p/5) is not an entry"


# ----------------------------------------------------------------------------- checked


def members(entry, **changes):
    """The entry with other members."""
    return json.dumps(json.loads(entry) | changes, separators=(",", ":"), sort_keys=True).encode()


def rewrite(root, change, **journals):
    """The log anew over other entries, signed by its key."""
    files = LogFiles(root)
    leaves, head = change(entries(root)), files.head()
    shutil.rmtree(root / "log/tile")
    growth = append(0, None, leaves)
    files.write(growth.writes)
    note = sign_checkpoint(Checkpoint(KEYS.origin(None), growth.size, growth.root), SIGNER)
    files.publish(Head(note, head.journals | journals))


def place(number):
    return f"entry {number} (number {number} in log/tile/entries/000.p/5)"


def test_every_record_is_checked_and_heard(whole):
    heard = []
    checked = check_log(whole, KEYS, visit=lambda *seen: heard.append(seen))
    assert (checked.entries, checked.waiting, checked.pruned, checked.findings) == (ENTRIES, 0, 0, ())
    assert [(worker, frame.index) for _, worker, _, frame in heard] == [
        *(("w0", index) for index in range(41)),
        *(("w1", index) for index in range(5)),
    ]
    assert [number for number, *_ in heard] == [0] * 16 + [1] * 16 + [2] * 8 + [3] + [4] * 5


@pytest.mark.parametrize(
    ("change", "which"),
    [
        (lambda all_: [*all_[:20], event(20, "Decrypt"), *all_[21:]], "20"),
        (lambda all_: [*all_[:16], event(500), *all_[17:]], "16"),
        (lambda all_: [*all_[:20], all_[21], all_[20], *all_[22:]], "20 to 21"),
        (lambda all_: [*all_[:18], event(500), *all_[19:25], event(501), *all_[26:]], "18, 25"),
    ],
    ids=["edited", "another id", "exchanged", "two of them"],
)
def test_records_of_a_journal_that_was_written_anew_are_named(root, change, which):
    keep(root, "w0", change(events("w0")))
    assert findings(root) == [
        f"{place(1)} is not what record {which} of journal w0 gives: one of them was changed"
    ]


def test_records_that_are_all_changed_alike_are_named(root):
    keep(root, "w1", [each.replace(b"192.0.2.17", b"192.0.2.18") for each in events("w1")])
    assert findings(root) == [
        f"{place(4)} is not what record 0 to 4 of journal w1 gives: one of them was changed"
    ]


@pytest.mark.parametrize(("pair", "which"), [(4, "20"), (0, "16 to 31")])
def test_an_id_that_was_changed_in_an_entry_is_named(root, pair, which):
    """By the first one salts are made, so nothing fits any more."""
    path = root / "log/tile/entries/000.p/5"
    told = json.loads(entries(root)[1])["events"]
    data = bytearray(b64decode(told))
    data[32 * pair + 31] ^= 1
    path.write_bytes(path.read_bytes().replace(told.encode(), b64encode(data)))
    assert findings(root)[0] == (
        f"{place(1)} is not what record {which} of journal w0 gives: the entry was changed"
    )


def test_removed_records_are_named_by_their_entry(root):
    keep(root, "w0", events("w0")[:37])
    assert findings(root) == ["journal w0: record 37 to 40 is gone; in the log it is entry 2 to 3"]


def test_the_records_that_are_left_of_an_entry_are_still_held_against_it(root):
    keep(root, "w0", [*events("w0")[:33], event(33, "Decrypt"), *events("w0")[34:37]])
    assert findings(root) == [
        f"{place(2)} is not what record 33 of journal w0 gives: one of them was changed",
        "journal w0: record 37 to 40 is gone; in the log it is entry 2 to 3",
    ]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (
            lambda leaves: [leaves[0], leaves[0], *leaves[2:]],
            "entry 1 is of record 0 to 15 of journal w0, which has an entry already, or is not in its order",
        ),
        (
            lambda leaves: [leaves[0], *leaves[2:], leaves[4]],
            "entry 1 is of record 32 to 39 of journal w0: record 16 to 31 has no entry before it",
        ),
        (
            lambda leaves: [members(leaves[0], events=together(range(17))), *leaves[1:]],
            f"{place(0)} is of 17 records, no entry is of more than 16",
        ),
        (
            lambda leaves: [members(leaves[0], v=3), *leaves[1:]],
            f"{place(0)} is not what record 0 to 15 of journal w0 gives: one of them was changed",
        ),
        (
            lambda leaves: [*leaves[:3], members(leaves[3], v=4), leaves[4]],
            f"{place(3)} is not what record 40 of journal w0 gives: one of them was changed",
        ),
        (
            lambda leaves: [
                *leaves[:2],
                members(leaves[2], events=together([*range(32, 40), 99])),
                *leaves[3:],
            ],
            f"{place(2)} is not what record 40 of journal w0 gives: one of them was changed",
        ),
    ],
    ids=["twice", "left out", "too many", "version 3", "version 4 of one", "one that is not alike"],
)
def test_an_entry_that_claims_what_it_must_not_is_named_though_the_key_signed_it(root, change, found):
    rewrite(root, change)
    assert findings(root)[0] == found


def test_a_note_shares_no_entry(root):
    Journal.open(root, "w1", segment_size=1 << 15, prepare_ahead=False).close()
    Sequencer(root, KEYS, lambda _: None).run()
    rewrite(root, lambda leaves: [*leaves[:4], members(leaves[4], events=together(range(100, 106)))])
    assert findings(root) == [f"{place(4)} is not what record 5 of journal w1 gives: one of them was changed"]


def together(numbers):
    pairs = [UUID(int=number + 1 << 64 | 1).bytes + UUID(event_id(number)).bytes for number in numbers]
    return b64encode(b"".join(pairs)).decode()


# ------------------------------------------------------------------------------ pruned


def old(root, count):
    """The log of a journal of so many groups of events that are alike, all of them old."""
    files = LogFiles(root)
    journal = Journal.open(root, "w0", segment_size=1 << 15, prepare_ahead=False)
    for turn in range(count):
        group = [event(turn * 1000 + n, time=f"2020-03-01T10:00:{turn % 60:02d}Z") for n in range(21)]
        journal.append(group)  # entries of 16 and 5
    journal.abandon()
    Sequencer(root, KEYS, lambda _: None).run()
    return files


def prune(root, files, known, before):
    rules = Rules(before=before, holds=(), followers=())
    doing = plan(root, files, OsDisk(), known, rules, 1_700_000_000)
    if doing.news:
        files.keep("pruned", sign_pruned(doing.pruned, KEYS.origin(None), SIGNER).encode())
    carry_out(root, files, OsDisk(), doing)
    return doing


def test_what_is_pruned_is_told_by_records(tmp_path):
    files = old(tmp_path, 140)
    log = published(tmp_path)
    following = named(log.entry(256)).records
    done = prune(tmp_path, files, Pruned(time=""), 2_000_000_000)
    assert (280 <= log.size < 512, done.pruned.bundles) == (True, 1)
    assert done.pruned.following == {"w0": following.start}
    checked = check_log(tmp_path, KEYS)
    assert (checked.entries, checked.findings) == (log.size, ())
    assert published(tmp_path).place("w0", following.stop - 1) == 256
    assert published(tmp_path).place("w0", following.start - 1) is None


def free_of(root, files, head):
    rules = Rules(before=2_000_000_000, holds=(), followers=())
    return pruning._journal(root, OsDisk(), "w0", head, rules)


def test_a_bundle_stays_while_a_record_of_its_last_entry_must(tmp_path):
    """All of an entry is told to be pruned, or nothing of it."""
    files = old(tmp_path, 140)
    log = published(tmp_path)
    last = named(log.entry(255)).records
    head = files.head()
    for index, bundles in ((last.stop - 1, 0), (last.stop, 1)):
        free = {"w0": msgspec.structs.replace(free_of(tmp_path, files, head), index=index)}
        assert pruning._bundles(files, head, Pruned(time=""), free, None)[1].bundles == bundles


def test_an_entry_of_which_some_records_are_pruned_is_counted_once(root):
    checked = check_log(root, KEYS, pruned={"w0": 20})
    assert (checked.pruned, checked.findings) == (0, ())
    shutil.rmtree(root / "journal/w0")
    (root / "journal/w0").mkdir()
    checked = check_log(root, KEYS, pruned={"w0": 41})
    assert (checked.pruned, checked.findings) == (4, ())
