"""Trust anchors: the certificate authorities whose client certificates stand for workloads.

TLS verifies a certificate when a connection is opened. Here it is asked which anchor has issued it, and
once more whether it counts now, since a connection may outlive a certificate. Sources: RFC 5280; IAM Roles
Anywhere User Guide, "The trust model in IAM Roles Anywhere".
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from keystead import errors

_FAULTS: Final = (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm)


class Anchors:
    """The certificates of the trusted authorities; none makes every client certificate count for nothing."""

    def __init__(self, pem: bytes = b"") -> None:
        """Raises `ValueError` if there is text and it holds no certificate of an authority."""
        self._anchors = tuple(x509.load_pem_x509_certificates(pem)) if pem else ()
        if not all(map(_is_authority, self._anchors)):
            raise ValueError("a certificate is not that of a certificate authority")

    def issuer_of(self, leaf: x509.Certificate, now: float) -> str | None:
        """The id of the anchor that has issued a certificate which counts at `now`, None if it does not."""
        when = datetime.fromtimestamp(now, UTC)
        if not _valid(leaf, when) or not _is_client(leaf):
            return None
        for anchor in self._anchors:
            if anchor.subject == leaf.issuer and _valid(anchor, when) and _issued(leaf, anchor):
                return anchor_id(anchor)
        return None


def anchor_id(anchor: x509.Certificate) -> str:
    """The anchor's id: a UUID made of its public key, so that it outlives a renewal of the certificate.

    It is that of RFC 9562 section 5.8 (version 8) over the SHA-256 of the SubjectPublicKeyInfo.
    """
    spki = anchor.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    digest = bytearray(sha256(spki).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x80
    digest[8] = digest[8] & 0x3F | 0x80
    return str(uuid.UUID(bytes=bytes(digest)))


def anchor_arn(region: str, account: str, anchor: str) -> str:
    """What policies call an anchor, in the form that IAM Roles Anywhere uses."""
    return f"arn:aws:rolesanywhere:{region}:{account}:trust-anchor/{anchor}"


def load(der: bytes) -> x509.Certificate:
    """The certificate.

    Raises:
        errors.AccessDenied: it cannot be read.
    """
    try:
        return x509.load_der_x509_certificate(der)
    except _FAULTS:
        raise errors.AccessDenied("The client certificate cannot be read.") from None


def _issued(leaf: x509.Certificate, anchor: x509.Certificate) -> bool:
    try:
        leaf.verify_directly_issued_by(anchor)
    except _FAULTS:
        return False
    return True


def _valid(certificate: x509.Certificate, when: datetime) -> bool:
    return certificate.not_valid_before_utc <= when <= certificate.not_valid_after_utc


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, *_FAULTS):
        return False


def _is_client(certificate: x509.Certificate) -> bool:
    """Whether it is an end entity's that may sign a handshake as a client (RFC 5280 section 4.2.1)."""
    try:
        extensions = certificate.extensions
    except (x509.DuplicateExtension, x509.UnsupportedGeneralNameType, *_FAULTS):
        return False
    if _is_authority(certificate):
        return False
    for extension in extensions:
        value = extension.value
        if isinstance(value, x509.KeyUsage) and not value.digital_signature:
            return False
        if isinstance(value, x509.ExtendedKeyUsage) and ExtendedKeyUsageOID.CLIENT_AUTH not in value:
            return False
    return True
