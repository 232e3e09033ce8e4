"""Imported material is checked where nobody waits for it."""

import math

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa as pyca_rsa

from keystead.crypto import der, rsa
from keystead.crypto.spec import KEY_TYPES
from keystead.errors import BadKeyMaterial
from keystead.keyring import checking
from keystead.keyring.checking import checked

PLAIN = [name for name, kind in KEY_TYPES.items() if not kind.long_check]


def _must_not_be_called(_material):
    raise AssertionError("checked in the process that serves calls")


@pytest.fixture
def elsewhere(monkeypatch):
    """This process cannot check RSA keys any more; another one, which imports all anew, can."""
    rows = {
        name: msgspec.structs.replace(kind, check=_must_not_be_called) if kind.long_check else kind
        for name, kind in KEY_TYPES.items()
    }
    monkeypatch.setattr(checking, "KEY_TYPES", rows)


def test_rsa_keys_are_those_that_take_long():
    assert set(KEY_TYPES) - set(PLAIN) == {"RSA_2048", "RSA_3072", "RSA_4096"}


@pytest.mark.parametrize("spec", ["RSA_2048", "RSA_4096"])
def test_an_rsa_key_is_checked_by_another_process(spec, elsewhere):
    material = KEY_TYPES[spec].generate()
    assert checked(spec, material) == material


def _of_a_composite(material):
    """A key whose arithmetic is right, but one of its two factors is no prime."""
    q = der.load_private(material, stored=True).private_numbers().q
    p, d = (1 << 1024) - 1, None
    while d is None:
        p -= 30  # odd, and divisible by fifteen
        if math.gcd(rsa.EXPONENT, (p - 1) * (q - 1)) == 1:
            d = pow(rsa.EXPONENT, -1, (p - 1) * (q - 1))
    public = pyca_rsa.RSAPublicNumbers(rsa.EXPONENT, p * q)
    numbers = pyca_rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), public)
    return der.private_der(numbers.private_key(unsafe_skip_rsa_key_validation=True))


def test_what_is_wrong_is_told_as_here(elsewhere):
    small, other = KEY_TYPES["RSA_2048"].generate(), KEY_TYPES["ECC_NIST_P256"].generate()
    for bad in (
        b"",
        b"\0" * 1200,
        b"\x30\x03\x02\x01\x00",
        small[:-1],
        small + b"\0",
        other,
        _of_a_composite(small),
    ):
        with pytest.raises(BadKeyMaterial) as told:
            checked("RSA_2048", bad)
        with pytest.raises(BadKeyMaterial) as here:
            KEY_TYPES["RSA_2048"].check(bad)
        assert str(told.value) == str(here.value)
    with pytest.raises(BadKeyMaterial, match="2048 bits, not 3072"):
        checked("RSA_3072", small)


@pytest.mark.parametrize("spec", PLAIN)
def test_everything_else_is_checked_here(spec, monkeypatch):
    monkeypatch.setattr(checking.sys, "executable", "/nonexistent")
    material = KEY_TYPES[spec].generate()
    assert checked(spec, material) == material


def test_a_process_that_does_not_start_or_dies_accepts_nothing(monkeypatch):
    material = KEY_TYPES["RSA_2048"].generate()
    for program in ("/nonexistent", "/bin/false"):
        monkeypatch.setattr(checking.sys, "executable", program)
        with pytest.raises(OSError):
            checked("RSA_2048", material)


def test_the_process_is_told_no_setting(monkeypatch):
    seen = {}

    def run(arguments, **how):
        seen.update(how, arguments=arguments)
        raise OSError

    monkeypatch.setenv("KEYSTEAD_PASSPHRASE", "of the server")
    monkeypatch.setattr(checking.subprocess, "run", run)
    with pytest.raises(OSError):
        checked("RSA_2048", b"material")
    assert seen["input"] == b"material"
    assert not [name for name in seen["env"] if name.startswith("KEYSTEAD_")]
    assert "material" not in " ".join(seen["arguments"]).replace("key material", "")
