"""AWS managed keys: made by a service's first use, usable through it only, and nobody's to change."""

import json

import pytest
from callers import forwarded_by, service_client

SERVICE = "rds.amazonaws.com"
ALIAS = "alias/aws/rds"
CONTEXT = {"aws:rds:db-id": "db-1"}


@pytest.fixture
def rds(server):
    """A client of the registered service, which forwards requests of the account's root to it."""
    return service_client(server, SERVICE)


@pytest.fixture
def through(server, rds):
    return forwarded_by(server, rds, SERVICE)


def test_the_first_use_makes_the_key_and_later_ones_find_it(server, kms, through):
    with through:
        first = through.client.generate_data_key(KeyId=ALIAS, KeySpec="AES_256", EncryptionContext=CONTEXT)
        again = through.client.encrypt(KeyId=ALIAS, Plaintext=b"x", EncryptionContext=CONTEXT)
    assert first["KeyId"] == again["KeyId"]
    (alias,) = kms.list_aliases()["Aliases"]
    assert (alias["AliasName"], alias["TargetKeyId"]) == (ALIAS, first["KeyId"].rpartition("/")[2])
    server.advance(1)
    (made,) = [event for event in server.events() if event["eventName"] == "CreateKey"]
    assert made["userIdentity"] == {
        "type": "AWSService",
        "accountId": "000000000000",
        "invokedBy": "AWS Internal",
    }
    assert made["resources"][0]["ARN"] == first["KeyId"]


def test_asking_what_the_alias_stands_for_makes_the_key(kms):
    shown = kms.describe_key(KeyId=ALIAS)["KeyMetadata"]
    assert shown["KeyManager"] == "AWS"
    assert shown["Enabled"]
    assert shown == kms.describe_key(KeyId=shown["KeyId"])["KeyMetadata"]
    assert shown["KeyId"] in [key["KeyId"] for key in kms.list_keys()["Keys"]]


def test_a_denied_question_makes_nothing(server, kms, refused):
    other = server.client("kms", account="444455556666")
    with refused("AccessDeniedException"):
        other.describe_key(KeyId=f"arn:aws:kms:us-east-1:000000000000:{ALIAS}")
    with refused("NotFoundException"):
        kms.describe_key(KeyId="alias/aws/none")
    assert kms.list_keys()["Keys"] == []


def test_its_metadata_can_be_read(kms):
    key = kms.describe_key(KeyId=ALIAS)["KeyMetadata"]["KeyId"]
    policy = json.loads(kms.get_key_policy(KeyId=key)["Policy"])
    condition = policy["Statement"][0]["Condition"]["StringEquals"]
    assert condition == {
        "kms:CallerAccount": "000000000000",
        "kms:ViaService": "rds.us-east-1.amazonaws.com",
    }
    status = kms.get_key_rotation_status(KeyId=key)
    assert (status["KeyRotationEnabled"], status["RotationPeriodInDays"]) == (True, 365)
    assert kms.list_grants(KeyId=key)["Grants"] == []
    assert kms.list_resource_tags(KeyId=key)["Tags"] == []


def test_nobody_uses_it_directly(kms, refused):
    key = kms.describe_key(KeyId=ALIAS)["KeyMetadata"]["Arn"]
    why = (
        f"User: arn:aws:iam::000000000000:root is not authorized to perform: kms:Encrypt on resource: {key} "
        "because no resource-based policy allows the kms:Encrypt action"
    )
    with refused("AccessDeniedException", why):
        kms.encrypt(KeyId=ALIAS, Plaintext=b"x")


@pytest.mark.parametrize(
    ("operation", "members"),
    [
        ("put_key_policy", {"Policy": "{}", "BypassPolicyLockoutSafetyCheck": True}),
        ("disable_key", {}),
        ("enable_key", {}),
        ("schedule_key_deletion", {}),
        ("cancel_key_deletion", {}),
        ("disable_key_rotation", {}),
        ("enable_key_rotation", {}),
        ("rotate_key_on_demand", {}),
        ("update_key_description", {"Description": "mine"}),
        ("tag_resource", {"Tags": [{"TagKey": "a", "TagValue": "b"}]}),
        ("create_grant", {"GranteePrincipal": "arn:aws:iam::000000000000:root", "Operations": ["Decrypt"]}),
    ],
)
def test_nobody_changes_it(kms, refused, operation, members):
    key = kms.describe_key(KeyId=ALIAS)["KeyMetadata"]["KeyId"]
    with refused("AccessDeniedException"):
        getattr(kms, operation)(KeyId=key, **members)


def test_its_alias_stays_where_it_is(kms, new_key, refused):
    managed = kms.describe_key(KeyId=ALIAS)["KeyMetadata"]["KeyId"]
    with refused("NotAuthorizedException"):
        kms.delete_alias(AliasName=ALIAS)
    with refused("NotAuthorizedException"):
        kms.update_alias(AliasName=ALIAS, TargetKeyId=new_key()["KeyId"])
    with refused("AccessDeniedException"):
        kms.create_alias(AliasName="alias/mine", TargetKeyId=managed)


def test_other_services_and_accounts_cannot_use_it(server, through, refused):
    with through:
        key = through.client.encrypt(KeyId=ALIAS, Plaintext=b"x")["KeyId"]
    s3 = forwarded_by(server, service_client(server, "s3.amazonaws.com"), "s3.amazonaws.com")
    with s3, refused("AccessDeniedException"):
        s3.client.encrypt(KeyId=key, Plaintext=b"x")
    foreign = forwarded_by(server, service_client(server, SERVICE), SERVICE, account="444455556666")
    with foreign, refused("AccessDeniedException"):
        foreign.client.encrypt(KeyId=key, Plaintext=b"x")


def test_it_is_rotated_every_year(server, through):
    with through:
        sealed = through.client.encrypt(KeyId=ALIAS, Plaintext=b"x")
        server.advance(366 * 86_400)
        assert through.client.decrypt(CiphertextBlob=sealed["CiphertextBlob"])["Plaintext"] == b"x"
    kinds = [event["eventName"] for event in server.events() if event["eventType"] == "AwsServiceEvent"]
    assert kinds == ["CreateKey", "RotateKey"]


def test_each_region_has_its_own(server, kms):
    elsewhere = server.client("kms", region="eu-west-1").describe_key(KeyId=ALIAS)["KeyMetadata"]
    assert elsewhere["Arn"] != kms.describe_key(KeyId=ALIAS)["KeyMetadata"]["Arn"]
    assert ":eu-west-1:" in elsewhere["Arn"]
