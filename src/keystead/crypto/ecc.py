"""Elliptic-curve keys that sign (ECDSA, FIPS 186-5) or agree (ECDH, SP 800-56A)."""

from __future__ import annotations

from types import MappingProxyType

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from keystead.crypto import der
from keystead.crypto.message import RAW, hashing
from keystead.crypto.secret import Opaque
from keystead.errors import BadKeyMaterial, BadPublicKey, VerificationFailed

CURVES: MappingProxyType[str, ec.EllipticCurve] = MappingProxyType(
    {
        "ECC_NIST_P256": ec.SECP256R1(),
        "ECC_NIST_P384": ec.SECP384R1(),
        "ECC_NIST_P521": ec.SECP521R1(),
        "ECC_SECG_P256K1": ec.SECP256K1(),
    }
)
"""The curve of each KMS key spec."""

SIGNING: MappingProxyType[str, hashes.HashAlgorithm] = MappingProxyType(
    {"ECDSA_SHA_256": hashes.SHA256(), "ECDSA_SHA_384": hashes.SHA384(), "ECDSA_SHA_512": hashes.SHA512()}
)
_RAW = MappingProxyType({name: ec.ECDSA(algorithm) for name, algorithm in SIGNING.items()})


class EccKey(Opaque):
    """One private key on one of `CURVES`, loaded from PKCS#8, with its SubjectPublicKeyInfo.

    Raises:
        BadKeyMaterial: The material is not an elliptic-curve private key.
    """

    __slots__ = ("_private", "_public", "public_der")

    def __init__(self, material: bytes) -> None:
        self._private = _load(material)
        self._public = self._private.public_key()
        self.public_der = der.public_der(self._public)

    def sign(self, message: bytes, algorithm: str, message_type: str) -> bytes:
        """The DER signature (RFC 3279 section 2.2.3) of `message` (RAW) or of what hashes to it (DIGEST).

        Raises:
            BadDigestLength: A DIGEST whose length is not the algorithm's.
            KeyError: `algorithm` is not in `SIGNING`.
            ValueError: Another message type.
        """
        return self._private.sign(message, _ecdsa(message, algorithm, message_type))

    def verify(self, message: bytes, signature: bytes, algorithm: str, message_type: str) -> None:
        """Nothing, if `signature` (DER) is the message's.

        Raises:
            VerificationFailed: It is not.
            BadDigestLength: A DIGEST whose length is not the algorithm's.
            KeyError: `algorithm` is not in `SIGNING`.
            ValueError: Another message type.
        """
        how = _ecdsa(message, algorithm, message_type)
        try:
            self._public.verify(signature, message, how)
        except InvalidSignature:
            raise VerificationFailed from None

    def derive(self, peer_spki: bytes) -> bytes:
        """The shared secret with the peer: the x-coordinate, as long as the field, leading zeros kept.

        Raises:
            BadPublicKey: The peer's key cannot be read, or is not a point of this key's curve.
        """
        peer = der.load_public(peer_spki)
        if not isinstance(peer, ec.EllipticCurvePublicKey):
            raise BadPublicKey("not an elliptic-curve public key")
        if peer.curve.name != self._private.curve.name:
            raise BadPublicKey("the public key lies on another curve")
        return self._private.exchange(ec.ECDH(), peer)


def _ecdsa(message: bytes, algorithm: str, message_type: str) -> ec.ECDSA:
    """How to sign or verify `message`; what raw messages take is made once."""
    if message_type == RAW:
        return _RAW[algorithm]
    return ec.ECDSA(hashing(message, message_type, SIGNING[algorithm]))


def generate(spec: str) -> bytes:
    """A fresh private key on the curve of `spec`, as PKCS#8."""
    return der.private_der(ec.generate_private_key(CURVES[spec]))


def check(material: bytes, spec: str) -> bytes:
    """The private key in `material` as this room would have written it (PKCS#8 with its public key).

    Raises:
        BadKeyMaterial: Not a private key on the curve of `spec`, in PKCS#8.
    """
    key = _load(material)
    if key.curve.name != CURVES[spec].name:
        raise BadKeyMaterial(f"the key lies on {key.curve.name}")
    return der.private_der(key)


def _load(material: bytes) -> ec.EllipticCurvePrivateKey:
    key = der.load_private(material, stored=False)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise BadKeyMaterial("not an elliptic-curve private key")
    return key
