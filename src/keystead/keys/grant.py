"""Grants: permission to use one key, given to one principal.

Source: AWS KMS Developer Guide, "Grants in AWS KMS"; CreateGrant in the API reference.
"""

from __future__ import annotations

import msgspec

from keystead import arn, errors
from keystead.keys import spec as specs
from keystead.keys.key import Key

_ADMINISTRATIVE = frozenset({"CreateGrant", "RetireGrant", "DescribeKey"})

GRANT_OPERATIONS: dict[str, frozenset[str]] = {
    specs.ENCRYPT_DECRYPT: _ADMINISTRATIVE | {"Encrypt", "Decrypt", "ReEncryptFrom", "ReEncryptTo"},
    specs.SIGN_VERIFY: _ADMINISTRATIVE | {"Sign", "Verify", "GetPublicKey"},
    specs.GENERATE_VERIFY_MAC: _ADMINISTRATIVE | {"GenerateMac", "VerifyMac"},
    specs.KEY_AGREEMENT: _ADMINISTRATIVE | {"DeriveSharedSecret", "GetPublicKey"},
    specs.ENCAPSULATE_DECAPSULATE: _ADMINISTRATIVE | {"Encapsulate", "Decapsulate", "GetPublicKey"},
}
"""Operations that a grant on a key of that usage may allow."""

_SYMMETRIC_ONLY = frozenset(
    {
        "GenerateDataKey",
        "GenerateDataKeyWithoutPlaintext",
        "GenerateDataKeyPair",
        "GenerateDataKeyPairWithoutPlaintext",
    }
)
MOST_CONTEXT_PAIRS = 8
LONGEST_CONTEXT_VALUE = 384


class Constraints(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a request must carry for a grant to count."""

    context_subset: dict[str, str] | None = None
    context_equals: dict[str, str] | None = None
    source_arn: str | None = None


class Grant(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One grant on one key."""

    id: str
    account: str
    region: str
    key_id: str
    created: float
    issuing_account: str
    """The ARN of the root of the account under which the grant was made."""
    operations: tuple[str, ...]
    grantee: str | None = None
    retiring: str | None = None
    grantee_service: str | None = None
    retiring_service: str | None = None
    name: str = ""
    constraints: Constraints | None = None
    grantee_id: str = ""
    """The unique id of the user or role that is the grantee, which outlives its name; likewise below."""
    retiring_id: str = ""

    @property
    def key_arn(self) -> str:
        """The ARN of the key that the grant is on."""
        return arn.key_arn(self.region, self.account, self.key_id)

    @property
    def retirers(self) -> tuple[str, ...]:
        """The retiring principal or service, by which ListRetirableGrants finds the grant."""
        return tuple(p for p in (self.retiring, self.retiring_service) if p is not None)


def operations_for(key: Key) -> frozenset[str]:
    """The grant operations that `key` supports."""
    base = GRANT_OPERATIONS[key.usage]
    if key.key_spec.is_encryption_key:
        return base | _SYMMETRIC_ONLY
    if key.usage == specs.ENCRYPT_DECRYPT:
        return base | {"GetPublicKey"}
    return base


def check_grant_fits(key: Key, operations: tuple[str, ...], constraints: Constraints | None) -> None:
    """Return if a grant with these operations and constraints may be made on `key`.

    Raises:
        errors.Validation: an operation or a constraint does not fit the key's spec or usage.
    """
    unfit = [o for o in operations if o not in operations_for(key)]
    if unfit:
        raise errors.Validation(
            f"Grant operation(s) [{', '.join(unfit)}] are not valid for a key with KeySpec {key.spec} "
            f"and KeyUsage {key.usage}."
        )
    if constraints is None:
        return
    contexts = [c for c in (constraints.context_equals, constraints.context_subset) if c is not None]
    if contexts and not key.key_spec.is_encryption_key:
        raise errors.Validation(
            "Encryption context grant constraints are valid only for symmetric encryption keys."
        )
    for context in contexts:
        check_context_limits(context)


def check_context_limits(context: dict[str, str]) -> None:
    """Return if a constraint's encryption context is within AWS's limits.

    Raises:
        errors.Validation: more than 8 pairs, or a value longer than 384 characters.
    """
    if len(context) > MOST_CONTEXT_PAIRS:
        raise errors.Validation(
            f"A grant constraint can include at most {MOST_CONTEXT_PAIRS} encryption context pairs."
        )
    if any(len(value) > LONGEST_CONTEXT_VALUE for value in context.values()):
        raise errors.Validation(
            f"An encryption context value in a grant constraint cannot exceed {LONGEST_CONTEXT_VALUE} characters."
        )
