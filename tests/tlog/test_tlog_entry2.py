"""Entries of versions 2 and 3: what they show, what they hide, what they bind to; and that many at once are made the same."""

import json
from base64 import b64decode, b64encode
from hashlib import sha256
from itertools import groupby
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given, settings
from hypothesis import strategies as st

from keystead.crypto import Secret
from keystead.crypto.derive import subkey
from keystead.errors import LogError
from keystead.tlog import (
    Alike,
    Salts,
    StateDigests,
    event_leaf,
    event_leaves,
    openings,
    records_of,
    together_leaf,
)
from keystead.tlog.commitments import commitment_2, commitment_3
from keystead.tlog.opening import Opening, check_event, check_opening
from keystead_verify import openings as theirs
from keystead_verify.findings import Malformed, Report
from keystead_verify.leaves import parse_leaf

SALTS = Salts(Secret(bytes(range(32))))
KEY = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
ALIAS = KEY.partition(":key/")[0] + ":alias/payroll"
EVENT = {
    "eventVersion": "1.11",
    "userIdentity": {
        "type": "IAMUser",
        "principalId": "AIDAEXAMPLE",
        "arn": "arn:aws:iam::111122223333:user/alice-of-payroll",
        "userName": "alice-of-payroll",
    },
    "eventTime": "2026-03-01T10:00:00Z",
    "eventSource": "kms.amazonaws.com",
    "eventName": "Encrypt",
    "awsRegion": "eu-west-1",
    "sourceIPAddress": "192.0.2.17",
    "userAgent": "secret-agent/1.0",
    "requestParameters": {
        "keyId": "alias/payroll",
        "encryptionAlgorithm": "SYMMETRIC_DEFAULT",
        "encryptionContext": {"patient": "Jane Roe", "ward": "7"},
    },
    "responseElements": None,
    "requestID": "f4bd9eee-ce17-4fd5-a9b1-0fb1d4e4e2a1",
    "eventID": "0e8c2b2c-7b7e-4a8a-9c1d-3d1d1a6f2b10",
    "readOnly": True,
    "resources": [{"accountId": "111122223333", "type": "AWS::KMS::Key", "ARN": KEY}],
    "eventType": "AwsApiCall",
    "managementEvent": True,
    "recipientAccountId": "111122223333",
    "eventCategory": "Management",
}
"""In the order in which the server writes it."""
SECRETS = ["alice", "payroll", "AIDA", "192.0.2.17", "agent", "patient", "Jane", "ward", "alias/", "bob"]
FORMAT = Path(__file__).resolve().parents[2] / "docs/evidence/log-format.md"
VECTOR = "b5471305bf19b3d856b7230ae9e5a570409fd711bfdccae3140056eae6c3c07a"
PAIR = "/requestParameters/encryptionContext/"
SMALL = b'{"a":1,"requestID":"%b","eventID":"%b","b":2}' % (
    EVENT["requestID"].encode(),
    EVENT["eventID"].encode(),
)


def text(event):
    return json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")


def leaf(event=EVENT, **options):
    raw = event if isinstance(event, bytes) else text(event)
    encoded = event_leaf(raw, "w0", 123, SALTS, **options)
    if not options:
        assert event_leaves([[raw]], "w0", 123, SALTS) == [encoded]
    parse_leaf(encoded)
    assert len(encoded) <= 65_535
    return encoded, json.loads(encoded)


def accepts(encoded, opening):
    """Whether both programs take the opening for what the entry committed to; they never differ."""
    report = Report()
    line = msgspec.json.encode(opening)
    try:
        check_opening(encoded, msgspec.json.decode(line, type=Opening))
        ours = True
    except LogError:
        ours = False
    try:
        theirs.check_opening(theirs.load_opening(line), parse_leaf(encoded), report)
        other = not report.findings
    except Malformed:
        other = False
    assert ours == other
    return ours


def test_an_entry_shows_what_names_nobody():
    encoded, decoded = leaf()
    together = b64decode(decoded.pop("commitments"))
    assert decoded == {
        "v": 3,
        "journal": "w0",
        "index": 123,
        "awsRegion": "eu-west-1",
        "eventID": EVENT["eventID"],
        "eventName": "Encrypt",
        "eventSource": "kms.amazonaws.com",
        "eventTime": "2026-03-01T10:00:00Z",
        "eventType": "AwsApiCall",
        "identityType": "IAMUser",
        "keys": [KEY],
        "readOnly": True,
        "recipientAccountId": "111122223333",
        "requestID": EVENT["requestID"],
    }
    assert len({together[at : at + 32] for at in range(0, len(together), 32)}) == 5
    assert [word for word in SECRETS if word in encoded.decode()] == []


