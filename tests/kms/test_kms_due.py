"""What falls due, without a server: the events it leaves, and rows that are early, late or doubled."""

import msgspec
import pytest
from sample_keys import key_of

from keystead.api.schedule import DUE, DueCall
from keystead.entropy import SystemEntropy
from keystead.keyring import MATERIALS, Keyring
from keystead.keys import Material, MultiRegion, Rotation
from keystead.keys.importing import Expiry, with_imported
from keystead.services.kms import deletion, importing, multiregion, rotation
from keystead.services.kms.due import HANDLERS, handlers
from keystead.services.kms.tables import DUE_ROTATION, KEYS, key_place
from keystead.storage import MemoryBackend, Store

DAY = 86_400.0
ACCOUNT = "111122223333"
MRK = "mrk-" + "1" * 32
NOW = 1_000_000_000.0


class World:
    """A store with keys, and the handlers that work on it."""

    def __init__(self):
        self.store = Store.create(MemoryBackend(), b"r" * 32, SystemEntropy())
        self.keyring = Keyring.open(self.store, SystemEntropy())
        self.handlers = handlers(self.keyring)

    def add(self, **changes):
        """A stored key with one material of its own."""
        key = key_of(**{"materials": (), **changes})
        return self.store.run(lambda tx: self._put(tx, key))

    def _put(self, tx, key):
        if not key.materials:
            made = Material(id=self.keyring.generate(tx, key.path, key.spec))
            key = msgspec.structs.replace(key, materials=(made,))
        tx.put(KEYS, key_place(key), key)
        return key

    def run(self, kind, key, now, suffix=""):
        """The events of one row."""
        return self.store.run(lambda tx: self.handlers[kind](DueCall(tx, now), key_place(key) + suffix))

    def key(self, key):
        return self.store.transaction().get(KEYS, key_place(key))

    def materials(self):
        return [place for place, _ in self.store.transaction().scan(MATERIALS, "")]

    def due(self):
        return [(row.kind, row.subject, row.at) for _, row in self.store.transaction().scan(DUE, "")]


@pytest.fixture
def world():
    return World()


@pytest.mark.parametrize("kind", HANDLERS)
def test_rows_about_nothing_do_nothing(world, kind):
    stranger = world.add()
    gone = msgspec.structs.replace(stranger, region="eu-west-1")
    assert world.run(kind, gone, NOW) == []
    assert world.run(kind, stranger, NOW) == []
    assert world.key(stranger) == stranger
    assert world.due() == []


def test_deletion_leaves_one_event_and_no_material(world):
    key = world.add(state="PendingDeletion", deletion_date=NOW, pending_window_days=7)
    assert world.run(deletion.DUE, key, NOW - 0.001) == []
    assert world.run(deletion.DUE, key, NOW) == [
        {
            "eventName": "DeleteKey",
            "account": ACCOUNT,
            "region": "us-east-1",
            "service": "kms",
            "arn": key.arn,
            "type": "AWS::KMS::Key",
            "serviceEventDetails": {"keyId": key.id},
        }
    ]
    assert world.materials() == []
    assert world.run(deletion.DUE, key, NOW) == []
    assert world.store.transaction().count(f"{ACCOUNT}/us-east-1/keys") == -1


def test_rotation_leaves_an_event_with_both_materials_and_the_next_row(world):
    key = world.add(rotation=Rotation(period_days=90, next_date=NOW))
    assert world.run(DUE_ROTATION, key, NOW - 1) == []
    (event,) = world.run(DUE_ROTATION, key, NOW + 5)
    after = world.key(key)
    assert event["eventName"] == "RotateKey"
    assert event["serviceEventDetails"] == {
        "keyId": key.id,
        "rotationType": "AUTOMATIC",
        "keyOrigin": "AWS_KMS",
        "previousKeyMaterialId": key.current.id,
        "currentKeyMaterialId": after.current.id,
    }
    assert world.due() == [(DUE_ROTATION, key_place(key), NOW + 90 * DAY)]
    assert world.run(DUE_ROTATION, key, NOW + 5) == []
    assert world.key(key) is not None
    assert len(world.key(key).materials) == 2


@pytest.mark.parametrize("state", ["Disabled", "PendingDeletion", "PendingReplicaDeletion"])
def test_keys_that_cannot_be_used_do_not_rotate(world, state):
    key = world.add(state=state, rotation=Rotation(period_days=90, next_date=NOW))
    assert world.run(DUE_ROTATION, key, NOW) == []
    assert world.key(key) == key


