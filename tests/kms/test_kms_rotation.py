"""Rotation, by boto3 against a running server whose clock is advanced."""

import datetime as dt

import pytest

DAY = 86_400
MOST_ON_DEMAND = 25


def status(kms, key):
    answer = kms.get_key_rotation_status(KeyId=key["KeyId"])
    answer.pop("ResponseMetadata")
    return answer


def current(kms, key):
    return kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]["CurrentKeyMaterialId"]


def rotations(kms, key, **members):
    return kms.list_key_rotations(KeyId=key["KeyId"], **members)["Rotations"]


def test_a_key_does_not_rotate_unless_asked(kms, new_key):
    key = new_key()
    assert status(kms, key) == {"KeyId": key["KeyId"], "KeyRotationEnabled": False}


@pytest.mark.parametrize(("asked", "period"), [({}, 365), ({"RotationPeriodInDays": 90}, 90)])
def test_rotation_enabled_and_disabled(kms, new_key, asked, period):
    key = new_key()
    kms.enable_key_rotation(KeyId=key["KeyId"], **asked)
    shown = status(kms, key)
    assert (shown["KeyRotationEnabled"], shown["RotationPeriodInDays"]) == (True, period)
    ahead = shown["NextRotationDate"] - key["CreationDate"]
    assert dt.timedelta(0) <= ahead - dt.timedelta(days=period) < dt.timedelta(hours=1)
    kms.disable_key_rotation(KeyId=key["KeyId"])
    assert status(kms, key) == {"KeyId": key["KeyId"], "KeyRotationEnabled": False}


def test_periods_out_of_range(kms, new_key, refused):
    with refused("ValidationException"):
        kms.enable_key_rotation(KeyId=new_key()["KeyId"], RotationPeriodInDays=2561)


