import pytest
from Crypto.Cipher import AES
from hypothesis import given
from hypothesis import strategies as st

from keystead.crypto import Aead
from keystead.crypto.aead import OVERHEAD, check, generate
from keystead.crypto.derive import MessageKdf
from keystead.errors import BadKeyMaterial, DecryptionFailed

KEY = bytes(range(32))
SALT = bytes(range(100, 132))
AEAD = Aead(KEY)
SEALED = AEAD.seal(b"plaintext", b"place", SALT)


@given(
    plaintext=st.binary(max_size=200), aad=st.binary(max_size=50), salt=st.binary(min_size=32, max_size=32)
)
def test_opens_what_it_sealed(plaintext, aad, salt):
    sealed = AEAD.seal(plaintext, aad, salt)
    assert len(sealed) == len(plaintext) + OVERHEAD
    assert AEAD.open(sealed, aad) == plaintext
    assert Aead(KEY).seal(plaintext, aad, salt) == sealed


def test_sealed_form_as_a_second_implementation_makes_it():
    key, commitment = MessageKdf(KEY).derive(SALT)
    cipher = AES.new(key, AES.MODE_GCM, nonce=bytes(12))
    cipher.update(b"place")
    body, tag = cipher.encrypt_and_digest(b"plaintext")
    assert SALT + commitment + body + tag == SEALED


@given(place=st.integers(0, len(SEALED) * 8 - 1))
def test_refuses_any_flipped_bit(place):
    changed = bytearray(SEALED)
    changed[place // 8] ^= 1 << place % 8
    with pytest.raises(DecryptionFailed):
        AEAD.open(bytes(changed), b"place")


@given(length=st.integers(0, len(SEALED) - 1))
def test_refuses_any_truncation(length):
    with pytest.raises(DecryptionFailed):
        AEAD.open(SEALED[:length], b"place")


@pytest.mark.parametrize(
    ("aead", "sealed", "aad"),
    [
        (AEAD, SEALED, b""),
        (AEAD, SEALED, b"placE"),
        (AEAD, SEALED + b"\0", b"place"),
        (Aead(KEY[::-1]), SEALED, b"place"),
    ],
)
def test_says_the_same_of_everything_wrong(aead, sealed, aad):
    with pytest.raises(DecryptionFailed) as caught:
        aead.open(sealed, aad)
    assert caught.value.args == ()
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_right_tag_does_not_help_a_wrong_commitment():
    # The ciphertext and tag are right for the key: only the commitment is another's.
    _, other = MessageKdf(KEY[::-1]).derive(SALT)
    with pytest.raises(DecryptionFailed):
        AEAD.open(SEALED[:32] + other + SEALED[64:], b"place")


@pytest.mark.parametrize("salt", [b"", bytes(31), bytes(33)])
def test_takes_no_salt_of_another_length(salt):
    with pytest.raises(ValueError, match="salt"):
        AEAD.seal(b"", b"", salt)


def test_symmetric_material_is_32_fresh_bytes():
    assert check(generate()) != generate()
    for length in (0, 16, 31, 33):
        with pytest.raises(BadKeyMaterial):
            check(bytes(length))
