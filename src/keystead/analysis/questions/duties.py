"""Separation of duties: may anyone both administer a key and use it, and who is one step away?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

import msgspec

from keystead.analysis.questions.who_can import Allowed
from keystead.policy.actions import CONTEXT_OPERATIONS
from keystead.policy.request import AuthorizationRequest, Principal

USE: Final = frozenset({
    *(f"kms:{operation}" for operation in CONTEXT_OPERATIONS), "kms:Sign", "kms:GenerateMac", "kms:VerifyMac",
    "kms:DeriveSharedSecret", "kms:Decapsulate", "kms:Verify", "kms:Encapsulate",
})  # fmt: skip
"""What uses key material."""
MANAGE: Final = frozenset({
    "kms:PutKeyPolicy", "kms:CreateGrant", "kms:ScheduleKeyDeletion", "kms:CancelKeyDeletion", "kms:DisableKey",
    "kms:EnableKey", "kms:UpdatePrimaryRegion", "kms:ReplicateKey", "kms:DeleteImportedKeyMaterial",
    "kms:ImportKeyMaterial", "kms:EnableKeyRotation", "kms:DisableKeyRotation", "kms:RotateKeyOnDemand",
})  # fmt: skip
"""What decides who may use a key, or whether anybody can."""
STEPS: Final = ("kms:PutKeyPolicy", "kms:CreateGrant")
"""With these a caller can give itself the rest."""

Kind = Literal["both", "one-step"]


class Duties(msgspec.Struct, frozen=True):
    """A caller who both administers and uses the key (`both`), or could let itself use it (`one-step`)."""

    kind: Kind
    principal: Principal
    manages: tuple[str, ...]
    uses: tuple[str, ...]
    witnesses: tuple[AuthorizationRequest, ...]


def duties(allowed: Iterable[Allowed]) -> tuple[Duties, ...]:
    """Every caller in whose hands both duties are, or would be after one step."""
    people: dict[str, dict[str, AuthorizationRequest]] = {}
    principals: dict[str, Principal] = {}
    for one in allowed:
        caller = one.standing.principal
        name = caller.arn or caller.service
        principals[name] = caller
        known = people.setdefault(name, {})
        for operation, witness in zip(one.operations, one.witnesses, strict=True):
            if operation != "kms:CreateGrant" or not _for_service(witness):
                known.setdefault(operation, witness)
    found = (_of(principals[name], known) for name, known in people.items())
    return tuple(one for one in found if one is not None)


def _for_service(request: AuthorizationRequest) -> bool:
    """Whether a grant can be made only by a service for its resource; else the witness would not be one."""
    return request.context.get("kms:grantisforawsresource") == "true"


def _of(principal: Principal, known: dict[str, AuthorizationRequest]) -> Duties | None:
    manages = tuple(sorted(MANAGE & set(known)))
    uses = tuple(sorted(USE & set(known)))
    if manages and uses:
        return Duties("both", principal, manages, uses, (known[manages[0]], known[uses[0]]))
    steps = tuple(step for step in STEPS if step in known)
    if not uses and steps:
        return Duties("one-step", principal, manages, (), (known[steps[0]],))
    return None
