"""Events cut without reading them: the same uses are found as by reading each, whatever callers write into theirs."""

import json

from hypothesis import given
from hypothesis import strategies as st

from keystead.api.recorded import Gatherer, Told
from keystead.audit.alike import cut, is_sound

KEY = "arn:aws:kms:us-east-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab"
OTHER = f"{KEY[:-1]}c"
MEMBERS = ["eventTime", "sourceIPAddress", "requestParameters", "responseElements", "readOnly", "eventType",
           "errorCode", "resources", "x"]  # fmt: skip
names = st.one_of(
    st.sampled_from(MEMBERS),
    st.sampled_from([f'","{name}":"' for name in MEMBERS]),
    st.text(min_size=1, max_size=5),
)


def event(number, context, *, user="ann", error="", agent="a", key=KEY):
    return {
        "eventVersion": "1.11",
        "userIdentity": {"type": "IAMUser", "principalId": f"AIDA{user}", "arn": f"arn:aws:iam::000000000000:user/{user}",
                         "accountId": "000000000000", "userName": user},
        "eventTime": f"2026-01-01T00:00:{number % 60:02d}Z",
        "eventSource": "kms.amazonaws.com", "eventName": "Decrypt", "awsRegion": "us-east-1",
        "sourceIPAddress": "192.0.2.1", "userAgent": agent, **({"errorCode": error} if error else {}),
        "requestParameters": {"encryptionContext": context, "keyId": key}, "responseElements": None,
        "requestID": f"r{number}", "eventID": f"e{number}", "readOnly": True,
        "resources": [{"accountId": "000000000000", "type": "AWS::KMS::Key", "ARN": key}],
        "eventType": "AwsApiCall", "managementEvent": True, "recipientAccountId": "000000000000",
        "eventCategory": "Management",
    }  # fmt: skip


def found(payloads, spoken, *, contexts=True):
    gatherer = Gatherer([KEY, OTHER], Told(frozenset(spoken)), contexts=contexts)
    gatherer.take(payloads)
    return sorted(
        (one.recorded.key, one.recorded.caller.arn, one.count, one.first, one.last, one.event_id, str(sorted((one.common or {}).items())))
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
        key=st.sampled_from([KEY, OTHER]),
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


def test_a_context_with_the_names_of_what_stands_behind_it_hides_no_use_of_another_key():
    context = {"a": "b", "responseElements": "c", "readOnly": "d", "eventType": "e"}
    uses = [event(1, context), event(2, context, key=OTHER)]
    written = [json.dumps(one, separators=(",", ":")).encode() for one in uses]
    assert [use[0] for use in found(written, (), contexts=False)] == [KEY, OTHER]
