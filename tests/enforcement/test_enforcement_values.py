"""Condition keys by their values: a call that has the value and one that has another get opposite answers."""

import json

import pytest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from callers import client_with, forwarded_by, service_client
from principals import access_key, put_principals, set_policies, statement
from valued import ALICE, ROOT, World, beside, encrypt, granting, needed
from valued_rows import EQUALS, IMAGE, OTHER, OTHERS, ROWS, SUBSET

from keystead.testing import RunningServer
from keystead.testing.enclave import Enclave


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    enclave = Enclave({0: IMAGE, 4: OTHER})
    path = tmp_path_factory.mktemp("roots") / "root.pem"
    path.write_bytes(enclave.root_pem)
    with RunningServer(attestation_roots=(str(path),)) as server:
        yield World(server, enclave)


@pytest.mark.parametrize(
    ("operation", "operator", "key", "value", "having", "lacking"),
    ROWS,
    ids=[f"{row[0]}-{row[2]}-{number}" for number, row in enumerate(ROWS)],
)
def test_a_value_decides_both_ways(world, operation, operator, key, value, having, lacking):
    condition = {operator: {key: value}}
    allowing = statement(action=needed(operation), Condition=condition)
    world.allow(allowing, *beside(operation))
    assert not world.denied(operation, having(world))
    if lacking is not None:
        assert world.denied(operation, lacking(world))
    refusing = statement("Deny", needed(operation), Condition=condition)
    world.allow(statement(), refusing)
    assert world.denied(operation, having(world))
    if lacking is not None:
        assert not world.denied(operation, lacking(world))


@pytest.mark.parametrize(
    ("operation", "key", "value"),
    [
        ("Encrypt", "kms:ViaService", "rds.us-east-1.amazonaws.com"),
        ("CreateGrant", "kms:GrantIsForAWSResource", "true"),
    ],
)
def test_what_only_a_service_brings_along(world, operation, key, value):
    """The value is the server's word about the service: the same call made directly lacks it."""
    request = encrypt()(world) if operation == "Encrypt" else granting()(world)
    service = service_client(world.server, "rds.amazonaws.com")
    forwarded = forwarded_by(world.server, service, "rds.amazonaws.com", credentials=Credentials(*world.pair))
    world.allow(statement(action=f"kms:{operation}", Condition={"StringEquals": {key: value}}))
    assert world.denied(operation, request)
    with forwarded:
        assert not world.denied(operation, request, service)
    world.allow(statement(), statement("Deny", f"kms:{operation}", Condition={"StringEquals": {key: value}}))
    assert not world.denied(operation, request)
    with forwarded:
        assert world.denied(operation, request, service)


# ------------------------------------------------------------------ grants and retirement


def _granted(world, **members):
    key = world.scene.key()
    made = world.scene.kms.create_grant(KeyId=key, GranteePrincipal=ROOT, Operations=["Decrypt"], **members)
    return {"KeyId": f"arn:aws:kms:us-east-1:000000000000:key/{key}", "GrantId": made["GrantId"]}


def test_retiring_takes_the_grant_or_the_delegation_of_its_account(world):
    """No permission: denied. Another's: denied. Its own by identity policy in the key's account: allowed."""
    request = _granted(world)
    world.allow()
    assert world.denied("RetireGrant", request)
    document = statement()
    document["Statement"][0]["NotAction"] = ["kms:RetireGrant"]
    del document["Statement"][0]["Action"]
    world.allow(document)
    assert world.denied("RetireGrant", request)
    world.allow(statement(), statement("Deny", "kms:RetireGrant"))
    assert world.denied("RetireGrant", request)
    world.allow(statement(action="kms:RetireGrant"))
    assert not world.denied("RetireGrant", request)


def test_the_retiring_principal_needs_no_policy_but_a_deny_counts(world):
    request = _granted(world, RetiringPrincipal=ALICE)
    world.allow(statement("Deny", "kms:RetireGrant"))
    assert world.denied("RetireGrant", request)
    world.allow()
    assert not world.denied("RetireGrant", request)


def test_a_key_policy_cannot_give_the_right_to_retire(world):
    request = _granted(world)
    policy = statement(Principal={"AWS": ALICE})
    policy["Statement"] += statement(Principal={"AWS": ROOT})["Statement"]
    world.scene.kms.put_key_policy(KeyId=request["KeyId"], Policy=json.dumps(policy))
    world.allow()
    assert world.denied("RetireGrant", request)


