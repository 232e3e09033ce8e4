"""HMAC keys (FIPS 198-1): raw bytes, as long as the digest that they make."""

from __future__ import annotations

import hmac
from types import MappingProxyType

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import hmac as _hmac

from keystead.crypto.secret import Opaque
from keystead.entropy import key_bytes
from keystead.errors import BadKeyMaterial, VerificationFailed

ALGORITHMS: MappingProxyType[str, hashes.HashAlgorithm] = MappingProxyType(
    {
        "HMAC_SHA_224": hashes.SHA224(),
        "HMAC_SHA_256": hashes.SHA256(),
        "HMAC_SHA_384": hashes.SHA384(),
        "HMAC_SHA_512": hashes.SHA512(),
    }
)

KEY_BYTES: MappingProxyType[str, int] = MappingProxyType(
    {"HMAC_224": 28, "HMAC_256": 32, "HMAC_384": 48, "HMAC_512": 64}
)
"""Bytes of key material of each KMS key spec."""


class MacKey(Opaque):
    """One HMAC key, loaded from its bytes."""

    __slots__ = ("_key",)

    def __init__(self, material: bytes) -> None:
        self._key = material

    def generate_mac(self, message: bytes, algorithm: str) -> bytes:
        """The MAC of `message`, as long as the algorithm's digest.

        Raises:
            KeyError: `algorithm` is not in `ALGORITHMS`.
        """
        state = _hmac.HMAC(self._key, ALGORITHMS[algorithm])
        state.update(message)
        return state.finalize()

    def verify_mac(self, message: bytes, mac: bytes, algorithm: str) -> None:
        """Nothing, if `mac` is the message's; compared in constant time.

        Raises:
            VerificationFailed: It is not, or is of another length.
            KeyError: `algorithm` is not in `ALGORITHMS`.
        """
        if not hmac.compare_digest(self.generate_mac(message, algorithm), mac):
            raise VerificationFailed


def generate(spec: str) -> bytes:
    """Fresh key material for `spec`."""
    return key_bytes(KEY_BYTES[spec])


def check(material: bytes, spec: str) -> bytes:
    """`material`, if it can be a key of `spec`.

    Raises:
        BadKeyMaterial: Its length is another.
    """
    if len(material) != KEY_BYTES[spec]:
        raise BadKeyMaterial(f"{spec} key material has {KEY_BYTES[spec]} bytes")
    return material
