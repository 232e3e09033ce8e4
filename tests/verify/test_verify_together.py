"""Entries that several events share: what is said of each of them, and what somebody could do to such an entry."""

import json
from base64 import b64decode, b64encode

import bundles
import msgspec
import pytest
from bundles import ENCRYPT, KEY, SALTS, SIGNER, Bundle, alike, edited
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keystead.errors import LogError
from keystead.tlog import Opening, Pruned, event_leaf, event_leaves, ids_of, openings, sign_pruned
from keystead.tlog.opening import check_event, check_opening
from keystead_verify import openings as theirs
from keystead_verify import together
from keystead_verify.findings import Malformed, Report
from keystead_verify.leaves import Order, parse_leaf

VKEY = SIGNER.key.text
SIZES = [1, 16, 16, 8, 1, 3]
"""How many events are in each entry."""
SHARED = 3
"""The number of the entry of eight events; record 33 of the journal is its first."""


@pytest.fixture(scope="module")
def made():
    """Events and their entries: 40 in a row are alike, of 41 others the last three."""
    other = ENCRYPT.replace(b"Jane Roe", b"John Doe")
    rows = [alike(ENCRYPT, 1), alike(other, 40, 1), alike(ENCRYPT, 1, 41), alike(other, 3, 42)]
    events = [one for row in rows for one in row]
    leaves = event_leaves([events], "w0", 0, SALTS)
    assert [together.count_of(json.loads(leaf)) for leaf in leaves] == SIZES
    return events, leaves


@pytest.fixture
def shared(made, tmp_path):
    bundle = Bundle(tmp_path / "shared")
    bundle.append(made[1])
    bundle.write("keys.txt", VKEY.encode() + b"\n")
    return bundle


def edit_ids(leaf, change):
    """The entry with what `change` makes of the 32 bytes of each of its events."""
    data = b64decode(json.loads(leaf)["events"])
    rows = change([data[at : at + 32] for at in range(0, len(data), 32)])
    return edited(leaf, events=b64encode(b"".join(rows)).decode())


# ------------------------------------------------------------------- what is said of each


def test_what_nobody_touched_is_verified(shared, verify):
    kinds, report = verify("bundle", shared.path, "--vkey", VKEY)
    assert kinds == set()
    assert (report["entries"], report["journals"]) == (len(SIZES), {"w0": sum(SIZES)})


def test_each_event_is_found_by_its_id_and_its_ids_can_be_read(made, shared, verify):
    for record, (number, inner) in {0: (0, 0), 1: (1, 0), 16: (1, 15), 34: (3, 1), 44: (5, 2)}.items():
        event = json.loads(made[0][record])
        kinds, report = verify("entry", shared.path, "--event-id", event["eventID"])
        entry = report["entry"]
        assert (kinds, entry["number"]) == (set(), number)
        assert entry["content"] == json.loads(made[1][number])
        if SIZES[number] == 1:
            assert "events" not in entry
        else:
            assert len(entry["events"]) == SIZES[number]
            ids = {name: event[name] for name in ("requestID", "eventID")}
            assert entry["events"][inner] == {"index": record, **ids}
    assert verify("entry", shared.path, "--event-id", event["requestID"])[0] == {"not-logged"}


def test_each_use_of_a_key_is_listed(made, shared, verify):
    kinds, report = verify("used", shared.path, KEY)
    assert kinds == set()
    told = [(use["index"], use["eventID"], use["eventName"]) for use in report["uses"]]
    assert told == [(n, json.loads(one)["eventID"], "Encrypt") for n, one in enumerate(made[0])]
    assert [use["number"] for use in report["uses"]].count(SHARED) == 8
    assert not verify("used", shared.path, KEY, "--to", "2001-01-01T00:00:00Z")[1]["used"]


