"""A ciphertext that is not exactly one that was made here gives one error, whatever is wrong with it."""

from __future__ import annotations

import base64

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.usefixtures("unchanged")

CONTEXT = {"tenant": "acme"}
REFUSED = (400, "InvalidCiphertextException", None)
SENSIBLE = settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.fixture
def blob(raw, key_id) -> bytes:
    body = {"KeyId": key_id, "Plaintext": b64(b"attack at dawn"), "EncryptionContext": CONTEXT}
    return base64.b64decode(raw.must("Encrypt", body)["CiphertextBlob"])


def decrypt(raw, blob: bytes, **members):
    body = {"CiphertextBlob": b64(blob), "EncryptionContext": CONTEXT, **members}
    answer = raw.call("Decrypt", body)
    return answer.status, answer.code, answer.message


def test_as_it_was_made_it_decrypts(raw, blob):
    answer = raw.call("Decrypt", {"CiphertextBlob": b64(blob), "EncryptionContext": CONTEXT})
    assert base64.b64decode(answer.document["Plaintext"]) == b"attack at dawn"


def test_every_flipped_bit_gives_the_one_error(raw, blob):
    for place in range(len(blob)):
        changed = bytearray(blob)
        changed[place] ^= 1 << (place % 8)
        assert decrypt(raw, bytes(changed)) == REFUSED, place


def test_every_truncation_gives_the_one_error(raw, blob):
    for length in range(1, len(blob)):
        assert decrypt(raw, blob[:length]) == REFUSED, length
        assert decrypt(raw, blob[length:]) == REFUSED, length


def test_whatever_is_added_gives_the_one_error(raw, blob):
    for changed in (blob + b"\0", b"\0" + blob, blob * 2, blob + bytes(4000)):
        assert decrypt(raw, changed) == REFUSED


@SENSIBLE
@given(st.binary(min_size=1, max_size=300))
def test_whatever_was_not_made_here_gives_the_one_error(raw, junk):
    assert decrypt(raw, junk) == REFUSED


@SENSIBLE
@given(data=st.data())
def test_any_two_ciphertexts_cannot_be_spliced(raw, blob, key_id, data):
    body = {"KeyId": key_id, "Plaintext": b64(b"another message"), "EncryptionContext": CONTEXT}
    other = base64.b64decode(raw.must("Encrypt", body)["CiphertextBlob"])
    cut = data.draw(st.integers(1, min(len(blob), len(other)) - 1))
    spliced = blob[:cut] + other[cut:]
    if spliced not in {blob, other}:
        assert decrypt(raw, spliced) == REFUSED


@pytest.mark.parametrize(
    "context", [{}, {"tenant": "Acme"}, {"Tenant": "acme"}, {"tenant": "acme", "a": "b"}, {"tenant": ""}]
)
def test_another_encryption_context_gives_the_one_error(raw, blob, context):
    assert decrypt(raw, blob, EncryptionContext=context) == REFUSED


def test_a_context_cannot_be_shifted_between_names_and_values(raw, key_id):
    def encrypt(context):
        body = {"KeyId": key_id, "Plaintext": "YQ==", "EncryptionContext": context}
        return base64.b64decode(raw.must("Encrypt", body)["CiphertextBlob"])

    for made, tried in (
        ({"ab": "c"}, {"a": "bc"}),
        ({"a": "b", "c": "d"}, {"a": "bcd"}),
        ({"a": '","b":"'}, {"a": ""}),
    ):
        assert decrypt(raw, encrypt(made), EncryptionContext=tried) == REFUSED


def test_the_error_is_the_same_when_the_key_is_named(raw, blob, key_id):
    for changed in (blob[:-1], blob[:-1] + bytes([blob[-1] ^ 1])):
        assert decrypt(raw, changed, KeyId=key_id) == REFUSED


def test_re_encrypt_tells_no_more_than_decrypt(raw, blob, key_id):
    for changed in (blob[:-1], blob[:40], bytes([blob[0] ^ 1]) + blob[1:], blob[:-1] + bytes([blob[-1] ^ 1])):
        body = {
            "CiphertextBlob": b64(changed),
            "SourceEncryptionContext": CONTEXT,
            "DestinationKeyId": key_id,
        }
        answer = raw.call("ReEncrypt", body)
        assert (answer.status, answer.code, answer.message) == REFUSED


def test_an_empty_or_too_long_ciphertext_is_a_violation(raw):
    for changed in (b"", bytes(6145)):
        status, code, message = decrypt(raw, changed)
        assert (status, code) == (400, "ValidationException")
        assert "at 'ciphertextBlob'" in message


def test_a_ciphertext_of_another_region_is_refused_there(raw, blob):
    status, code, _ = decrypt(raw.other(region="eu-west-1"), blob)
    assert status == 400
    assert code in {"InvalidCiphertextException", "AccessDeniedException", "NotFoundException"}
