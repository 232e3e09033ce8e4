"""Authenticated encryption with a fresh, committed key for each message.

Sealed form: salt (32) || commitment (32) || AES-256-GCM ciphertext || tag (16).

*No nonce budget.* AES-GCM with random 96-bit nonces allows about 2^32 messages under one key (NIST
SP 800-38D section 8.3). Here each message has its own AES key, derived from 256 random bits, and uses
it once; a nonce has nothing to tell apart and is all zero.

*Committing.* A GCM ciphertext can be built that opens under two keys ("invisible salamanders"). The
commitment is the second half of the derivation's output, so a sealed message that opened under two
keys would be a collision of HMAC-SHA256.
"""

from __future__ import annotations

import hmac

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from keystead.crypto.derive import KEY_BYTES, MessageKdf
from keystead.crypto.secret import Opaque
from keystead.entropy import key_bytes
from keystead.errors import BadKeyMaterial, DecryptionFailed

SALT_BYTES = 32
OVERHEAD = SALT_BYTES + 32 + 16
"""Bytes that sealing adds to a plaintext."""

_NONCE = bytes(12)
_COMMITMENT_END = SALT_BYTES + 32


class Aead(Opaque):
    """Seals and opens messages under one 256-bit key."""

    __slots__ = ("_kdf",)

    def __init__(self, key: bytes) -> None:
        self._kdf = MessageKdf(key)

    def seal(self, plaintext: bytes, aad: bytes, salt: bytes) -> bytes:
        """The sealed form of `plaintext`, bound to `aad`.

        `salt` is 32 fresh random bytes: using one for two messages repeats an AES-GCM nonce, which
        gives both away.

        Raises:
            ValueError: `salt` is not 32 bytes.
        """
        if len(salt) != SALT_BYTES:
            raise ValueError(f"a salt has {SALT_BYTES} bytes")
        key, commitment = self._kdf.derive(salt)
        return salt + commitment + AESGCM(key).encrypt(_NONCE, plaintext, aad)

    def open(self, sealed: bytes, aad: bytes) -> bytes:
        """The plaintext of `sealed`.

        Raises:
            DecryptionFailed: Another key, other associated data, or not what `seal` returned.
        """
        if len(sealed) < OVERHEAD:
            raise DecryptionFailed
        key, commitment = self._kdf.derive(sealed[:SALT_BYTES])
        if not hmac.compare_digest(commitment, sealed[SALT_BYTES:_COMMITMENT_END]):
            raise DecryptionFailed
        try:
            return AESGCM(key).decrypt(_NONCE, sealed[_COMMITMENT_END:], aad)
        except InvalidTag:
            raise DecryptionFailed from None


def generate() -> bytes:
    """Fresh material for a symmetric encryption key: 32 random bytes."""
    return key_bytes(KEY_BYTES)


def check(material: bytes) -> bytes:
    """`material`, if it can be a symmetric encryption key.

    Raises:
        BadKeyMaterial: It is not 32 bytes.
    """
    if len(material) != KEY_BYTES:
        raise BadKeyMaterial(f"symmetric key material has {KEY_BYTES} bytes")
    return material
