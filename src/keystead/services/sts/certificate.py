"""AssumeRole with a client certificate in place of a signature: workloads without any secret of this server.

Trust policies are those that IAM Roles Anywhere asks for: they name its service principal, and its conditions
ask what the certificate says (as tags) and which trust anchor has issued it. Sources: IAM Roles Anywhere User
Guide, "The trust model in IAM Roles Anywhere" and "Role trust policies"; SPIFFE, "X509-SVID" sections 2 to 4.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any, Final

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from keystead import errors
from keystead.api import Call, Target
from keystead.api.anchors import anchor_arn, load
from keystead.api.unsigned import Identified, Unsigned
from keystead.identity import Caller
from keystead.identity.caller import AWS_SERVICE
from keystead.identity.names import ROLES_ANYWHERE
from keystead.policy import Principal
from keystead.services.sts.session_terms import Tags, checked_tags
from keystead.services.sts.trust import (
    SET_SOURCE_IDENTITY,
    TAG_SESSION,
    FactValues,
    account_of_role,
    role_targets,
    tag_facts,
)
from keystead.wire.models import sts as wire

_ASSUME: Final = "sts:AssumeRole"
_LONGEST_VALUE: Final = 256
_SOURCE_IDENTITY: Final = re.compile(r"(?!aws:)[\w+=,.@-]{2,64}", re.ASCII | re.IGNORECASE)
_SPIFFE_ID: Final = re.compile(
    r"spiffe://[a-z0-9._-]{1,255}(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._-]+)+", re.ASCII
)
"""SPIFFE-ID section 2: a workload's has a path, whose segments are neither empty nor dots."""


class Workload(msgspec.Struct, frozen=True, kw_only=True):
    """What a certificate has proved; `anchor` is the ARN of the trust anchor that has issued it."""

    anchor: str
    tags: Tags
    source_identity: str
    evidence: dict[str, Any]


def identify(unsigned: Unsigned, request: wire.AssumeRoleRequest) -> Identified:
    """The workload that holds the certificate's private key, as the handshake has shown.

    Raises:
        errors.AccessDenied: the certificate does not count, or breaks the rules of its kind.
        errors.Validation: the request names no role.
    """
    account = account_of_role(request.role_arn or "")
    certificate = load(unsigned.request.certificate)
    anchor = unsigned.outside.anchors.issuer_of(certificate, unsigned.wall)
    if anchor is None:
        raise errors.AccessDenied(
            "The client certificate has ended, is not for clients, or is not issued by a trust anchor itself."
        )
    tags = attributes(certificate)
    common_name = tags.get("x509Subject/CN", "")
    anchor = anchor_arn(unsigned.outside.region, account, anchor)
    workload = Workload(
        anchor=anchor,
        tags=Tags(tags),
        source_identity=common_name if _SOURCE_IDENTITY.fullmatch(common_name) else "",
        evidence={"trustAnchorArn": anchor, "clientCertificate": _shown(certificate, tags)},
    )
    caller = Caller(
        kind=AWS_SERVICE,
        arn="",
        account=account,
        principal_id=ROLES_ANYWHERE,
        access_key_id="",
        name=ROLES_ANYWHERE,
    )
    return Identified(caller, Principal(type="service", service=ROLES_ANYWHERE), workload)


