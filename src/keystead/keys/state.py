"""Key states and what each refuses.

Source: AWS KMS Developer Guide, "Key states of AWS KMS keys" (its table, one row per operation).
"""

from __future__ import annotations

from typing import Final

from keystead import errors


class KeyState:
    """The names of the key states (API enum KeyState)."""

    CREATING: Final = "Creating"
    ENABLED: Final = "Enabled"
    DISABLED: Final = "Disabled"
    PENDING_DELETION: Final = "PendingDeletion"
    PENDING_IMPORT: Final = "PendingImport"
    PENDING_REPLICA_DELETION: Final = "PendingReplicaDeletion"
    UNAVAILABLE: Final = "Unavailable"
    UPDATING: Final = "Updating"


_E, _D = KeyState.ENABLED, KeyState.DISABLED
_PI, _U, _UP = KeyState.PENDING_IMPORT, KeyState.UNAVAILABLE, KeyState.UPDATING
_C, _PD, _PR = KeyState.CREATING, KeyState.PENDING_DELETION, KeyState.PENDING_REPLICA_DELETION

ANY = frozenset({_C, _E, _D, _PD, _PI, _PR, _U, _UP})
USE = frozenset({_E, _UP})
"""Cryptographic operations; a multi-Region key can be used while it is being updated."""
ALIVE = frozenset({_C, _E, _D, _PI, _U, _UP})
"""Management that a key waiting for its deletion refuses."""
SWITCH = frozenset({_E, _D, _U})
DELETING = frozenset({_PD, _PR})

OPERATION_STATES: dict[str, frozenset[str]] = {
    "CancelKeyDeletion": DELETING,
    "CreateAlias": ALIVE,
    "CreateGrant": frozenset({_E, _U, _UP}),
    "Decapsulate": USE,
    "Decrypt": USE,
    "DeleteAlias": ANY,
    "DeleteImportedKeyMaterial": ANY,
    "DeriveSharedSecret": USE,
    "DescribeKey": ANY,
    "DisableKey": SWITCH,
    "DisableKeyRotation": frozenset({_E, _UP}),
    "EnableKey": SWITCH,
    "EnableKeyRotation": frozenset({_E, _UP}),
    "Encapsulate": USE,
    "Encrypt": USE,
    "GenerateDataKey": USE,
    "GenerateDataKeyPair": USE,
    "GenerateDataKeyPairWithoutPlaintext": USE,
    "GenerateDataKeyWithoutPlaintext": USE,
    "GenerateMac": USE,
    "GetKeyLastUsage": ANY,
    "GetKeyPolicy": ANY,
    "GetKeyRotationStatus": ANY,
    "GetParametersForImport": frozenset({_E, _D, _PI, _U, _UP}),
    "GetPublicKey": frozenset({_E, _UP}),
    "ImportKeyMaterial": frozenset({_E, _D, _PI, _U, _UP}),
    "ListGrants": ANY,
    "ListKeyPolicies": ANY,
    "ListKeyRotations": ANY,
    "ListResourceTags": ANY,
    "PutKeyPolicy": ANY,
    "ReEncryptFrom": USE,
    "ReEncryptTo": USE,
    "ReplicateKey": frozenset({_E}),
    "RetireGrant": ANY,
    "RevokeGrant": ANY,
    "RotateKeyOnDemand": frozenset({_E, _UP}),
    "ScheduleKeyDeletion": ALIVE,
    "Sign": USE,
    "TagResource": ALIVE,
    "UntagResource": ALIVE,
    "UpdateAlias": ALIVE,
    "UpdateKeyDescription": ALIVE,
    "UpdatePrimaryRegion": frozenset({_E}),
    "Verify": USE,
    "VerifyMac": USE,
}
"""The states in which an operation on a key goes ahead. ReEncrypt has a row for each half."""

_SAYS = {
    _C: "creating",
    _E: "enabled",
    _PD: "pending deletion",
    _PI: "pending import",
    _PR: "pending replica deletion",
    _U: "unavailable",
    _UP: "updating",
}


def check_state(operation: str, state: str, key_arn: str) -> None:
    """Return if `operation` is allowed on a key in `state`.

    Raises:
        errors.Disabled: the key is disabled.
        errors.InvalidState: any other state that refuses the operation.
    """
    if state in OPERATION_STATES[operation]:
        return
    if state == KeyState.DISABLED:
        # CancelKeyDeletion of a key that is not to be deleted is a wrong state, not a disabled key.
        if operation == "CancelKeyDeletion":
            raise errors.InvalidState(f"{key_arn} is not pending deletion.")
        raise errors.Disabled(f"{key_arn} is disabled.")
    if operation == "CancelKeyDeletion":
        raise errors.InvalidState(f"{key_arn} is not pending deletion.")
    raise errors.InvalidState(f"{key_arn} is {_SAYS[state]}.")
