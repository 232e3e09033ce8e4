"""EnableKeyRotation, DisableKeyRotation, GetKeyRotationStatus, RotateKeyOnDemand, ListKeyRotations.

Source: AWS KMS Developer Guide, "Rotate AWS KMS keys".
"""

from __future__ import annotations

import msgspec

from keystead.api import Call, Target, operation
from keystead.api.schedule import DueCall, DueEvent, put_due
from keystead.keyring import Keyring
from keystead.keys import Key, KeyState, Material, rotation
from keystead.keys.key import AWS_KMS, EXTERNAL
from keystead.keys.multiregion import is_replica
from keystead.keys.state import check_state
from keystead.services.kms.events import service_event, synchronized_events
from keystead.services.kms.lending import with_fresh_material
from keystead.services.kms.paging import page_list
from keystead.services.kms.relatives import relatives, spread, store_key
from keystead.services.kms.tables import DUE_ROTATION, KEYS, key_place
from keystead.services.kms.targets import on_key
from keystead.storage import Transaction
from keystead.wire.models import kms as wire

DUE_ANNOUNCEMENT = "record-rotation"

_ALL = "ALL_KEY_MATERIAL"
_LIMIT = 100

_replace = msgspec.structs.replace

# -------------------------------------------------- EnableKeyRotation, DisableKeyRotation


def _period(request: wire.EnableKeyRotationRequest) -> int:
    return request.rotation_period_in_days or rotation.DEFAULT_PERIOD_DAYS


def _period_fact(_call: Call, request: wire.EnableKeyRotationRequest) -> dict[str, str | list[str]]:
    return {"kms:RotationPeriodInDays": str(_period(request))}


def put_due_rotation(tx: Transaction, key: Key) -> None:
    """Have the scheduler look at the key on the date of its next automatic rotation."""
    if key.rotation is not None:
        put_due(tx, key.rotation.next_date, DUE_ROTATION, key_place(key))


@operation("EnableKeyRotation", targets=on_key("EnableKeyRotation", facts=_period_fact), changes=True)
def enable_key_rotation(call: Call, request: wire.EnableKeyRotationRequest, target: Target) -> None:
    """Rotate the key's material every so many days, or change how many."""
    key = target.found
    check_state("EnableKeyRotation", key.state, key.arn)
    rotation.check_automatic(key)
    changed = rotation.with_rotation(key, _period(request), call.now)
    put_due_rotation(call.tx, changed)
    spread(call.tx, call.keyring, changed)


@operation("DisableKeyRotation", targets=on_key("DisableKeyRotation"), changes=True)
def disable_key_rotation(call: Call, _request: wire.DisableKeyRotationRequest, target: Target) -> None:
    """Stop automatic rotation."""
    key = target.found
    check_state("DisableKeyRotation", key.state, key.arn)
    rotation.check_automatic(key)
    spread(call.tx, call.keyring, _replace(key, rotation=None))


def resume_rotation(tx: Transaction, key: Key, now: float) -> Key:
    """The key as it is when enabled again: a rotation that it missed meanwhile happens at once."""
    resumed = rotation.resumed(key, now)
    if resumed is not key and not is_replica(key):
        put_due_rotation(tx, resumed)
    return resumed


# ------------------------------------------------------------------ GetKeyRotationStatus


@operation("GetKeyRotationStatus", targets=on_key("GetKeyRotationStatus", cross_account=True))
def get_key_rotation_status(
    _call: Call, _request: wire.GetKeyRotationStatusRequest, target: Target
) -> wire.GetKeyRotationStatusResponse:
    """Return whether and when the key rotates by itself; false for keys that never can."""
    key = target.found
    check_state("GetKeyRotationStatus", key.state, key.arn)
    schedule = key.rotation if rotation.is_rotating(key) else None
    running = [m.rotation_date for m in key.materials if m.in_progress]
    return wire.GetKeyRotationStatusResponse(
        key_rotation_enabled=schedule is not None,
        key_id=key.id,
        rotation_period_in_days=schedule.period_days if schedule else None,
        next_rotation_date=schedule.next_date if schedule else None,
        on_demand_rotation_start_date=running[-1] if running else None,
    )


# --------------------------------------------------------------------- RotateKeyOnDemand


def _demanded_material(call: Call, key: Key) -> tuple[Key, Material]:
    if key.origin == EXTERNAL:
        return key, rotation.check_pending(key)
    key, material_id = with_fresh_material(call.tx, call.keyring, key)
    return key, Material(id=material_id)