def test_each_value_can_be_opened_by_itself():
    event = EVENT | {
        "responseElements": {"keyId": KEY, "name": "bob"},
        "resources": [*EVENT["resources"], {"ARN": ALIAS}],
    }
    encoded, decoded = leaf(event)
    assert [word for word in SECRETS if word in encoded.decode()] == []
    assert {"resources", "responseElements"} <= decoded.keys()
    values = {opening.pointer: opening.value for opening in openings(text(event), encoded, 7, SALTS)}
    caller = {name: event[name] for name in ("sourceIPAddress", "userAgent", "userIdentity")}
    assert json.loads(values.pop("/caller")) == caller
    assert values.pop(f"{PAIR}0") == '["patient","Jane Roe"]'
    assert values.pop(f"{PAIR}1") == '["ward","7"]'
    assert values.pop("") == text(event).decode()
    assert {pointer: json.loads(value) for pointer, value in values.items()} == {
        f"/{name}": event[name] for name in ("requestParameters", "resources", "responseElements")
    }


def test_no_other_value_salt_or_place_is_accepted():
    event = EVENT | {"responseElements": {"name": "bob"}, "resources": [{"ARN": ALIAS}]}
    encoded, _ = leaf(event)
    opened = openings(text(event), encoded, 7, SALTS)
    for at, opening in enumerate(opened):
        assert accepts(encoded, opening)
        other = opened[at - 1]
        for changes in (
            {"value": "forged"},
            {"salt": bytes(16)},
            {"salt": opening.salt + opening.value.encode()[:1], "value": opening.value[1:]},
            {"salt": b""},
            {"pointer": other.pointer},
            {"pointer": f"{PAIR}2"},
            {"pointer": f"{PAIR}00"},
            {"pointer": "/userIdentity"},
            {"salt": other.salt, "value": other.value},
        ):
            assert not accepts(encoded, msgspec.structs.replace(opening, **changes)), changes


def test_an_opening_of_the_whole_event_is_held_against_what_the_entry_shows():
    encoded, _ = leaf()
    assert check_event(encoded, text(EVENT).decode()) == EVENT
    with pytest.raises(LogError, match="shows something else"):
        check_event(encoded, text(EVENT | {"eventName": "Decrypt"}).decode())


def test_equal_values_of_two_events_cannot_be_told_to_be_equal():
    other = EVENT | {"eventID": "11111111-7b7e-4a8a-9c1d-3d1d1a6f2b10"}
    first, second = (b64decode(leaf(event)[1]["commitments"]) for event in (EVENT, other))
    parts = [{data[at : at + 32] for at in range(0, len(data), 32)} for data in (first, second)]
    assert parts[0].isdisjoint(parts[1])


def test_events_without_an_id_have_salts_of_their_own():
    event = text({name: value for name, value in EVENT.items() if name != "eventID"})
    assert event_leaf(event, "w0", 1, SALTS) != event_leaf(event, "w0", 2, SALTS)
    one, two = (json.loads(event_leaf(event, "w0", n, SALTS))["commitments"] for n in (1, 2))
    assert one[:40] != two[:40]
    encoded = event_leaf(event, "w0", 1, SALTS)
    assert all(accepts(encoded, opening) for opening in openings(event, encoded, 0, SALTS))


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("eventName", "Encrypt my secret"),
        ("awsRegion", "Region One"),
        ("eventID", "not-a-uuid"),
        ("eventID", "0E8C2B2C-7b7e-4a8a-9c1d-3d1d1a6f2b10"),
        ("errorCode", "Access denied: alice"),
        ("eventTime", "yesterday"),
        ("eventTime", "2026-03-01T10:00:0xZ"),
        ("recipientAccountId", "alice"),
        ("eventSource", "alice.example.com"),
        ("requestID", "5151"),
    ],
)
def test_a_member_of_another_shape_is_hidden(member, value):
    encoded, decoded = leaf(EVENT | {member: value})
    assert member not in decoded
    assert json.dumps(value).encode() not in encoded


