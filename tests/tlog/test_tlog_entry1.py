import json
from base64 import b64encode
from hashlib import sha256, shake_256

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystead.crypto import Secret
from keystead.errors import LogError
from keystead.tlog.commitments import Salts, commitment
from keystead.tlog.digests import StateDigests
from keystead.tlog.entry import note_leaf
from keystead.tlog.entry1 import event_leaf
from keystead.tlog.opening import Opening, check_opening, openings

SALTS = Salts(Secret(bytes(range(32))))
KEY = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
EVENT = {
    "eventVersion": "1.11",
    "userIdentity": {
        "type": "IAMUser",
        "principalId": "AIDAEXAMPLE",
        "arn": "arn:aws:iam::111122223333:user/alice-of-payroll",
        "accountId": "111122223333",
        "accessKeyId": "AKIAEXAMPLE",
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
    "resources": [
        {"accountId": "111122223333", "type": "AWS::KMS::Key", "ARN": KEY},
        {
            "accountId": "111122223333",
            "type": "AWS::KMS::Alias",
            "ARN": "arn:aws:kms:eu-west-1:111122223333:alias/payroll",
        },
    ],
    "eventType": "AwsApiCall",
    "managementEvent": True,
    "recipientAccountId": "111122223333",
}
RAW = json.dumps(EVENT).encode()
SECRETS = ["alice", "payroll", "AIDA", "AKIA", "192.0.2.17", "agent", "patient", "Jane", "ward", "alias/"]


def leaf(event=RAW, **options):
    encoded = event_leaf(event, "w0", 123, SALTS, **options)
    decoded = json.loads(encoded)
    assert json.dumps(decoded, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() == encoded
    assert len(encoded) <= 65_535
    return encoded, decoded


def test_an_entry_shows_what_names_nobody():
    encoded, decoded = leaf()
    assert {name: value for name, value in decoded.items() if name not in {"commitments", "event"}} == {
        "v": 1,
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
    assert [word for word in SECRETS if word in encoded.decode()] == []


def test_every_member_that_may_name_somebody_is_committed_to_by_itself():
    _, decoded = leaf()
    assert sorted(decoded["commitments"]) == [
        "/requestParameters",
        "/requestParameters/encryptionContext/0",
        "/requestParameters/encryptionContext/1",
        "/resources",
        "/sourceIPAddress",
        "/userAgent",
        "/userIdentity",
    ]
    assert len({*decoded["commitments"].values(), decoded["event"]}) == 8


def test_resources_that_are_all_shown_are_not_hidden_too():
    _, decoded = leaf(json.dumps(EVENT | {"resources": EVENT["resources"][:1]}).encode())
    assert decoded["keys"] == [KEY]
    assert "/resources" not in decoded["commitments"]


def test_each_value_can_be_opened_and_no_other_value_at_its_place():
    encoded, decoded = leaf()
    opened = openings(RAW, encoded, 7, SALTS)
    assert {opening.pointer for opening in opened} == {"", *decoded["commitments"]}
    for opening in opened:
        line = msgspec.json.encode(opening)
        check_opening(encoded, msgspec.json.decode(line, type=Opening))
        for forged in (
            msgspec.structs.replace(opening, value="forged"),
            msgspec.structs.replace(opening, salt=bytes(16)),
            msgspec.structs.replace(opening, pointer="/userIdentity/none"),
        ):
            with pytest.raises(LogError):
                check_opening(encoded, forged)
    values = {opening.pointer: opening.value for opening in opened}
    assert values["/requestParameters/encryptionContext/0"] == '["patient","Jane Roe"]'
    assert json.loads(values["/userIdentity"]) == EVENT["userIdentity"]
    assert values[""] == RAW.decode()


def test_a_commitment_does_not_show_that_two_values_are_the_same():
    other = json.dumps(EVENT | {"eventID": "11111111-7b7e-4a8a-9c1d-3d1d1a6f2b10"}).encode()
    first, second = leaf()[1]["commitments"], leaf(other)[1]["commitments"]
    assert set(first.values()).isdisjoint(second.values())


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("eventName", "Encrypt my secret"),
        ("awsRegion", "Region One"),
        ("eventID", "not-a-uuid"),
        ("errorCode", "Access denied: alice"),
        ("eventTime", "yesterday"),
        ("recipientAccountId", "alice"),
        ("eventSource", "alice.example.com"),
        ("requestID", "5151"),
    ],
)
def test_a_member_of_another_shape_is_hidden(member, value):
    encoded, decoded = leaf(json.dumps(EVENT | {member: value}).encode())
    assert member not in decoded
    assert json.dumps(value).encode() not in encoded


def test_an_event_of_another_form_shows_nothing():
    encoded, decoded = leaf(json.dumps(EVENT | {"requestID": 5151}).encode())
    assert set(decoded) == {"v", "journal", "index", "keys", "event", "folded"}
    assert b"5151" not in encoded


def test_names_that_a_caller_chose_are_hidden_wherever_they_are():
    constraints = {"encryptionContextSubset": {"patient": "Jane"}, "free form": {"ward": "7"}}
    for parameters in ({"constraints": constraints}, {"encryptionContext": ["patient", "ward"]}):
        encoded, decoded = leaf(json.dumps(EVENT | {"requestParameters": parameters}).encode())
        assert [word for word in (b"patient", b"ward", b"free form") if word in encoded] == []
        assert {p for p in decoded["commitments"] if p.startswith("/requestP")} == {"/requestParameters"}


def test_a_resource_that_only_looks_like_a_key_is_hidden():
    odd = [{"ARN": KEY + "/alice"}, {"ARN": KEY.replace("key/", "alias/")}, "alice", {"ARN": 5}]
    encoded, decoded = leaf(json.dumps(EVENT | {"resources": odd}).encode())
    assert decoded["keys"] == []
    assert b"/alice" not in encoded


def test_an_event_of_very_many_values_is_folded():
    _, decoded = leaf(
        json.dumps(
            EVENT | {"requestParameters": {"encryptionContext": {str(n): "v" for n in range(300)}}}
        ).encode()
    )
    assert decoded["folded"] is True
    assert "commitments" not in decoded
    assert decoded["keys"] == [KEY]


def test_writes_are_shown_or_folded():
    digests = StateDigests(Secret(bytes(32)))
    writes = [digests.write("policies", b"k", b"value"), digests.write("policies", b"k", None)]
    _, decoded = leaf(writes=writes)
    assert decoded["writes"] == [[b64encode(part).decode() for part in write] for write in writes]
    assert decoded["writes"][0][0] == decoded["writes"][1][0]
    assert decoded["writes"][1][1] == ""
    made = [digests.write("t", b"%d" % n, b"v") for n in range(880)]
    many = next(seen for n in range(880, 0, -1) if "writes" in (seen := leaf(writes=made[:n])[1]))
    assert many["folded"]
    _, too_many = leaf(writes=[digests.write("t", b"%d" % n, b"v") for n in range(2000)])
    assert "writes" not in too_many
    assert len(too_many["writesDigest"]) == 44


def test_a_write_is_told_by_table_key_and_value():
    digests = StateDigests(Secret(bytes(32)))
    assert len(digests.place("t", b"k")) == 16
    assert digests.write("t", b"k", b"a")[1] != digests.write("t", b"k", b"b")[1]
    assert digests.place("t", b"k") != digests.place("u", b"k")
    assert digests.place("t", b"k") != StateDigests(Secret(bytes([1]) * 32)).place("t", b"k")


def test_a_note_of_the_journal_takes_its_number():
    assert (
        note_leaf(b'{"note":"closed"}', "w0", 9)
        == b'{"index":9,"journal":"w0","note":{"note":"closed"},"v":1}'
    )
    with pytest.raises(LogError):
        note_leaf(b"garbage", "w0", 9)


def test_a_record_that_is_no_event_is_committed_to_as_it_is():
    for record in (b"garbage", b"[1]", b"\xff", b'{"userIdentity": 5, "resources": {"a": 1}}'):
        _, decoded = leaf(record)
        assert decoded["event"]
        assert decoded["keys"] == []


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=12), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(sorted(EVENT)), json_values))
def test_any_event_has_a_leaf_whose_commitments_open(changes):
    raw = json.dumps(EVENT | changes).encode()
    encoded, _ = leaf(raw)
    opened = openings(raw, encoded, 0, SALTS)
    if len(opened) <= 201:
        for opening in opened:
            check_opening(encoded, msgspec.json.decode(msgspec.json.encode(opening), type=Opening))


@given(st.binary(max_size=60))
def test_any_bytes_have_a_leaf(raw):
    leaf(raw)


def test_a_commitment_is_made_as_published():
    made = commitment(bytes(16), b"/userAgent", b'"aws-cli"')
    assert made == sha256(b"keystead commitment 1\x00" + bytes(16) + b'/userAgent\x00"aws-cli"').digest()
    assert made.hex() == "d277d8cc9ca4a0d7734e163fb0235acd4551b0e9221acad7c30f91c17fcd400c"


def test_salts_are_made_as_published():
    first, second = Salts(Secret(bytes(32))).salts("an-id", 2)
    stream = shake_256(b"keystead salts 1\x00" + bytes(32) + b"an-id").digest(32)
    assert (first, second) == (stream[:16], stream[16:])