@pytest.mark.parametrize(
    ("key", "value", "having", "lacking"),
    [
        ("kms:EncryptionContext:tenant", "acme", SUBSET, OTHERS),
        ("kms:GrantConstraintType", "EncryptionContextEquals", EQUALS, SUBSET),
    ],
)
def test_conditions_on_retiring_speak_of_the_grant(world, key, value, having, lacking):
    world.allow(statement(action="kms:RetireGrant", Condition={"StringEquals": {key: value}}))
    assert world.denied("RetireGrant", _granted(world, **lacking))
    assert not world.denied("RetireGrant", _granted(world, **having))


# -------------------------------------------------------- aliases and keys of ciphertexts

UNKNOWN = "00000000-0000-4000-8000-000000000000"
FOREIGN = f"arn:aws:kms:us-east-1:444455556666:key/{UNKNOWN}"
CAROL = "arn:aws:iam::444455556666:user/carol"


def code_of(call, **members):
    with pytest.raises(ClientError) as caught:
        call(**members)
    return caught.value.response["Error"]["Code"]


def test_alias_operations_reach_no_other_account(world):
    world.allow(statement())
    name = world.scene.alias()
    for target in (UNKNOWN, f"arn:aws:kms:us-east-1:000000000000:key/{UNKNOWN}"):
        assert (
            code_of(world.alice.create_alias, AliasName="alias/new", TargetKeyId=target)
            == "NotFoundException"
        )
        assert code_of(world.alice.update_alias, AliasName=name, TargetKeyId=target) == "NotFoundException"
    assert code_of(world.alice.delete_alias, AliasName="alias/none") == "NotFoundException"
    refusals = {"AccessDeniedException", "NotFoundException", "ValidationException", "InvalidArnException"}
    assert code_of(world.alice.create_alias, AliasName="alias/new", TargetKeyId=FOREIGN) in refusals
    assert code_of(world.alice.update_alias, AliasName=name, TargetKeyId=FOREIGN) in refusals
    assert name in {a["AliasName"] for a in world.scene.kms.list_aliases()["Aliases"]}


@pytest.fixture(scope="module")
def carol(world):
    put_principals(world.server.store, CAROL)
    set_policies(world.server.store, CAROL, all=statement())
    return client_with(world.server, *access_key(world.server.store, CAROL), region="us-east-1")


def test_another_account_retires_what_it_may_by_its_own_policies_alone(world, carol):
    """Carol may do everything in her account: that is enough where the grant names it, and for nothing else."""
    theirs = {"RetiringPrincipal": "arn:aws:iam::444455556666:root"}
    assert world.denied("RetireGrant", _granted(world), carol)
    assert not world.denied("RetireGrant", _granted(world, **theirs), carol)
    set_policies(world.server.store, CAROL)
    try:
        assert world.denied("RetireGrant", _granted(world, **theirs), carol)
    finally:
        set_policies(world.server.store, CAROL, all=statement())


def test_the_alias_of_another_account_is_not_the_own_of_that_name(world, carol):
    name = world.scene.alias()
    assert code_of(carol.delete_alias, AliasName=name) == "NotFoundException"
    assert code_of(carol.describe_key, KeyId=name) == "NotFoundException"
    theirs = carol.create_key()["KeyMetadata"]["KeyId"]
    carol.create_alias(AliasName=name, TargetKeyId=theirs)
    assert carol.describe_key(KeyId=name)["KeyMetadata"]["KeyId"] == theirs
    carol.delete_alias(AliasName=name)
    assert name in {a["AliasName"] for a in world.scene.kms.list_aliases()["Aliases"]}


def test_a_key_found_by_its_ciphertext_is_no_less_closed(world, carol):
    """Whoever holds a ciphertext cannot tell a key that is closed from one that is not there."""
    blob = world.scene.blob()
    context = {"EncryptionContext": {"Department": "Finance"}}
    assert code_of(carol.decrypt, CiphertextBlob=blob, **context) == "AccessDeniedException"
    mine = carol.create_key()["KeyMetadata"]["KeyId"]
    moved = {"CiphertextBlob": blob, "SourceEncryptionContext": {"Department": "Finance"}}
    assert code_of(carol.re_encrypt, DestinationKeyId=mine, **moved) == "AccessDeniedException"
    world.allow()
    assert code_of(world.alice.decrypt, CiphertextBlob=blob, **context) == "AccessDeniedException"
    world.allow(statement())
    wrong = f"arn:aws:kms:us-east-1:000000000000:key/{UNKNOWN}"
    assert code_of(world.alice.decrypt, CiphertextBlob=blob, KeyId=wrong, **context) == "NotFoundException"
    assert (
        code_of(world.alice.decrypt, CiphertextBlob=blob, KeyId=FOREIGN, **context) == "AccessDeniedException"
    )
    assert world.alice.decrypt(CiphertextBlob=blob, **context)["Plaintext"] == b"plain"
