import msgspec
import pytest
import sample_keys

from keystead import errors
from keystead.keys import Material, importing
from keystead.keys.importing import EXISTING, NEW, Expiry
from keystead.keys.key import (
    CURRENT,
    DOES_NOT_EXPIRE,
    EXPIRES,
    IMPORTED,
    NON_CURRENT,
    PENDING_IMPORT,
    PENDING_MULTI_REGION,
    PENDING_ROTATION,
)

A, B, C = "a" * 64, "b" * 64, "c" * 64
FOREVER = Expiry(DOES_NOT_EXPIRE, None)
YEAR = importing.LONGEST_LIFE


def key_of(**changes):
    return sample_keys.key_of(**{"origin": "EXTERNAL", "state": "PendingImport", "materials": (), **changes})


def imported(key, material_id, import_type=NEW, expiry=FOREVER, description=None, *, replicated=False):
    return importing.with_imported(key, material_id, import_type, expiry, description, replicated=replicated)


@pytest.mark.parametrize(
    ("model", "valid_to", "said"),
    [
        (None, None, "A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES"),
        (EXPIRES, None, "A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES"),
        (DOES_NOT_EXPIRE, 2000.0, "A validTo date cannot be set"),
        (EXPIRES, 1000.0, "must be in the future"),
        (EXPIRES, 1000.0 + YEAR + 1, "more than 365 days"),
    ],
)
def test_expiry_refused(model, valid_to, said):
    with pytest.raises(errors.Validation) as caught:
        importing.check_expiry(model, valid_to, 1000.0)
    assert said in caught.value.message


def test_expiry_defaults_to_expiring():
    assert importing.check_expiry(None, 1000.0 + YEAR, 1000.0) == Expiry(EXPIRES, 1000.0 + YEAR)
    assert importing.check_expiry(DOES_NOT_EXPIRE, None, 1000.0) == FOREVER


def test_the_import_type_defaults_by_what_the_key_has_had():
    assert importing.check_import_type(key_of(), None, None, None) == NEW
    had = importing.awaiting(imported(key_of(), A), A)
    assert importing.check_import_type(had, None, A, "again") == EXISTING
    with pytest.raises(errors.Validation):
        importing.check_import_type(had, NEW, A, None)


@pytest.mark.parametrize("choice", [(NEW, None, None), (None, A, None), (None, None, "words")])
def test_keys_whose_material_never_changes_take_no_choice(choice):
    with pytest.raises(errors.UnsupportedOperation):
        importing.check_import_type(key_of(spec="HMAC_256", usage="GENERATE_VERIFY_MAC"), *choice)


def test_the_first_import_enables_the_key():
    key = imported(key_of(), A, description="first")
    assert key.state == "Enabled"
    assert key.current == Material(
        id=A, import_state=IMPORTED, expiration_model=DOES_NOT_EXPIRE, description="first"
    )


def test_new_material_waits_beside_the_current_one():
    key = imported(imported(key_of(), A), B)
    assert (key.current.id, key.pending.id, key.pending.state) == (A, B, PENDING_ROTATION)
    assert imported(imported(key_of(), A), B, replicated=True).pending.state == PENDING_MULTI_REGION


def test_only_one_material_waits_at_a_time():
    key = imported(imported(key_of(), A), B)
    with pytest.raises(errors.InvalidState) as caught:
        imported(key, C)
    assert caught.value.message == (
        f"New key material (id: {C}) cannot be imported into KMS key {key.id}, because another key material "
        f"(id: {B}) is pending rotation."
    )
    again = imported(key, B, expiry=Expiry(EXPIRES, 5.0))
    assert again.pending.valid_to == 5.0


def test_new_must_be_new_and_existing_must_exist():
    key = imported(key_of(), A)
    with pytest.raises(errors.IncorrectKeyMaterial):
        imported(key, A, NEW)
    with pytest.raises(errors.IncorrectKeyMaterial):
        imported(key, B, EXISTING)


def test_importing_again_keeps_the_description_unless_given():
    key = imported(imported(key_of(), A, description="first"), A, EXISTING)
    assert key.current.description == "first"
    assert imported(key, A, EXISTING, description="second").current.description == "second"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Enabled", "PendingImport"),
        ("Disabled", "PendingImport"),
        ("PendingDeletion", "PendingDeletion"),
        ("Creating", "Creating"),
    ],
)
def test_what_a_lost_material_does_to_the_state(before, after):
    key = msgspec.structs.replace(imported(key_of(), A), state=before)
    assert importing.without_bytes(key, A).state == after


def test_every_material_ever_used_is_needed():
    older = Material(id=A, state=NON_CURRENT, import_state=IMPORTED)
    key = key_of(state="Enabled", materials=(older, Material(id=B, state=CURRENT, import_state=IMPORTED)))
    lost = importing.without_bytes(importing.without_bytes(key, A), B)
    assert lost.state == "PendingImport"
    half = imported(lost, B, EXISTING)
    assert half.state == "PendingImport"
    assert imported(half, A, EXISTING).state == "Enabled"


def test_material_that_was_never_current_is_forgotten():
    key = importing.without_bytes(imported(imported(key_of(), A), B), B)
    assert key.material(B) is None
    assert key.state == "Enabled"


def test_only_what_is_there_expires():
    key = imported(key_of(), A, expiry=Expiry(EXPIRES, 100.0))
    assert importing.expired(key, 99.0) == ()
    assert importing.expired(key, 100.0) == (A,)
    gone = importing.without_bytes(key, A)
    assert importing.expired(gone, 100.0) == ()
    assert (gone.current.import_state, gone.current.valid_to) == (PENDING_IMPORT, None)