def test_what_is_opened_of_some_of_its_events(made, shared, verify):
    lines = [
        opening
        for record in (33, 40)
        for opening in openings(made[0][record], made[1][SHARED], SHARED, SALTS)
    ]
    shared.write("openings.jsonl", b"\n".join(map(msgspec.json.encode, lines)))
    kinds, report = verify("openings", shared.path)
    assert kinds == set()
    whole = [opened["value"] for opened in report["opened"] if not opened["pointer"]]
    assert whole == [made[0][33].decode(), made[0][40].decode()]
    lines = shared.read("openings.jsonl").replace(b"John Doe", b"Jane Roe")
    shared.write("openings.jsonl", lines)
    assert verify("openings", shared.path)[0] == {"false-opening"}


def test_a_receipt_of_one_of_its_events(made, shared, verify, tmp_path):
    file = tmp_path / "receipt"
    for record, kinds in ((35, set()), (32, {"false-opening"}), (41, {"false-opening"})):
        shared.events = {SHARED: made[0][record]}
        file.write_bytes(shared.receipt(SHARED, ""))
        found, report = verify("receipt", file, "--vkey", VKEY)
        assert found == kinds
        assert [told["index"] for told in report["entry"]["events"]] == list(range(33, 41))
        assert ("opened" in report) == (not kinds)


# ------------------------------------------------------------------------------ tampering


def other_id(rows):
    return [*rows[:2], bytes([rows[2][0] ^ 1]) + rows[2][1:], *rows[3:]]


@pytest.mark.parametrize(
    ("change", "kinds"),
    [
        (other_id, {"edited"}),
        (lambda rows: rows[::-1], {"edited"}),
        (lambda rows: rows[:-1], {"edited", "deleted"}),
        (lambda rows: [*rows, bytes(32)], {"edited", "duplicated"}),
        (lambda rows: rows[:1], {"edited", "malformed", "deleted"}),
        (lambda rows: [rows[0]] * 17, {"edited", "malformed", "deleted"}),
        (lambda rows: [*rows, bytes(16)], {"edited", "malformed", "deleted"}),
    ],
)
def test_ids_that_were_changed(shared, verify, change, kinds):
    shared.change_bundle(0, lambda e: [*e[:SHARED], edit_ids(e[SHARED], change), *e[SHARED + 1 :]])
    found, report = verify("bundle", shared.path)
    assert found == kinds
    assert f"entry {SHARED}" in {finding["where"] for finding in report["findings"]}


def test_ids_that_were_changed_with_all_hashes_made_to_fit(made, shared, verify):
    leaves = list(made[1])
    leaves[SHARED] = edit_ids(leaves[SHARED], other_id)
    shared.rebuild(leaves)
    assert verify("bundle", shared.path)[0] == {"edited"}


@pytest.mark.parametrize(
    ("order", "found"),
    [
        ([0, 1, 2, 4, 5], ["deleted: records 33 to 40 of journal w0 missing"]),
        ([0, 1, 3, 2, 4, 5], ["reordered: records 17 to 32 of journal w0 behind later ones"]),
        ([0, 1, 2, 3, 3, 4, 5], ["duplicated: records 33 to 40 of journal w0 there before"]),
    ],
)
def test_entries_that_are_missing_or_not_in_their_order(made, tmp_path, verify, order, found):
    """The log's owner signs them so."""
    bundle = Bundle(tmp_path / "wrong")
    bundle.append([made[1][number] for number in order])
    _, report = verify("bundle", bundle.path, "--vkey", VKEY)
    assert [f"{each['kind']}: {each['detail']}" for each in report["findings"]] == found


