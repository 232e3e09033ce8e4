"""The catalogue of KMS actions: what each is asked on, and whether it works across accounts.

One row per permission of the Service Authorization Reference, "Actions, resources, and condition keys for
AWS Key Management Service"; the condition keys of a row are those that come on top of `KEY_CHECK_KEYS`.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

Target = Literal["key", "alias", "principal", "*"]

KEY_CHECK_KEYS: Final = (
    "kms:CallerAccount",
    "kms:ViaService",
    "kms:KeySpec",
    "kms:KeyUsage",
    "kms:KeyOrigin",
    "kms:MultiRegion",
    "kms:MultiRegionKeyType",
    "kms:ResourceAliases",
    "aws:ResourceTag/*",
)
"""Condition keys that every check on a key ARN has."""


class Action(msgspec.Struct, frozen=True):
    """One permission. `targets`: what it is asked on, one check each.

    `cross_account`: whether a policy or grant can make it work on another account's key.
    `keys`: its further condition keys; a trailing `*` stands for any name.
    """

    name: str
    targets: tuple[Target, ...]
    cross_account: bool
    keys: tuple[str, ...] = ()


def find(name: str) -> Action | None:
    """The action of that name (case does not count), or None if KMS has none."""
    return _EXACT.get(name) or _FOLDED.get(name.lower())


def is_kms(name: str) -> bool:
    """Whether an action is of the KMS namespace, known or not."""
    return name in _EXACT or name[:4].lower() == "kms:"


_CONTEXT: Final = ("kms:EncryptionAlgorithm", "kms:EncryptionContext:*", "kms:EncryptionContextKeys")
_ENCLAVE: Final = ("kms:RecipientAttestation:*",)
_ALIAS: Final = ("kms:RequestAlias",)
_STORE: Final = ("kms:CallerAccount",)
_TAGS: Final = ("aws:RequestTag/*", "aws:TagKeys")
_SIGNING: Final = ("kms:MessageType", "kms:RequestAlias", "kms:SigningAlgorithm")
_UNUSED: Final = ("kms:TrailingDaysWithoutKeyUsage",)
_BY_SERVICE: Final = ("kms:GrantIsForAWSResource",)

_KEY: Final[tuple[Target, ...]] = ("key",)
_STAR: Final[tuple[Target, ...]] = ("*",)
_ALIAS_AND_KEY: Final[tuple[Target, ...]] = ("alias", "key")

_ROWS: Final[tuple[tuple[str, tuple[Target, ...], bool, tuple[str, ...]], ...]] = (
    ("CancelKeyDeletion", _KEY, False, ()),
    ("ConnectCustomKeyStore", _STAR, False, _STORE),
    ("CreateAlias", _ALIAS_AND_KEY, False, ()),
    ("CreateCustomKeyStore", _STAR, False, _STORE),
    (
        "CreateGrant", _KEY, True,
        ("kms:EncryptionContext:*", "kms:EncryptionContextKeys", "kms:GrantConstraintType",
         "kms:GrantConstraintSourceArn", "kms:GrantIsForAWSResource", "kms:GrantOperations",
         "kms:GranteePrincipal", "kms:GranteeServicePrincipal", "kms:RetiringPrincipal",
         "kms:RetiringServicePrincipal"),
    ),
    (
        "CreateKey", _STAR, False,
        ("kms:BypassPolicyLockoutSafetyCheck", "kms:CallerAccount", "kms:KeyOrigin", "kms:KeySpec",
         "kms:KeyUsage", "kms:MultiRegion", "kms:MultiRegionKeyType", "kms:ViaService",
         "aws:ResourceTag/*", *_TAGS),
    ),
    ("Decapsulate", _KEY, True, (*_ENCLAVE, *_ALIAS)),
    ("Decrypt", _KEY, True, (*_CONTEXT, *_ENCLAVE, *_ALIAS)),
    ("DeleteAlias", _ALIAS_AND_KEY, False, ()),
    ("DeleteCustomKeyStore", _STAR, False, _STORE),
    ("DeleteImportedKeyMaterial", _KEY, False, ()),
    ("DeriveSharedSecret", _KEY, True, ("kms:KeyAgreementAlgorithm", *_ENCLAVE, *_ALIAS)),
    ("DescribeCustomKeyStores", _STAR, False, _STORE),
    ("DescribeKey", _KEY, True, _ALIAS),
    ("DisableKey", _KEY, False, _UNUSED),
    ("DisableKeyRotation", _KEY, False, ()),
    ("DisconnectCustomKeyStore", _STAR, False, _STORE),
    ("EnableKey", _KEY, False, ()),
    ("EnableKeyRotation", _KEY, False, ("kms:RotationPeriodInDays",)),
    ("Encapsulate", _KEY, True, _ALIAS),
    ("Encrypt", _KEY, True, (*_CONTEXT, *_ALIAS)),
    ("GenerateDataKey", _KEY, True, (*_CONTEXT, *_ENCLAVE, *_ALIAS)),
    ("GenerateDataKeyPair", _KEY, True, (*_CONTEXT, *_ENCLAVE, *_ALIAS, "kms:DataKeyPairSpec")),
    ("GenerateDataKeyPairWithoutPlaintext", _KEY, True, (*_CONTEXT, *_ALIAS, "kms:DataKeyPairSpec")),
    ("GenerateDataKeyWithoutPlaintext", _KEY, True, (*_CONTEXT, *_ALIAS)),
    ("GenerateMac", _KEY, True, ("kms:MacAlgorithm", *_ALIAS)),
    ("GenerateRandom", _STAR, True, _ENCLAVE),  # no account but the caller's is concerned
    ("GetKeyLastUsage", _KEY, False, ()),
    ("GetKeyPolicy", _KEY, False, ("kms:PolicyName",)),
    ("GetKeyRotationStatus", _KEY, True, ()),
    ("GetParametersForImport", _KEY, False, ("kms:WrappingAlgorithm", "kms:WrappingKeySpec")),
    ("GetPublicKey", _KEY, True, _ALIAS),
    ("ImportKeyMaterial", _KEY, False, ("kms:ExpirationModel", "kms:ValidTo")),
    ("ListAliases", _STAR, False, ()),
    ("ListGrants", _KEY, True, _BY_SERVICE),
    ("ListKeyPolicies", _KEY, False, ()),
    ("ListKeyRotations", _KEY, False, ()),
    ("ListKeys", _STAR, False, ()),
    ("ListResourceTags", _KEY, False, ()),
    ("ListRetirableGrants", ("principal",), False, ()),  # API reference; the Service Authorization Reference has none
    ("PutKeyPolicy", _KEY, False, ("kms:BypassPolicyLockoutSafetyCheck", "kms:PolicyName")),
    ("ReEncryptFrom", _KEY, True, (*_CONTEXT, *_ALIAS, "kms:ReEncryptOnSameKey")),
    ("ReEncryptTo", _KEY, True, (*_CONTEXT, *_ALIAS, "kms:ReEncryptOnSameKey")),
    ("ReplicateKey", _KEY, False, ("kms:ReplicaRegion", *_TAGS)),
    (
        "RetireGrant", _KEY, True,
        ("kms:EncryptionContext:*", "kms:EncryptionContextKeys", "kms:GrantConstraintType"),
    ),
    ("RevokeGrant", _KEY, True, _BY_SERVICE),
    ("RotateKeyOnDemand", _KEY, False, ()),
    ("ScheduleKeyDeletion", _KEY, False, ("kms:ScheduleKeyDeletionPendingWindowInDays", *_UNUSED)),
    ("Sign", _KEY, True, _SIGNING),
    ("SynchronizeMultiRegionKey", _KEY, False, ()),
    ("TagResource", _KEY, False, _TAGS),
    ("UntagResource", _KEY, False, ("aws:TagKeys",)),
    ("UpdateAlias", ("alias", "key", "key"), False, ()),
    ("UpdateCustomKeyStore", _STAR, False, _STORE),
    ("UpdateKeyDescription", _KEY, False, ()),
    ("UpdatePrimaryRegion", ("key", "key"), False, ("kms:PrimaryRegion",)),
    ("Verify", _KEY, True, _SIGNING),
    ("VerifyMac", _KEY, True, ("kms:MacAlgorithm", *_ALIAS)),
)  # fmt: skip

ACTIONS: Final[dict[str, Action]] = {
    f"kms:{name}": Action(f"kms:{name}", targets, cross_account, keys)
    for name, targets, cross_account, keys in _ROWS
}
"""Every KMS action by its name, `kms:` included."""

_EXACT: Final = ACTIONS
_FOLDED: Final = {name.lower(): action for name, action in ACTIONS.items()}

GRANT_OPERATIONS: Final = frozenset({
    "CreateGrant", "Decapsulate", "Decrypt", "DeriveSharedSecret", "DescribeKey", "Encapsulate", "Encrypt",
    "GenerateDataKey", "GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext",
    "GenerateDataKeyWithoutPlaintext", "GenerateMac", "GetPublicKey", "ReEncryptFrom", "ReEncryptTo",
    "RetireGrant", "Sign", "Verify", "VerifyMac",
})  # fmt: skip
"""What a grant can permit (API reference, CreateGrant)."""

CONTEXT_OPERATIONS: Final = frozenset({
    "Decrypt", "Encrypt", "GenerateDataKey", "GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext",
    "GenerateDataKeyWithoutPlaintext", "ReEncryptFrom", "ReEncryptTo",
})  # fmt: skip
"""Operations that take an encryption context: only these can meet a grant's constraints on it."""