def test_names_that_a_caller_chose_pass_for_no_member():
    ids = {"requestID": EVENT["eventID"], "eventID": EVENT["requestID"]}
    for context in (
        {"a": "b", **ids},
        {"a": "b", **ids, "readOnly": "x", "resources": "y"},
        {"a": "b", "eventTime": "2027-03-01T10:00:00Z", "requestParameters": "x", **ids},
    ):
        _, decoded = leaf(EVENT | {"requestParameters": {"encryptionContext": context}})
        assert decoded["eventID"] == EVENT["eventID"]
        assert decoded["requestID"] == EVENT["requestID"]
        assert decoded["eventTime"] == EVENT["eventTime"]
        assert len(b64decode(decoded["commitments"])) == 32 * (3 + len(context))


def test_an_event_of_another_form_shows_nothing():
    for event in (text(EVENT | {"requestID": 5151}), b"garbage", b"[1]", b"\xff", text(EVENT) + b"x"):
        encoded, decoded = leaf(event)
        assert decoded.keys() == {"v", "journal", "index", "keys", "commitments", "folded"}
        assert decoded["keys"] == []
        if event != b"\xff":  # which is no text, and cannot be opened
            check_opening(encoded, openings(event, encoded, 0, SALTS)[0])


def test_an_event_of_very_many_values_is_folded():
    many = {str(n): "v" for n in range(198)}
    encoded, decoded = leaf(EVENT | {"requestParameters": {"encryptionContext": many}})
    assert decoded["folded"] is True
    assert len(b64decode(decoded["commitments"])) == 32
    assert decoded["keys"] == [KEY]
    del many["0"]
    encoded, decoded = leaf(EVENT | {"requestParameters": {"encryptionContext": many}})
    assert "folded" not in decoded
    event = text(EVENT | {"requestParameters": {"encryptionContext": many}})
    assert all(accepts(encoded, opening) for opening in openings(event, encoded, 0, SALTS))


def test_writes_are_shown_or_folded():
    digests = StateDigests(Secret(bytes(32)))
    writes = [digests.write("policies", b"k", b"value"), digests.write("policies", b"k", None)]
    _, decoded = leaf(writes=writes, commit={"commit": 4})
    assert decoded["writes"] == [[b64encode(part).decode() for part in write] for write in writes]
    assert decoded["commit"] == 4
    _, too_many = leaf(writes=[digests.write("t", b"%d" % n, b"v") for n in range(2000)])
    assert "writes" not in too_many
    assert len(too_many["writesDigest"]) == 44


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(['","eventID":"', ',"requestID":"', "{", "}", "\\", '"'])
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["requestID", "eventID", "encryptionContext", "ARN", "type"])
            | st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
events = st.builds(
    lambda changes, gone, more: {
        name: value for name, value in (EVENT | changes | more).items() if name not in gone
    },
    st.dictionaries(st.sampled_from(sorted(EVENT)), json_values, max_size=3),
    st.sets(st.sampled_from(sorted(EVENT)), max_size=2),
    st.dictionaries(
        st.sampled_from(["sharedEventID", "errorCode", "tlsDetails", "additionalEventData"]),
        json_values,
        max_size=2,
    ),
)


def count_of(members):
    return len(records_of(members["index"], members.get("events", "")))


def remade(leaves, raw, first):
    """Whether the leaves are those of the events, each of as many as it says."""
    for encoded in leaves:
        count = count_of(json.loads(encoded))
        some, raw = raw[:count], raw[count:]
        one = (
            event_leaf(some[0], "w0", first, SALTS) if count == 1 else together_leaf(some, "w0", first, SALTS)
        )
        if encoded != one:
            return False
        first += count
    return not raw


@given(st.lists(events, min_size=1, max_size=6), st.integers(0, 2**40))
@settings(max_examples=150)
def test_many_at_once_are_what_each_is_alone(made, first):
    raw = [text(event) for event in made]
    assert remade(event_leaves([raw], "w0", first, SALTS), raw, first)


parts_of_events = st.tuples(
    st.sampled_from(["alice", "bob"]),
    st.sampled_from(["2026-01-02T03:04:05Z", "2026-01-02T03:04:06Z", "yesterday"]),
    st.sampled_from([None, {}, {"encryptionContext": {"a": "b"}}, {"requestID": "x", "keyId": "k"}]),
    st.sampled_from([EVENT["requestID"], "none"]),
    st.sampled_from([[], EVENT["resources"]]),
)


