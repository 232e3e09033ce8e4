"""Multi-Region keys, by boto3 against a running server."""

import os

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import load_der_public_key

from keystead.testing import RunningServer

HERE, THERE, ELSEWHERE = "us-east-1", "eu-west-1", "ap-southeast-2"
DAY = 86_400
FOREVER = {"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}


@pytest.fixture
def kms(server):
    return server.client("kms", region=HERE)


@pytest.fixture
def there(server):
    return server.client("kms", region=THERE)


@pytest.fixture
def elsewhere(server):
    return server.client("kms", region=ELSEWHERE)


@pytest.fixture
def replicate(kms, there, elsewhere, eventually):
    clients = {THERE: there, ELSEWHERE: elsewhere}

    def copy(key, region=THERE, state="Enabled", **members):
        answer = kms.replicate_key(KeyId=key["KeyId"], ReplicaRegion=region, **members)
        client = clients[region]
        eventually(lambda: describe(client, key)["KeyState"], lambda shown: shown == state)
        return answer

    return copy


def describe(kms, key):
    return kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]


def arn_in(key, region):
    return key["Arn"].replace(HERE, region)


def member(key, region):
    return {"Arn": arn_in(key, region), "Region": region}


# ------------------------------------------------------------------------------- ReplicateKey


def test_a_primary_starts_alone(new_key):
    key = new_key(MultiRegion=True)
    assert key["MultiRegionConfiguration"] == {
        "MultiRegionKeyType": "PRIMARY",
        "PrimaryKey": member(key, HERE),
        "ReplicaKeys": [],
    }


def test_a_replica_is_created_then_enabled(kms, there, new_key, eventually):
    key = new_key(
        MultiRegion=True, Description="the primary's", Tags=[{"TagKey": "whose", "TagValue": "primary"}]
    )
    answer = kms.replicate_key(KeyId=key["KeyId"], ReplicaRegion=THERE)
    made = answer["ReplicaKeyMetadata"]
    assert (made["KeyState"], made["Enabled"], made["Description"]) == ("Creating", False, "")
    assert "CurrentKeyMaterialId" not in made
    assert made["Arn"] == arn_in(key, THERE)
    related = {
        "MultiRegionKeyType": "REPLICA",
        "PrimaryKey": member(key, HERE),
        "ReplicaKeys": [member(key, THERE)],
    }
    assert made["MultiRegionConfiguration"] == related
    assert '"key-default-1"' in answer["ReplicaPolicy"]
    assert answer["ReplicaTags"] == []
    shown = eventually(lambda: describe(there, key), lambda shown: shown["KeyState"] == "Enabled")
    assert shown["CurrentKeyMaterialId"] == key["CurrentKeyMaterialId"]
    assert there.list_resource_tags(KeyId=key["KeyId"])["Tags"] == []
    assert describe(kms, key)["MultiRegionConfiguration"] == {**related, "MultiRegionKeyType": "PRIMARY"}


def test_a_replica_gets_what_it_is_given(kms, there, new_key, replicate):
    key = new_key(MultiRegion=True)
    policy = kms.get_key_policy(KeyId=key["KeyId"])["Policy"].replace("key-default-1", "given")
    tags = [{"TagKey": "whose", "TagValue": "replica"}]
    answer = replicate(key, Description="given", Tags=tags, Policy=policy)
    assert (answer["ReplicaPolicy"], answer["ReplicaTags"]) == (policy, tags)
    assert describe(there, key)["Description"] == "given"
    assert there.list_resource_tags(KeyId=key["KeyId"])["Tags"] == tags
    assert there.get_key_policy(KeyId=key["KeyId"])["Policy"] == policy


