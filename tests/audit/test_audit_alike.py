"""Events cut without reading them: the same uses are found as by reading each, whatever callers write into theirs."""

import json

from hypothesis import given
from hypothesis import strategies as st

from keystead.api.recorded import Gatherer, Told
from keystead.audit.alike import cut, is_sound

KEY = "arn:aws:kms:us-east-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab"
MEMBERS = ["eventTime", "sourceIPAddress", "requestParameters", "responseElements", "readOnly", "eventType",
           "errorCode", "resources", "x"]  # fmt: skip
names = st.one_of(
    st.sampled_from(MEMBERS),
    st.sampled_from([f'","{name}":"' for name in MEMBERS]),
    st.text(min_size=1, max_size=5),
)


def event(number, context, *, user="ann", error="", agent="a"):
    return {
        "eventVersion": "1.11",
        "userIdentity": {"type": "IAMUser", "principalId": f"AIDA{user}", "arn": f"arn:aws:iam::000000000000:user/{user}",
                         "accountId": "000000000000", "userName": user},
        "eventTime": f"2026-01-01T00:00:{number % 60:02d}Z",
        "eventSource": "kms.amazonaws.com", "eventName": "Decrypt", "awsRegion": "us-east-1",
        "sourceIPAddress": "192.0.2.1", "userAgent": agent, **({"errorCode": error} if error else {}),
        "requestParameters": {"encryptionContext": context, "keyId": KEY}, "responseElements": None,
        "requestID": f"r{number}", "eventID": f"e{number}", "readOnly": True,
        "resources": [{"accountId": "000000000000", "type": "AWS::KMS::Key", "ARN": KEY}],
        "eventType": "AwsApiCall", "managementEvent": True, "recipientAccountId": "000000000000",
        "eventCategory": "Management",
    }  # fmt: skip


def found(payloads, spoken):
    gatherer = Gatherer([KEY], Told(frozenset(spoken)), contexts=True)
    gatherer.take(payloads)
    return sorted(
        (one.recorded.caller.arn, one.count, one.first, one.last, one.event_id, str(sorted((one.common or {}).items())))
        for one in gatherer.uses
    )  # fmt: skip


EVENTS = st.lists(
    st.builds(
        event,
        st.integers(0, 999),
        st.dictionaries(names, names, max_size=4),
        user=st.sampled_from(["ann", "bob"]),
        error=st.sampled_from(["", "", "AccessDenied"]),
        agent=names,
    ),
    max_size=12,
)


@given(EVENTS)
def test_what_is_cut_is_found_as_what_is_read(events):
    written = [json.dumps(one, separators=(",", ":")).encode() for one in events]
    spaced = [json.dumps(one).encode() for one in events]  # of another form, so each is read
    assert not any(cut(one) for one in spaced)
    for spoken in (
        (),
        ("kms:encryptioncontext:x",),
        ("kms:encryptioncontextkeys",),
        ("kms:encryptionalgorithm",),
    ):
        assert found(written, spoken) == found(spaced, spoken)


def test_an_event_is_cut_between_its_own_members():
    payload = json.dumps(event(1, {"x": "1"}), separators=(",", ":")).encode()
    alike, time, asked = cut(payload)
    assert is_sound(payload, alike)
    assert time == b"2026-01-01T00:00:01Z"
    assert json.loads(asked) == {"encryptionContext": {"x": "1"}, "keyId": KEY}


def test_what_is_cut_within_a_member_is_not_sound():
    odd = event(1, {})
    odd["userIdentity"]["more"] = {"a": 1, "eventTime": "2026-01-01T00:00:00Z", "b": 1}
    payload = json.dumps(odd, separators=(",", ":")).encode()
    alike, _, _ = cut(payload)
    assert not is_sound(payload, alike)
