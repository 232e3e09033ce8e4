"""Receipts that were tampered with are refused, and what was done is named: by the library and by keystead-verify."""

import json
import subprocess
import sys
from base64 import b64decode, b64encode

import bundles
import pytest
from bundles import OTHER_SIGNER, SALTS, SIGNER, WITNESSES, Bundle, edited
from hypothesis import given
from hypothesis import strategies as st

from keystead.receipts import ReceiptError, verify
from keystead.tlog import event_leaf

VKEY = SIGNER.key.text


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """The log of a server that served some calls, signed by two witnesses."""
    place = tmp_path_factory.mktemp("receipts")
    bundles.record(place / "data", calls=2)
    made = Bundle.of(place / "data", place / "bundle")
    made.cosign(1_900_000_000, count=2)
    return made


@pytest.fixture(scope="module")
def encrypted(bundle):
    """The number of an entry of an Encrypt."""
    return next(number for number, event in enumerate(bundle.events) if b'"Encrypt"' in event)


@pytest.fixture(scope="module")
def receipt(bundle, encrypted):
    """A receipt that opens the whole event and its caller."""
    return bundle.receipt(encrypted, "", "/caller").decode()


def changed(receipt, **members):
    return json.dumps(json.loads(receipt) | members)


def reopened(receipt, number, **members):
    openings = json.loads(receipt)["openings"]
    openings[number] |= members
    return changed(receipt, openings=openings)


def test_what_nobody_touched_holds(receipt, both, bundle, encrypted):
    for text in (receipt, f" {receipt}\n", b64encode(receipt.encode()).decode()):
        assert both(text) is None
        found = verify(text, VKEY)
        assert found.index == encrypted
        assert found.entry == json.loads(bundle.entries[encrypted])
        assert found.event == json.loads(bundle.events[encrypted])
        assert (found.size, found.witnesses, found.text) == (bundle.size, (), text)
    bare = bundle.receipt(encrypted).decode()
    assert both(bare) is None
    assert verify(bare, VKEY).event is None


def test_witnesses_count_by_their_signatures(receipt, both):
    first, second, third = (witness.key.text for witness in WITNESSES)
    assert both(receipt, first, second) is None
    assert both(receipt, first, third) == "unwitnessed"
    assert both(receipt, first, third, quorum=1) is None
    assert verify(receipt, VKEY, witnesses=[first, third], quorum=1).witnesses == (WITNESSES[0].key.name,)
    *lines, last = json.loads(receipt)["checkpoint"].splitlines(keepends=True)
    dash, name, signature = last.split()
    spoiled = b64decode(signature)[:-1] + bytes([b64decode(signature)[-1] ^ 1])
    note = "".join([*lines, f"{dash} {name} {b64encode(spoiled).decode()}\n"])
    assert both(changed(receipt, checkpoint=note)) is None
    assert both(changed(receipt, checkpoint=note), second) == "bad-signature"


def test_another_entry_index_or_path(receipt, both, bundle, encrypted):
    members = json.loads(receipt)
    forged = b64encode(edited(bundle.entries[encrypted], errorCode="AccessDenied")).decode()
    assert both(changed(receipt, leaf=forged)) == "not-logged"
    other = bundle.receipt(encrypted - 1).decode()
    assert both(changed(other, index=encrypted)) == "not-logged"
    assert both(changed(other, index=10**9)) == "not-logged"
    assert both(changed(other, proof=members["proof"][1:])) == "not-logged"
    assert both(changed(other, proof=[*members["proof"], members["proof"][0]])) == "not-logged"


def test_another_checkpoint(receipt, both, bundle):
    members = json.loads(receipt)
    text = members["checkpoint"].partition("\n\n")[0] + "\n"
    assert both(changed(receipt, checkpoint=f"{text}\n{OTHER_SIGNER.sign(text)}")) == "bad-signature"
    larger = members["checkpoint"].replace(f"\n{bundle.size}\n", f"\n{bundle.size + 1}\n")
    assert both(changed(receipt, checkpoint=larger)) == "bad-signature"
    rooted = text.replace(text.splitlines()[2], b64encode(bytes(32)).decode())
    assert both(changed(receipt, checkpoint=f"{rooted}\n{SIGNER.sign(rooted)}")) == "not-logged"
    assert both(changed(receipt, checkpoint="nothing")) == "malformed"


