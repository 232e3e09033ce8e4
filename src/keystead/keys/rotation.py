"""Rotation: when a key gets new material, and which of its materials is current.

Source: AWS KMS Developer Guide, "Rotate AWS KMS keys"; EnableKeyRotation and RotateKeyOnDemand in the API
reference.
"""

from __future__ import annotations

import msgspec

from keystead import errors
from keystead.keys.key import (
    AWS_KMS,
    CURRENT,
    EXTERNAL,
    NON_CURRENT,
    PENDING_ROTATION,
    Key,
    Material,
    Rotation,
)
from keystead.keys.multiregion import check_leads
from keystead.keys.state import DELETING

_replace = msgspec.structs.replace

DAY = 86_400.0
DEFAULT_PERIOD_DAYS = 365
QUIET = 20 * 60.0
"""Seconds before an automatic rotation in which none can be demanded."""

AUTOMATIC = "AUTOMATIC"
ON_DEMAND = "ON_DEMAND"


def check_rotatable(key: Key) -> None:
    """Return if the key can have more than one material.

    Raises:
        errors.UnsupportedOperation: it is no symmetric encryption key (AWS says no more than that), or its
            material is outside.
    """
    if not key.key_spec.is_encryption_key:
        raise errors.UnsupportedOperation
    if key.origin not in {AWS_KMS, EXTERNAL}:
        raise _wrong_origin(key)


def check_automatic(key: Key) -> None:
    """Return if automatic rotation can be switched on this key.

    Raises:
        errors.UnsupportedOperation: another spec or origin, or a replica key.
    """
    check_rotatable(key)
    if key.origin != AWS_KMS:
        raise _wrong_origin(key)
    check_leads(key)


def _wrong_origin(key: Key) -> errors.ApiError:
    return errors.UnsupportedOperation(
        f"{key.arn} origin is {key.origin} which is not valid for this operation."
    )


def check_on_demand(key: Key, limit: int, now: float) -> None:
    """Return if a rotation can be demanded now.

    Raises:
        errors.UnsupportedOperation: another spec, material outside, or a replica key.
        errors.ConflictError: an automatic rotation is due within 20 minutes.
        errors.LimitExceeded: it has been demanded `limit` times.
    """
    check_rotatable(key)
    check_leads(key)
    if key.rotation is not None and key.rotation.next_date - now <= QUIET:
        raise errors.ConflictError(
            "An automatic rotation of this key is currently in progress or scheduled to begin within the next "
            "20 minutes."
        )
    if key.on_demand_rotations >= limit:
        raise errors.LimitExceeded(
            "The on-demand rotations limit has been reached for the given keyId. "
            f"No more on-demand rotations can be performed for this key: {key.arn}"
        )


def check_pending(key: Key) -> Material:
    """The imported material to rotate to.

    Raises:
        errors.InvalidState: none has been imported for it, or not into every Region.
    """
    waiting = key.pending
    if waiting is None or waiting.state != PENDING_ROTATION:
        raise errors.InvalidState(f"No available key material pending rotation for the key: {key.arn}.")
    return waiting


def with_rotation(key: Key, period_days: int, now: float) -> Key:
    """The key with automatic rotation; asked for again with the same period, its schedule stays."""
    if key.rotation is not None and key.rotation.period_days == period_days:
        return key
    return _replace(key, rotation=Rotation(period_days=period_days, next_date=now + period_days * DAY))


def is_rotating(key: Key) -> bool:
    """The rotation status as AWS shows it: none while a deletion is pending."""
    return key.rotation is not None and key.state not in DELETING


def next_date(rotation: Rotation, now: float) -> float:
    """The first date of the schedule after `now`; dates that passed unused are not made up for."""
    period = rotation.period_days * DAY
    missed = max(0, int((now - rotation.next_date) // period))
    return rotation.next_date + (missed + 1) * period


def resumed(key: Key, now: float) -> Key:
    """The key with a rotation that it missed (disabled, or waiting for its deletion) due at once.

    "Rotated immediately, and every period thereafter": the schedule starts anew from `now`.
    """
    rotation = key.rotation
    if rotation is None or rotation.next_date > now:
        return key
    return _replace(key, rotation=_replace(rotation, next_date=now))


def rotated(key: Key, material: Material, kind: str, now: float) -> Key:
    """The key with `material` (new, or imported before) as the current one."""
    earlier = tuple(
        _replace(m, state=NON_CURRENT) if m.state == CURRENT else m
        for m in key.materials
        if m.id != material.id
    )
    current = _replace(
        material, state=CURRENT, rotation_type=kind, rotation_date=now, in_progress=kind == ON_DEMAND
    )
    return _replace(key, materials=(*earlier, current))


def rotated_automatically(key: Key, material_id: str, now: float) -> Key:
    """The key after a rotation that was due, and the next date."""
    assert key.rotation is not None
    schedule = _replace(key.rotation, next_date=next_date(key.rotation, now))
    return _replace(rotated(key, Material(id=material_id), AUTOMATIC, now), rotation=schedule)


def rotated_on_demand(key: Key, material: Material, now: float) -> Key:
    """The key after a rotation that was demanded; the automatic schedule stays."""
    changed = rotated(key, material, ON_DEMAND, now)
    return _replace(changed, on_demand_rotations=key.on_demand_rotations + 1)
