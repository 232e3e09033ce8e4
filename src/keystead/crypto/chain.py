"""Certificate chains as attestation uses them: from a pinned root down, ECDSA with SHA-384 on P-384 throughout.

The rules are those of RFC 5280 section 6.1 without names, policies and revocation, of which a Nitro chain has
none; whatever extension says that it must be understood, and is not, is refused. A chain for another purpose,
such as a server's name, must not be judged by this.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtensionOID, SignatureAlgorithmOID

from keystead.errors import BadAttestation

_UNDERSTOOD: Final = frozenset({ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.KEY_USAGE})
_EXTENSION_FAULTS: Final = (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType)


def roots_in(pem: bytes) -> tuple[bytes, ...]:
    """The certificates in a PEM file, as DER.

    Raises:
        BadAttestation: There is none, or one that could not be a chain's root.
    """
    try:
        found = x509.load_pem_x509_certificates(pem)
    except ValueError:
        raise BadAttestation("there is no certificate in PEM") from None
    for root in found:
        _check_authority(root, 0)
        _check_issued(root, root)
    return tuple(root.public_bytes(Encoding.DER) for root in found)


def leaf_key(
    chain: Sequence[bytes], roots: Collection[bytes], times: Collection[float]
) -> ec.EllipticCurvePublicKey:
    """The public key of the last certificate of a chain that a pinned root vouches for.

    `chain` is DER, the root first; `roots` are pinned whole; `times` (epoch seconds) must all lie within every
    certificate's validity.

    Raises:
        BadAttestation: No root is pinned, or anything about the chain is wrong.
    """
    if not roots:
        raise BadAttestation("no attestation root is pinned here, so no document can be verified")
    if not chain or chain[0] not in roots:
        raise BadAttestation("its chain does not start at a pinned root")
    *authorities, leaf = certificates = [_load(chain[0]), *(_issued(*pair) for pair in pairwise(chain))]
    if not authorities:
        raise BadAttestation("its chain has no certificate below the root")
    for certificate in certificates:
        _check_validity(certificate, times)
    for position, authority in enumerate(authorities):
        _check_authority(authority, len(authorities) - 1 - position)
    _check_leaf(leaf)
    return _p384_key(leaf)


def _load(der: bytes) -> x509.Certificate:
    try:
        return x509.load_der_x509_certificate(der)
    except (ValueError, x509.InvalidVersion, UserWarning):  # a warning, where warnings are made errors
        raise BadAttestation("a certificate cannot be read") from None


@lru_cache(maxsize=256)
def _issued(issuer: bytes, der: bytes) -> x509.Certificate:
    """The certificate `der`, which `issuer` signed.

    Remembered, since a machine sends the same chain each time and a signature takes 0.4 ms to check. Only what
    was found good is: so all that is remembered comes from a pinned root, and no caller can fill the memory.
    """
    certificate = _load(der)
    _check_issued(certificate, _load(issuer))
    return certificate


def _check_issued(certificate: x509.Certificate, issuer: x509.Certificate) -> None:
    _p384_key(issuer)
    if certificate.signature_algorithm_oid != SignatureAlgorithmOID.ECDSA_WITH_SHA384:
        raise BadAttestation("a certificate is not signed by ECDSA with SHA-384")
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        raise BadAttestation("a certificate is not issued by the one above it") from None


def _p384_key(certificate: x509.Certificate) -> ec.EllipticCurvePublicKey:
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise BadAttestation("a certificate's key cannot be read") from None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP384R1):
        raise BadAttestation("a certificate's key is not on P-384")
    return key


def _check_validity(certificate: x509.Certificate, times: Collection[float]) -> None:
    first = certificate.not_valid_before_utc.timestamp()
    last = certificate.not_valid_after_utc.timestamp()
    if not all(first <= time <= last for time in times):
        raise BadAttestation("a certificate is not valid at the time")


def _constraints(
    certificate: x509.Certificate,
) -> tuple[x509.BasicConstraints | None, x509.KeyUsage | None]:
    """Basic constraints and key usage; each None if the certificate has none."""
    try:
        found = {extension.oid: extension for extension in certificate.extensions}
    except _EXTENSION_FAULTS:
        raise BadAttestation("a certificate's extensions cannot be read") from None
    if any(extension.critical and oid not in _UNDERSTOOD for oid, extension in found.items()):
        raise BadAttestation("a certificate has a critical extension that is not understood")
    basic, usage = found.get(ExtensionOID.BASIC_CONSTRAINTS), found.get(ExtensionOID.KEY_USAGE)
    return basic.value if basic else None, usage.value if usage else None


def _check_authority(certificate: x509.Certificate, below: int) -> None:
    """Return if the certificate may issue, with `below` authorities between it and the leaf."""
    basic, usage = _constraints(certificate)
    if basic is None or not basic.ca or usage is None or not usage.key_cert_sign:
        raise BadAttestation("an issuing certificate is not an authority's")
    if basic.path_length is not None and below > basic.path_length:
        raise BadAttestation("its chain is longer than an authority allows")


def _check_leaf(certificate: x509.Certificate) -> None:
    basic, usage = _constraints(certificate)
    if basic is not None and basic.ca:
        raise BadAttestation("the signing certificate is an authority's")
    if usage is None or not usage.digital_signature:
        raise BadAttestation("the signing certificate is not for signatures")
