"""Private and public keys as DER: PKCS#8 in, PKCS#8 and SubjectPublicKeyInfo out."""

from __future__ import annotations

import re

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes

from keystead.errors import BadKeyMaterial, BadPublicKey

# RFC 5958 section 2: SEQUENCE { INTEGER 0 or 1, SEQUENCE { algorithm } ... }. The older RSAPrivateKey and
# ECPrivateKey, which the parser would accept too, have an INTEGER or OCTET STRING in the third place.
_PKCS8 = re.compile(rb"\x30(?:[\x00-\x7f]|\x81.|\x82..|\x83...)\x02\x01[\x00\x01]\x30", re.DOTALL)


def load_private(der: bytes, *, stored: bool) -> PrivateKeyTypes:
    """The private key in `der`, an unencrypted PKCS#8 structure and nothing after it.

    With `stored` an RSA key's arithmetic is not checked again, which takes up to a third of a second: storage
    authenticates what `check` once accepted.

    Raises:
        BadKeyMaterial: Not such a structure, or a key that is inconsistent or of an unknown kind.
    """
    if not _PKCS8.match(der):
        raise BadKeyMaterial("private key material is PKCS#8 in DER")
    try:
        return serialization.load_der_private_key(der, None, unsafe_skip_rsa_key_validation=stored)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise BadKeyMaterial("the private key cannot be read") from None


def load_public(spki: bytes) -> PublicKeyTypes:
    """The public key in `spki`, a SubjectPublicKeyInfo (RFC 5280 section 4.1).

    Raises:
        BadPublicKey: It cannot be read, is inconsistent or of an unknown kind.
    """
    try:
        return serialization.load_der_public_key(spki)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise BadPublicKey("the public key cannot be read") from None


def private_der(key: PrivateKeyTypes) -> bytes:
    """`key` as unencrypted PKCS#8."""
    return key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def private_of(key: PrivateKeyTypes, kind: type[PrivateKeyTypes], spec: str) -> bytes:
    """`key` as unencrypted PKCS#8, with the seed where it is made of one.

    Raises:
        BadKeyMaterial: it is not of `kind`, the private keys of `spec`.
    """
    if not isinstance(key, kind):
        raise BadKeyMaterial(f"not an {spec} private key")
    return private_der(key)


def public_der(key: PublicKeyTypes) -> bytes:
    """`key` as SubjectPublicKeyInfo."""
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
