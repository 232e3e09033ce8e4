"""Key material on its way in: what ImportKeyMaterial accepts, and how its owner wraps it.

RSAES_OAEP_*         OAEP of the material
RSA_AES_KEY_WRAP_*   OAEP of a fresh AES-256 key || AES-KWP (RFC 5649) of the material under it
"""

from __future__ import annotations

from types import MappingProxyType

from cryptography.hazmat.primitives import keywrap as _keywrap

from keystead.crypto import rsa
from keystead.entropy import Entropy
from keystead.errors import DecryptionFailed

_DIRECT: MappingProxyType[str, str] = MappingProxyType(
    {"RSAES_OAEP_SHA_1": "RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256": "RSAES_OAEP_SHA_256"}
)
_HYBRID: MappingProxyType[str, str] = MappingProxyType(
    {"RSA_AES_KEY_WRAP_SHA_1": "RSAES_OAEP_SHA_1", "RSA_AES_KEY_WRAP_SHA_256": "RSAES_OAEP_SHA_256"}
)
ALGORITHMS = frozenset(_DIRECT) | frozenset(_HYBRID)

_AES_KEY_BYTES = 32


def wrap(spki: bytes, material: bytes, algorithm: str, entropy: Entropy) -> bytes:
    """`material` wrapped for the holder of the RSA public key `spki` (SubjectPublicKeyInfo).

    Raises:
        BadPublicKey: `spki` is not an RSA public key.
        PlaintextTooLong: The material does not fit one of the RSAES algorithms.
        KeyError: `algorithm` is not in `ALGORITHMS`.
    """
    if algorithm in _DIRECT:
        return rsa.encrypt_to(spki, material, _DIRECT[algorithm])
    key = entropy.random(_AES_KEY_BYTES)
    sealed_key = rsa.encrypt_to(spki, key, _HYBRID[algorithm])
    return sealed_key + _keywrap.aes_key_wrap_with_padding(key, material)


def unwrap(key: rsa.RsaKey, wrapped: bytes, algorithm: str) -> bytes:
    """The material in `wrapped`.

    Raises:
        DecryptionFailed: Another wrapping key or algorithm, or damaged; which one is not said.
        KeyError: `algorithm` is not in `ALGORITHMS`.
    """
    if algorithm in _DIRECT:
        return key.decrypt(wrapped, _DIRECT[algorithm])
    length = key.modulus_bytes
    aes_key = key.decrypt(wrapped[:length], _HYBRID[algorithm])
    if len(aes_key) != _AES_KEY_BYTES:
        raise DecryptionFailed
    try:
        return _keywrap.aes_key_unwrap_with_padding(aes_key, wrapped[length:])
    except (_keywrap.InvalidUnwrap, ValueError):
        raise DecryptionFailed from None
