import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFHMAC, CounterLocation, Mode
from hypothesis import given
from hypothesis import strategies as st

from keystead.crypto import subkey
from keystead.crypto.derive import MESSAGE_LABEL, MessageKdf

ROOT = bytes(range(32))
KEYS = st.binary(min_size=32, max_size=32)


@given(key=KEYS, salt=KEYS)
def test_message_keys_are_those_of_sp_800_108(key, salt):
    theirs = KBKDFHMAC(
        SHA256(), Mode.CounterMode, 64, 4, 4, CounterLocation.BeforeFixed, MESSAGE_LABEL, salt, None
    ).derive(key)
    kdf = MessageKdf(key)
    assert b"".join(kdf.derive(salt)) == theirs
    assert b"".join(kdf.derive(salt)) == theirs, "a second use starts from the same state"


def test_message_label_keeps_the_input_within_one_block():
    assert 4 + len(MESSAGE_LABEL) + 1 + 32 + 4 + 9 <= 64


@pytest.mark.parametrize("length", [0, 31, 33])
def test_message_kdf_takes_32_bytes_only(length):
    with pytest.raises(ValueError, match="32"):
        MessageKdf(bytes(length))


def test_subkey_is_hkdf_with_a_length_prefixed_label():
    info = b"keystead/subkey/v1" + b"\0\0\0\x07" + b"barrier" + b"epoch 1"
    assert subkey(ROOT, "barrier", b"epoch 1") == HKDF(SHA256(), 32, None, info).derive(ROOT)


def test_subkeys_differ_by_root_label_and_context():
    keys = {
        subkey(ROOT, "a"),
        subkey(ROOT, "b"),
        subkey(ROOT, "ab"),
        subkey(ROOT, "a", b"b"),
        subkey(ROOT, "", b"ab"),
        subkey(ROOT[::-1], "a"),
    }
    assert len(keys) == 6
    assert {len(key) for key in keys} == {32}


@given(
    st.tuples(st.text(max_size=4), st.binary(max_size=4)),
    st.tuples(st.text(max_size=4), st.binary(max_size=4)),
)
def test_subkeys_are_equal_only_for_equal_places(one, other):
    assert (subkey(ROOT, *one) == subkey(ROOT, *other)) == (one == other)
