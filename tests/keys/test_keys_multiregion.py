import msgspec
import pytest
from sample_keys import key_of

from keystead import errors
from keystead.keys import Material, MultiRegion, Rotation, multiregion
from keystead.keys.key import IMPORTED, PENDING_IMPORT, PENDING_MULTI_REGION, PENDING_ROTATION

A, B = "a" * 64, "b" * 64


def primary_of(**changes):
    plain = key_of(
        id="mrk-" + "1" * 32,
        description="the primary's own",
        tags={"whose": "primary"},
        multi_region=MultiRegion(role="PRIMARY", primary="us-east-1"),
        rotation=Rotation(period_days=90, next_date=9.0),
    )
    return msgspec.structs.replace(plain, **changes)


def replicate(primary, region="eu-west-1"):
    made = multiregion.replica_of(primary, region, now=1.0, policy="[]", description="", tags={})
    return multiregion.placed(made, primary.region, (region,))


def test_a_replica_shares_what_is_shared_and_nothing_else():
    primary = primary_of()
    replica = replicate(primary)
    assert (replica.id, replica.materials, replica.rotation) == (
        primary.id,
        primary.materials,
        primary.rotation,
    )
    assert (replica.state, replica.description, replica.tags, replica.policy) == ("Creating", "", {}, "[]")
    assert multiregion.created(replica).state == "Enabled"
    assert multiregion.is_replica(replica)
    assert multiregion.other_regions(replica) == ("us-east-1",)


def test_imported_material_is_named_but_not_copied():
    primary = primary_of(origin="EXTERNAL", rotation=None, materials=(Material(id=A, import_state=IMPORTED),))
    replica = replicate(primary)
    assert replica.materials == (Material(id=A, import_state=PENDING_IMPORT),)
    assert multiregion.created(replica).state == "PendingImport"


@pytest.mark.parametrize("related", [None, MultiRegion(role="REPLICA", primary="eu-west-1")])
def test_only_a_primary_leads(related):
    key = primary_of(multi_region=related)
    with pytest.raises(errors.UnsupportedOperation) as caught:
        multiregion.check_primary(key)
    assert caught.value.message == f"{key.arn} is not a multi-region primary key."


def test_new_material_is_ready_once_every_replica_has_it():
    current = Material(id=A, import_state=IMPORTED)
    waiting = Material(id=B, state=PENDING_MULTI_REGION, import_state=IMPORTED)
    primary = primary_of(origin="EXTERNAL", rotation=None, materials=(current, waiting))
    replicas = [replicate(primary, region) for region in ("eu-west-1", "eu-west-2")]
    assert multiregion.matured(primary, replicas) is primary
    replicas[0] = replicas[0].with_material(waiting)
    assert multiregion.matured(primary, replicas) is primary
    replicas[1] = replicas[1].with_material(waiting)
    ready = multiregion.matured(primary, replicas)
    assert ready.pending.state == PENDING_ROTATION
    assert multiregion.synchronized(replicas[0], ready).pending.state == PENDING_ROTATION
    assert multiregion.matured(ready, replicas) is ready


def test_what_the_primary_forgets_its_replicas_forget():
    primary = primary_of(materials=(Material(id=A), Material(id=B, state=PENDING_ROTATION)))
    replica = replicate(primary)
    assert multiregion.synchronized(replica, primary_of()).materials == (Material(id=A),)
