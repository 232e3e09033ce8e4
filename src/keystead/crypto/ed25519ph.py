"""Ed25519ph (RFC 8032) by pycryptodome, which takes long to load: `cryptography` has pure Ed25519 only."""

from __future__ import annotations

from Crypto.Hash import SHA512
from Crypto.PublicKey import ECC
from Crypto.Signature import eddsa

from keystead.crypto.secret import Opaque
from keystead.errors import VerificationFailed


class Prehashed(Opaque):
    """One private key, of which `seed` are the 32 bytes."""

    __slots__ = ("_key",)

    def __init__(self, seed: bytes) -> None:
        key = ECC.construct(curve="Ed25519", seed=seed)
        # Computed lazily by pycryptodome: now, so that threads share a finished object.
        key.public_key()
        self._key = eddsa.new(key, "rfc8032")

    def sign(self, message: bytes) -> bytes:
        """The 64-byte signature of the message, which is hashed with SHA-512 first."""
        return self._key.sign(SHA512.new(message))

    def verify(self, message: bytes, signature: bytes) -> None:
        """Nothing, if `signature` is the message's.

        Raises:
            VerificationFailed: It is not.
        """
        try:
            self._key.verify(SHA512.new(message), signature)
        except ValueError:
            raise VerificationFailed from None