@pytest.mark.parametrize(
    "members",
    [
        {"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"},
        {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"},
    ],
)
def test_other_specs_never_rotate_and_say_so_without_a_word(kms, new_key, refused, members):
    key = new_key(**members)
    for operation in (
        kms.enable_key_rotation,
        kms.disable_key_rotation,
        kms.rotate_key_on_demand,
        kms.list_key_rotations,
    ):
        with refused("UnsupportedOperationException", ""):
            operation(KeyId=key["KeyId"])
    assert status(kms, key) == {"KeyId": key["KeyId"], "KeyRotationEnabled": False}


def test_states_come_before_specs(kms, new_key, refused):
    key = new_key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")
    kms.disable_key(KeyId=key["KeyId"])
    with refused("DisabledException", f"{key['Arn']} is disabled."):
        kms.rotate_key_on_demand(KeyId=key["KeyId"])
    waiting = new_key(Origin="EXTERNAL")
    with refused("KMSInvalidStateException", f"{waiting['Arn']} is pending import."):
        kms.rotate_key_on_demand(KeyId=waiting["KeyId"])


# -------------------------------------------------------------------------------- on demand


def test_all_old_ciphertexts_decrypt_and_name_their_material(kms, new_key, refused):
    key = new_key()
    made = []
    for number in range(MOST_ON_DEMAND):
        material = current(kms, key)
        plaintext = b"number %d" % number
        made.append(
            (material, plaintext, kms.encrypt(KeyId=key["KeyId"], Plaintext=plaintext)["CiphertextBlob"])
        )
        assert kms.rotate_key_on_demand(KeyId=key["KeyId"])["KeyId"] == key["Arn"]
        assert current(kms, key) != material
    for material, plaintext, blob in made:
        opened = kms.decrypt(CiphertextBlob=blob)
        assert (opened["KeyMaterialId"], opened["Plaintext"]) == (material, plaintext)
    said = (
        "The on-demand rotations limit has been reached for the given keyId. "
        f"No more on-demand rotations can be performed for this key: {key['Arn']}"
    )
    with refused("LimitExceededException", said):
        kms.rotate_key_on_demand(KeyId=key["KeyId"])
    ids = [material for material, _, _ in made]
    assert [entry["KeyMaterialId"] for entry in rotations(kms, key)] == [*ids[1:], current(kms, key)]


def test_a_rotation_on_demand_leaves_the_schedule(kms, new_key, eventually):
    key = new_key()
    kms.enable_key_rotation(KeyId=key["KeyId"], RotationPeriodInDays=90)
    before = status(kms, key)
    kms.rotate_key_on_demand(KeyId=key["KeyId"])
    assert (
        eventually(lambda: status(kms, key), lambda shown: "OnDemandRotationStartDate" not in shown) == before
    )


def test_what_is_listed(kms, new_key):
    key = new_key()
    assert rotations(kms, key) == []
    kms.rotate_key_on_demand(KeyId=key["KeyId"])
    (entry,) = rotations(kms, key)
    assert isinstance(entry.pop("RotationDate"), dt.datetime)
    assert entry == {
        "KeyId": key["KeyId"],
        "KeyMaterialId": current(kms, key),
        "KeyMaterialState": "CURRENT",
        "RotationType": "ON_DEMAND",
    }
    first, second = rotations(kms, key, IncludeKeyMaterial="ALL_KEY_MATERIAL")
    assert first == {
        "KeyId": key["KeyId"],
        "KeyMaterialId": key["CurrentKeyMaterialId"],
        "KeyMaterialState": "NON_CURRENT",
    }
    assert second["KeyMaterialId"] == current(kms, key)


def test_the_list_comes_in_pages(kms, new_key, refused):
    key = new_key()
    for _ in range(3):
        kms.rotate_key_on_demand(KeyId=key["KeyId"])
    page = kms.list_key_rotations(KeyId=key["KeyId"], Limit=2)
    assert (len(page["Rotations"]), page["Truncated"]) == (2, True)
    rest = kms.list_key_rotations(KeyId=key["KeyId"], Limit=2, Marker=page["NextMarker"])
    assert (len(rest["Rotations"]), rest["Truncated"]) == (1, False)
    assert "NextMarker" not in rest
    with refused("InvalidMarkerException"):
        kms.list_key_rotations(KeyId=key["KeyId"], Marker="made up")
    with refused("InvalidMarkerException"):
        kms.list_key_rotations(KeyId=new_key()["KeyId"], Marker=page["NextMarker"])
    with refused("InvalidMarkerException"):  # the same key's, of another list
        kms.list_key_rotations(
            KeyId=key["KeyId"], IncludeKeyMaterial="ALL_KEY_MATERIAL", Marker=page["NextMarker"]
        )


# -------------------------------------------------------------------------------- automatic


def test_keys_rotate_on_their_date_and_every_period_after(server, kms, new_key, eventually):
    key = new_key()
    kms.enable_key_rotation(KeyId=key["KeyId"], RotationPeriodInDays=90)
    due = status(kms, key)["NextRotationDate"]
    blob = kms.encrypt(KeyId=key["KeyId"], Plaintext=b"p")["CiphertextBlob"]
    server.advance(89 * DAY)
    assert rotations(kms, key) == []
    server.advance(DAY + 60)
    (entry,) = eventually(lambda: rotations(kms, key), len)
    assert entry["RotationType"] == "AUTOMATIC"
    assert entry["KeyMaterialId"] == current(kms, key) != key["CurrentKeyMaterialId"]
    assert status(kms, key)["NextRotationDate"] == due + dt.timedelta(days=90)
    assert kms.decrypt(CiphertextBlob=blob)["KeyMaterialId"] == key["CurrentKeyMaterialId"]
    server.advance(90 * DAY)
    eventually(lambda: rotations(kms, key), lambda listed: len(listed) == 2)


def test_a_long_absence_means_one_rotation(server, kms, new_key, eventually):
    key = new_key()
    kms.enable_key_rotation(KeyId=key["KeyId"], RotationPeriodInDays=90)
    due = status(kms, key)["NextRotationDate"]
    server.advance(400 * DAY)
    (entry,) = eventually(lambda: rotations(kms, key), len)
    assert status(kms, key)["NextRotationDate"] == due + dt.timedelta(days=360)
    assert entry["RotationDate"] >= due


def test_no_rotation_on_demand_shortly_before_an_automatic_one(server, kms, new_key, refused):
    key = new_key()
    kms.enable_key_rotation(KeyId=key["KeyId"], RotationPeriodInDays=90)
    server.advance(90 * DAY - 15 * 60)
    with refused("ConflictException"):
        kms.rotate_key_on_demand(KeyId=key["KeyId"])


def test_disabled_keys_catch_up_when_they_are_enabled(server, kms, new_key, eventually):
    key, other = new_key(), new_key()
    for each in (key, other):
        kms.enable_key_rotation(KeyId=each["KeyId"], RotationPeriodInDays=90)
    kms.disable_key(KeyId=key["KeyId"])
    assert status(kms, key)["KeyRotationEnabled"]
    server.advance(100 * DAY)
    eventually(lambda: rotations(kms, other), len)
    assert rotations(kms, key) == []
    kms.enable_key(KeyId=key["KeyId"])
    eventually(lambda: rotations(kms, key), len)
    shown = status(kms, key)
    assert shown["NextRotationDate"] - key["CreationDate"] >= dt.timedelta(days=190)


def test_a_disabled_schedule_does_not_come_back(server, kms, new_key, eventually):
    key, other = new_key(), new_key()
    for each in (key, other):
        kms.enable_key_rotation(KeyId=each["KeyId"], RotationPeriodInDays=90)
    kms.disable_key_rotation(KeyId=key["KeyId"])
    server.advance(91 * DAY)
    eventually(lambda: rotations(kms, other), len)
    assert rotations(kms, key) == []


def test_the_status_is_false_while_a_deletion_is_pending(kms, new_key):
    key = new_key()
    kms.enable_key_rotation(KeyId=key["KeyId"])
    kms.schedule_key_deletion(KeyId=key["KeyId"])
    assert status(kms, key) == {"KeyId": key["KeyId"], "KeyRotationEnabled": False}
    kms.cancel_key_deletion(KeyId=key["KeyId"])
    assert status(kms, key)["KeyRotationEnabled"]