@operation("RotateKeyOnDemand", targets=on_key("RotateKeyOnDemand"), changes=True)
def rotate_key_on_demand(
    call: Call, _request: wire.RotateKeyOnDemandRequest, target: Target
) -> wire.RotateKeyOnDemandResponse:
    """Give the key new material now (or the imported one that waits); AWS may take a while, this does not."""
    key = target.found
    check_state("RotateKeyOnDemand", key.state, key.arn)
    rotation.check_on_demand(key, call.quotas.on_demand_rotations, call.now)
    key, material = _demanded_material(call, key)
    spread(call.tx, call.keyring, rotation.rotated_on_demand(key, material, call.now))
    put_due(call.tx, call.now, DUE_ANNOUNCEMENT, f"{key_place(key)}/{material.id}")
    return wire.RotateKeyOnDemandResponse(key_id=key.arn)


# ---------------------------------------------------------------------- ListKeyRotations


def _entry(key: Key, material: Material) -> wire.RotationsListEntry:
    return wire.RotationsListEntry(
        key_id=key.id,
        key_material_id=material.id,
        key_material_description=material.description,
        import_state=material.import_state,
        key_material_state=material.state,
        expiration_model=material.expiration_model,
        valid_to=material.valid_to,
        rotation_date=material.rotation_date,
        rotation_type=material.rotation_type,
    )


@operation("ListKeyRotations", targets=on_key("ListKeyRotations"))
def list_key_rotations(
    call: Call, request: wire.ListKeyRotationsRequest, target: Target
) -> wire.ListKeyRotationsResponse:
    """Return a page of the key's completed rotations, oldest first, or of all its materials."""
    key = target.found
    check_state("ListKeyRotations", key.state, key.arn)
    rotation.check_rotatable(key)
    everything = request.include_key_material == _ALL
    materials = [m for m in key.materials if everything or m.rotation_date is not None]
    scope = f"{key.arn} {everything}"
    rows, marker = page_list(call, materials, request.limit or _LIMIT, request.marker, scope)
    return wire.ListKeyRotationsResponse(
        rotations=[_entry(key, m) for m in rows], next_marker=marker, truncated=marker is not None
    )


# ------------------------------------------------------------------------- when it is due


def _rotation_event(key: Key, material: Material) -> DueEvent:
    """RotateKey, about the rotation to `material`, which `key` holds after the one that it replaced."""
    index = key.materials.index(material)
    return service_event(
        "RotateKey",
        key,
        rotationType=material.rotation_type,
        keyOrigin=key.origin,
        previousKeyMaterialId=key.materials[index - 1].id if index else None,
        currentKeyMaterialId=material.id,
    )


def rotate_key(keyring: Keyring, call: DueCall, subject: str) -> list[DueEvent]:
    """Rotate the key at `subject` if its date has come and it can be used.

    A key that is disabled or waits for its deletion is left alone: `resume_rotation` makes up for it.
    """
    key = call.tx.get(KEYS, subject)
    if key is None or key.rotation is None or key.rotation.next_date > call.now or is_replica(key):
        return []
    if key.state not in {KeyState.ENABLED, KeyState.UPDATING}:
        return []
    key, material_id = with_fresh_material(call.tx, keyring, key)
    changed = rotation.rotated_automatically(key, material_id, call.now)
    put_due_rotation(call.tx, changed)
    replicas = spread(call.tx, keyring, changed)
    return [_rotation_event(changed, changed.materials[-1]), *synchronized_events(replicas)]


def record_rotation(_keyring: Keyring, call: DueCall, subject: str) -> list[DueEvent]:
    """End the rotation on demand to the material at `subject`: what is left of it is its service event."""
    place, _, material_id = subject.rpartition("/")
    key = call.tx.get(KEYS, place)
    material = key.material(material_id) if key else None
    if key is None or material is None or not material.in_progress:
        return []
    store_key(call.tx, key.with_material(_replace(material, in_progress=False)))
    replicas = relatives(call.tx, key) if key.origin == AWS_KMS else []
    return [_rotation_event(key, material), *synchronized_events(replicas)]


OPERATIONS = (
    enable_key_rotation,
    disable_key_rotation,
    get_key_rotation_status,
    rotate_key_on_demand,
    list_key_rotations,
)