def test_a_key_that_comes_back_is_due_at_once(world):
    key = world.add(state="Disabled", rotation=Rotation(period_days=90, next_date=NOW))
    resumed = world.store.run(lambda tx: rotation.resume_rotation(tx, key, NOW + 10 * DAY))
    assert resumed.rotation.next_date == NOW + 10 * DAY
    assert world.due() == [(DUE_ROTATION, key_place(key), NOW + 10 * DAY)]


def test_a_rotation_on_demand_is_recorded_once(world):
    key = world.add()
    fresh = Material(id="f" * 64, rotation_type="ON_DEMAND", rotation_date=NOW, in_progress=True)
    key = world.add(materials=(*key.materials, fresh))
    (event,) = world.run(rotation.DUE_ANNOUNCEMENT, key, NOW, f"/{fresh.id}")
    assert event["serviceEventDetails"]["rotationType"] == "ON_DEMAND"
    assert event["serviceEventDetails"]["previousKeyMaterialId"] == key.materials[0].id
    assert world.run(rotation.DUE_ANNOUNCEMENT, key, NOW, f"/{fresh.id}") == []


def test_expiry_destroys_what_has_expired_and_nothing_else(world):
    key = world.add(origin="EXTERNAL")
    (made,) = key.materials
    key = msgspec.structs.replace(key, materials=())
    key = world.add(
        materials=with_imported(
            key, made.id, "NEW_KEY_MATERIAL", Expiry("x", NOW), None, replicated=False
        ).materials,
        origin="EXTERNAL",
    )
    assert world.run(importing.DUE, key, NOW - 1) == []
    (event,) = world.run(importing.DUE, key, NOW)
    assert event["eventName"] == "DeleteExpiredKeyMaterial"
    assert event["serviceEventDetails"] == {"keyId": key.id, "keyMaterialId": made.id}
    assert world.key(key).state == "PendingImport"
    assert world.materials() == []
    assert world.run(importing.DUE, key, NOW) == []


def test_transient_states_end_once_and_a_synchronisation_is_recorded(world):
    related = MultiRegion(role="REPLICA", primary="eu-west-1", replicas=("us-east-1",))
    replica = world.add(id=MRK, state="Creating", multi_region=related)
    (event,) = world.run(multiregion.DUE_CREATION, replica, NOW)
    assert (event["eventName"], event["arn"]) == ("SynchronizeMultiRegionKey", replica.arn)
    assert world.key(replica).state == "Enabled"
    assert world.run(multiregion.DUE_CREATION, replica, NOW) == []
    updating = world.add(id=MRK, state="Updating", multi_region=related)
    assert world.run(multiregion.DUE_UPDATE, updating, NOW) == []
    assert world.key(updating).state == "Enabled"


def test_a_transient_state_that_was_left_otherwise_stays_left(world):
    for kind in (multiregion.DUE_CREATION, multiregion.DUE_UPDATE):
        key = world.add(state="PendingDeletion", deletion_date=NOW + 1)
        assert world.run(kind, key, NOW) == []
        assert world.key(key).state == "PendingDeletion"


def test_a_rotated_primary_takes_its_replicas_along(world):
    replicas = ("eu-west-1",)
    primary = world.add(
        id=MRK,
        multi_region=MultiRegion(role="PRIMARY", primary="us-east-1", replicas=replicas),
        rotation=Rotation(period_days=90, next_date=NOW),
    )
    replica = world.add(
        id=MRK,
        region="eu-west-1",
        multi_region=MultiRegion(role="REPLICA", primary="us-east-1", replicas=replicas),
        rotation=primary.rotation,
        materials=primary.materials,
    )
    assert world.run(DUE_ROTATION, replica, NOW) == []
    names = [(event["eventName"], event["region"]) for event in world.run(DUE_ROTATION, primary, NOW)]
    assert names == [("RotateKey", "us-east-1"), ("SynchronizeMultiRegionKey", "eu-west-1")]
    after = world.key(primary), world.key(replica)
    assert after[0].current.id == after[1].current.id
    assert after[0].rotation == after[1].rotation
    tx = world.store.transaction()
    lent = [
        world.keyring.lend_named(tx, key.path, key.spec, key.current.id, key.wrapped(key.current.id))
        for key in after
    ]
    assert lent[1].open(lent[0].seal(b"p", b"", b"s" * 32), b"") == b"p"
