"""Ed25519 keys: pure Ed25519 over messages and Ed25519ph over digests (RFC 8032)."""

from __future__ import annotations

from types import MappingProxyType

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from keystead.crypto import der
from keystead.crypto.message import DIGEST, RAW, require, require_length
from keystead.crypto.secret import Opaque
from keystead.errors import BadKeyMaterial, VerificationFailed

PURE = "ED25519_SHA_512"
PREHASHED = "ED25519_PH_SHA_512"

SIGNING: MappingProxyType[str, str] = MappingProxyType({PURE: RAW, PREHASHED: DIGEST})
"""The one message type that each signing algorithm takes."""

_DIGEST_BYTES = 64


class Ed25519Key(Opaque):
    """One Ed25519 private key, loaded from PKCS#8 (RFC 8410), with its SubjectPublicKeyInfo.

    Ed25519ph comes from pycryptodome: `cryptography` has pure Ed25519 only.

    Raises:
        BadKeyMaterial: The material is not an Ed25519 private key.
    """

    __slots__ = ("_prehashed", "_private", "_public", "public_der")

    def __init__(self, material: bytes) -> None:
        self._private = _load(material)
        self._public = self._private.public_key()
        self.public_der = der.public_der(self._public)
        from keystead.crypto.ed25519ph import Prehashed  # noqa: PLC0415  loaded by the first such key

        self._prehashed = Prehashed(self._private.private_bytes_raw())

    def sign(self, message: bytes, algorithm: str, message_type: str) -> bytes:
        """The 64-byte signature of a RAW message (pure) or of a 64-byte DIGEST (prehashed).

        AWS KMS hashes the digest once more: what is signed is Ed25519ph with the digest as its message.

        Raises:
            BadDigestLength: A DIGEST that is not 64 bytes.
            KeyError: `algorithm` is not in `SIGNING`.
            ValueError: A message type that the algorithm does not take.
        """
        require(message_type, SIGNING[algorithm])
        if algorithm == PURE:
            return self._private.sign(message)
        require_length(message, _DIGEST_BYTES)
        return self._prehashed.sign(message)

    def verify(self, message: bytes, signature: bytes, algorithm: str, message_type: str) -> None:
        """Nothing, if `signature` is the message's.

        Raises:
            VerificationFailed: It is not.
            BadDigestLength: A DIGEST that is not 64 bytes.
            KeyError: `algorithm` is not in `SIGNING`.
            ValueError: A message type that the algorithm does not take.
        """
        require(message_type, SIGNING[algorithm])
        if algorithm == PURE:
            self._verify_pure(message, signature)
        else:
            require_length(message, _DIGEST_BYTES)
            self._prehashed.verify(message, signature)

    def _verify_pure(self, message: bytes, signature: bytes) -> None:
        try:
            self._public.verify(signature, message)
        except InvalidSignature:
            raise VerificationFailed from None


def generate() -> bytes:
    """A fresh private key, as PKCS#8."""
    return der.private_der(Ed25519PrivateKey.generate())


def check(material: bytes) -> bytes:
    """The private key in `material` as this room would have written it (PKCS#8).

    Raises:
        BadKeyMaterial: Not an Ed25519 private key, in PKCS#8.
    """
    return der.private_der(_load(material))


def _load(material: bytes) -> Ed25519PrivateKey:
    key = der.load_private(material, stored=False)
    if not isinstance(key, Ed25519PrivateKey):
        raise BadKeyMaterial("not an Ed25519 private key")
    return key