@given(st.lists(parts_of_events, max_size=12))
def test_what_an_event_has_alike_with_the_one_before_it_is_told_of_it_alone(rows):
    raw = [
        text(
            EVENT
            | {
                "userIdentity": {"type": "IAMUser", "userName": user},
                "eventTime": time,
                "resources": resources,
            }
            | {"requestParameters": asked, "requestID": request, "eventID": f"{n:08d}{EVENT['eventID'][8:]}"}
        )
        for n, (user, time, asked, request, resources) in enumerate(rows)
    ]
    leaves = event_leaves([raw], "w0", 7, SALTS)
    assert remade(leaves, raw, 7)
    if all(
        row[1] != "yesterday" and row[3] != "none" for row in rows
    ):  # else some are looked at by themselves
        assert len(leaves) == sum(1 for _ in groupby(rows))


def numbered(user, asked, number):
    own = {
        "requestID": f"{number:08d}{EVENT['requestID'][8:]}",
        "eventID": f"{number:08d}{EVENT['eventID'][8:]}",
    }
    who = {"userIdentity": {"type": "IAMUser", "userName": user}}
    return text(EVENT | who | {"requestParameters": asked} | own)


@given(
    st.lists(
        st.tuples(st.sampled_from(["alice", "bob"]), st.sampled_from([None, {"keyId": "k"}, {"keyId": "l"}])),
        min_size=1,
        max_size=12,
    ),
    st.sampled_from([b',"requestID":"', b',"requestParameters":', b'"eventName":', b"ab"]),
    st.integers(0, 90),
    st.booleans(),
)
def test_events_that_are_told_by_what_differs_have_the_same_leaves(rows, cut, longer, there):
    raw = [numbered(user, asked, number) for number, (user, asked) in enumerate(rows)]
    head, tail = raw[0].index(cut) + len(cut), len(raw[0]) - raw[0].rindex(b'","readOnly"') + longer
    before, own, behind = raw[0][:head], raw[0][head:-tail], raw[0][-tail:]
    stretches = [raw[:1]]
    for event in raw[1:]:
        alike = event.startswith(before) and event.endswith(behind) and len(event) >= head + tail
        stretches.append(
            Alike(0 if there else -1, before, own, behind, [event[head:-tail]]) if alike else [event]
        )
    leaves = event_leaves(stretches, "w0", 7, SALTS)
    assert remade(leaves, raw, 7)
    assert leaves == event_leaves([raw], "w0", 7, SALTS)


@pytest.mark.parametrize("version", [2, 3])
def test_each_version_opens_as_it_was_made(version):
    encoded = event_leaf(text(EVENT), "w0", 123, SALTS, version=version)
    assert json.loads(encoded)["v"] == version
    for opening in openings(text(EVENT), encoded, 0, SALTS):
        assert accepts(encoded, opening)
    other = event_leaf(text(EVENT), "w0", 123, SALTS, version=5 - version)
    one, two = (b64decode(json.loads(each)["commitments"]) for each in (encoded, other))
    assert one[:32] != two[:32]
    assert one[32:] == two[32:]


def test_ids_that_a_caller_chose_are_not_taken_for_those_that_are_left_out():
    """What is left out of a digest is what the entry shows, at its last place: no other event fits the entry."""
    ids = {"requestID": EVENT["requestID"], "eventID": EVENT["eventID"]}
    event = EVENT | {"requestParameters": {"encryptionContext": {"x": "y", **ids}}}
    encoded, _ = leaf(event)
    whole = openings(text(event), encoded, 0, SALTS)[0]
    assert accepts(encoded, whole)
    swapped = whole.value.replace(EVENT["requestID"], EVENT["eventID"], 1)
    assert swapped != whole.value
    assert not accepts(encoded, msgspec.structs.replace(whole, value=swapped))


@given(st.integers(0, 2000), st.binary(min_size=0, max_size=3), st.integers(0, 3))
@settings(max_examples=300)
def test_so_are_events_of_which_bytes_were_changed(at, put, cut):
    raw = text(EVENT)
    at %= len(raw)
    changed = raw[:at] + put + raw[at + cut :]
    assert event_leaves([[changed]], "w0", 5, SALTS) == [event_leaf(changed, "w0", 5, SALTS)]


