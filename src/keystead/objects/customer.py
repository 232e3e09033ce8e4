"""How a key that the caller brings with each request (SSE-C) is known again without being kept."""

from __future__ import annotations

import hmac
from typing import Final

from keystead.crypto.derive import KEY_BYTES, subkey
from keystead.crypto.secret import SECRET_ACCESS, Secret
from keystead.entropy import Entropy

_SALT_BYTES: Final = 32
_LABEL: Final = "s3/customer-key"


def remember(key: Secret, entropy: Entropy) -> bytes:
    """What is stored of a caller's key: a salt, and what HKDF-SHA256 makes of key and salt.

    Keys are random, so nothing is gained by guessing; the salt keeps two objects of one key from being linked.
    """
    salt = entropy.random(_SALT_BYTES)
    return salt + subkey(key.expose(SECRET_ACCESS), _LABEL, salt)


def is_remembered(key: Secret, remembered: bytes) -> bool:
    """Whether `key` is the one that `remembered` was made of."""
    if len(remembered) != _SALT_BYTES + KEY_BYTES:
        return False
    salt, value = remembered[:_SALT_BYTES], remembered[_SALT_BYTES:]
    return hmac.compare_digest(subkey(key.expose(SECRET_ACCESS), _LABEL, salt), value)
