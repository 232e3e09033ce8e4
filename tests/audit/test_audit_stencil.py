"""Events from a stencil are byte for byte those that are made one by one."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystead.audit import event, form
from keystead.audit.stencil import LONGEST, MATERIAL, MOST, RESOURCE, Stencils, stencil
from keystead.identity import Caller
from keystead.wire.models import kms

ACCOUNT = "111122223333"
ARN = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
CALLER = Caller("Root", f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT, ACCOUNT, "AKIAEXAMPLE000000000")
RESOURCES = [form.Resource(ACCOUNT, event.KEY_TYPE, ARN)]
TLS = form.TlsDetails("TLSv1.3", "TLS_AES_128_GCM_SHA256", "kms.example")


def context(**changes):
    given = {
        "request_id": "r",
        "event_id": "e",
        "time": 1660171107.9,
        "region": "us-east-1",
        "account": ACCOUNT,
        "identity": event.identity_of(CALLER),
        "source_ip": "192.0.2.1",
        "user_agent": "aws-cli/2",
    }
    return form.EventContext(**(given | changes))


requests = st.builds(
    kms.EncryptRequest,
    key_id=st.text(min_size=1),
    plaintext=st.binary(min_size=1),
    encryption_context=st.none() | st.dictionaries(st.text(), st.text(), max_size=3),
    grant_tokens=st.none() | st.lists(st.text()),
    dry_run=st.none() | st.booleans(),
)
decryptions = st.builds(
    kms.DecryptRequest,
    ciphertext_blob=st.none() | st.binary(min_size=1),
    key_id=st.none() | st.text(min_size=1),
    encryption_algorithm=st.none() | st.text(),
    encryption_context=st.none() | st.dictionaries(st.text(), st.text(), max_size=3),
)
contexts = st.builds(
    context,
    user_agent=st.text() | st.sampled_from(["<request id", "event id>", '"', "\\", "\u2028é"]),
    source_ip=st.sampled_from(["192.0.2.1", "2001:db8::1", "s3.amazonaws.com"]),
    tls=st.sampled_from([form.UNSET, TLS]),
)
uses = st.lists(
    st.tuples(st.floats(0, 4e9), requests, st.uuids().map(str), st.uuids().map(str)), min_size=1, max_size=4
)
additional = st.none() | st.builds(lambda text: {"keyMaterialId": text}, st.text(max_size=80))


@given(contexts, uses, additional)
def test_one_stencil_makes_what_each_event_is(shared, uses, additional):
    made = stencil(shared, "kms", "Encrypt", RESOURCES, additional)
    for time, request, request_id, event_id in uses:
        own = msgspec.structs.replace(shared, time=time, request_id=request_id, event_id=event_id)
        assert bytes(made.event(time, request, request_id, event_id)) == event.call_event(
            own, "kms", "Encrypt", request, resources=RESOURCES, additional=additional
        )


@given(decryptions)
def test_a_request_without_a_member_that_is_always_there_shows_its_default(request):
    own = context()
    made = stencil(own, "kms", "Decrypt", RESOURCES, None)
    assert bytes(made.event(own.time, request, own.request_id, own.event_id)) == event.call_event(
        own, "kms", "Decrypt", request, resources=RESOURCES
    )


awkward = st.text(max_size=40) | st.sampled_from([RESOURCE, MATERIAL, ARN, "<time>", '"', "\\", "\u2028é"])


@given(contexts, uses, st.lists(st.tuples(awkward, st.none() | awkward), min_size=1, max_size=3))
def test_a_mould_makes_the_stencil_of_each_key(shared, uses, keys):
    for arn, material in keys:
        marked = None if material is None else {"keyMaterialId": MATERIAL}
        mould = stencil(shared, "kms", "Encrypt", [form.Resource(ACCOUNT, event.KEY_TYPE, RESOURCE)], marked)
        made = mould.of_key(arn, material)
        own = [form.Resource(ACCOUNT, event.KEY_TYPE, arn)]
        told = None if material is None else {"keyMaterialId": material}
        if made is None:
            assert MATERIAL in f"{shared.user_agent}{arn}" or RESOURCE in shared.user_agent
            continue
        for time, request, request_id, event_id in uses:
            of_call = msgspec.structs.replace(shared, time=time, request_id=request_id, event_id=event_id)
            assert bytes(made.event(time, request, request_id, event_id)) == event.call_event(
                of_call, "kms", "Encrypt", request, resources=own, additional=told
            )


@pytest.mark.parametrize("agent", [RESOURCE, MATERIAL, f"{MATERIAL} {RESOURCE}"])
def test_a_mould_is_none_where_a_client_is_called_as_a_mark_is(agent):
    resources = [form.Resource(ACCOUNT, event.KEY_TYPE, RESOURCE)]
    mould = stencil(context(user_agent=agent), "kms", "Encrypt", resources, {"keyMaterialId": MATERIAL})
    assert mould.of_key(ARN, "0" * 64) is None


def test_a_stencil_of_one_key_is_no_mould():
    assert stencil(context(), "kms", "Encrypt", RESOURCES, None).of_key(ARN, None) is None


@pytest.mark.parametrize("agent", ["<time>", "<asked>", "a <request id>", "<event id> b"])
def test_there_is_none_where_a_client_is_called_as_a_cut_is(agent):
    assert stencil(context(user_agent=agent), "kms", "Encrypt", RESOURCES, None) is None


@pytest.mark.parametrize("operation", ["CreateKey", "EnableKey", "ScheduleKeyDeletion"])
def test_there_is_none_for_operations_whose_events_show_something_of_the_answer(operation):
    assert stencil(context(), "kms", operation, RESOURCES, None) is None


def test_there_is_none_that_is_long():
    assert stencil(context(user_agent="a" * (LONGEST - 1500)), "kms", "Encrypt", RESOURCES, None) is not None
    assert stencil(context(user_agent="a" * LONGEST), "kms", "Encrypt", RESOURCES, None) is None


def test_a_request_that_shows_nothing_has_null_parameters():
    made = stencil(context(), "kms", "GenerateRandom", (), None)
    assert (
        json.loads(bytes(made.event(0.0, kms.GenerateRandomRequest(), "r", "e")))["requestParameters"] is None
    )


def test_of_too_many_the_oldest_goes():
    kept = Stencils()
    for number in range(MOST + 1):
        kept.put(number, None)
    assert len(kept.kept) == MOST
    assert 0 not in kept.kept
    assert MOST in kept.kept


def test_events_that_are_alike_begin_with_one_object_unless_it_is_long():
    made = stencil(context(), "kms", "Encrypt", RESOURCES, None)
    for size, same in ((10, True), (LONGEST, False)):
        request = kms.EncryptRequest(key_id="k", plaintext=b"x", encryption_context={"a": "b" * size})
        first, second = (made.event(7.0, request, "r", own) for own in ("e1", "e2"))
        assert first.before == second.before
        assert (first.before is second.before) is same
        assert first.behind is second.behind
