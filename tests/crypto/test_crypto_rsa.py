import hashlib

import pytest
from Crypto.Cipher import PKCS1_OAEP
from Crypto.Hash import SHA1, SHA256, SHA384, SHA512
from Crypto.PublicKey import RSA
from Crypto.Signature import pkcs1_15, pss
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric import rsa as pyca_rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from keystead.crypto import Encrypter, Signer, ecc, rsa
from keystead.errors import (
    BadDigestLength,
    BadKeyMaterial,
    BadPublicKey,
    DecryptionFailed,
    PlaintextTooLong,
    VerificationFailed,
)

SPECS = {"RSA_2048": 2048, "RSA_3072": 3072, "RSA_4096": 4096}
THEIR_HASH = {"1": SHA1, "256": SHA256, "384": SHA384, "512": SHA512}
MESSAGE = b"what was agreed"


def their_hash(algorithm):
    return THEIR_HASH[algorithm.rpartition("_")[2]]


def digest_of(algorithm):
    return hashlib.new("sha" + algorithm.rpartition("_")[2], MESSAGE).digest()


@pytest.fixture(params=SPECS)
def spec(request):
    return request.param


# ---------------------------------------------------------------------------- signatures


@pytest.mark.parametrize("algorithm", rsa.SIGNING)
def test_signatures_verify_raw_digest_and_elsewhere(spec, algorithm, key):
    signer = key(spec)
    assert isinstance(signer, Signer)
    digest = digest_of(algorithm)
    theirs = RSA.import_key(signer.public_der)
    module = their_hash(algorithm)
    scheme = pss.new(theirs, salt_bytes=module.digest_size) if "PSS" in algorithm else pkcs1_15.new(theirs)
    for body, message_type in ((MESSAGE, "RAW"), (digest, "DIGEST")):
        signature = signer.sign(body, algorithm, message_type)
        assert len(signature) == SPECS[spec] // 8 == signer.modulus_bytes
        signer.verify(MESSAGE, signature, algorithm, "RAW")
        signer.verify(digest, signature, algorithm, "DIGEST")
        scheme.verify(module.new(MESSAGE), signature)


@pytest.mark.parametrize("algorithm", rsa.SIGNING)
def test_signatures_made_elsewhere_verify(algorithm, key, material):
    theirs = RSA.import_key(material("RSA_2048"))
    scheme = pss.new(theirs) if "PSS" in algorithm else pkcs1_15.new(theirs)
    signature = scheme.sign(their_hash(algorithm).new(MESSAGE))
    key("RSA_2048").verify(MESSAGE, signature, algorithm, "RAW")


def test_pss_with_another_salt_length_is_refused(key, material):
    theirs = RSA.import_key(material("RSA_2048"))
    signature = pss.new(theirs, salt_bytes=20).sign(SHA256.new(MESSAGE))
    with pytest.raises(VerificationFailed):
        key("RSA_2048").verify(MESSAGE, signature, "RSASSA_PSS_SHA_256", "RAW")


@pytest.mark.parametrize("algorithm", rsa.SIGNING)
def test_wrong_signatures_raise(algorithm, key):
    signer = key("RSA_2048")
    signature = signer.sign(MESSAGE, algorithm, "RAW")
    others = [other for other in rsa.SIGNING if other != algorithm]
    changed = signature[:-1] + bytes([signature[-1] ^ 1])
    for bad in (b"", signature[:-1], signature + b"\0", changed, b"\xff" * 256, bytes(256)):
        with pytest.raises(VerificationFailed):
            signer.verify(MESSAGE, bad, algorithm, "RAW")
    with pytest.raises(VerificationFailed):
        signer.verify(MESSAGE + b"!", signature, algorithm, "RAW")
    for other in others:
        with pytest.raises(VerificationFailed):
            signer.verify(MESSAGE, signature, other, "RAW")


@pytest.mark.parametrize("algorithm", rsa.SIGNING)
def test_a_digest_has_the_algorithms_length(algorithm, key):
    signer = key("RSA_2048")
    for length in {0, 20, 32, 48, 64} - {len(digest_of(algorithm))}:
        with pytest.raises(BadDigestLength):
            signer.sign(bytes(length), algorithm, "DIGEST")
        with pytest.raises(BadDigestLength):
            signer.verify(bytes(length), bytes(256), algorithm, "DIGEST")
    with pytest.raises(ValueError, match="EXTERNAL_MU"):
        signer.sign(bytes(64), algorithm, "EXTERNAL_MU")


# ---------------------------------------------------------------------------- encryption

