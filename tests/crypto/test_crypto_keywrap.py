import pytest
from Crypto.Cipher import AES, PKCS1_OAEP
from Crypto.Hash import SHA1, SHA256
from Crypto.PublicKey import RSA
from cryptography.hazmat.primitives import keywrap as pyca_keywrap
from hypothesis import given, settings
from hypothesis import strategies as st

from keystead.crypto import keywrap
from keystead.entropy import SystemEntropy
from keystead.errors import BadPublicKey, DecryptionFailed, PlaintextTooLong

ENTROPY = SystemEntropy()
HYBRID = ["RSA_AES_KEY_WRAP_SHA_1", "RSA_AES_KEY_WRAP_SHA_256"]
DIRECT = ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"]
WRAPPING_SPECS = ["RSA_2048", "RSA_3072", "RSA_4096"]


def their_oaep(material, algorithm):
    return PKCS1_OAEP.new(RSA.import_key(material), hashAlgo=SHA1 if algorithm.endswith("_1") else SHA256)


# RFC 5649 section 6: the padded wrap beneath
@pytest.mark.parametrize(
    ("plain", "wrapped"),
    [
        (
            "c37b7e6492584340bed12207808941155068f738",
            "138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a",
        ),
        ("466f7250617369", "afbeb0f07dfbf5419200f2ccb50bb24f"),
    ],
)
def test_rfc_5649(plain, wrapped):
    kek = bytes.fromhex("5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8")
    assert pyca_keywrap.aes_key_wrap_with_padding(kek, bytes.fromhex(plain)).hex() == wrapped
    assert pyca_keywrap.aes_key_unwrap_with_padding(kek, bytes.fromhex(wrapped)).hex() == plain


@pytest.mark.parametrize("wrapping", WRAPPING_SPECS)
@pytest.mark.parametrize("algorithm", sorted(keywrap.ALGORITHMS))
@pytest.mark.parametrize(
    "spec", ["SYMMETRIC_DEFAULT", "HMAC_224", "HMAC_512", "ECC_NIST_P256", "RSA_2048", "RSA_4096"]
)
def test_unwraps_what_was_wrapped(wrapping, algorithm, spec, key, material):
    if algorithm in DIRECT and spec.startswith("RSA"):
        with pytest.raises(PlaintextTooLong):
            keywrap.wrap(key(wrapping).public_der, material(spec), algorithm, ENTROPY)
        return
    wrapped = keywrap.wrap(key(wrapping).public_der, material(spec), algorithm, ENTROPY)
    assert keywrap.unwrap(key(wrapping), wrapped, algorithm) == material(spec)


@pytest.mark.parametrize("algorithm", DIRECT)
def test_p_521_does_not_fit_an_rsa_2048_wrapping_key(algorithm, key, material):
    # The AWS KMS developer guide excludes just this combination.
    with pytest.raises(PlaintextTooLong):
        keywrap.wrap(key("RSA_2048").public_der, material("ECC_NIST_P521"), algorithm, ENTROPY)


@pytest.mark.parametrize("algorithm", HYBRID)
@pytest.mark.parametrize("length", [1, 7, 8, 9, 28, 32, 1217])
def test_a_second_implementation_wraps_and_unwraps(algorithm, length, key, material):
    plain, aes_key = bytes(range(256)) * 5, bytes(range(32))
    plain = plain[:length]
    oaep = their_oaep(material("RSA_2048"), algorithm)
    theirs = oaep.encrypt(aes_key) + AES.new(aes_key, AES.MODE_KWP).seal(plain)
    assert keywrap.unwrap(key("RSA_2048"), theirs, algorithm) == plain
    ours = keywrap.wrap(key("RSA_2048").public_der, plain, algorithm, ENTROPY)
    assert AES.new(oaep.decrypt(ours[:256]), AES.MODE_KWP).unseal(ours[256:]) == plain


@pytest.mark.parametrize("algorithm", sorted(keywrap.ALGORITHMS))
def test_says_the_same_of_everything_wrong(algorithm, key, material):
    public, good_key = key("RSA_2048").public_der, key("RSA_2048")
    wrapped = keywrap.wrap(public, bytes(32), algorithm, ENTROPY)
    cases = [
        wrapped[:-1],
        wrapped + b"\0",
        wrapped + bytes(8),
        wrapped[:-8],
        wrapped[:256][::-1],
        b"",
        bytes(256),
    ]
    for bad in [*cases, wrapped[:10], wrapped[1:]]:
        with pytest.raises(DecryptionFailed) as caught:
            keywrap.unwrap(good_key, bad, algorithm)
        assert caught.value.args == ()
    for other in keywrap.ALGORITHMS - {algorithm}:
        with pytest.raises(DecryptionFailed):
            keywrap.unwrap(good_key, wrapped, other)
    with pytest.raises(DecryptionFailed):
        keywrap.unwrap(key("RSA_3072"), wrapped, algorithm)


@settings(max_examples=30)
@given(data=st.data())
def test_any_flipped_bit_is_refused(key, data):
    wrapped = bytearray(keywrap.wrap(key("RSA_2048").public_der, bytes(32), HYBRID[1], ENTROPY))
    place = data.draw(st.integers(0, len(wrapped) * 8 - 1))
    wrapped[place // 8] ^= 1 << place % 8
    with pytest.raises(DecryptionFailed):
        keywrap.unwrap(key("RSA_2048"), bytes(wrapped), HYBRID[1])


@pytest.mark.parametrize("length", [0, 16, 24, 31, 33])
def test_only_an_aes_256_key_wraps(length, key, material):
    aes_key = bytes(length)
    sealed = their_oaep(material("RSA_2048"), HYBRID[1]).encrypt(aes_key)
    body = AES.new(bytes(32), AES.MODE_KWP).seal(bytes(32))
    if length in (16, 24):
        body = AES.new(aes_key, AES.MODE_KWP).seal(bytes(32))
    with pytest.raises(DecryptionFailed):
        keywrap.unwrap(key("RSA_2048"), sealed + body, HYBRID[1])


def test_wraps_for_rsa_public_keys_only(key):
    for algorithm in keywrap.ALGORITHMS:
        with pytest.raises(BadPublicKey):
            keywrap.wrap(key("ECC_NIST_P256").public_der, bytes(32), algorithm, ENTROPY)