@given(events)
def test_any_event_has_a_leaf_whose_commitments_open(event):
    encoded, decoded = leaf(event)
    whole, *others = openings(text(event), encoded, 0, SALTS)
    check_opening(encoded, whole)
    if "folded" not in decoded:
        assert all(accepts(encoded, opening) for opening in (whole, *others))


@given(st.integers(0, 4), st.integers(0, 2000), st.integers(1, 127))
def test_no_changed_byte_is_accepted(which, at, change):
    encoded = event_leaf(text(EVENT), "w0", 123, SALTS)
    opening = openings(text(EVENT), encoded, 0, SALTS)[which]
    value = bytearray(opening.value.encode())
    value[at % len(value)] ^= change
    assert not accepts(encoded, msgspec.structs.replace(opening, value=value.decode("utf-8", "replace")))


@given(st.integers(0, 2000), st.integers(1, 255))
def test_no_changed_commitment_is_accepted(at, change):
    members = json.loads(event_leaf(text(EVENT), "w0", 123, SALTS))
    encoded = event_leaf(text(EVENT), "w0", 123, SALTS)
    together = bytearray(b64decode(members["commitments"]))
    at %= len(together)
    together[at] ^= change
    members["commitments"] = b64encode(together).decode()
    forged = json.dumps(members, sort_keys=True, separators=(",", ":")).encode()
    pointers = ("", "/caller", "/requestParameters", f"{PAIR}0", f"{PAIR}1")
    refused = [o.pointer for o in openings(text(EVENT), encoded, 0, SALTS) if not accepts(forged, o)]
    assert refused == [pointers[at // 32]]


def test_commitments_and_salts_are_made_as_published():
    encoded, decoded = leaf()
    together = b64decode(decoded["commitments"])
    seed = bytes.fromhex(EVENT["eventID"].replace("-", ""))

    def salt(place):
        key = subkey(bytes(range(32)), "keystead salts 2", place.to_bytes(4, "big"))
        return Cipher(algorithms.AES256(key), modes.ECB()).encryptor().update(seed)

    before, between, behind = text(EVENT).partition(EVENT["requestID"].encode())
    assert between
    behind = behind.removeprefix(b'","eventID":"' + EVENT["eventID"].encode())
    whole = sha256(b"keystead event 3\0" + len(before).to_bytes(4, "big") + before + behind).digest()
    assert together[:32] == sha256(salt(0) + whole).digest()
    places = {"/requestParameters": (2, 2), f"{PAIR}0": (5, 3), f"{PAIR}1": (6, 4)}
    values = {opening.pointer: opening.value for opening in openings(text(EVENT), encoded, 0, SALTS)}
    for pointer, (place, number) in places.items():
        digest = sha256(
            b"keystead commitment 2\0%b\0%b" % (pointer.encode(), values[pointer].encode())
        ).digest()
        assert together[32 * number : 32 * (number + 1)] == sha256(salt(place) + digest).digest()


def test_the_published_vectors():
    made = [
        commitment_2(bytes(16), "/requestParameters", b'{"keyId":"alias/a"}'),
        commitment_2(bytes(16), "", b"{}"),
        commitment_3(bytes(16), "", b"{}", (None, None)),
        commitment_3(bytes(16), "", SMALL, (EVENT["requestID"], EVENT["eventID"])),
    ]
    seed = bytes.fromhex(EVENT["eventID"].replace("-", ""))
    vectors = [value.hex() for value in (*made, SALTS.at(1, seed))]
    assert vectors == [
        "087f48a2d9166a6c2d6a3c7e4d9799b2ed537fa2685b27fd37b16fefe45db098",
        "8db0b08a546227d84ee323d9e7b868933550ceed083dd40fdfb7560d3714c435",
        "b10e550701b2aa74a839f3d74c92377329905120ef70955ab68b7c060f4d5afc",
        "c02732bde4d9c5e7bb6075e0ea8e4192cd898329eefcd5445ccfbdcdcc0fe6a5",
        "01792ecc37128e61c16b4d7a555b2904",
    ]
    assert [vector for vector in vectors if vector not in FORMAT.read_text()] == []
    _, decoded = leaf()
    assert sha256(b64decode(decoded["commitments"])).hexdigest() == VECTOR
