"""Condition keys by their values: a call that has the value and one that has another get opposite answers."""

import json
from datetime import UTC, datetime, timedelta

import botocore
import pytest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from callers import client_with, forwarded_by, service_client
from operations import MAC, SIGNING, WRAPPING, Scene
from principals import access_key, put_principals, set_policies, statement

from keystead.testing import RunningServer
from keystead.testing.enclave import Enclave

ALICE = "arn:aws:iam::000000000000:user/alice"
ROOT = "arn:aws:iam::000000000000:root"
IMAGE, OTHER = bytes(range(48)), bytes(range(1, 49))
NOW = datetime.now(UTC)
EARLY, MIDDLE, LATE = (NOW + timedelta(days=days) for days in (100, 200, 300))


class World:
    """A server that trusts two enclaves of one root, and a user whose policies are set anew for each case."""

    def __init__(self, server, enclave):
        self.server, self.scene, self.enclave = server, Scene(server), enclave
        put_principals(server.store, ALICE)
        self.pair = access_key(server.store, ALICE)
        self.alice = client_with(server, *self.pair, region="us-east-1")

    def allow(self, *documents):
        set_policies(self.server.store, ALICE, **{f"p{n}": text for n, text in enumerate(documents)})

    def denied(self, operation, request, client=None):
        try:
            getattr(client or self.alice, botocore.xform_name(operation))(**request)
        except ClientError as error:
            if error.response["Error"]["Code"] == "AccessDeniedException":
                return True
            raise
        return False

    def attested(self, image):
        """The Recipient of a machine with this image, signed by the root that the server trusts."""
        pcrs = self.enclave.pcrs | {0: image}
        return self.enclave.recipient(pcrs=pcrs)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    enclave = Enclave({0: IMAGE, 4: OTHER})
    path = tmp_path_factory.mktemp("roots") / "root.pem"
    path.write_bytes(enclave.root_pem)
    with RunningServer(attestation_roots=(str(path),)) as server:
        yield World(server, enclave)


def grant(scene, **members):
    return {
        "KeyId": scene.key(),
        "GranteePrincipal": ROOT,
        "Operations": ["Encrypt", "Decrypt"],
        **members,
    }


def put_policy(scene, **members):
    key = scene.key()
    return {"KeyId": key, "Policy": scene.kms.get_key_policy(KeyId=key)["Policy"], **members}


def of(kind="plain", **members):
    return lambda world: {"KeyId": world.scene.key(kind), **members}


def encrypt(**members):
    return of(Plaintext=b"x", **members)


def granting(**members):
    return lambda world: grant(world.scene, **members)


def creating(**members):
    return lambda _world: members


def reencrypt(*, same):
    def request(world):
        key = world.scene.key()
        return {
            "CiphertextBlob": world.scene.kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"],
            "DestinationKeyId": key if same else world.scene.key(),
        }

    return request


def aliased(world):
    key = world.scene.key()
    world.scene.kms.create_alias(AliasName=f"alias/fixed-{key[:8]}", TargetKeyId=key)
    return {"KeyId": key, "Plaintext": b"x"}


def by_alias(world):
    return {"KeyId": world.scene.alias(), "Plaintext": b"x"}


def by_alias_arn(world):
    return {"KeyId": f"arn:aws:kms:us-east-1:000000000000:{world.scene.alias()}", "Plaintext": b"x"}


def material(**members):
    return lambda world: {**world.scene.material(world.scene.key("external")), **members}


def attested(image):
    return lambda world: {"NumberOfBytes": 32, "Recipient": world.attested(image)}


def tagged(value):
    def request(world):
        key = world.scene.key()
        world.scene.kms.tag_resource(KeyId=key, Tags=[{"TagKey": "Team", "TagValue": value}])
        return {"KeyId": key, "Plaintext": b"x"}

    return request


def tags(key, value):
    return {"Tags": [{"TagKey": key, "TagValue": value}]}