@pytest.mark.parametrize(
    ("index", "found"),
    [
        (33, []),
        (32, ["duplicated: record 32 of journal w0 there before", "deleted: record 40 of journal w0 missing"]),
        (30, ["duplicated: records 30 to 32 of journal w0 there before", "deleted: records 38 to 40 of journal w0 missing"]),
        (34, ["duplicated: record 41 of journal w0 there before", "deleted: record 33 of journal w0 missing"]),
        (-4, ["duplicated: records -4 to 3 of journal w0 there before", "deleted: records 33 to 40 of journal w0 missing"]),
        (0, ["duplicated: records 0 to 7 of journal w0 there before", "deleted: records 33 to 40 of journal w0 missing"]),
    ],
)  # fmt: skip
def test_another_number(made, tmp_path, verify, index, found):
    leaves = list(made[1])
    leaves[SHARED] = edited(leaves[SHARED], index=index)
    bundle = Bundle(tmp_path / "wrong")
    bundle.append(leaves)
    _, report = verify("bundle", bundle.path, "--vkey", VKEY)
    assert [f"{each['kind']}: {each['detail']}" for each in report["findings"]] == found


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 16)), max_size=8))
def test_each_record_is_missed_told_again_or_in_order_as_if_it_were_alone(rows):
    """What is found of entries of several records is what is found of entries of one of them after the other."""

    def seen(split):
        report = Report()
        order = Order(report, [(0, "9999-12-31T23:59:59Z")])
        for number, (index, count) in enumerate(rows):
            for one in range(index, index + count) if split else [None]:
                events = b64encode(bytes(32 * count)).decode()
                several = {"v": 4, "journal": "w0", "index": index, "events": events}
                alone = {"v": 3, "journal": "w0", "index": index if one is None else one}
                order.see(number, alone if split or count == 1 else several)
        lost = order.finish()
        kinds = {(finding.kind, finding.where) for finding in report.findings}
        return kinds, lost, order.journals

    assert seen(split=True) == seen(split=False)


@pytest.mark.parametrize(
    "changes",
    [
        {"eventID": "0e8c2b2c-7b7e-4a8a-9c1d-3d1d1a6f2b10"},
        {"requestID": "0e8c2b2c-7b7e-4a8a-9c1d-3d1d1a6f2b10"},
        {"writes": []},
        {"writesDigest": b64encode(bytes(32)).decode()},
        {"note": {"note": "closed"}},
        {"events": None},
        {"events": ""},
        {"events": "=" * 88},
        {"events": b64encode(bytes(64)).decode()[:-3] + "B=="},
        {"events": b64encode(bytes(64)).decode() + "\n"},
        {"v": 3},
        {"v": 5},
        {"keys": None},
        {"commitments": None},
    ],
)
def test_what_has_not_the_form(made, changes):
    parse_leaf(made[1][SHARED])
    with pytest.raises(Malformed):
        parse_leaf(edited(made[1][SHARED], **changes))


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2000), st.integers(1, 255))
def test_no_byte_of_an_entry_can_be_changed_unnoticed(made, tmp_path_factory, verify, at, change):
    bundle = Bundle(tmp_path_factory.mktemp("changed") / "b")
    bundle.append(made[1])
    leaf = bytearray(made[1][SHARED])
    leaf[at % len(leaf)] ^= change
    bundle.change_bundle(0, lambda e: [*e[:SHARED], bytes(leaf), *e[SHARED + 1 :]])
    assert verify("bundle", bundle.path, "--vkey", VKEY)[0]


# ------------------------------------------------------------------------------ agreement


def judged(leaf, opening):
    """What both programs say: the log's own, and the verifier."""
    try:
        check_opening(leaf, opening)
        if not opening.pointer:
            check_event(leaf, opening.value)
        ours = True
    except LogError:
        ours = False
    report = Report()
    try:
        told = theirs.load_opening(msgspec.json.encode(opening))
        theirs.check_opening(told, parse_leaf(leaf), report)
        other = not report.findings
    except Malformed:
        other = False
    assert ours == other
    return ours


def test_both_programs_tell_the_same_ids(made):
    for leaf in made[1]:
        told = parse_leaf(leaf)
        if told["v"] == together.VERSION:
            assert together.ids_of(told) == ids_of(told)
            assert [(e["requestID"], e["eventID"]) for e in together.each_of(told)] == ids_of(told)


def test_every_value_of_every_event_opens_and_no_other_event(made):
    """Of an event that is not of the entry only what it has alike with those that are: the caller."""
    events, leaves = made
    for record, one in enumerate(events):
        found = [judged(leaves[SHARED], opening) for opening in openings(one, leaves[SHARED], SHARED, SALTS)]
        alike_but_for_ids = [b"John Doe" in one] * 2
        assert found == [33 <= record <= 40, True, *alike_but_for_ids]


