"""Requests that their alleged sender did not sign, or not so, or not now."""

from __future__ import annotations

import contextlib
import sys

import pytest
from signed_http import Client

from keystead.api.accounts import put_account, put_root_credential
from keystead.api.authenticate import Authenticator
from keystead.entropy import SystemEntropy
from keystead.errors import InvalidSignature, UnrecognizedClient
from keystead.keyring import Keyring
from keystead.storage import MemoryBackend, Store
from keystead.wire import sigv4
from keystead.wire.http import Request

pytestmark = pytest.mark.usefixtures("unchanged")

INVALID = (400, "InvalidSignatureException")
UNKNOWN = (400, "UnrecognizedClientException")
INCOMPLETE = (400, "IncompleteSignatureException")
MISSING = (400, "MissingAuthenticationTokenException")
_ONCE = frozenset({"signing_key", "_form", "_unsigned"})
"""Steps that are taken once for each key, or for the names of headers, whoever sends them."""
MISMATCH = "The request signature we calculated does not match the signature you provided."


def test_without_authorization(raw):
    prepared = raw.prepare("CreateKey").with_header("Authorization", None)
    assert raw.send(prepared).error() == MISSING


def test_a_good_signature_is_taken(raw, key_id):
    assert raw.must("DescribeKey", {"KeyId": key_id})


@pytest.mark.parametrize("place", [0, 31, 63])
def test_one_digit_of_the_signature_is_changed(raw, place):
    prepared = raw.prepare("CreateKey")
    head, _, signature = prepared.headers["Authorization"].rpartition("=")
    digit = "0" if signature[place] != "0" else "1"
    forged = f"{head}={signature[:place]}{digit}{signature[place + 1 :]}"
    answer = raw.send(prepared.with_header("Authorization", forged))
    assert answer.error() == INVALID
    assert answer.message.startswith(MISMATCH)


@pytest.mark.parametrize("length", [0, 1, 32, 63])
def test_the_signature_is_cut_off(raw, length):
    prepared = raw.prepare("CreateKey")
    head, _, signature = prepared.headers["Authorization"].rpartition("=")
    answer = raw.send(prepared.with_header("Authorization", f"{head}={signature[:length]}"))
    assert answer.error() in {INVALID, INCOMPLETE}


def test_the_signature_is_longer_or_of_other_characters(raw):
    prepared = raw.prepare("CreateKey")
    authorization = prepared.headers["Authorization"]
    for forged in (authorization + "0", authorization.upper(), authorization[:-64] + "\xe9" * 64):
        answer = raw.send(prepared.with_header("Authorization", forged))
        assert answer.status == 400
        assert answer.code in {INVALID[1], INCOMPLETE[1], UNKNOWN[1]}


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        " ",
        "Basic YTpi",
        "Bearer x",
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 ",
        "AWS4-HMAC-SHA256 a",
        "AWS4-HMAC-SHA256 Credential=a, SignedHeaders=host, Signature=b",
        "AWS4-HMAC-SHA256 Credential=a/b/c/d/e, SignedHeaders=host, Signature=b",
        "AWS4-HMAC-SHA256 Credential=////, SignedHeaders=, Signature=",
        "AWS4-HMAC-SHA256 Credential=////aws4_request, SignedHeaders=host, Signature=" + "0" * 64,
        "AWS4-HMAC-SHA256 Credential=a/20200230/b/kms/aws4_request, SignedHeaders=host, Signature="
        + "0" * 64,
        "AWS4-HMAC-SHA256 " + "Credential=a," * 500,
        "AWS4-ECDSA-P256-SHA256 Credential=a/b/kms/aws4_request, SignedHeaders=host, Signature=" + "0" * 64,
        "AWS4-HMAC-SHA256 Credential="
        + "\xff" * 200
        + "/d/r/kms/aws4_request, SignedHeaders=host, Signature=00",
        "\xff\xfe",
        "=" * 5000,
        "," * 5000,
    ],
)
def test_authorization_that_cannot_be_read(raw, authorization):
    answer = raw.send(raw.prepare("CreateKey").with_header("Authorization", authorization))
    assert answer.status == 400
    assert answer.code in {INVALID[1], INCOMPLETE[1], MISSING[1], UNKNOWN[1]}


