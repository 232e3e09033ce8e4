"""Attested callers: a `Recipient` gets its answer encrypted to the key that its attestation document names.

The document is verified before anything is authorized, so that a condition never speaks of one that nobody
vouches for, and a bad one is an error whatever the policies ask. Sources: AWS KMS Developer Guide, "Cryptographic
attestation support in AWS KMS" and "Condition keys for attested platforms".
"""

from __future__ import annotations

from typing import Any

import msgspec

from keystead import errors
from keystead.api import Call, Target
from keystead.api.operation import Targets
from keystead.crypto import attestation, cms
from keystead.crypto.attestation import Attestation
from keystead.wire.models import kms as wire

_PREFIX = "kms:RecipientAttestation:"
_IMAGE = 0
"""The register that holds an enclave image's measurement."""


def attested(targets: Targets) -> Targets:
    """`targets`, checked against what the request's attestation document says, if it has one."""

    def with_document(call: Call, request: Any) -> tuple[Target, ...]:
        if request.recipient is None:
            return targets(call, request)
        said = _verified(call, request.recipient)
        facts = _facts(said)
        return tuple(
            msgspec.structs.replace(target, attestation=said, facts={**(target.facts or {}), **facts})
            for target in targets(call, request)
        )

    return with_document


def delivered(call: Call, target: Target, secret: bytes) -> tuple[bytes | None, bytes | None]:
    """How an answer holds `secret`: as it is, or (`ciphertext_for_recipient`) for an attested caller in an envelope."""
    if target.attestation is None:
        return secret, None
    return None, cms.envelop(target.attestation.public_key, secret, call.entropy)


def _verified(call: Call, recipient: wire.RecipientInfo) -> Attestation:
    """What the document says.

    Raises:
        errors.Validation: a member is missing, or the document is not to be believed.
    """
    document = recipient.attestation_document
    if document is None or recipient.key_encryption_algorithm != cms.ALGORITHM:
        raise errors.Validation(
            f"Recipient needs KeyEncryptionAlgorithm {cms.ALGORITHM} and AttestationDocument."
        )
    trust = call.attestation
    try:
        return attestation.verify(document, trust.roots, trust.wall.now(), allow_debug=trust.allow_debug)
    except errors.BadAttestation as error:
        raise errors.Validation(f"The attestation document is refused: {error}.") from None


def _facts(said: Attestation) -> dict[str, str | list[str]]:
    """The condition keys that the document gives; values are lower-case hexadecimal."""
    facts: dict[str, str | list[str]] = {f"{_PREFIX}PCR{n}": value.hex() for n, value in said.pcrs.items()}
    facts |= {f"{_PREFIX}NitroTPMPCR{n}": value.hex() for n, value in said.nitrotpm_pcrs.items()}
    if _IMAGE in said.pcrs:
        facts[f"{_PREFIX}ImageSha384"] = said.pcrs[_IMAGE].hex()
    return facts
