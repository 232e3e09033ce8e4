"""ReplicateKey and UpdatePrimaryRegion, and the ends of their transient states.

Source: AWS KMS Developer Guide, "Multi-Region keys in AWS KMS".
"""

from __future__ import annotations

import msgspec

from keystead import arn, errors
from keystead.api import Call, Target, operation
from keystead.api.operation import Also
from keystead.api.schedule import DueCall, DueEvent, put_due
from keystead.keyring import Keyring
from keystead.keys import Key, KeyState
from keystead.keys import key as keys
from keystead.keys.multiregion import check_primary, created, placed, replica_of, unripe
from keystead.keys.state import check_state
from keystead.keys.tags import check_new_tags
from keystead.services.kms.events import synchronized_events
from keystead.services.kms.facts import (
    FactMap,
    bypass_fact,
    creation_tag_facts,
    new_key_facts,
    tag_facts,
    tag_pairs,
    tagging_at_creation,
)
from keystead.services.kms.metadata import key_metadata
from keystead.services.kms.policies import checked_policy
from keystead.services.kms.relatives import key_in, place_all, relatives, spread, store_key
from keystead.services.kms.rotation import put_due_rotation
from keystead.services.kms.tables import KEYS, key_place
from keystead.services.kms.targets import named_key
from keystead.wire.models import kms as wire

DUE_CREATION = "finish-replica"
DUE_UPDATE = "finish-primary-update"

_replace = msgspec.structs.replace

# ------------------------------------------------------------------------- ReplicateKey


def _creation_facts(key: Key, request: wire.ReplicateKeyRequest, region: str) -> FactMap:
    """The condition keys of the CreateKey that takes place in the replica's Region."""
    facts = new_key_facts(key.spec, key.usage, key.origin, keys.REPLICA)
    facts["aws:RequestedRegion"] = region
    facts |= bypass_fact(request.bypass_policy_lockout_safety_check)
    facts |= creation_tag_facts(request.tags)
    return facts


def _replicate_targets(call: Call, request: wire.ReplicateKeyRequest) -> tuple[Target, ...]:
    region = request.replica_region or ""
    if call.quotas.regions and region not in call.quotas.regions:
        raise errors.Validation(f"Replica Region {region} is not served here.")
    primary = named_key(
        call,
        "kms:ReplicateKey",
        request.key_id or "",
        aliases=False,
        cross_account=False,
        facts={"kms:ReplicaRegion": region, **tag_facts(tag_pairs(request.tags))},
    )
    facts = _creation_facts(primary.found, request, region)
    create = Target("kms:CreateKey", "*", call.account, facts=facts)
    if not request.tags:
        return (primary, create)
    return (primary, create, tagging_at_creation(call.account, request.tags, {"aws:RequestedRegion": region}))


def _check_room(call: Call, key: Key, region: str) -> None:
    related = check_primary(key)
    if region in {related.primary, *related.replicas}:
        raise errors.AlreadyExists(f"{arn.key_arn(region, key.account, key.id)} already exists.")
    if call.tx.count(f"{key.account}/{region}/keys") >= call.quotas.keys:
        raise errors.LimitExceeded(
            f"The account has reached its quota of {call.quotas.keys} KMS keys in Region {region}."
        )


def _unripe(call: Call, key: Key) -> Key:
    """The primary, whose new material waits for the new replica to have it too, as its relatives then know."""
    changed = unripe(key)
    if changed is not key:
        spread(call.tx, call.keyring, changed)
    return changed


def _store_replica(call: Call, primary: Key, replica: Key) -> Key:
    """The replica as it is stored, together with its place in every relative's record."""
    related = check_primary(primary)
    regions = (*related.replicas, replica.region)
    replica = placed(replica, related.primary, regions)
    if replica.origin == keys.AWS_KMS:
        for material in replica.materials:
            call.keyring.copy(
                call.tx,
                primary.path,
                replica.path,
                replica.spec,
                material.id,
                primary.wrapped(material.id),
            )
    place_all(call.tx, [primary, *relatives(call.tx, primary)], related.primary, regions)
    call.tx.insert(KEYS, key_place(replica), replica)
    call.tx.bump(f"{replica.account}/{replica.region}/keys", 1)
    put_due(call.tx, call.now, DUE_CREATION, key_place(replica))
    return replica