# AWS KMS developer guide, "Encryption with RSA key pairs"
LIMITS = {
    ("RSA_2048", "RSAES_OAEP_SHA_1"): 214,
    ("RSA_2048", "RSAES_OAEP_SHA_256"): 190,
    ("RSA_3072", "RSAES_OAEP_SHA_1"): 342,
    ("RSA_3072", "RSAES_OAEP_SHA_256"): 318,
    ("RSA_4096", "RSAES_OAEP_SHA_1"): 470,
    ("RSA_4096", "RSAES_OAEP_SHA_256"): 446,
}


@pytest.mark.parametrize(("spec", "algorithm"), LIMITS)
def test_encryption_works_up_to_the_limit_both_ways(spec, algorithm, key, material):
    limit = LIMITS[spec, algorithm]
    encrypter = key(spec)
    assert isinstance(encrypter, Encrypter)
    theirs = PKCS1_OAEP.new(RSA.import_key(material(spec)), hashAlgo=their_hash(algorithm))
    for plaintext in (b"x", bytes(limit)):
        ciphertext = encrypter.encrypt(plaintext, algorithm)
        assert len(ciphertext) == encrypter.modulus_bytes
        assert encrypter.decrypt(ciphertext, algorithm) == plaintext
        assert theirs.decrypt(ciphertext) == plaintext
        assert encrypter.decrypt(theirs.encrypt(plaintext), algorithm) == plaintext
        assert (
            encrypter.decrypt(rsa.encrypt_to(encrypter.public_der, plaintext, algorithm), algorithm)
            == plaintext
        )
    with pytest.raises(PlaintextTooLong) as caught:
        encrypter.encrypt(bytes(limit + 1), algorithm)
    assert caught.value.limit == limit


def test_the_algorithm_asked_for_is_the_one_that_decrypts(key):
    encrypter = key("RSA_2048")
    for made, asked in (
        ("RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"),
        ("RSAES_OAEP_SHA_256", "RSAES_OAEP_SHA_1"),
    ):
        with pytest.raises(DecryptionFailed):
            encrypter.decrypt(encrypter.encrypt(b"x", made), asked)


def test_oaep_with_a_label_or_another_mgf_hash_is_refused(key, material):
    public = load_der_private_key(material("RSA_2048"), None).public_key()
    sha1, sha256 = hashes.SHA1(), hashes.SHA256()
    for pad in (
        padding.OAEP(padding.MGF1(sha256), sha256, b"label"),
        padding.OAEP(padding.MGF1(sha1), sha256, None),
    ):
        with pytest.raises(DecryptionFailed):
            key("RSA_2048").decrypt(public.encrypt(b"x", pad), "RSAES_OAEP_SHA_256")


@settings(max_examples=30)
@given(place=st.integers(0, 2047))
def test_any_flipped_bit_of_a_ciphertext_is_refused(key, place):
    ciphertext = bytearray(key("RSA_2048").encrypt(b"x", "RSAES_OAEP_SHA_256"))
    ciphertext[place // 8] ^= 1 << place % 8
    with pytest.raises(DecryptionFailed):
        key("RSA_2048").decrypt(bytes(ciphertext), "RSAES_OAEP_SHA_256")


@pytest.mark.parametrize("ciphertext", [b"", b"x", bytes(255), bytes(256), bytes(257), b"\xff" * 256])
def test_what_is_no_ciphertext_is_refused(ciphertext, key):
    with pytest.raises(DecryptionFailed):
        key("RSA_2048").decrypt(ciphertext, "RSAES_OAEP_SHA_1")


def test_only_an_rsa_public_key_is_encrypted_to():
    peer = ecc.EccKey(ecc.generate("ECC_NIST_P256")).public_der
    for spki in (b"", b"junk", peer):
        with pytest.raises(BadPublicKey):
            rsa.encrypt_to(spki, b"x", "RSAES_OAEP_SHA_1")


# ------------------------------------------------------------------------------ material


def test_material_matches_its_spec_exactly(spec, material):
    assert rsa.check(material(spec), SPECS[spec]) == material(spec)
    for bits in set(SPECS.values()) - {SPECS[spec]}:
        with pytest.raises(BadKeyMaterial, match="bits"):
            rsa.check(material(spec), bits)


def pkcs8(key):
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def test_material_with_another_exponent_is_refused():
    with pytest.raises(BadKeyMaterial, match="exponent"):
        rsa.check(pkcs8(pyca_rsa.generate_private_key(3, 2048)), 2048)


def test_material_with_an_almost_fitting_modulus_is_refused():
    with pytest.raises(BadKeyMaterial, match="2056 bits"):
        rsa.check(pkcs8(pyca_rsa.generate_private_key(65537, 2056)), 2048)


def test_inconsistent_material_is_refused(material):
    good = material("RSA_2048")
    middle = len(good) // 2
    with pytest.raises(BadKeyMaterial):
        rsa.check(good[:middle] + bytes([good[middle] ^ 1]) + good[middle + 1 :], 2048)