def test_the_body_was_changed(raw):
    answer = raw.send(raw.prepare("CreateKey", b'{"Description": "a"}').changed(body=b'{"Description": "b"}'))
    assert answer.error() == INVALID
    assert answer.message.startswith(MISMATCH)


def test_the_operation_was_changed(raw):
    prepared = raw.prepare("DescribeKey").with_header("X-Amz-Target", "TrentService.CreateKey")
    assert raw.send(prepared).error() == INVALID


def test_a_header_that_decides_must_be_signed(raw):
    prepared = raw.prepare(None, {}).with_header("X-Amz-Target", "TrentService.CreateKey")
    assert raw.send(prepared).error() == INVALID


@pytest.mark.parametrize("path", ["/x", "/?x=y", "/%2F", "/./x"])
def test_the_path_was_changed(raw, path):
    answer = raw.send(raw.prepare("CreateKey").changed(target=path))
    assert answer.status == 400
    assert answer.code in {INVALID[1], "UnknownOperationException"}


def test_the_body_hash_is_not_the_bodys(raw):
    answer = raw.call("CreateKey", b"{}", headers={"X-Amz-Content-Sha256": "0" * 64})
    assert answer.error() == INVALID
    assert (
        raw.call("CreateKey", b"{}", headers={"X-Amz-Content-Sha256": "UNSIGNED-PAYLOAD"}).error() == INVALID
    )


def test_a_signature_five_minutes_old_is_good_and_a_second_later_is_not(raw, key_id):
    body = {"KeyId": key_id}
    assert raw.call("DescribeKey", body, when=raw.now() - 290).status == 200
    answer = raw.call("DescribeKey", body, when=raw.now() - 310)
    assert answer.error() == INVALID
    assert answer.message.startswith("Signature expired: ")


def test_a_clock_may_be_ahead_by_five_minutes_and_no_more(raw, key_id):
    body = {"KeyId": key_id}
    assert raw.call("DescribeKey", body, when=raw.now() + 290).status == 200
    answer = raw.call("DescribeKey", body, when=raw.now() + 310)
    assert answer.error() == INVALID
    assert answer.message.startswith("Signature not yet current: ")


@pytest.mark.parametrize(
    "date", ["", "yesterday", "20261124", "99999999T999999Z", "2026-11-24T00:00:00Z", "0" * 5000]
)
def test_the_date_cannot_be_read(raw, date):
    answer = raw.send(raw.prepare("CreateKey").with_header("X-Amz-Date", date))
    assert answer.status == 400
    assert answer.code in {INVALID[1], INCOMPLETE[1]}


def test_an_unknown_access_key_and_a_wrong_secret(raw):
    unknown = raw.other(access_key_id="AKIANOBODYNOBODY0000").call("CreateKey")
    assert unknown.error() == UNKNOWN
    assert unknown.message == "The security token included in the request is invalid."
    wrong = raw.other(secret="guessed").call("CreateKey")
    assert wrong.error() == INVALID
    assert wrong.message.startswith(MISMATCH)


@pytest.mark.parametrize("access_key_id", ["", "a b", "%2F", "\xe9", "a" * 3000, "AKIA-", "*"])
def test_strange_access_key_ids_are_unknown(raw, access_key_id):
    answer = raw.other(access_key_id=access_key_id).call("CreateKey")
    assert answer.status == 400
    assert answer.code in {UNKNOWN[1], INCOMPLETE[1], INVALID[1]}


def test_a_session_token_that_nobody_issued(raw):
    assert raw.call("CreateKey", headers={"X-Amz-Security-Token": "made up"}).error() == UNKNOWN


@pytest.mark.parametrize("service", ["s3", "sts", "", "KMS", "kms "])
def test_the_scope_names_another_service(raw, service):
    answer = raw.other(service=service).call("CreateKey")
    assert answer.status == 400
    assert answer.code in {INVALID[1], INCOMPLETE[1]}


@pytest.mark.parametrize("region", ["", "..", "US EAST", "a" * 200, "us/east", "\xe9"])
def test_the_scope_names_no_region(raw, region):
    answer = raw.other(region=region).call("CreateKey")
    assert answer.status == 400
    assert answer.code in {INVALID[1], INCOMPLETE[1]}


