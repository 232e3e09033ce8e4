"""Key material that is made once for the run: RSA keys take long to generate."""

from functools import cache

import pytest
from hypothesis import settings

from keystead.crypto import KEY_TYPES

# A busy machine is no failure: no test here asserts how long something takes.
settings.register_profile("crypto", deadline=None)
settings.load_profile("crypto")


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
