"""A valid call of every KMS operation, with all that it needs made on the way."""

import os

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

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
        self.made = []

    def key(self, kind="plain"):
        self.made.append(self.kms.create_key(**SPECS.get(kind, {}))["KeyMetadata"]["KeyId"])
        return self.made[-1]

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

NEEDED = {
    "CreateKey": ("kms:CreateKey", "kms:TagResource"),  # the call has tags
    "ReEncrypt": ("kms:ReEncryptFrom", "kms:ReEncryptTo"),
    "ReplicateKey": ("kms:ReplicateKey", "kms:CreateKey"),
}
"""The permissions that a call takes, where they are not the one of its name."""


def needed(name):
    return NEEDED.get(name, (f"kms:{name}",))