def test_the_day_of_the_scope_is_not_the_dates(raw):
    yesterday = raw.prepare("CreateKey", when=raw.now() - 86_400)
    today = raw.prepare("CreateKey")
    assert raw.send(yesterday.with_header("X-Amz-Date", today.headers["X-Amz-Date"])).error() == INVALID


def test_two_authorizations_are_one_too_many(raw):
    text = raw.prepare("CreateKey").raw()
    line = next(line for line in text.split(b"\r\n") if line.startswith(b"Authorization"))
    assert raw.send_raw(text.replace(line, line + b"\r\n" + line)).status == 400


# ---------------------------------------------------------------------------- presigned


def test_a_presigned_request_is_taken(raw, key_id):
    assert raw.send(raw.presign("DescribeKey", {"KeyId": key_id})).status == 200


def test_a_presigned_request_ends_when_it_says(raw, key_id):
    body = {"KeyId": key_id}
    assert raw.send(raw.presign("DescribeKey", body, expires=60, when=raw.now() - 50)).status == 200
    answer = raw.send(raw.presign("DescribeKey", body, expires=60, when=raw.now() - 70))
    assert answer.error() == INVALID
    assert answer.message.startswith("Signature expired: ")


@pytest.mark.parametrize("expires", [0, -1, 604_801, 10**30])
def test_a_presigned_request_lives_a_week_at_most(raw, key_id, expires):
    answer = raw.send(raw.presign("DescribeKey", {"KeyId": key_id}, expires=expires))
    assert answer.error() == INCOMPLETE


def test_a_presigned_request_whose_query_was_changed(raw, key_id):
    prepared = raw.presign("DescribeKey", {"KeyId": key_id})
    assert (
        raw.send(prepared.changed(target=prepared.target.replace("Expires=60", "Expires=61"))).error()
        == INVALID
    )
    assert raw.send(prepared.changed(body=b"{}")).error() == INVALID
    assert raw.send(prepared.changed(target=prepared.target[:-1])).error() == INVALID


def test_signed_in_both_ways(raw, key_id):
    prepared = raw.presign("DescribeKey", {"KeyId": key_id})
    both = prepared.with_header("Authorization", raw.prepare("DescribeKey").headers["Authorization"])
    assert raw.send(both).error() == INVALID


# --------------------------------------------------------------------------- same path


@pytest.mark.skipif(sigv4.__file__.endswith(".so"), reason="a compiled module has no frames to count")
def test_an_unknown_access_key_is_handled_by_the_same_steps_as_a_wrong_secret(raw):
    """Not measured in seconds, which prove nothing on a busy machine, but in functions that run."""
    entropy = SystemEntropy()
    store = Store.create(MemoryBackend(), bytes(32))
    tx = store.transaction()
    put_account(tx, "0" * 12, "main", 0.0)
    put_root_credential(tx, "0" * 12, "AKIAKNOWN", "right", 0.0)
    assert store.commit([tx]) == [None]
    authenticator = Authenticator(store, Keyring.open(store, entropy), entropy)

    def steps(access_key_id: str, secret: str = "wrong") -> list[str]:
        client = Client(1, access_key_id, secret, now=lambda: 1.0e9)
        prepared = client.prepare("CreateKey", b"{}")
        headers = {name.lower(): value for name, value in prepared.headers.items()}
        request = Request("POST", "/", headers, prepared.body, "127.0.0.1", False)
        seen: list[str] = []

        def note(frame, event, _argument):
            name = frame.f_globals.get("__name__", "")
            if event == "call" and name in {"keystead.wire.sigv4", "keystead.wire.canonical"}:
                seen.append(frame.f_code.co_name)

        sys.setprofile(note)
        try:
            with contextlib.suppress(InvalidSignature, UnrecognizedClient):
                authenticator.authenticate(request, store.transaction(), "kms", 1.0e9, 1.0e9)
        finally:
            sys.setprofile(None)
        return [step for step in seen if step not in _ONCE]

    for _ in range(2):  # first without, then with what was remembered
        known, unknown = steps("AKIAKNOWN"), steps("AKIANOBODY")
        assert "signature" in known
        assert known == unknown
    steps("AKIAKNOWN", "right")
    assert len(steps("AKIAKNOWN", "right")) < len(
        unknown
    )  # by now it is familiar, and only the signature counts
    assert sorted(steps("AKIAKNOWN")) == sorted(step for step in unknown if step != "verify")