def _creation(request: wire.ReplicateKeyRequest, answer: wire.ReplicateKeyResponse) -> tuple[Also, ...]:
    """The CreateKey that takes place in the replica's Region (AWS KMS Developer Guide, log entry of ReplicateKey)."""
    made = answer.replica_key_metadata
    assert made is not None
    asked = wire.CreateKeyRequest(
        policy=request.policy,
        description=request.description,
        key_usage=made.key_usage,
        key_spec=made.key_spec,
        origin=made.origin,
        bypass_policy_lockout_safety_check=request.bypass_policy_lockout_safety_check,
        tags=request.tags,
        multi_region=True,
    )
    return (
        Also("CreateKey", request.replica_region or "", asked, wire.CreateKeyResponse(key_metadata=made)),
    )


@operation("ReplicateKey", targets=_replicate_targets, changes=True, also=_creation)
def replicate_key(
    call: Call, request: wire.ReplicateKeyRequest, target: Target, *_creation: Target
) -> wire.ReplicateKeyResponse:
    """Create a related key in another Region; its material follows unless it is imported."""
    key, region = target.found, request.replica_region or ""
    check_state("ReplicateKey", key.state, key.arn)
    _check_room(call, key, region)
    tags = check_new_tags((tag.tag_key or "", tag.tag_value or "") for tag in request.tags or ())
    policy = checked_policy(
        call,
        request.policy,
        key.account,
        bypass_lockout_check=bool(request.bypass_policy_lockout_safety_check),
    )
    key = _unripe(call, key)
    replica = replica_of(
        key, region, now=call.now, policy=policy.text, description=request.description or "", tags=tags
    )
    replica = _replace(replica, principals=policy.principals)
    replica = _store_replica(call, key, replica)
    return wire.ReplicateKeyResponse(
        replica_key_metadata=key_metadata(replica),
        replica_policy=policy.text,
        replica_tags=[wire.Tag(tag_key=name, tag_value=value) for name, value in tags.items()],
    )


def finish_replica(_keyring: Keyring, call: DueCall, subject: str) -> list[DueEvent]:
    """Make the replica at `subject` usable."""
    key = call.tx.get(KEYS, subject)
    if key is None or key.state != KeyState.CREATING:
        return []
    store_key(call.tx, created(key))
    return synchronized_events([key]) if key.origin == keys.AWS_KMS else []


# -------------------------------------------------------------------- UpdatePrimaryRegion


def _update_targets(call: Call, request: wire.UpdatePrimaryRegionRequest) -> tuple[Target, ...]:
    permission, region = "kms:UpdatePrimaryRegion", request.primary_region or ""
    facts: dict[str, str | list[str]] = {"kms:PrimaryRegion": region}
    primary = named_key(
        call, permission, request.key_id or "", aliases=False, cross_account=False, facts=facts
    )
    if region == call.region:
        return (primary,)
    replica = key_in(call.tx, primary.found, region)
    if replica is None:
        return (primary,)
    return (primary, Target(permission, replica.arn, replica.account, replica, facts=facts))


def _check_replica(primary: Key, region: str, replica: Target | None) -> Key:
    if region == primary.region:
        raise errors.UnsupportedOperation(f"{primary.arn} is already the multi-region primary key.")
    if replica is None:
        raise errors.NotFound(f"Key '{arn.key_arn(region, primary.account, primary.id)}' does not exist")
    return replica.found


@operation("UpdatePrimaryRegion", targets=_update_targets, changes=True)
def update_primary_region(
    call: Call, request: wire.UpdatePrimaryRegionRequest, target: Target, replica: Target | None = None
) -> None:
    """Make a replica the primary key, and the primary a replica."""
    old = target.found
    check_state("UpdatePrimaryRegion", old.state, old.arn)
    related = check_primary(old)
    new = _check_replica(old, request.primary_region or "", replica)
    check_state("UpdatePrimaryRegion", new.state, new.arn)
    others = [k for k in relatives(call.tx, old) if k.region != new.region]
    changing = [_replace(k, state=KeyState.UPDATING) for k in (old, new)]
    regions = tuple(old.region if region == new.region else region for region in related.replicas)
    place_all(call.tx, [*changing, *others], new.region, regions)
    for key in changing:
        put_due(call.tx, call.now, DUE_UPDATE, key_place(key))
    put_due_rotation(call.tx, new)


def finish_update(_keyring: Keyring, call: DueCall, subject: str) -> list[DueEvent]:
    """Give the key at `subject` back its state after a change of the primary Region."""
    key = call.tx.get(KEYS, subject)
    if key is not None and key.state == KeyState.UPDATING:
        store_key(call.tx, _replace(key, state=KeyState.ENABLED))
    return []


OPERATIONS = (replicate_key, update_primary_region)