def workload_targets(call: Call, request: wire.AssumeRoleRequest, workload: Workload) -> tuple[Target, ...]:
    """The role, for each permission that the certificate takes.

    Raises:
        errors.Validation: the request asks for what only a signed one may.
    """
    own = (
        "tags",
        "transitive_tag_keys",
        "source_identity",
        "serial_number",
        "token_code",
        "provided_contexts",
    )
    if any(getattr(request, name) for name in own):
        raise errors.Validation(
            "Tags, SourceIdentity, SerialNumber, TokenCode and ProvidedContexts cannot be passed with a client "
            "certificate: it says itself who calls."
        )
    tags = workload.tags.tags
    facts: FactValues = {
        "sts:RoleSessionName": request.role_session_name or "",
        "aws:SourceArn": workload.anchor,
        "aws:SourceAccount": call.account,
        **{f"aws:PrincipalTag/{name}": value for name, value in tags.items()},
        **tag_facts(tags, ()),
    }
    if request.external_id is not None:
        facts["sts:ExternalId"] = request.external_id
    actions = [_ASSUME, TAG_SESSION]
    if workload.source_identity:
        actions.append(SET_SOURCE_IDENTITY)
        facts["sts:SourceIdentity"] = workload.source_identity
    return role_targets(call, request.role_arn or "", tuple(actions), facts)


# ------------------------------------------------------------------------- the certificate


def attributes(certificate: x509.Certificate) -> dict[str, str]:
    """What the certificate says of its holder, named as IAM Roles Anywhere names it; of several, the first.

    Raises:
        errors.AccessDenied: it cannot be read, says nothing, or is no proper certificate of its kind.
    """
    try:
        given = [
            *_names("x509Subject", certificate.subject),
            *_names("x509Issuer", certificate.issuer),
            *_alternative(certificate),
        ]
        tags = checked_tags(list(_first(given).items()))
    except (ValueError, errors.Validation, errors.InvalidParameterValue):
        raise errors.AccessDenied("The client certificate's names cannot be read.") from None
    if any(len(value) > _LONGEST_VALUE for value in tags.values()):
        raise errors.AccessDenied(
            f"A name in the client certificate is longer than {_LONGEST_VALUE} characters."
        )
    return tags


def _names(prefix: str, name: x509.Name) -> Iterable[tuple[str, str]]:
    for attribute in name:
        if isinstance(attribute.value, str) and attribute.value:
            yield f"{prefix}/{attribute.rfc4514_attribute_name}", attribute.value


def _alternative(certificate: x509.Certificate) -> list[tuple[str, str]]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    if any(uri.lower().startswith("spiffe:") for uri in uris):
        _check_svid(certificate, uris)
    directory = names.get_values_for_type(x509.DirectoryName)
    return [
        *(("x509SAN/URI", uri) for uri in uris),
        *(("x509SAN/DNS", name) for name in names.get_values_for_type(x509.DNSName)),
        *(pair for name in directory for pair in _names("x509SAN/Name", name)),
    ]


def _check_svid(certificate: x509.Certificate, uris: list[str]) -> None:
    """Return if a certificate with a SPIFFE id keeps the rules for one (X509-SVID sections 2, 4.1 and 4.3)."""
    if len(uris) != 1 or not _SPIFFE_ID.fullmatch(uris[0]):
        raise errors.AccessDenied("The client certificate does not hold exactly one SPIFFE id of a workload.")
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        raise errors.AccessDenied("The client certificate with a SPIFFE id says no key usage.") from None
    if usage.key_cert_sign or usage.crl_sign:
        raise errors.AccessDenied("The client certificate with a SPIFFE id is one that may issue others.")


def _first(given: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The first value of each name; names that differ in case only are one, as for every tag."""
    found: dict[str, tuple[str, str]] = {}
    for name, value in given:
        found.setdefault(name.lower(), (name, value))
    return dict(found.values())


def _shown(certificate: x509.Certificate, tags: Mapping[str, str]) -> dict[str, str]:
    """What the event tells of the certificate, so that its holder can be found."""
    encoded = certificate.public_bytes(Encoding.DER)
    shown = {
        "subject": certificate.subject.rfc4514_string(),
        "issuer": certificate.issuer.rfc4514_string(),
        "serialNumber": f"{certificate.serial_number:x}",
        "sha256": sha256(encoded).hexdigest(),
    }
    return shown | ({"uri": tags["x509SAN/URI"]} if "x509SAN/URI" in tags else {})
