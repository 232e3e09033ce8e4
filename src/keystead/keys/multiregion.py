"""Multi-Region keys: which properties related keys share, and which one leads.

Source: AWS KMS Developer Guide, "Multi-Region keys in AWS KMS". Shared: key id, material, spec, usage,
origin, rotation. Each key's own: policy, grants, aliases, tags, description, state, deletion.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from keystead import errors
from keystead.keys.importing import settled
from keystead.keys.key import (
    EXTERNAL,
    PENDING_IMPORT,
    PENDING_MULTI_REGION,
    PENDING_ROTATION,
    PRIMARY,
    REPLICA,
    Key,
    Material,
    MultiRegion,
)
from keystead.keys.state import KeyState

_replace = msgspec.structs.replace


def is_replica(key: Key) -> bool:
    """True for a multi-Region key that is not the primary."""
    return key.multi_region is not None and key.multi_region.role == REPLICA


def has_replicas(key: Key) -> bool:
    """True for a primary key that still has a replica, in whatever state."""
    related = key.multi_region
    return related is not None and related.role == PRIMARY and bool(related.replicas)


def check_primary(key: Key) -> MultiRegion:
    """The key's place among its relatives.

    Raises:
        errors.UnsupportedOperation: the key is no multi-Region primary key.
    """
    if key.multi_region is None or key.multi_region.role != PRIMARY:
        raise errors.UnsupportedOperation(f"{key.arn} is not a multi-region primary key.")
    return key.multi_region


def check_leads(key: Key) -> None:
    """Return if shared properties may be changed on this key: a single-Region key or a primary.

    Raises:
        errors.UnsupportedOperation: the key is a replica.
    """
    if is_replica(key):
        check_primary(key)


def placed(key: Key, primary: str, replicas: Iterable[str]) -> Key:
    """The key as one of a set with that primary Region and those replica Regions."""
    role = PRIMARY if key.region == primary else REPLICA
    return _replace(key, multi_region=MultiRegion(role=role, primary=primary, replicas=tuple(replicas)))


def other_regions(key: Key) -> tuple[str, ...]:
    """The Regions of the key's relatives, the primary's first."""
    related = key.multi_region
    if related is None:
        return ()
    return tuple(region for region in (related.primary, *related.replicas) if region != key.region)


def replica_of(
    primary: Key, region: str, *, now: float, policy: str, description: str, tags: dict[str, str]
) -> Key:
    """A new replica in `region`, still being created; `placed` and the materials' bytes are for the caller."""
    replica = Key(
        account=primary.account,
        region=region,
        id=primary.id,
        spec=primary.spec,
        usage=primary.usage,
        origin=primary.origin,
        state=KeyState.CREATING,
        created=now,
        policy=policy,
        description=description,
        tags=tags,
    )
    return synchronized(replica, primary)


def synchronized(replica: Key, primary: Key) -> Key:
    """The replica with the primary's shared properties, and the state that follows from its materials."""
    return settled(
        _replace(
            replica,
            materials=tuple(_shared(m, replica.material(m.id), primary.origin) for m in primary.materials),
            rotation=primary.rotation,
            on_demand_rotations=primary.on_demand_rotations,
        )
    )


def _shared(material: Material, own: Material | None, origin: str) -> Material:
    if own is None and origin == EXTERNAL:
        # Imported material is not copied: its owner imports it into each Region.
        own = Material(id=material.id, import_state=PENDING_IMPORT)
    return _replace(
        own or _replace(material, in_progress=False),
        state=material.state,
        rotation_type=material.rotation_type,
        rotation_date=material.rotation_date,
    )


def matured(primary: Key, replicas: Iterable[Key]) -> Key:
    """The primary with its new material ready for rotation, once every replica has imported it too."""
    waiting = primary.pending
    if waiting is None or waiting.state == PENDING_ROTATION:
        return primary
    for replica in replicas:
        own = replica.material(waiting.id)
        if own is None or not own.present:
            return primary
    return primary.with_material(_replace(waiting, state=PENDING_ROTATION))


def unripe(primary: Key) -> Key:
    """The primary that is to get one more replica: its new material, which that lacks, is not ready for rotation any more."""
    waiting = primary.pending
    if waiting is None or waiting.state == PENDING_MULTI_REGION:
        return primary
    return primary.with_material(_replace(waiting, state=PENDING_MULTI_REGION))


def created(replica: Key) -> Key:
    """The replica after its creation: usable, unless its material is still to be imported."""
    return settled(_replace(replica, state=KeyState.ENABLED))
