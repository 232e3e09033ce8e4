"""What the service does to keys by itself is told as well, together with the change."""

import os

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import load_der_public_key

DAY = 86_400.0


@pytest.fixture
def server(fresh_server):
    return fresh_server


def by_the_service(server):
    return [event for event in server.events() if event["eventType"] == "AwsServiceEvent"]


def check_form(server, event, key_id, region="us-east-1"):
    account = server.settings.account_id
    assert event["userIdentity"] == {
        "type": "AWSService",
        "accountId": account,
        "invokedBy": "AWS Internal",
    }
    assert event["sourceIPAddress"] == event["userAgent"] == "AWS Internal"
    assert event["requestParameters"] is event["responseElements"] is None
    assert (event["awsRegion"], event["recipientAccountId"]) == (region, account)
    assert (event["readOnly"], event["managementEvent"]) == (False, True)
    assert event["serviceEventDetails"]["keyId"] == key_id
    arn = f"arn:aws:kms:{region}:{account}:key/{key_id}"
    assert event["resources"] == [{"accountId": account, "type": "AWS::KMS::Key", "ARN": arn}]


def test_a_rotation_and_what_it_brings_to_replicas_are_told_in_one_step(server):
    kms = server.client("kms")
    made = kms.create_key(MultiRegion=True)["KeyMetadata"]
    key = made["KeyId"]
    for region in ("eu-west-1", "eu-central-1"):
        kms.replicate_key(KeyId=key, ReplicaRegion=region)
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
    server.advance(1)
    before = len(by_the_service(server))
    server.advance(91 * DAY)
    rotated, *synchronized = by_the_service(server)[before:]
    check_form(server, rotated, key)
    assert rotated["eventName"] == "RotateKey"
    details = rotated["serviceEventDetails"]
    now = kms.describe_key(KeyId=key)["KeyMetadata"]["CurrentKeyMaterialId"]
    assert details == {
        "keyId": key,
        "rotationType": "AUTOMATIC",
        "keyOrigin": "AWS_KMS",
        "previousKeyMaterialId": made["CurrentKeyMaterialId"],
        "currentKeyMaterialId": now,
    }
    assert {event["awsRegion"] for event in synchronized} == {"eu-west-1", "eu-central-1"}
    for event in synchronized:
        assert event["eventName"] == "SynchronizeMultiRegionKey"
        check_form(server, event, key, event["awsRegion"])


def test_a_rotation_on_demand_is_told_as_such(server):
    kms = server.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.rotate_key_on_demand(KeyId=key)
    server.advance(1)
    (event,) = by_the_service(server)
    check_form(server, event, key)
    assert event["serviceEventDetails"]["rotationType"] == "ON_DEMAND"


def test_a_deletion_is_told_when_it_happens(server):
    kms = server.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    assert by_the_service(server) == []
    server.advance(8 * DAY)
    (event,) = by_the_service(server)
    check_form(server, event, key)
    assert (event["eventName"], event["serviceEventDetails"]) == ("DeleteKey", {"keyId": key})


def test_expired_material_is_told_by_its_id(server):
    kms = server.client("kms")
    key = kms.create_key(Origin="EXTERNAL")["KeyMetadata"]["KeyId"]
    given = kms.get_parameters_for_import(
        KeyId=key, WrappingAlgorithm="RSAES_OAEP_SHA_256", WrappingKeySpec="RSA_2048"
    )
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    material = kms.import_key_material(
        KeyId=key,
        ImportToken=given["ImportToken"],
        EncryptedKeyMaterial=load_der_public_key(given["PublicKey"]).encrypt(os.urandom(32), oaep),
        ValidTo=server.clock.now() + DAY,
    )["KeyMaterialId"]
    server.advance(2 * DAY)
    (event,) = by_the_service(server)
    check_form(server, event, key)
    assert event["eventName"] == "DeleteExpiredKeyMaterial"
    assert event["serviceEventDetails"] == {"keyId": key, "keyMaterialId": material}
