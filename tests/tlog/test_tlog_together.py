"""Entries of several events that differ in their ids alone."""

import json
from base64 import b64decode
from hashlib import sha256
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystead.crypto import Secret
from keystead.errors import LogError
from keystead.tlog import (
    Salts,
    event_leaf,
    event_leaves,
    ids_of,
    openings,
    records_of,
    together_leaf,
)
from keystead.tlog.opening import check_event, check_opening
from keystead.tlog.together import MOST

SALTS = Salts(Secret(bytes(range(32))))
KEY = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"


def numbered(number, **changes):
    event = {
        "eventVersion": "1.11",
        "userIdentity": {"type": "IAMUser", "userName": "alice"},
        "eventTime": "2026-03-01T10:00:00Z",
        "eventSource": "kms.amazonaws.com",
        "eventName": "Encrypt",
        "awsRegion": "eu-west-1",
        "sourceIPAddress": "192.0.2.17",
        "userAgent": "agent/1",
        "requestParameters": {"keyId": "alias/a", "encryptionContext": {"ward": "7", "zone": "b"}},
        "responseElements": None,
        "requestID": str(UUID(int=number << 64 | 1)),
        "eventID": str(UUID(int=number << 64 | 2)),
        "readOnly": True,
        "resources": [{"accountId": "111122223333", "type": "AWS::KMS::Key", "ARN": KEY}],
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": "111122223333",
        "eventCategory": "Management",
    }
    return json.dumps(event | changes, separators=(",", ":")).encode()


def count_of(members):
    return len(records_of(members["index"], members.get("events", "")))


def opens(leaf, opening):
    try:
        check_opening(leaf, opening)
    except LogError:
        return False
    return True


def test_events_in_a_row_that_differ_in_their_ids_share_an_entry():
    events = [numbered(n) for n in range(2 * MOST + 1)]
    leaves = event_leaves([events], "w0", 40, SALTS)
    members = [json.loads(leaf) for leaf in leaves]
    assert [each["index"] for each in members] == [40, 40 + MOST, 40 + 2 * MOST]
    assert [count_of(each) for each in members] == [MOST, MOST, 1]
    assert [each["v"] for each in members] == [4, 4, 3]
    first = json.loads(event_leaf(events[0], "w0", 40, SALTS))
    assert members[0]["commitments"] == first["commitments"]
    shown = {name: value for name, value in first.items() if name not in {"eventID", "requestID", "v"}}
    assert {name: members[0][name] for name in shown} == shown
    assert members[0].keys() - shown.keys() == {"v", "events"}
    assert ids_of(members[0]) == [
        (str(UUID(int=n << 64 | 1)), str(UUID(int=n << 64 | 2))) for n in range(MOST)
    ]


def test_an_entry_of_several_is_what_is_published():
    events = [numbered(n) for n in range(3)]
    (leaf,) = event_leaves([events], "w0", 0, SALTS)
    members = json.loads(leaf)
    assert json.dumps(members, sort_keys=True, separators=(",", ":")).encode() == leaf
    data = b64decode(members["events"])
    assert data == b"".join(
        UUID(json.loads(event)[name]).bytes for event in events for name in ("requestID", "eventID")
    )
    opening = openings(events[1], leaf, 0, SALTS)[0]
    before, between, behind = events[1].partition(json.loads(events[1])["requestID"].encode())
    behind = behind.removeprefix(b'","eventID":"' + json.loads(events[1])["eventID"].encode())
    assert between
    whole = sha256(b"keystead event 3\0" + len(before).to_bytes(4, "big") + before + behind).digest()
    assert opening.salt == SALTS.at(0, UUID(json.loads(events[0])["eventID"]).bytes)
    assert b64decode(members["commitments"])[:32] == sha256(opening.salt + whole).digest()


def test_every_event_of_an_entry_can_be_opened_and_no_other():
    events = [numbered(n) for n in range(5)]
    (leaf,) = event_leaves([events], "w0", 0, SALTS)
    for event in events:
        opened = openings(event, leaf, 9, SALTS)
        assert [opening.pointer for opening in opened][:3] == ["", "/caller", "/requestParameters"]
        assert all(opens(leaf, opening) for opening in opened)
        assert check_event(leaf, opened[0].value) == json.loads(event)
    whole = openings(events[0], leaf, 9, SALTS)[0]
    ids = [json.loads(event) for event in events[:2]]
    crossed = numbered(0, eventID=ids[1]["eventID"])
    for other in (numbered(5), crossed, numbered(0, userAgent="agent/2"), b"{}", b"garbage"):
        assert not opens(leaf, msgspec.structs.replace(whole, value=other.decode()))
    with pytest.raises(LogError, match="shows something else"):
        check_event(leaf, numbered(1, eventName="Decrypt").decode())
    with pytest.raises(LogError, match="shows something else"):
        check_event(leaf, numbered(7).decode())


@pytest.mark.parametrize(
    "changes",
    [
        {"eventTime": "2026-03-01T10:00:01Z"},
        {"userIdentity": {"type": "IAMUser", "userName": "bob"}},
        {"userAgent": "agent/2"},
        {"requestParameters": {"keyId": "alias/a", "encryptionContext": {"ward": "8", "zone": "b"}}},
        {"sharedEventID": str(UUID(int=7))},
        {"errorCode": "AccessDenied"},
    ],
)
def test_events_that_differ_in_anything_else_share_none(changes):
    events = [numbered(0), numbered(1, **changes), numbered(2)]
    leaves = event_leaves([events], "w0", 0, SALTS)
    assert leaves == [event_leaf(event, "w0", index, SALTS) for index, event in enumerate(events)]
    with pytest.raises(LogError, match="more than their ids"):
        together_leaf(events, "w0", 0, SALTS)


@pytest.mark.parametrize("count", [1, MOST + 1])
def test_no_entry_is_of_one_event_or_of_too_many(count):
    with pytest.raises(LogError, match="share no entry"):
        together_leaf([numbered(n) for n in range(count)], "w0", 0, SALTS)


@pytest.mark.parametrize("told", [None, 5, "", "AAAA", "A" * 43, "not Base64", "A" * 85 + "="])
def test_what_tells_no_ids_is_no_entry_of_several(told):
    with pytest.raises(LogError):
        ids_of({"events": told})


@given(st.lists(st.sampled_from("abc"), max_size=40), st.integers(0, 2**40))
def test_each_record_is_in_one_entry_in_their_order(users, first):
    events = [numbered(n, userAgent=user) for n, user in enumerate(users)]
    leaves = event_leaves([events], "w0", first, SALTS)
    following, left = first, events
    for leaf in leaves:
        members = json.loads(leaf)
        count = count_of(members)
        some, left = left[:count], left[count:]
        assert members["index"] == following
        following += count
        assert leaf == (
            event_leaf(some[0], "w0", members["index"], SALTS)
            if count == 1
            else together_leaf(some, "w0", members["index"], SALTS)
        )
    assert not left
