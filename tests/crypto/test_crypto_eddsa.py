import hashlib

import pytest
from Crypto.Hash import SHA512
from Crypto.PublicKey import ECC
from Crypto.Signature import eddsa as their_eddsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from keystead.crypto import Signer, der, eddsa
from keystead.errors import BadDigestLength, BadKeyMaterial, VerificationFailed

SPEC = "ECC_NIST_EDWARDS25519"
PURE, PREHASHED = "ED25519_SHA_512", "ED25519_PH_SHA_512"
DIGEST = hashlib.sha512(b"what was agreed").digest()


def loaded(seed):
    return eddsa.Ed25519Key(der.private_der(Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed))))


# RFC 8032 section 7.1, tests 1 to 3
@pytest.mark.parametrize(
    ("seed", "message", "signature"),
    [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ),
        (
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
        ),
    ],
)
def test_pure_ed25519_of_rfc_8032(seed, message, signature):
    key = loaded(seed)
    assert key.sign(bytes.fromhex(message), PURE, "RAW").hex() == signature
    key.verify(bytes.fromhex(message), bytes.fromhex(signature), PURE, "RAW")


def test_the_prehash_half_is_ed25519ph_of_rfc_8032():
    # Section 7.3. KMS takes 64-byte digests only, so its message "abc" goes to the half beneath.
    key = loaded("833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42")
    expected = (
        "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae41"
        "31f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406"
    )
    assert key._prehashed.sign(b"abc").hex() == expected


def test_a_digest_is_the_message_of_ed25519ph(key, material):
    signature = key(SPEC).sign(DIGEST, PREHASHED, "DIGEST")
    assert len(signature) == 64
    key(SPEC).verify(DIGEST, signature, PREHASHED, "DIGEST")
    theirs = their_eddsa.new(ECC.import_key(key(SPEC).public_der), "rfc8032")
    theirs.verify(SHA512.new(DIGEST), signature)
    own = their_eddsa.new(ECC.import_key(material(SPEC)), "rfc8032")
    assert own.sign(SHA512.new(DIGEST)) == signature


def test_ed25519ph_from_its_definition(key):
    # RFC 8032 section 5.1: R and S of SHA-512 over dom2(1, "") || R || A || SHA-512(message).
    signature = key(SPEC).sign(DIGEST, PREHASHED, "DIGEST")
    public = key(SPEC).public_der[-32:]
    dom2 = b"SigEd25519 no Ed25519 collisions\x01\x00"
    order = 2**252 + 27742317777372353535851937790883648493
    prehash = hashlib.sha512(DIGEST).digest()
    k = int.from_bytes(hashlib.sha512(dom2 + signature[:32] + public + prehash).digest(), "little") % order
    base = ECC.EccPoint(
        15112221349535400772501151409588531511454012693041857206046113283949847762202,
        46316835694926478169428394003475163141307993866256225615783033603165251855960,
        curve="ed25519",
    )
    s = int.from_bytes(signature[32:], "little")
    r, a = (ECC.import_key(_spki(encoded)).pointQ for encoded in (signature[:32], public))
    assert base * s == r + a * k


def _spki(encoded):
    return bytes.fromhex("302a300506032b6570032100") + encoded


def test_pure_and_prehashed_signatures_are_apart(key):
    signer = key(SPEC)
    assert isinstance(signer, Signer)
    pure, prehashed = signer.sign(DIGEST, PURE, "RAW"), signer.sign(DIGEST, PREHASHED, "DIGEST")
    with pytest.raises(VerificationFailed):
        signer.verify(DIGEST, pure, PREHASHED, "DIGEST")
    with pytest.raises(VerificationFailed):
        signer.verify(DIGEST, prehashed, PURE, "RAW")


@settings(max_examples=30)
@given(place=st.integers(0, 511))
@pytest.mark.parametrize(("algorithm", "message_type"), [(PURE, "RAW"), (PREHASHED, "DIGEST")])
def test_any_flipped_bit_is_refused(key, algorithm, message_type, place):
    signature = bytearray(key(SPEC).sign(DIGEST, algorithm, message_type))
    signature[place // 8] ^= 1 << place % 8
    with pytest.raises(VerificationFailed):
        key(SPEC).verify(DIGEST, bytes(signature), algorithm, message_type)


@pytest.mark.parametrize(("algorithm", "message_type"), [(PURE, "RAW"), (PREHASHED, "DIGEST")])
def test_what_is_no_signature_is_refused(key, algorithm, message_type):
    good = key(SPEC).sign(DIGEST, algorithm, message_type)
    order = 2**252 + 27742317777372353535851937790883648493
    # S + L verifies where S < L is not checked (RFC 8032 section 5.1.7): one message, two signatures.
    malleable = good[:32] + (int.from_bytes(good[32:], "little") + order).to_bytes(32, "little")
    for bad in (b"", good[:-1], good + b"\0", bytes(64), b"\xff" * 64, malleable):
        with pytest.raises(VerificationFailed):
            key(SPEC).verify(DIGEST, bad, algorithm, message_type)


def test_each_algorithm_takes_one_message_type(key):
    for algorithm, message_type in ((PURE, "DIGEST"), (PREHASHED, "RAW"), (PURE, "EXTERNAL_MU")):
        with pytest.raises(ValueError, match="message type"):
            key(SPEC).sign(DIGEST, algorithm, message_type)
        with pytest.raises(ValueError, match="message type"):
            key(SPEC).verify(DIGEST, bytes(64), algorithm, message_type)
    for length in (0, 32, 63, 65):
        with pytest.raises(BadDigestLength):
            key(SPEC).sign(bytes(length), PREHASHED, "DIGEST")
        with pytest.raises(BadDigestLength):
            key(SPEC).verify(bytes(length), bytes(64), PREHASHED, "DIGEST")


def test_material_is_an_ed25519_key(material):
    assert eddsa.check(material(SPEC)) == material(SPEC)
    for bad in (der.private_der(X25519PrivateKey.generate()), material("ECC_NIST_P256"), bytes(32)):
        with pytest.raises(BadKeyMaterial):
            eddsa.check(bad)
