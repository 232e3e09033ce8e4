import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_keys import key_of

from keystead import errors
from keystead.keys import Material, MultiRegion, Rotation, rotation
from keystead.keys.key import CURRENT, EXTERNAL, IMPORTED, NON_CURRENT, PENDING_MULTI_REGION, PENDING_ROTATION

DAY = rotation.DAY
LIMIT = 25


REPLICA = MultiRegion(role="REPLICA", primary="eu-west-1", replicas=("us-east-1",))


@pytest.mark.parametrize("spec", ["RSA_2048", "HMAC_256", "ECC_NIST_P256"])
@pytest.mark.parametrize(
    "check", [rotation.check_automatic, lambda k: rotation.check_on_demand(k, LIMIT, 0.0)]
)
def test_only_symmetric_encryption_keys_rotate_and_the_refusal_has_no_message(spec, check):
    with pytest.raises(errors.UnsupportedOperation) as caught:
        check(key_of(spec=spec))
    assert caught.value.message is None


def test_imported_keys_do_not_rotate_by_themselves():
    key = key_of(origin=EXTERNAL)
    with pytest.raises(errors.UnsupportedOperation) as caught:
        rotation.check_automatic(key)
    assert caught.value.message == f"{key.arn} origin is EXTERNAL which is not valid for this operation."
    rotation.check_on_demand(key, LIMIT, 0.0)


def test_replicas_follow_their_primary():
    for check in (rotation.check_automatic, lambda k: rotation.check_on_demand(k, LIMIT, 0.0)):
        with pytest.raises(errors.UnsupportedOperation, match="is not a multi-region primary key"):
            check(key_of(multi_region=REPLICA))


@pytest.mark.parametrize(("before", "conflict"), [(1201.0, False), (1200.0, True), (1.0, True), (-5.0, True)])
def test_no_rotation_on_demand_in_the_twenty_minutes_before_an_automatic_one(before, conflict):
    key = key_of(rotation=Rotation(period_days=90, next_date=1_000_000.0))
    if not conflict:
        rotation.check_on_demand(key, LIMIT, 1_000_000.0 - before)
        return
    with pytest.raises(errors.ConflictError):
        rotation.check_on_demand(key, LIMIT, 1_000_000.0 - before)


def test_the_limit_of_rotations_on_demand():
    rotation.check_on_demand(key_of(on_demand_rotations=24), LIMIT, 0.0)
    key = key_of(on_demand_rotations=25)
    with pytest.raises(errors.LimitExceeded) as caught:
        rotation.check_on_demand(key, LIMIT, 0.0)
    assert caught.value.message == (
        "The on-demand rotations limit has been reached for the given keyId. "
        f"No more on-demand rotations can be performed for this key: {key.arn}"
    )


@pytest.mark.parametrize("state", [None, PENDING_MULTI_REGION])
def test_imported_material_must_wait_in_every_region(state):
    waiting = () if state is None else (Material(id="b" * 64, state=state, import_state=IMPORTED),)
    key = key_of(origin=EXTERNAL, materials=(Material(id="a" * 64, import_state=IMPORTED), *waiting))
    with pytest.raises(errors.InvalidState) as caught:
        rotation.check_pending(key)
    assert caught.value.message == f"No available key material pending rotation for the key: {key.arn}."


def test_a_demanded_rotation_counts_and_leaves_the_schedule():
    schedule = Rotation(period_days=90, next_date=90 * DAY)
    waiting = Material(id="b" * 64, state=PENDING_ROTATION, import_state=IMPORTED, description="second")
    key = key_of(rotation=schedule, materials=(Material(id="a" * 64), waiting))
    changed = rotation.rotated_on_demand(key, waiting, 7.0)
    assert changed.on_demand_rotations == 1
    assert changed.rotation == schedule
    assert changed.current.id == "b" * 64
    assert changed.current.description == "second"
    assert changed.current.in_progress
    assert changed.material("a" * 64).state == NON_CURRENT


def test_the_same_period_again_keeps_the_schedule_and_another_starts_anew():
    key = rotation.with_rotation(key_of(), 90, 0.0)
    assert rotation.with_rotation(key, 90, 5 * DAY) is key
    assert rotation.with_rotation(key, 365, 5 * DAY).rotation.next_date == 370 * DAY


def test_the_status_is_false_while_a_deletion_is_pending():
    key = rotation.with_rotation(key_of(), 90, 0.0)
    assert rotation.is_rotating(key)
    assert rotation.is_rotating(msgspec.structs.replace(key, state="Disabled"))
    assert not rotation.is_rotating(msgspec.structs.replace(key, state="PendingDeletion"))


def test_a_missed_rotation_is_due_at_once_and_a_future_one_is_left():
    key = rotation.with_rotation(key_of(), 90, 0.0)
    assert rotation.resumed(key, 89 * DAY) is key
    late = rotation.resumed(key, 100 * DAY)
    assert late.rotation.next_date == 100 * DAY
    assert rotation.rotated_automatically(late, "c" * 64, 100 * DAY).rotation.next_date == 190 * DAY


@settings(max_examples=100)
@given(period=st.integers(90, 2560), due=st.integers(0, 10**9), late=st.integers(0, 10**9))
def test_after_any_downtime_the_next_date_is_the_schedules_first_after_now(period, due, late):
    schedule = Rotation(period_days=period, next_date=float(due))
    now = float(due + late)
    following = rotation.next_date(schedule, now)
    assert now < following <= now + period * DAY
    assert (following - due) % (period * DAY) == 0


@settings(max_examples=50)
@given(kinds=st.lists(st.sampled_from([rotation.AUTOMATIC, rotation.ON_DEMAND]), max_size=30))
def test_however_often_it_rotates_one_material_is_current_and_none_is_lost(kinds):
    key = key_of(rotation=Rotation(period_days=90, next_date=0.0))
    ids = [key.materials[0].id]
    for number, kind in enumerate(kinds):
        ids.append(f"{number:064x}")
        key = rotation.rotated(key, Material(id=ids[-1]), kind, float(number))
        assert [m.id for m in key.materials] == ids
        assert [m.id for m in key.materials if m.state == CURRENT] == [ids[-1]]
        assert key.current.rotation_type == kind