@given(
    st.integers(33, 40),
    st.integers(0, 4),
    st.one_of(
        st.tuples(st.integers(0, 2000), st.binary(max_size=2), st.integers(0, 2)),
        st.sampled_from(
            [(b'"requestID":"', b'"requestId":"'), (b'","eventID":"', b'","eventID": "'), (b"}", b"} ")]
        ),
        st.integers(0, 44),
    ),
)
@settings(max_examples=150)
def test_both_programs_judge_an_event_that_was_changed_the_same(made, record, which, change):
    events, leaf = made
    opening = openings(events[record], leaf[SHARED], SHARED, SALTS)[which % 4]
    value = opening.value.encode()
    if isinstance(change, int):  # the ids of another event
        other, own = json.loads(events[change]), json.loads(events[record])
        value = value.replace(own["requestID"].encode(), other["requestID"].encode())
        right = not opening.pointer and 33 <= change <= 40 and change == record
        assert judged(leaf[SHARED], opening)
        changed = Opening(SHARED, opening.pointer, opening.salt, value.decode())
        assert judged(leaf[SHARED], changed) == bool(right or opening.pointer)
        return
    if isinstance(change[0], bytes):
        value = value.replace(*change, 1)
    else:
        at, put, cut = change
        at %= len(value)
        value = value[:at] + put + value[at + cut :]
    text = value.decode("utf-8", "replace")
    changed = Opening(SHARED, opening.pointer, opening.salt, text)
    assert judged(leaf[SHARED], changed) == (text == opening.value)


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("eventName", "Decrypt"),
        ("errorCode", "AccessDenied"),
        ("readOnly", False),
        ("keys", []),
        ("identityType", "X"),
    ],
)
def test_an_entry_that_shows_something_else_than_its_events(made, member, value):
    leaf = edited(made[1][SHARED], **{member: value})
    for record in (33, 40):
        whole, *others = openings(made[0][record], leaf, SHARED, SALTS)
        assert not judged(leaf, whole)
        assert all(judged(leaf, other) for other in others)


def test_an_event_that_tells_no_ids_is_none_of_them():
    """Even if the log committed to it."""
    nameless = json.dumps({"eventName": "Encrypt"}, separators=(",", ":")).encode()
    leaf = event_leaf(nameless, "w0", 0, SALTS)
    forged = edited(leaf, v=4, events=b64encode(bytes(range(64))).decode())
    opening = openings(nameless, leaf, 0, SALTS)[0]
    assert judged(leaf, opening)
    assert not judged(forged, opening)


# --------------------------------------------------------------------------------- pruned


@pytest.fixture
def pruned(tmp_path):
    """A log whose first 256 entries, of 256 · 16 records, are gone."""
    bundle = Bundle(tmp_path / "pruned")
    events = alike(ENCRYPT, 16 * 258 + 1)
    bundle.append(event_leaves([events], "w0", 0, SALTS))
    (bundle.path / "log/tile/entries/000").unlink()
    return bundle


@pytest.mark.parametrize(
    ("following", "kinds"),
    [
        ({"w0": 16 * 256}, set()),
        ({"w0": 16 * 256 - 1}, {"deleted"}),
        ({"w0": 16 * 255}, {"deleted"}),
        ({"w0": 256}, {"deleted"}),
        ({"w0": 16 * 255, "w1": 16}, {"deleted"}),
        ({"w0": 255}, {"malformed", "deleted"}),
        ({"w0": 16 * 256 + 1}, {"malformed", "deleted"}),
        ({"w0": 16 * 256, "w1": 1}, {"malformed", "deleted"}),
    ],
)
def test_what_is_gone_may_be_of_more_records_than_entries(pruned, verify, following, kinds):
    told = Pruned(time="2026-01-02T03:04:05Z", bundles=1, following=following, newest="")
    pruned.write("log/pruned", sign_pruned(told, bundles.ORIGIN, SIGNER).encode())
    found, report = verify("bundle", pruned.path, "--vkey", VKEY)
    assert found == kinds
    if not kinds:
        assert (report["entries"], report["journals"]) == (3, {"w0": 16 * 258 + 1})
