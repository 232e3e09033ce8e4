import hashlib

import pytest
from cryptography.hazmat.primitives.serialization import load_der_public_key

from keystead.crypto import Kem, mlkem
from keystead.errors import BadKeyMaterial, DecryptionFailed

# FIPS 203 table 3: ciphertext bytes
CIPHERTEXT_BYTES = {"ML_KEM_768": 1088, "ML_KEM_1024": 1568}


@pytest.fixture(params=CIPHERTEXT_BYTES)
def spec(request):
    return request.param


def test_decapsulates_what_anyone_encapsulated(spec, key):
    kem = key(spec)
    assert isinstance(kem, Kem)
    for secret, ciphertext in (kem.encapsulate(), load_der_public_key(kem.public_der).encapsulate()):
        assert len(secret) == 32
        assert len(ciphertext) == CIPHERTEXT_BYTES[spec]
        assert kem.decapsulate(ciphertext) == secret
    assert kem.encapsulate() != kem.encapsulate()


def test_a_wrong_ciphertext_is_rejected_implicitly(spec, key, material):
    kem = key(spec)
    secret, ciphertext = kem.encapsulate()
    changed = ciphertext[:-1] + bytes([ciphertext[-1] ^ 1])
    # FIPS 203 algorithm 18: J(z || c), where z is the seed's second half.
    z = material(spec)[-32:]
    assert kem.decapsulate(changed) == hashlib.shake_256(z + changed).digest(32) != secret


def test_a_ciphertext_of_another_length_is_refused(spec, key):
    length = CIPHERTEXT_BYTES[spec]
    for bad in (0, 32, length - 1, length + 1, 768):
        with pytest.raises(DecryptionFailed):
            key(spec).decapsulate(bytes(bad))


def test_material_is_of_its_parameter_set(spec, material):
    assert mlkem.check(material(spec), spec) == material(spec)
    for other in (set(CIPHERTEXT_BYTES) - {spec}) | {"ML_DSA_44"}:
        with pytest.raises(BadKeyMaterial):
            mlkem.check(material(other), spec)
