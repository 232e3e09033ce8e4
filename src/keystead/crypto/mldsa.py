"""ML-DSA keys (FIPS 204): signatures that a quantum computer does not forge."""

from __future__ import annotations

from types import MappingProxyType
from typing import TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.mldsa import (
    MLDSA44PrivateKey,
    MLDSA65PrivateKey,
    MLDSA87PrivateKey,
)

from keystead.crypto import der
from keystead.crypto.message import EXTERNAL_MU, RAW, require, require_length
from keystead.crypto.secret import Opaque
from keystead.errors import BadKeyMaterial, VerificationFailed

ALGORITHM = "ML_DSA_SHAKE_256"

Private: TypeAlias = MLDSA44PrivateKey | MLDSA65PrivateKey | MLDSA87PrivateKey

PARAMETER_SETS: MappingProxyType[str, type[Private]] = MappingProxyType(
    {"ML_DSA_44": MLDSA44PrivateKey, "ML_DSA_65": MLDSA65PrivateKey, "ML_DSA_87": MLDSA87PrivateKey}
)
"""The private key class of each KMS key spec."""

_MU_BYTES = 64


class MlDsaKey(Opaque):
    """One ML-DSA private key, loaded from PKCS#8 (RFC 9881), with its SubjectPublicKeyInfo.

    A RAW message is signed with the empty context string (FIPS 204 section 5.2). EXTERNAL_MU is the message
    representative of section 6.2, computed by the caller: SHAKE256(SHAKE256(public key, 64) || 0x00 ||
    0x00 || message, 64).

    Raises:
        BadKeyMaterial: The material is not an ML-DSA private key.
    """

    __slots__ = ("_private", "_public", "public_der")

    def __init__(self, material: bytes) -> None:
        self._private = _load(material)
        self._public = self._private.public_key()
        self.public_der = der.public_der(self._public)

    def sign(self, message: bytes, algorithm: str, message_type: str) -> bytes:
        """The signature of a RAW message or of a 64-byte EXTERNAL_MU.

        Raises:
            BadDigestLength: An EXTERNAL_MU that is not 64 bytes.
            ValueError: Another algorithm or message type.
        """
        if _is_raw(message, algorithm, message_type):
            return self._private.sign(message)
        return self._private.sign_mu(message)

    def verify(self, message: bytes, signature: bytes, algorithm: str, message_type: str) -> None:
        """Nothing, if `signature` is the message's.

        Raises:
            VerificationFailed: It is not.
            BadDigestLength: An EXTERNAL_MU that is not 64 bytes.
            ValueError: Another algorithm or message type.
        """
        raw = _is_raw(message, algorithm, message_type)
        try:
            (self._public.verify if raw else self._public.verify_mu)(signature, message)
        except InvalidSignature:
            raise VerificationFailed from None


def generate(spec: str) -> bytes:
    """A fresh private key of `spec`, as PKCS#8 with the seed."""
    return der.private_der(PARAMETER_SETS[spec].generate())


def check(material: bytes, spec: str) -> bytes:
    """The private key in `material` as this room would have written it (PKCS#8 with the seed).

    Raises:
        BadKeyMaterial: Not a private key of `spec`, in PKCS#8.
    """
    return der.private_of(_load(material), PARAMETER_SETS[spec], spec)


def _is_raw(message: bytes, algorithm: str, message_type: str) -> bool:
    if algorithm != ALGORITHM:
        raise ValueError(f"ML-DSA keys sign with {ALGORITHM}")
    if message_type == RAW:
        return True
    require(message_type, EXTERNAL_MU)
    require_length(message, _MU_BYTES)
    return False


def _load(material: bytes) -> Private:
    key = der.load_private(material, stored=False)
    if not isinstance(key, Private):
        raise BadKeyMaterial("not an ML-DSA private key")
    return key
