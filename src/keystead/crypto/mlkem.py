"""ML-KEM keys (FIPS 203): shared secrets that a quantum computer does not recover.

ML-KEM-512 is absent: `cryptography` leaves it out on purpose, and the other Python implementations are
not constant-time, or say themselves that they are not for production.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TypeAlias

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM1024PrivateKey

from keystead.crypto import der
from keystead.crypto.secret import Opaque
from keystead.errors import BadKeyMaterial, DecryptionFailed

Private: TypeAlias = MLKEM768PrivateKey | MLKEM1024PrivateKey

PARAMETER_SETS: MappingProxyType[str, type[Private]] = MappingProxyType(
    {"ML_KEM_768": MLKEM768PrivateKey, "ML_KEM_1024": MLKEM1024PrivateKey}
)
"""The private key class of each KMS key spec."""


class MlKemKey(Opaque):
    """One ML-KEM private key, loaded from PKCS#8 (RFC 9935), with its SubjectPublicKeyInfo.

    Raises:
        BadKeyMaterial: The material is not an ML-KEM private key.
    """

    __slots__ = ("_private", "_public", "public_der")

    def __init__(self, material: bytes) -> None:
        self._private = _load(material)
        self._public = self._private.public_key()
        self.public_der = der.public_der(self._public)

    def encapsulate(self) -> tuple[bytes, bytes]:
        """A fresh shared secret (32 bytes) and the ciphertext that carries it."""
        return self._public.encapsulate()

    def decapsulate(self, ciphertext: bytes) -> bytes:
        """The shared secret (32 bytes) in `ciphertext`.

        A ciphertext of the right length that no one made for this key gives 32 pseudo-random bytes
        and no error (implicit rejection, FIPS 203 section 6.3).

        Raises:
            DecryptionFailed: The ciphertext has not the parameter set's length.
        """
        try:
            return self._private.decapsulate(ciphertext)
        except ValueError:
            raise DecryptionFailed from None


def generate(spec: str) -> bytes:
    """A fresh private key of `spec`, as PKCS#8 with the seed."""
    return der.private_der(PARAMETER_SETS[spec].generate())


def check(material: bytes, spec: str) -> bytes:
    """The private key in `material` as this room would have written it (PKCS#8 with the seed).

    Raises:
        BadKeyMaterial: Not a private key of `spec`, in PKCS#8.
    """
    return der.private_of(_load(material), PARAMETER_SETS[spec], spec)


def _load(material: bytes) -> Private:
    key = der.load_private(material, stored=False)
    if not isinstance(key, Private):
        raise BadKeyMaterial("not an ML-KEM private key")
    return key
