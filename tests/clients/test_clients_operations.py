"""Every operation that boto3 and the aws command offer, called with success, or refused as documented."""

import json
import os

import botocore.session
import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

pytestmark = pytest.mark.client

MODEL = botocore.session.get_session().get_service_model("kms")
SIGNING = {"SigningAlgorithm": "ECDSA_SHA_256", "Message": b"what was agreed"}
MAC = {"MacAlgorithm": "HMAC_SHA_256", "Message": b"what was said"}
KEM = {"EncapsulationAlgorithm": "ML_KEM"}
CONTEXT = {"Department": "Finance"}
WRAPPING = {"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}
SPECS = {
    "sign": {"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"},
    "agree": {"KeySpec": "ECC_NIST_P256", "KeyUsage": "KEY_AGREEMENT"},
    "mac": {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"},
    "kem": {"KeySpec": "ML_KEM_768", "KeyUsage": "ENCAPSULATE_DECAPSULATE"},
    "external": {"Origin": "EXTERNAL"},
    "multi": {"MultiRegion": True},
}


def new_name():
    return f"name-{os.urandom(4).hex()}"


class Scene:
    """A client, and what calls need: each is made when it is asked for, so that calls share nothing."""

    def __init__(self, server):
        self.server = server
        self.kms = server.client("kms")

    def key(self, kind="plain"):
        return self.kms.create_key(**SPECS.get(kind, {}))["KeyMetadata"]["KeyId"]

    def alias(self, key=None):
        name = f"alias/{new_name()}"
        self.kms.create_alias(AliasName=name, TargetKeyId=key or self.key())
        return name

    def blob(self, key=None):
        return self.kms.encrypt(KeyId=key or self.key(), Plaintext=b"plain", EncryptionContext=CONTEXT)[
            "CiphertextBlob"
        ]

    def grant(self, key):
        me = f"arn:aws:iam::{self.account}:root"
        return self.kms.create_grant(
            KeyId=key, GranteePrincipal=me, RetiringPrincipal=me, Operations=["Decrypt"]
        )

    @property
    def account(self):
        return self.server.client("sts").get_caller_identity()["Account"]

    def material(self, key):
        """What ImportKeyMaterial is given: new material, wrapped."""
        given = self.kms.get_parameters_for_import(KeyId=key, **WRAPPING)
        oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
        wrapped = load_der_public_key(given["PublicKey"]).encrypt(os.urandom(32), oaep)
        return {"KeyId": key, "ImportToken": given["ImportToken"], "EncryptedKeyMaterial": wrapped}

    def imported(self):
        key = self.key("external")
        self.kms.import_key_material(**self.material(key), ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE")
        return key

    def key_store(self):
        """The id of the only key store there is; an account may have ten."""
        for known in self.kms.describe_custom_key_stores()["CustomKeyStores"]:
            self.kms.delete_custom_key_store(CustomKeyStoreId=known["CustomKeyStoreId"])
        return self.kms.create_custom_key_store(**store_members(new_name()))["CustomKeyStoreId"]

    def replica_of(self, key, region="eu-west-1"):
        self.kms.replicate_key(KeyId=key, ReplicaRegion=region)
        there = self.server.client("kms", region=region)
        for _ in range(500):
            state = there.describe_key(KeyId=key)["KeyMetadata"]["KeyState"]
            if state == "Enabled":
                return key
        raise AssertionError(state)


def store_members(name):
    return {
        "CustomKeyStoreName": name,
        "CustomKeyStoreType": "EXTERNAL_KEY_STORE",
        "XksProxyConnectivity": "PUBLIC_ENDPOINT",
        "XksProxyUriEndpoint": f"https://{name}.example.com",
        "XksProxyUriPath": "/kms/xks/v1",
        "XksProxyAuthenticationCredential": {
            "AccessKeyId": "ABCDE2345672EXAMPLEQ",
            "RawSecretAccessKey": "DXjSUawnel2fr6SKC7G25CNxTyWKE5PF9XX6H/u9pSo=",
        },
    }


def scheduled(scene):
    key = scene.key()
    scene.kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    return key


def disabled(scene):
    key = scene.key()
    scene.kms.disable_key(KeyId=key)
    return key


def tagged(scene):
    key = scene.key()
    scene.kms.tag_resource(KeyId=key, Tags=[{"TagKey": "Team", "TagValue": "storage"}])
    return key


def other_public_key():
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def signature(scene, key):
    return scene.kms.sign(KeyId=key, **SIGNING)["Signature"]


def verify(scene):
    key = scene.key("sign")
    return {"KeyId": key, "Signature": signature(scene, key), **SIGNING}


def verify_mac(scene):
    key = scene.key("mac")
    return {"KeyId": key, "Mac": scene.kms.generate_mac(KeyId=key, **MAC)["Mac"], **MAC}


def decapsulate(scene):
    key = scene.key("kem")
    made = scene.kms.encapsulate(KeyId=key, **KEM)
    return {"KeyId": key, "SharedSecretCiphertextBlob": made["SharedSecretCiphertextBlob"], **KEM}


def grant(scene):
    key = scene.key()
    return {"KeyId": key, "GrantId": scene.grant(key)["GrantId"]}


def grants(scene):
    return {
        "KeyId": scene.key(),
        "GranteePrincipal": f"arn:aws:iam::{scene.account}:root",
        "Operations": ["Encrypt", "Decrypt"],
        "Name": "boto3",
    }


def policy(scene):
    key = scene.key()
    return {"KeyId": key, "Policy": scene.kms.get_key_policy(KeyId=key)["Policy"]}


def plain(scene):
    return {"KeyId": scene.key()}


def of(kind, **members):
    return lambda scene: {"KeyId": scene.key(kind), **members}


def store(scene):
    return {"CustomKeyStoreId": scene.key_store()}


CALLS = {
    "CancelKeyDeletion": lambda scene: {"KeyId": scheduled(scene)},
    "ConnectCustomKeyStore": store,
    "CreateAlias": lambda scene: {"AliasName": f"alias/{new_name()}", "TargetKeyId": scene.key()},
    "CreateCustomKeyStore": lambda _: store_members(new_name()),
    "CreateGrant": grants,
    "CreateKey": lambda _: {"Description": "made by boto3", "Tags": [{"TagKey": "a", "TagValue": "b"}]},
    "Decapsulate": decapsulate,
    "Decrypt": lambda scene: {"CiphertextBlob": scene.blob(), "EncryptionContext": CONTEXT},
    "DeleteAlias": lambda scene: {"AliasName": scene.alias()},
    "DeleteCustomKeyStore": store,
    "DeleteImportedKeyMaterial": lambda scene: {"KeyId": scene.imported()},
    "DeriveSharedSecret": lambda scene: {
        "KeyId": scene.key("agree"),
        "KeyAgreementAlgorithm": "ECDH",
        "PublicKey": other_public_key(),
    },
    "DescribeCustomKeyStores": store,
    "DescribeKey": plain,
    "DisableKey": plain,
    "DisableKeyRotation": plain,
    "DisconnectCustomKeyStore": store,
    "EnableKey": lambda scene: {"KeyId": disabled(scene)},
    "EnableKeyRotation": of("plain", RotationPeriodInDays=180),
    "Encapsulate": of("kem", **KEM),
    "Encrypt": of("plain", Plaintext=b"plain", EncryptionContext=CONTEXT),
    "GenerateDataKey": of("plain", KeySpec="AES_256"),
    "GenerateDataKeyPair": of("plain", KeyPairSpec="ECC_NIST_P256"),
    "GenerateDataKeyPairWithoutPlaintext": of("plain", KeyPairSpec="ECC_NIST_EDWARDS25519"),
    "GenerateDataKeyWithoutPlaintext": of("plain", NumberOfBytes=64),
    "GenerateMac": of("mac", **MAC),
    "GenerateRandom": lambda _: {"NumberOfBytes": 32},
    "GetKeyLastUsage": plain,
    "GetKeyPolicy": plain,
    "GetKeyRotationStatus": plain,
    "GetParametersForImport": of("external", **WRAPPING),
    "GetPublicKey": of("sign"),
    "ImportKeyMaterial": lambda scene: {
        **scene.material(scene.key("external")),
        "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE",
    },
    "ListAliases": lambda scene: {"KeyId": scene.key()},
    "ListGrants": plain,
    "ListKeyPolicies": plain,
    "ListKeyRotations": plain,
    "ListKeys": lambda _: {"Limit": 10},
    "ListResourceTags": lambda scene: {"KeyId": tagged(scene)},
    "ListRetirableGrants": lambda scene: {"RetiringPrincipal": f"arn:aws:iam::{scene.account}:root"},
    "PutKeyPolicy": policy,
    "ReEncrypt": lambda scene: {
        "CiphertextBlob": scene.blob(),
        "SourceEncryptionContext": CONTEXT,
        "DestinationKeyId": scene.key(),
    },
    "ReplicateKey": of("multi", ReplicaRegion="eu-central-1"),
    "RetireGrant": grant,
    "RevokeGrant": grant,
    "RotateKeyOnDemand": plain,
    "ScheduleKeyDeletion": of("plain", PendingWindowInDays=7),
    "Sign": of("sign", **SIGNING),
    "TagResource": of("plain", Tags=[{"TagKey": "Team", "TagValue": "storage"}]),
    "UntagResource": lambda scene: {"KeyId": tagged(scene), "TagKeys": ["Team"]},
    "UpdateAlias": lambda scene: {"AliasName": scene.alias(), "TargetKeyId": scene.key()},
    "UpdateCustomKeyStore": lambda scene: {**store(scene), "NewCustomKeyStoreName": new_name()},
    "UpdateKeyDescription": of("plain", Description="described anew"),
    "UpdatePrimaryRegion": lambda scene: {
        "KeyId": scene.replica_of(scene.key("multi")),
        "PrimaryRegion": "eu-west-1",
    },
    "Verify": verify,
    "VerifyMac": verify_mac,
}
"""What each operation is called with."""

REFUSED = {
    "ConnectCustomKeyStore": "UnsupportedOperationException",
    "DisconnectCustomKeyStore": "CustomKeyStoreInvalidStateException",
}
"""Operations that answer with a documented refusal: external key stores are kept, but not connected."""


@pytest.fixture(scope="module")
def scene(server):
    return Scene(server)


def call(scene, name):
    request = CALLS[name](scene)
    method = getattr(scene.kms, botocore.xform_name(name))
    return method(**request)


def test_the_table_has_the_operations_that_boto3_has():
    assert set(CALLS) == set(MODEL.operation_names)
    assert len(CALLS) >= 56


@pytest.mark.parametrize("name", sorted(set(CALLS) - set(REFUSED)))
def test_each_operation_succeeds(scene, name):
    answer = call(scene, name)
    metadata = answer.pop("ResponseMetadata")
    assert metadata["HTTPStatusCode"] == 200
    assert metadata["RequestId"]
    shape = MODEL.operation_model(name).output_shape
    assert set(answer) <= set(shape.members if shape else ())
    assert not set(shape.required_members if shape else ()) - set(answer)


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_is_refused_is_refused_as_documented(scene, name):
    with pytest.raises(ClientError) as caught:
        call(scene, name)
    assert caught.value.response["Error"]["Code"] == REFUSED[name]


def option(name):
    return "--" + botocore.xform_name(name, "-")


def words(operation, request, directory):
    """The request as a person types it: bytes from files, structures as JSON, a word for each flag."""
    typed = ["kms", botocore.xform_name(operation, "-")]
    for name, value in request.items():
        if isinstance(value, bytes):
            (directory / name).write_bytes(value)
            typed += [option(name), f"fileb://{directory / name}"]
        else:
            typed += [option(name), value if isinstance(value, str) else json.dumps(value)]
    return typed


@pytest.fixture
def aws(server, monkeypatch, tmp_path, capsys):
    """`aws(operation, request)`: exit status, output and error of the aws command, run in this process."""
    clidriver = pytest.importorskip("awscli.clidriver", reason="awscli is not installed")
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    # The first generation of the command would fetch an argument that looks like a URL.
    (tmp_path / "config").write_text("[default]\ncli_follow_urlparam = false\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))

    def run(operation, request):
        status = clidriver.create_clidriver().main([*words(operation, request, tmp_path), "--output", "json"])
        return status, *capsys.readouterr()

    return run


@pytest.mark.parametrize("name", sorted(CALLS))
def test_the_aws_command_performs_each_operation(scene, aws, name):
    status, out, err = aws(name, CALLS[name](scene))
    if name in REFUSED:
        assert (status, out) == (255, "")
        assert f"({REFUSED[name]}) when calling the {name} operation" in err
    else:
        assert (status, err) == (0, "")
        assert set(json.loads(out or "{}")) <= set(
            getattr(MODEL.operation_model(name).output_shape, "members", ())
        )


def test_every_call_left_its_event(scene, server):
    before = len(server.events())
    scene.kms.list_keys(Limit=1)
    assert [event["eventName"] for event in server.events()[before:]] == ["ListKeys"]


@pytest.mark.parametrize("size", [1, 4096])
def test_plaintexts_of_every_length_come_back(scene, size):
    key, plaintext = scene.key(), os.urandom(size)
    blob = scene.kms.encrypt(KeyId=key, Plaintext=plaintext)["CiphertextBlob"]
    assert scene.kms.decrypt(CiphertextBlob=blob)["Plaintext"] == plaintext


def test_paginators_walk_to_the_end(fresh_server):
    kms = fresh_server.client("kms")
    made = {kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(7)}
    pages = list(kms.get_paginator("list_keys").paginate(PaginationConfig={"PageSize": 3}))
    assert [len(page["Keys"]) for page in pages] == [3, 3, 1]
    assert {key["KeyId"] for page in pages for key in page["Keys"]} == made
