"""Receipts of entries that several events share: each caller is told of its own call, and of no other."""

import json
from base64 import b64encode

import pytest
from bundles import ENCRYPT, SALTS, SIGNER, Bundle, alike, edited

from keystead.receipts import ReceiptError, verify
from keystead.tlog import event_leaf, event_leaves

VKEY = SIGNER.key.text
EVENTS = alike(ENCRYPT, 5)
LEAF = event_leaves([EVENTS], "w0", 0, SALTS)[0]
IDS = [{name: json.loads(event)[name] for name in ("requestID", "eventID")} for event in EVENTS]


@pytest.fixture
def receipt(tmp_path):
    """Makes the receipt of an entry, which opens what is at these pointers of an event."""

    def made(event, *pointers, leaf=LEAF):
        bundle = Bundle(tmp_path / "log")
        bundle.append([leaf])
        bundle.events = [event]
        return bundle.receipt(0, *pointers).decode()

    return made


@pytest.mark.parametrize("which", range(5))
def test_each_caller_is_told_of_its_own_call(receipt, both, which):
    text = receipt(EVENTS[which], "", "/caller")
    assert both(text) is None
    asked = verify(text, VKEY, request_id=IDS[which]["requestID"], operation="Encrypt")
    for found in (asked, verify(text, VKEY)):
        assert found.event == json.loads(EVENTS[which])
        assert found.entry == json.loads(LEAF) | IDS[which]
    bare = receipt(EVENTS[which])
    assert verify(bare, VKEY, request_id=IDS[which]["requestID"]).entry == json.loads(LEAF) | IDS[which]
    assert verify(bare, VKEY).entry == json.loads(LEAF)


def test_the_receipt_of_another_call(receipt):
    opened, bare = receipt(EVENTS[1], ""), receipt(EVENTS[1])
    for text, asked in (
        (opened, {"request_id": IDS[2]["requestID"]}),  # which shares the entry, and is not what was opened
        (opened, {"request_id": IDS[1]["eventID"]}),
        (opened, {"operation": "Decrypt"}),
        (bare, {"request_id": IDS[1]["eventID"]}),
        (bare, {"request_id": "00000009-ce17-4fd5-a9b1-0fb1d4e4e2a1"}),
    ):
        with pytest.raises(ReceiptError, match="other-call"):
            verify(text, VKEY, **asked)


def test_an_event_that_is_none_of_those_that_share_the_entry(receipt, both):
    assert both(receipt(alike(ENCRYPT, 1, 9)[0], "")) == "false-opening"
    mixed = EVENTS[1].replace(IDS[1]["eventID"].encode(), IDS[2]["eventID"].encode())
    assert both(receipt(mixed, "")) == "false-opening"
    assert both(receipt(EVENTS[1].replace(b"alice", b"mallory"), "")) == "false-opening"


@pytest.mark.parametrize(
    "changes",
    [
        {"events": None},
        {"events": ""},
        {"events": b64encode(bytes(48)).decode()},
        {"events": b64encode(bytes(32)).decode()},
        {"requestID": IDS[1]["requestID"]},
        {"eventID": IDS[1]["eventID"]},
    ],
)
def test_an_entry_that_has_not_the_form(receipt, both, changes):
    """The log itself made it so."""
    assert both(receipt(EVENTS[1], leaf=edited(LEAF, **changes))) == "malformed"


def test_an_entry_of_one_event_tells_no_ids_of_several(receipt):
    leaf = edited(event_leaf(EVENTS[0], "w0", 0, SALTS), events=json.loads(LEAF)["events"])
    with pytest.raises(ReceiptError, match="other-call"):
        verify(receipt(EVENTS[0], leaf=leaf), VKEY, request_id=IDS[1]["requestID"])
