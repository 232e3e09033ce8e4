"""Imported key material: what may be imported when, and what its absence does to the key.

Source: ImportKeyMaterial, DeleteImportedKeyMaterial and ListKeyRotations in the API reference; AWS KMS
Developer Guide, "Importing key material".
"""

from __future__ import annotations

import msgspec

from keystead import errors
from keystead.keys.key import (
    CURRENT,
    DOES_NOT_EXPIRE,
    EXPIRES,
    EXTERNAL,
    IMPORTED,
    NON_CURRENT,
    PENDING_IMPORT,
    PENDING_MULTI_REGION,
    PENDING_ROTATION,
    Key,
    Material,
)
from keystead.keys.state import KeyState

_replace = msgspec.structs.replace

NEW = "NEW_KEY_MATERIAL"
EXISTING = "EXISTING_KEY_MATERIAL"
LONGEST_LIFE = 365 * 86_400.0
"""Seconds that imported material may be valid."""

_ASSOCIATED = frozenset({CURRENT, NON_CURRENT})
_LOSES_USE = frozenset({KeyState.ENABLED, KeyState.DISABLED, KeyState.UPDATING})


class Expiry(msgspec.Struct, frozen=True):
    """Whether imported material expires, and when (epoch seconds)."""

    model: str
    valid_to: float | None


def check_external(key: Key) -> None:
    """Return if the key's material is imported by its owner.

    Raises:
        errors.UnsupportedOperation: it has another origin.
    """
    if key.origin != EXTERNAL:
        raise errors.UnsupportedOperation(
            f"{key.arn} origin is {key.origin} which is not valid for this operation."
        )


def check_expiry(model: str | None, valid_to: float | None, now: float) -> Expiry:
    """The expiry that a request asks for, the default filled in.

    Raises:
        errors.Validation: a date is missing, needless, past, or more than 365 days ahead.
    """
    model = model or EXPIRES
    if model == DOES_NOT_EXPIRE:
        if valid_to is not None:
            raise errors.Validation(
                "A validTo date cannot be set if the ExpirationModel is KEY_MATERIAL_DOES_NOT_EXPIRE"
            )
        return Expiry(model, None)
    if valid_to is None:
        raise errors.Validation("A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES")
    if valid_to <= now:
        raise errors.Validation("The validTo date must be in the future")
    if valid_to > now + LONGEST_LIFE:
        raise errors.Validation("The validTo date cannot be more than 365 days from the request date")
    return Expiry(model, valid_to)


def check_import_type(
    key: Key, requested: str | None, material_id: str | None, description: str | None
) -> str:
    """NEW_KEY_MATERIAL or EXISTING_KEY_MATERIAL, by the request or by what the key has had.

    Raises:
        errors.UnsupportedOperation: a choice on a key whose material can never change, or new material for
            a replica.
        errors.Validation: new material with a key material id.
    """
    default = EXISTING if key.materials else NEW
    if not key.key_spec.is_encryption_key:
        if (requested, material_id, description) != (None, None, None):
            raise errors.UnsupportedOperation(
                "ImportType, KeyMaterialDescription and KeyMaterialId are supported only for symmetric "
                "encryption KMS keys."
            )
        return default
    chosen = requested or default
    if chosen == NEW and material_id is not None:
        raise errors.Validation("KeyMaterialId cannot be specified when ImportType is NEW_KEY_MATERIAL")
    return chosen


def with_imported(
    key: Key, material_id: str, import_type: str, expiry: Expiry, description: str | None, *, replicated: bool
) -> Key:
    """The key with that material imported; `replicated` if it has replicas that need it too.

    Raises:
        errors.IncorrectKeyMaterial: EXISTING material that the key never had, or NEW that it has.
        errors.InvalidState: new material while other material waits for a rotation.
    """
    known = key.material(material_id)
    if import_type == EXISTING:
        if known is None:
            raise errors.IncorrectKeyMaterial(
                "The key material is not the key material that was imported into this KMS key before."
            )
        return settled(key.with_material(_import(known, expiry, description)))
    if known is not None and known.state in _ASSOCIATED:
        raise errors.IncorrectKeyMaterial(
            f"The key material (id: {material_id}) is already associated with KMS key {key.id}."
        )
    _check_none_waits(key, material_id)
    fresh = known or Material(id=material_id, state=_first_state(key, replicated=replicated))
    others = tuple(m for m in key.materials if m.id != material_id)
    return settled(_replace(key, materials=(*others, _import(fresh, expiry, description))))


def _first_state(key: Key, *, replicated: bool) -> str:
    if not key.materials:
        return CURRENT
    return PENDING_MULTI_REGION if replicated else PENDING_ROTATION


def _check_none_waits(key: Key, material_id: str) -> None:
    waiting = key.pending
    if waiting is not None and waiting.id != material_id:
        raise errors.InvalidState(
            f"New key material (id: {material_id}) cannot be imported into KMS key {key.id}, because another "
            f"key material (id: {waiting.id}) is pending rotation."
        )


def _import(material: Material, expiry: Expiry, description: str | None) -> Material:
    return _replace(
        material,
        import_state=IMPORTED,
        expiration_model=expiry.model,
        valid_to=expiry.valid_to,
        description=material.description if description is None else description,
    )


def awaiting(key: Key, material_id: str) -> Key:
    """The key with that material to be imported again, its bytes being gone."""
    material = key.material(material_id)
    if material is None:
        return key
    gone = _replace(material, import_state=PENDING_IMPORT, expiration_model=None, valid_to=None)
    return settled(key.with_material(gone))


def without_bytes(key: Key, material_id: str) -> Key:
    """The key after that material's bytes are gone: awaited again, or forgotten if it was never current."""
    material = key.material(material_id)
    if material is None or material.state in _ASSOCIATED:
        return awaiting(key, material_id)
    return _replace(key, materials=tuple(m for m in key.materials if m.id != material_id))


def expired(key: Key, now: float) -> tuple[str, ...]:
    """The ids of the materials whose time is over and whose bytes are still there."""
    return tuple(m.id for m in key.materials if m.present and m.valid_to is not None and m.valid_to <= now)


def first_expiry(key: Key) -> Expiry | None:
    """When the first of the imported materials that the key has used expires; None if none of them is there."""
    ends = [m.valid_to for m in key.materials if m.state in _ASSOCIATED and m.import_state == IMPORTED]
    if not ends:
        return None
    earliest = min((end for end in ends if end is not None), default=None)
    return Expiry(DOES_NOT_EXPIRE if earliest is None else EXPIRES, earliest)


def lacks_material(key: Key) -> bool:
    """True for an imported key without all of the material that it has ever used."""
    used = [m for m in key.materials if m.state in _ASSOCIATED]
    return key.origin == EXTERNAL and not (used and all(m.present for m in used))


def settled(key: Key) -> Key:
    """The key in the state that follows from its materials; other reasons for a state stay."""
    if lacks_material(key):
        return _replace(key, state=KeyState.PENDING_IMPORT) if key.state in _LOSES_USE else key
    return _replace(key, state=KeyState.ENABLED) if key.state == KeyState.PENDING_IMPORT else key
