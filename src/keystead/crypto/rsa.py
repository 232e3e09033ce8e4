"""RSA keys that encrypt (OAEP) or sign (PKCS #1 v1.5 and PSS), as RFC 8017 defines them."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric import rsa as _rsa
from cryptography.hazmat.primitives.asymmetric.padding import AsymmetricPadding

from keystead.crypto import der
from keystead.crypto.message import hashing
from keystead.crypto.secret import Opaque
from keystead.errors import (
    BadKeyMaterial,
    BadPublicKey,
    DecryptionFailed,
    PlaintextTooLong,
    VerificationFailed,
)

EXPONENT = 65537

_SHA_1 = hashes.SHA1()  # noqa: S303  OAEP needs no collision resistance, and AWS KMS offers it
_SHA_256, _SHA_384, _SHA_512 = hashes.SHA256(), hashes.SHA384(), hashes.SHA512()


def _pkcs1(_algorithm: hashes.HashAlgorithm) -> AsymmetricPadding:
    return padding.PKCS1v15()


def _pss(algorithm: hashes.HashAlgorithm) -> AsymmetricPadding:
    # AWS KMS: the salt is as long as the digest, and a verifier elsewhere expects just that.
    return padding.PSS(padding.MGF1(algorithm), padding.PSS.DIGEST_LENGTH)


SIGNING: MappingProxyType[
    str, tuple[hashes.HashAlgorithm, Callable[[hashes.HashAlgorithm], AsymmetricPadding]]
] = MappingProxyType(
    {
        "RSASSA_PKCS1_V1_5_SHA_256": (_SHA_256, _pkcs1),
        "RSASSA_PKCS1_V1_5_SHA_384": (_SHA_384, _pkcs1),
        "RSASSA_PKCS1_V1_5_SHA_512": (_SHA_512, _pkcs1),
        "RSASSA_PSS_SHA_256": (_SHA_256, _pss),
        "RSASSA_PSS_SHA_384": (_SHA_384, _pss),
        "RSASSA_PSS_SHA_512": (_SHA_512, _pss),
    }
)

ENCRYPTION: MappingProxyType[str, hashes.HashAlgorithm] = MappingProxyType(
    {"RSAES_OAEP_SHA_1": _SHA_1, "RSAES_OAEP_SHA_256": _SHA_256}
)


class RsaKey(Opaque):
    """One RSA private key, loaded from PKCS#8, with its public half as SubjectPublicKeyInfo.

    Raises:
        BadKeyMaterial: The material is not an RSA private key.
    """

    __slots__ = ("_private", "_public", "public_der")

    def __init__(self, material: bytes) -> None:
        self._private = _load(material, stored=True)
        self._public = self._private.public_key()
        self.public_der = der.public_der(self._public)

    @property
    def modulus_bytes(self) -> int:
        """The length of the modulus, and so of every ciphertext and signature, in bytes."""
        return self._public.key_size // 8

    def sign(self, message: bytes, algorithm: str, message_type: str) -> bytes:
        """The signature of `message` (RAW) or of what hashes to it (DIGEST), as long as the modulus.

        Raises:
            BadDigestLength: A DIGEST whose length is not the algorithm's.
            KeyError: `algorithm` is not in `SIGNING`.
            ValueError: Another message type.
        """
        algorithm_hash, pad = SIGNING[algorithm]
        how = hashing(message, message_type, algorithm_hash)
        return self._private.sign(message, pad(algorithm_hash), how)

    def verify(self, message: bytes, signature: bytes, algorithm: str, message_type: str) -> None:
        """Nothing, if `signature` is the message's.

        Raises:
            VerificationFailed: It is not.
            BadDigestLength: A DIGEST whose length is not the algorithm's.
            KeyError: `algorithm` is not in `SIGNING`.
            ValueError: Another message type.
        """
        algorithm_hash, pad = SIGNING[algorithm]
        how = hashing(message, message_type, algorithm_hash)
        try:
            self._public.verify(signature, message, pad(algorithm_hash), how)
        except InvalidSignature:
            raise VerificationFailed from None

    def encrypt(self, plaintext: bytes, algorithm: str) -> bytes:
        """OAEP of `plaintext`, as long as the modulus.

        Raises:
            PlaintextTooLong: More than modulus - 2 * hash - 2 bytes (RFC 8017 section 7.1.1).
            KeyError: `algorithm` is not in `ENCRYPTION`.
        """
        return _encrypt(self._public, plaintext, algorithm)

    def decrypt(self, ciphertext: bytes, algorithm: str) -> bytes:
        """The plaintext of an OAEP `ciphertext`, whoever made it.

        Raises:
            DecryptionFailed: Another key or algorithm, or a damaged ciphertext.
            KeyError: `algorithm` is not in `ENCRYPTION`.
        """
        try:
            return self._private.decrypt(ciphertext, _oaep(algorithm))
        except ValueError:
            raise DecryptionFailed from None


def generate(bits: int) -> bytes:
    """A fresh private key with a modulus of `bits` bits and e = 65537, as PKCS#8."""
    return der.private_der(_rsa.generate_private_key(EXPONENT, bits))


def check(material: bytes, bits: int) -> bytes:
    """The private key in `material` as this room would have written it (PKCS#8).

    Raises:
        BadKeyMaterial: Not a consistent RSA key of `bits` bits with e = 65537, in PKCS#8.
    """
    key = _load(material, stored=True)
    if key.key_size != bits:
        raise BadKeyMaterial(f"the modulus has {key.key_size} bits, not {bits}")
    if key.public_key().public_numbers().e != EXPONENT:
        raise BadKeyMaterial(f"the public exponent is not {EXPONENT}")
    # Only now: it takes long, and the longer the modulus the longer.
    return der.private_der(_load(material, stored=False))


def encrypt_to(spki: bytes, plaintext: bytes, algorithm: str) -> bytes:
    """OAEP of `plaintext` for the RSA public key `spki` (SubjectPublicKeyInfo).

    Raises:
        BadPublicKey: `spki` is not an RSA public key.
        PlaintextTooLong: More than modulus - 2 * hash - 2 bytes.
        KeyError: `algorithm` is not in `ENCRYPTION`.
    """
    key = der.load_public(spki)
    if not isinstance(key, _rsa.RSAPublicKey):
        raise BadPublicKey("not an RSA public key")
    return _encrypt(key, plaintext, algorithm)


def _encrypt(key: _rsa.RSAPublicKey, plaintext: bytes, algorithm: str) -> bytes:
    limit = key.key_size // 8 - 2 * ENCRYPTION[algorithm].digest_size - 2
    if len(plaintext) > limit:
        raise PlaintextTooLong(limit)
    return key.encrypt(plaintext, _oaep(algorithm))


def _oaep(algorithm: str) -> AsymmetricPadding:
    algorithm_hash = ENCRYPTION[algorithm]
    return padding.OAEP(padding.MGF1(algorithm_hash), algorithm_hash, label=None)


def _load(material: bytes, *, stored: bool) -> _rsa.RSAPrivateKey:
    key = der.load_private(material, stored=stored)
    if not isinstance(key, _rsa.RSAPrivateKey):
        raise BadKeyMaterial("not an RSA private key")
    return key
