"""Key material that is made once for the run: RSA keys take long to generate."""

from functools import cache

import pytest

from keystead.crypto import KEY_TYPES


@cache
def _material(spec):
    return KEY_TYPES[spec].generate()


@cache
def _key(spec):
    return KEY_TYPES[spec].load(_material(spec))


@pytest.fixture(scope="session")
def material():
    """`material(spec)`: the run's private key material of that spec."""
    return _material


@pytest.fixture(scope="session")
def key():
    """`key(spec)`: the run's key of that spec, loaded."""
    return _key
