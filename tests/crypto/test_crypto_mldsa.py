import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from keystead.crypto import Signer, der, mldsa
from keystead.errors import BadDigestLength, BadKeyMaterial, VerificationFailed

ALGORITHM = "ML_DSA_SHAKE_256"
# FIPS 204 table 2: public key and signature bytes
SIZES = {"ML_DSA_44": (1312, 2420), "ML_DSA_65": (1952, 3309), "ML_DSA_87": (2592, 4627)}
MESSAGE = b"what was agreed"


@pytest.fixture(params=SIZES)
def spec(request):
    return request.param


def mu_of(public_der, spec, message):
    # FIPS 204, algorithm 2 line 10 and algorithm 7 line 6, with an empty context string.
    public = public_der[-SIZES[spec][0] :]
    representative = hashlib.shake_256(public).digest(64) + b"\0\0" + message
    return hashlib.shake_256(representative).digest(64)


def test_raw_and_external_mu_are_one_signature_scheme(spec, key):
    signer = key(spec)
    assert isinstance(signer, Signer)
    mu = mu_of(signer.public_der, spec, MESSAGE)
    for body, message_type in ((MESSAGE, "RAW"), (mu, "EXTERNAL_MU")):
        signature = signer.sign(body, ALGORITHM, message_type)
        assert len(signature) == SIZES[spec][1]
        signer.verify(MESSAGE, signature, ALGORITHM, "RAW")
        signer.verify(mu, signature, ALGORITHM, "EXTERNAL_MU")


def test_wrong_signatures_raise(spec, key):
    signer = key(spec)
    mu = mu_of(signer.public_der, spec, MESSAGE)
    good = signer.sign(MESSAGE, ALGORITHM, "RAW")
    middle = len(good) // 2
    changed = good[:middle] + bytes([good[middle] ^ 1]) + good[middle + 1 :]
    for bad in (b"", good[:-1], good + b"\0", changed, bytes(len(good))):
        with pytest.raises(VerificationFailed):
            signer.verify(MESSAGE, bad, ALGORITHM, "RAW")
        with pytest.raises(VerificationFailed):
            signer.verify(mu, bad, ALGORITHM, "EXTERNAL_MU")
    with pytest.raises(VerificationFailed):
        signer.verify(MESSAGE + b"!", good, ALGORITHM, "RAW")
    with pytest.raises(VerificationFailed):
        signer.verify(mu, good, ALGORITHM, "RAW")


def test_a_signature_with_a_context_string_is_not_ours(key, material):
    theirs = MLDSA44PrivateKey.from_seed_bytes(material("ML_DSA_44")[-32:])
    assert der.public_der(theirs.public_key()) == key("ML_DSA_44").public_der
    key("ML_DSA_44").verify(MESSAGE, theirs.sign(MESSAGE, b""), ALGORITHM, "RAW")
    with pytest.raises(VerificationFailed):
        key("ML_DSA_44").verify(MESSAGE, theirs.sign(MESSAGE, b"context"), ALGORITHM, "RAW")


def test_mu_has_64_bytes_and_there_is_no_digest(key):
    signer = key("ML_DSA_44")
    for length in (0, 32, 63, 65):
        with pytest.raises(BadDigestLength):
            signer.sign(bytes(length), ALGORITHM, "EXTERNAL_MU")
        with pytest.raises(BadDigestLength):
            signer.verify(bytes(length), b"", ALGORITHM, "EXTERNAL_MU")
    with pytest.raises(ValueError, match="message type"):
        signer.sign(bytes(64), ALGORITHM, "DIGEST")
    with pytest.raises(ValueError, match=ALGORITHM):
        signer.sign(bytes(64), "ECDSA_SHA_256", "RAW")


def test_material_is_of_its_parameter_set(spec, material):
    assert mldsa.check(material(spec), spec) == material(spec)
    for other in set(SIZES) - {spec}:
        with pytest.raises(BadKeyMaterial):
            mldsa.check(material(spec), other)
    with pytest.raises(BadKeyMaterial):
        mldsa.check(material("ML_KEM_768"), spec)