def test_what_is_encrypted_here_decrypts_there(kms, there, new_key, replicate):
    key = new_key(MultiRegion=True)
    kms.rotate_key_on_demand(KeyId=key["KeyId"])
    old = kms.encrypt(KeyId=key["KeyId"], Plaintext=b"old")["CiphertextBlob"]
    replicate(key)
    assert there.decrypt(CiphertextBlob=old)["Plaintext"] == b"old"
    new = there.encrypt(KeyId=key["KeyId"], Plaintext=b"new")["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=new)["Plaintext"] == b"new"


@pytest.mark.parametrize(
    ("spec", "usage"), [("ECC_NIST_P256", "SIGN_VERIFY"), ("HMAC_256", "GENERATE_VERIFY_MAC")]
)
def test_other_specs_replicate_too(kms, there, new_key, replicate, spec, usage):
    key = new_key(MultiRegion=True, KeySpec=spec, KeyUsage=usage)
    replicate(key)
    if usage == "SIGN_VERIFY":
        assert (
            kms.get_public_key(KeyId=key["KeyId"])["PublicKey"]
            == there.get_public_key(KeyId=key["KeyId"])["PublicKey"]
        )
        return
    asked = {"KeyId": key["KeyId"], "Message": b"m", "MacAlgorithm": "HMAC_SHA_256"}
    assert there.verify_mac(Mac=kms.generate_mac(**asked)["Mac"], **asked)["MacValid"]


def test_refusals_of_replication(kms, there, new_key, replicate, refused):
    plain, key = new_key(), new_key(MultiRegion=True)
    said = "{} is not a multi-region primary key."
    with refused("UnsupportedOperationException", said.format(plain["Arn"])):
        kms.replicate_key(KeyId=plain["KeyId"], ReplicaRegion=THERE)
    replicate(key)
    with refused("UnsupportedOperationException", said.format(arn_in(key, THERE))):
        there.replicate_key(KeyId=key["KeyId"], ReplicaRegion=ELSEWHERE)
    for region in (THERE, HERE):
        with refused("AlreadyExistsException"):
            kms.replicate_key(KeyId=key["KeyId"], ReplicaRegion=region)
    kms.disable_key(KeyId=key["KeyId"])
    with refused("DisabledException", f"{key['Arn']} is disabled."):
        kms.replicate_key(KeyId=key["KeyId"], ReplicaRegion=ELSEWHERE)
    twice = [{"TagKey": "k", "TagValue": "v"}] * 2
    kms.enable_key(KeyId=key["KeyId"])
    with refused("TagException", "Duplicate tag keys"):
        kms.replicate_key(KeyId=key["KeyId"], ReplicaRegion=ELSEWHERE, Tags=twice)
    with refused("MalformedPolicyDocumentException"):
        kms.replicate_key(KeyId=key["KeyId"], ReplicaRegion=ELSEWHERE, Policy="no policy")


def test_each_keeps_its_own(kms, there, new_key, replicate):
    key = new_key(MultiRegion=True)
    replicate(key)
    kms.update_key_description(KeyId=key["KeyId"], Description="here")
    there.disable_key(KeyId=key["KeyId"])
    here, other = describe(kms, key), describe(there, key)
    assert (here["Description"], other["Description"]) == ("here", "")
    assert (here["KeyState"], other["KeyState"]) == ("Enabled", "Disabled")


def test_a_deleted_replica_leaves_the_set(server, kms, there, new_key, replicate, eventually):
    key = new_key(MultiRegion=True)
    replicate(key)
    replicate(key, ELSEWHERE)
    there.schedule_key_deletion(KeyId=key["KeyId"], PendingWindowInDays=7)
    server.advance(7 * DAY + 1)
    shown = eventually(
        lambda: describe(kms, key)["MultiRegionConfiguration"], lambda shown: len(shown["ReplicaKeys"]) == 1
    )
    assert shown["ReplicaKeys"] == [member(key, ELSEWHERE)]
    kms.encrypt(KeyId=key["KeyId"], Plaintext=b"p")
    replicate(key)


# ----------------------------------------------------------------------------------- rotation


def test_rotation_is_set_and_done_on_the_primary(server, kms, there, new_key, replicate, refused, eventually):
    key = new_key(MultiRegion=True)
    replicate(key)
    for operation in (there.enable_key_rotation, there.disable_key_rotation, there.rotate_key_on_demand):
        with refused("UnsupportedOperationException"):
            operation(KeyId=key["KeyId"])
    kms.enable_key_rotation(KeyId=key["KeyId"], RotationPeriodInDays=90)
    statuses = [client.get_key_rotation_status(KeyId=key["KeyId"]) for client in (kms, there)]
    assert statuses[0]["NextRotationDate"] == statuses[1]["NextRotationDate"]
    kms.rotate_key_on_demand(KeyId=key["KeyId"])
    demanded = describe(kms, key)["CurrentKeyMaterialId"]
    assert describe(there, key)["CurrentKeyMaterialId"] == demanded != key["CurrentKeyMaterialId"]
    server.advance(91 * DAY)
    eventually(lambda: describe(kms, key)["CurrentKeyMaterialId"], lambda now: now != demanded)
    automatic = describe(kms, key)["CurrentKeyMaterialId"]
    assert describe(there, key)["CurrentKeyMaterialId"] == automatic
    blob = there.encrypt(KeyId=key["KeyId"], Plaintext=b"p")["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=blob)["KeyMaterialId"] == automatic
    kms.disable_key_rotation(KeyId=key["KeyId"])
    assert not there.get_key_rotation_status(KeyId=key["KeyId"])["KeyRotationEnabled"]


# ------------------------------------------------------------------------- UpdatePrimaryRegion


def test_the_roles_are_swapped(server, kms, there, elsewhere, new_key, replicate, eventually):
    key = new_key(MultiRegion=True)
    replicate(key)
    replicate(key, ELSEWHERE)
    kms.enable_key_rotation(KeyId=key["KeyId"], RotationPeriodInDays=90)
    blob = kms.encrypt(KeyId=key["KeyId"], Plaintext=b"p")["CiphertextBlob"]
    kms.update_primary_region(KeyId=key["KeyId"], PrimaryRegion=THERE)
    assert there.decrypt(CiphertextBlob=blob)["Plaintext"] == b"p"
    for client, kind in ((kms, "REPLICA"), (there, "PRIMARY"), (elsewhere, "REPLICA")):
        shown = eventually(lambda c=client: describe(c, key), lambda shown: shown["KeyState"] == "Enabled")
        related = shown["MultiRegionConfiguration"]
        assert related["MultiRegionKeyType"] == kind
        assert related["PrimaryKey"] == member(key, THERE)
        assert {k["Region"] for k in related["ReplicaKeys"]} == {HERE, ELSEWHERE}
    before = describe(there, key)["CurrentKeyMaterialId"]
    server.advance(91 * DAY)
    eventually(lambda: describe(there, key)["CurrentKeyMaterialId"], lambda now: now != before)
    assert (
        describe(kms, key)["CurrentKeyMaterialId"]
        == describe(elsewhere, key)["CurrentKeyMaterialId"]
        != before
    )


def test_refusals_of_a_new_primary(kms, there, new_key, replicate, refused):
    plain, key = new_key(), new_key(MultiRegion=True)
    with refused("UnsupportedOperationException", f"{plain['Arn']} is not a multi-region primary key."):
        kms.update_primary_region(KeyId=plain["KeyId"], PrimaryRegion=THERE)
    with refused("NotFoundException"):
        kms.update_primary_region(KeyId=key["KeyId"], PrimaryRegion=THERE)
    replicate(key)
    with refused("UnsupportedOperationException"):
        kms.update_primary_region(KeyId=key["KeyId"], PrimaryRegion=HERE)
    with refused("UnsupportedOperationException", f"{arn_in(key, THERE)} is not a multi-region primary key."):
        there.update_primary_region(KeyId=key["KeyId"], PrimaryRegion=HERE)
    there.disable_key(KeyId=key["KeyId"])
    with refused("DisabledException", f"{arn_in(key, THERE)} is disabled."):
        kms.update_primary_region(KeyId=key["KeyId"], PrimaryRegion=THERE)


# --------------------------------------------------------------------------- imported material


def bring(kms, key, material, **members):
    given = kms.get_parameters_for_import(
        KeyId=key["KeyId"], WrappingAlgorithm="RSAES_OAEP_SHA_256", WrappingKeySpec="RSA_2048"
    )
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    return kms.import_key_material(
        KeyId=key["KeyId"],
        ImportToken=given["ImportToken"],
        EncryptedKeyMaterial=load_der_public_key(given["PublicKey"]).encrypt(material, oaep),
        **FOREVER,
        **members,
    )["KeyMaterialId"]


def states(kms, key):
    listed = kms.list_key_rotations(KeyId=key["KeyId"], IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"]
    return {entry["KeyMaterialId"]: entry["KeyMaterialState"] for entry in listed}


def test_imported_material_is_brought_to_each_region(kms, there, new_key, replicate, refused):
    first_bytes, second_bytes = os.urandom(32), os.urandom(32)
    key = new_key(MultiRegion=True, Origin="EXTERNAL")
    first = bring(kms, key, first_bytes)
    replicate(key, state="PendingImport")
    with refused("IncorrectKeyMaterialException"):
        bring(there, key, second_bytes)
    assert bring(there, key, first_bytes) == first
    assert describe(there, key)["KeyState"] == "Enabled"
    blob = kms.encrypt(KeyId=key["KeyId"], Plaintext=b"p")["CiphertextBlob"]
    assert there.decrypt(CiphertextBlob=blob)["KeyMaterialId"] == first

    with refused("UnsupportedOperationException"):
        bring(there, key, second_bytes, ImportType="NEW_KEY_MATERIAL")
    second = bring(kms, key, second_bytes, ImportType="NEW_KEY_MATERIAL")
    waiting = {first: "CURRENT", second: "PENDING_MULTI_REGION_IMPORT_AND_ROTATION"}
    assert states(kms, key) == waiting
    assert describe(there, key)["KeyState"] == "Enabled"
    with refused(
        "KMSInvalidStateException", f"No available key material pending rotation for the key: {key['Arn']}."
    ):
        kms.rotate_key_on_demand(KeyId=key["KeyId"])
    assert bring(there, key, second_bytes) == second
    assert states(kms, key) == states(there, key) == {first: "CURRENT", second: "PENDING_ROTATION"}
    kms.rotate_key_on_demand(KeyId=key["KeyId"])
    assert states(kms, key) == states(there, key) == {first: "NON_CURRENT", second: "CURRENT"}
    blob = there.encrypt(KeyId=key["KeyId"], Plaintext=b"p")["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=blob)["KeyMaterialId"] == second


def test_what_the_primary_withdraws_is_withdrawn_everywhere(kms, there, new_key, replicate):
    first_bytes, second_bytes = os.urandom(32), os.urandom(32)
    key = new_key(MultiRegion=True, Origin="EXTERNAL")
    first = bring(kms, key, first_bytes)
    replicate(key, state="PendingImport")
    bring(there, key, first_bytes)
    second = bring(kms, key, second_bytes, ImportType="NEW_KEY_MATERIAL")
    bring(there, key, second_bytes)
    there.delete_imported_key_material(KeyId=key["KeyId"], KeyMaterialId=second)
    assert states(kms, key)[second] == "PENDING_ROTATION"
    assert describe(there, key)["KeyState"] == "Enabled"
    kms.delete_imported_key_material(KeyId=key["KeyId"], KeyMaterialId=second)
    assert states(kms, key) == states(there, key) == {first: "CURRENT"}
    there.delete_imported_key_material(KeyId=key["KeyId"])
    assert describe(there, key)["KeyState"] == "PendingImport"
    assert describe(kms, key)["KeyState"] == "Enabled"


def test_a_rotation_leaves_a_region_without_the_material_waiting(kms, there, new_key, replicate):
    first_bytes, second_bytes = os.urandom(32), os.urandom(32)
    key = new_key(MultiRegion=True, Origin="EXTERNAL")
    bring(kms, key, first_bytes)
    replicate(key, state="PendingImport")
    bring(there, key, first_bytes)
    second = bring(kms, key, second_bytes, ImportType="NEW_KEY_MATERIAL")
    bring(there, key, second_bytes)
    there.delete_imported_key_material(KeyId=key["KeyId"], KeyMaterialId=second)
    kms.rotate_key_on_demand(KeyId=key["KeyId"])
    assert describe(there, key)["KeyState"] == "PendingImport"
    bring(there, key, second_bytes)
    assert describe(there, key)["KeyState"] == "Enabled"


def test_a_new_replica_delays_the_rotation_until_it_has_the_material_too(
    kms, there, elsewhere, new_key, replicate, refused
):
    first_bytes, second_bytes = os.urandom(32), os.urandom(32)
    key = new_key(MultiRegion=True, Origin="EXTERNAL")
    first = bring(kms, key, first_bytes)
    second = bring(kms, key, second_bytes, ImportType="NEW_KEY_MATERIAL")
    assert states(kms, key) == {first: "CURRENT", second: "PENDING_ROTATION"}
    waiting = {first: "CURRENT", second: "PENDING_MULTI_REGION_IMPORT_AND_ROTATION"}

    for replica in (there, elsewhere):
        replicate(key, region=replica.meta.region_name, state="PendingImport")
        assert states(kms, key) == states(there, key) == states(replica, key) == waiting
        with refused("KMSInvalidStateException"):
            kms.rotate_key_on_demand(KeyId=key["KeyId"])
        bring(replica, key, first_bytes)
        bring(replica, key, second_bytes)
        assert states(kms, key) == states(there, key) == {first: "CURRENT", second: "PENDING_ROTATION"}

    kms.rotate_key_on_demand(KeyId=key["KeyId"])
    for region in (kms, there, elsewhere):
        assert describe(region, key)["KeyState"] == "Enabled"
        assert states(region, key) == {first: "NON_CURRENT", second: "CURRENT"}


def test_a_region_that_is_not_served_gets_no_replica(refused):
    with RunningServer(regions=("us-east-1", "eu-west-1")) as server:
        kms = server.client("kms")
        key = kms.create_key(MultiRegion=True)["KeyMetadata"]["KeyId"]
        with refused("ValidationException"):
            kms.replicate_key(KeyId=key, ReplicaRegion="us-west-2")
        kms.replicate_key(KeyId=key, ReplicaRegion="eu-west-1")
        with refused("UnrecognizedClientException"):
            server.client("kms", region="us-west-2").list_keys()
