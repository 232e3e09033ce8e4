import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystead.crypto import Mac, mac
from keystead.errors import BadKeyMaterial, VerificationFailed

SPECS = sorted(mac.KEY_BYTES)


def algorithm_of(spec):
    return spec.replace("HMAC_", "HMAC_SHA_")


@pytest.mark.parametrize("spec", SPECS)
@given(message=st.binary(max_size=300))
def test_macs_are_those_of_the_standard_library(spec, message):
    material = bytes(range(mac.KEY_BYTES[spec]))
    key, algorithm = mac.MacKey(material), algorithm_of(spec)
    value = key.generate_mac(message, algorithm)
    assert value == hmac.digest(material, message, algorithm.replace("HMAC_SHA_", "sha"))
    key.verify_mac(message, value, algorithm)


# RFC 4231 section 4.3 (a key shorter than any KMS key, which is enough for the primitive)
@pytest.mark.parametrize(
    ("algorithm", "expected"),
    [
        ("HMAC_SHA_224", "a30e01098bc6dbbf45690f3a7e9e6d0f8bbea2a39e6148008fd05e44"),
        ("HMAC_SHA_256", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
    ],
)
def test_rfc_4231(algorithm, expected):
    assert mac.MacKey(b"Jefe").generate_mac(b"what do ya want for nothing?", algorithm).hex() == expected


@pytest.mark.parametrize("spec", SPECS)
def test_wrong_macs_raise(spec, key):
    holder, algorithm = key(spec), algorithm_of(spec)
    assert isinstance(holder, Mac)
    good = holder.generate_mac(b"message", algorithm)
    changed = bytes([good[0] ^ 0x80]) + good[1:]
    for bad in (b"", good[:-1], good + b"\0", changed, bytes(len(good))):
        with pytest.raises(VerificationFailed):
            holder.verify_mac(b"message", bad, algorithm)
    with pytest.raises(VerificationFailed):
        holder.verify_mac(b"message!", good, algorithm)


@pytest.mark.parametrize(
    ("spec", "length"), [("HMAC_224", 28), ("HMAC_256", 32), ("HMAC_384", 48), ("HMAC_512", 64)]
)
def test_material_has_its_specs_length(spec, length):
    assert len(mac.generate(spec)) == length
    assert mac.generate(spec) != mac.generate(spec)
    assert mac.check(bytes(length), spec) == bytes(length)
    for other in {0, 28, 32, 48, 64, 128} - {length}:
        with pytest.raises(BadKeyMaterial):
            mac.check(bytes(other), spec)