SUBSET = {"Constraints": {"EncryptionContextSubset": {"tenant": "acme"}}}
EQUALS = {"Constraints": {"EncryptionContextEquals": {"tenant": "acme"}}}
OTHERS = {"Constraints": {"EncryptionContextSubset": {"tenant": "umbrella"}}}
ACME, UMBRELLA = {"EncryptionContext": {"tenant": "acme"}}, {"EncryptionContext": {"tenant": "umbrella"}}
DIGEST = {**SIGNING, "Message": bytes(32), "MessageType": "DIGEST"}
EXPIRES = {"ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": EARLY}
STAYS = {"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}

ROWS = [
    ("PutKeyPolicy", "Bool", "kms:BypassPolicyLockoutSafetyCheck", "true",
     lambda w: put_policy(w.scene, BypassPolicyLockoutSafetyCheck=True),
     lambda w: put_policy(w.scene, BypassPolicyLockoutSafetyCheck=False)),
    ("CreateKey", "Bool", "kms:BypassPolicyLockoutSafetyCheck", "false",
     creating(BypassPolicyLockoutSafetyCheck=False), creating()),
    ("CreateKey", "Bool", "kms:BypassPolicyLockoutSafetyCheck", "true",
     creating(BypassPolicyLockoutSafetyCheck=True), creating(BypassPolicyLockoutSafetyCheck=False)),
    ("CreateGrant", "StringEquals", "kms:GrantConstraintType", "EncryptionContextSubset",
     granting(**SUBSET), granting(**EQUALS)),
    ("CreateGrant", "StringEquals", "kms:GrantConstraintType", "EncryptionContextEquals",
     granting(**EQUALS), granting()),
    ("CreateGrant", "StringEquals", "kms:EncryptionContext:tenant", "acme", granting(**SUBSET), granting(**OTHERS)),
    ("CreateGrant", "StringEquals", "kms:RetiringPrincipal", ALICE,
     granting(RetiringPrincipal=ALICE), granting(RetiringPrincipal=ROOT)),
    ("CreateGrant", "StringLike", "kms:RetiringPrincipal", "*", granting(RetiringPrincipal=ROOT), granting()),
    ("CreateGrant", "StringEquals", "kms:GranteePrincipal", ALICE, granting(GranteePrincipal=ALICE), granting()),
    ("CreateGrant", "ForAllValues:StringEquals", "kms:GrantOperations", "Decrypt",
     granting(Operations=["Decrypt"]), granting(Operations=["Decrypt", "Encrypt"])),
    ("CreateGrant", "ForAnyValue:StringEquals", "kms:GrantOperations", "Encrypt",
     granting(Operations=["Decrypt", "Encrypt"]), granting(Operations=["Decrypt"])),
    ("Encrypt", "StringLike", "kms:RequestAlias", "alias/name-*", by_alias, encrypt()),
    ("Encrypt", "StringLike", "kms:RequestAlias", "alias/name-*", by_alias_arn, aliased),
    ("Encrypt", "ForAnyValue:StringLike", "kms:ResourceAliases", "alias/fixed-*", aliased, by_alias),
    ("Encrypt", "StringEquals", "kms:EncryptionContext:tenant", "acme", encrypt(**ACME), encrypt(**UMBRELLA)),
    ("Encrypt", "StringEquals", "kms:EncryptionContext:tenant", "acme", encrypt(**ACME), encrypt()),
    ("Encrypt", "ForAllValues:StringEquals", "kms:EncryptionContextKeys", "tenant",
     encrypt(**ACME), encrypt(EncryptionContext={"tenant": "acme", "other": "acme"})),
    ("Encrypt", "StringEquals", "aws:ResourceTag/Team", "storage", tagged("storage"), tagged("Storage")),
    ("GenerateDataKeyPair", "StringEquals", "kms:DataKeyPairSpec", "ECC_NIST_P256",
     of(KeyPairSpec="ECC_NIST_P256"), of(KeyPairSpec="ECC_NIST_P384")),
    ("Sign", "StringEquals", "kms:MessageType", "DIGEST", of("sign", **DIGEST), of("sign", **SIGNING)),
    ("Sign", "StringEquals", "kms:KeyUsage", "SIGN_VERIFY", of("sign", **SIGNING), None),
    ("GenerateMac", "StringEquals", "kms:MacAlgorithm", "HMAC_SHA_256", of("mac", **MAC), None),
    ("ReEncrypt", "Bool", "kms:ReEncryptOnSameKey", "true", reencrypt(same=True), reencrypt(same=False)),
    ("EnableKeyRotation", "NumericLessThanEquals", "kms:RotationPeriodInDays", "180",
     of(RotationPeriodInDays=180), of(RotationPeriodInDays=181)),
    ("EnableKeyRotation", "NumericLessThanEquals", "kms:RotationPeriodInDays", "364", of(RotationPeriodInDays=90), of()),
    ("ScheduleKeyDeletion", "NumericGreaterThanEquals", "kms:ScheduleKeyDeletionPendingWindowInDays", "30",
     of(), of(PendingWindowInDays=29)),
    ("ImportKeyMaterial", "StringEquals", "kms:ExpirationModel", "KEY_MATERIAL_EXPIRES",
     material(**EXPIRES), material(**STAYS)),
    ("ImportKeyMaterial", "DateLessThan", "kms:ValidTo", MIDDLE.strftime("%Y-%m-%dT%H:%M:%SZ"),
     material(**EXPIRES), material(**EXPIRES | {"ValidTo": LATE})),
    ("GetParametersForImport", "StringEquals", "kms:WrappingAlgorithm", WRAPPING["WrappingAlgorithm"],
     of("external", **WRAPPING), of("external", **WRAPPING | {"WrappingAlgorithm": "RSAES_OAEP_SHA_1"})),
    ("CreateKey", "StringEquals", "kms:KeySpec", "SYMMETRIC_DEFAULT", creating(), creating(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")),
    ("CreateKey", "StringEquals", "kms:KeyOrigin", "EXTERNAL", creating(Origin="EXTERNAL"), creating()),
    ("CreateKey", "Bool", "kms:MultiRegion", "true", creating(MultiRegion=True), creating()),
    ("CreateKey", "StringEquals", "aws:RequestTag/Team", "a", creating(**tags("Team", "a")), creating(**tags("Team", "b"))),
    ("CreateKey", "ForAllValues:StringEquals", "aws:TagKeys", "Team", creating(**tags("Team", "a")), creating(**tags("team", "a"))),
    ("ReplicateKey", "StringEquals", "kms:ReplicaRegion", "eu-west-1",
     of("multi", ReplicaRegion="eu-west-1"), of("multi", ReplicaRegion="eu-west-2")),
    ("GenerateRandom", "StringEquals", "kms:RecipientAttestation:ImageSha384", IMAGE.hex(), attested(IMAGE), attested(OTHER)),
    ("GenerateRandom", "StringEquals", "kms:RecipientAttestation:PCR0", OTHER.hex(), attested(OTHER), attested(IMAGE)),
    ("GenerateRandom", "StringEquals", "kms:RecipientAttestation:PCR4", OTHER.hex(), attested(IMAGE), creating(NumberOfBytes=32)),
    ("GenerateRandom", "StringEqualsIfExists", "kms:RecipientAttestation:PCR4", OTHER.hex(), creating(NumberOfBytes=32), None),
]  # fmt: skip
"""Operation, operator, key, its value, a call that has it, and one that has not (None: none is valid)."""


def needed(operation):
    halves = ["kms:ReEncryptFrom", "kms:ReEncryptTo"]
    return halves if operation == "ReEncrypt" else [f"kms:{operation}"]


def beside(operation):
    """What the call takes on top, which the condition is not about."""
    more = {"CreateKey": ["kms:TagResource", "kms:PutKeyPolicy"], "ReplicateKey": ["kms:CreateKey"]}
    return [statement(action=more[operation])] if operation in more else []


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
