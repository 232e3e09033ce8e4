"""Where material lies: the newest that was made here in its key's record, all other in records of its own."""

import pytest

from keystead.keyring import MATERIALS
from keystead.services.kms.tables import KEYS


def places(server, key_id):
    """The id of the material in the key's record, and those of materials with records of their own."""
    tx = server.store.transaction()
    (key,) = (key for place, key in tx.scan(KEYS, "") if key_id in place)
    rows = [place.rpartition("/")[2] for place, _ in tx.scan(MATERIALS, "") if key_id in place]
    return key.backing and key.backing[0], rows


def test_a_new_key_is_one_record(kms, server, new_key):
    key = new_key()
    inside, rows = places(server, key["KeyId"])
    assert rows == []
    blob = kms.encrypt(KeyId=key["KeyId"], Plaintext=b"p")["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=blob)["KeyMaterialId"] == inside


def test_what_was_rotated_away_gets_a_record_of_its_own(kms, server, new_key):
    key = new_key()["KeyId"]
    first, _ = places(server, key)
    old = kms.encrypt(KeyId=key, Plaintext=b"old")["CiphertextBlob"]
    kms.rotate_key_on_demand(KeyId=key)
    second, rows = places(server, key)
    assert rows == [first]
    assert second != first
    new = kms.encrypt(KeyId=key, Plaintext=b"new")["CiphertextBlob"]
    kms.rotate_key_on_demand(KeyId=key)
    assert sorted(places(server, key)[1]) == sorted([first, second])
    for blob, text, material in ((old, b"old", first), (new, b"new", second)):
        answer = kms.decrypt(CiphertextBlob=blob)
        assert (answer["Plaintext"], answer["KeyMaterialId"]) == (text, material)


@pytest.mark.parametrize(
    ("spec", "usage", "own"), [("HMAC_256", "GENERATE_VERIFY_MAC", 0), ("RSA_2048", "SIGN_VERIFY", 1)]
)
def test_long_material_has_a_record_of_its_own(server, new_key, spec, usage, own):
    inside, rows = places(server, new_key(KeySpec=spec, KeyUsage=usage)["KeyId"])
    assert len(rows) == own
    assert (inside is None) == bool(own)


def test_a_replica_has_what_its_primary_has_in_its_record(kms, server, new_key, eventually):
    primary = new_key(MultiRegion=True)["KeyId"]
    blob = kms.encrypt(KeyId=primary, Plaintext=b"p")["CiphertextBlob"]
    kms.replicate_key(KeyId=primary, ReplicaRegion="eu-west-1")
    elsewhere = server.client("kms", region="eu-west-1")
    eventually(
        lambda: elsewhere.describe_key(KeyId=primary)["KeyMetadata"]["KeyState"],
        lambda state: state == "Enabled",
    )
    assert elsewhere.decrypt(CiphertextBlob=blob, KeyId=primary)["Plaintext"] == b"p"
    kms.rotate_key_on_demand(KeyId=primary)
    blob = kms.encrypt(KeyId=primary, Plaintext=b"q")["CiphertextBlob"]
    assert elsewhere.decrypt(CiphertextBlob=blob, KeyId=primary)["Plaintext"] == b"q"


def test_a_key_does_not_show_what_is_wrapped(server, new_key):
    key_id = new_key()["KeyId"]
    (key,) = (key for place, key in server.store.transaction().scan(KEYS, "") if key_id in place)
    assert key.backing[1] not in repr(key).encode()
    assert repr(key.backing[1]) not in repr(key)