def test_another_event(receipt, both):
    whole, caller = json.loads(receipt)["openings"]
    assert (whole["pointer"], caller["pointer"]) == ("", "/caller")
    event = json.dumps(json.loads(whole["value"]) | {"sourceIPAddress": "203.0.113.1"})
    assert both(reopened(receipt, 0, value=event)) == "false-opening"
    assert both(reopened(receipt, 0, salt=caller["salt"])) == "false-opening"
    assert both(reopened(receipt, 0, value=5)) == "malformed"
    assert both(reopened(receipt, 1, value=caller["value"].replace("root", "user/eve"))) == "false-opening"
    assert both(reopened(receipt, 1, pointer="/caller/nobody")) == "false-opening"


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("eventName", "Decrypt"),
        ("errorCode", "AccessDenied"),
        ("readOnly", False),
        ("keys", []),
        ("keys", ["arn:aws:kms:us-east-1:000000000000:key/00000000-0000-4000-8000-000000000000"]),
        ("identityType", "IAMUser"),
    ],
)
def test_an_entry_that_shows_something_else_than_its_event(tmp_path, bundle, encrypted, both, member, value):
    """The log itself lies: its entry commits to the event, and shows another one."""
    lying = Bundle(tmp_path / "lying")
    event = bundle.events[encrypted]
    lying.events = [event]
    lying.append([edited(event_leaf(event, "w0", 0, SALTS), **{member: value})])
    assert both(lying.receipt(0).decode()) is None
    assert both(lying.receipt(0, "").decode()) == "false-opening"


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", "////", "{" * 10_000, b64encode(b"[" * 10_000).decode(), "é", '{"index":0,"leaf":5}'],
)
def test_no_receipt_at_all(both, text):
    assert both(text) == "malformed"


def test_the_receipt_of_another_call(receipt, bundle, encrypted):
    entry = json.loads(bundle.entries[encrypted])
    verify(receipt, VKEY, request_id=entry["requestID"], operation="Encrypt")
    for asked in ({"operation": "Decrypt"}, {"request_id": entry["eventID"]}):
        with pytest.raises(ReceiptError, match="other-call"):
            verify(receipt, VKEY, **asked)


def test_keys_that_cannot_be_used(receipt):
    witness = WITNESSES[0].key.text
    for vkey, options in (
        ("nothing", {}),
        (witness, {}),
        (VKEY, {"witnesses": [VKEY]}),
        (VKEY, {"witnesses": [witness], "quorum": 2}),
    ):
        with pytest.raises(ValueError):
            verify(receipt, vkey, **options)


@given(st.data())
def test_no_byte_can_be_changed_unnoticed(receipt, data):
    content = bytearray(receipt.encode())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    try:
        found = verify(b64encode(content).decode(), VKEY)
    except ReceiptError:
        return
    # What was changed says nothing: a name that is not read, or the line of a witness who was not given.
    original = verify(receipt, VKEY)
    assert (found.index, found.entry, found.size) == (original.index, original.entry, original.size)
    assert found.event in (None, original.event)


def test_it_is_light():
    """Programs that call a server load nothing of what a server is made of."""
    code = "import sys, keystead.receipts; print([name for name in sys.modules if name.count('.') < 2])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    for heavy in ("keystead.api", "keystead.app", "keystead.audit", "keystead.storage", "keystead.settings"):
        assert f"'{heavy}'" not in loaded
    for heavy in ("botocore", "boto3", "uvloop", "click", "structlog", "sqlite3", "yaml", "asyncio"):
        assert f"'{heavy}'" not in loaded


def test_a_receipt_is_kept_as_it_came(receipt):
    text = b64encode(receipt.encode()).decode()
    assert json.loads(b64decode(verify(text, VKEY).text)) == json.loads(receipt)
