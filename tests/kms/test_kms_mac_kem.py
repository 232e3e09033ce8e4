"""MACs and encapsulated secrets, by boto3 against a running server."""

import hashlib

import pytest
from cryptography.hazmat.primitives.serialization import load_der_public_key

MESSAGE = b"what is authenticated"


@pytest.fixture
def mac_key(new_key):
    return lambda bits=256: new_key(KeySpec=f"HMAC_{bits}", KeyUsage="GENERATE_VERIFY_MAC")


@pytest.mark.parametrize("bits", [224, 256, 384, 512])
def test_a_mac_verifies_and_no_other_does(kms, mac_key, refused, bits):
    key = mac_key(bits)
    asked = {"KeyId": key["KeyId"], "MacAlgorithm": f"HMAC_SHA_{bits}"}
    made = kms.generate_mac(Message=MESSAGE, **asked)
    assert (made["KeyId"], made["MacAlgorithm"]) == (key["Arn"], f"HMAC_SHA_{bits}")
    assert len(made["Mac"]) == hashlib.new(f"sha{bits}").digest_size
    verified = kms.verify_mac(Message=MESSAGE, Mac=made["Mac"], **asked)
    assert (verified["KeyId"], verified["MacValid"]) == (key["Arn"], True)
    for mac, message in (
        (made["Mac"][:-1], MESSAGE),
        (bytes(len(made["Mac"])), MESSAGE),
        (made["Mac"], b"other"),
    ):
        with refused("KMSInvalidMacException", ""):
            kms.verify_mac(Message=message, Mac=mac, **asked)


def test_refusals_of_macs(kms, new_key, mac_key, refused):
    key, plain = mac_key(224), new_key()
    with refused(
        "InvalidKeyUsageException", "Algorithm HMAC_SHA_256 is incompatible with key spec HMAC_224."
    ):
        kms.generate_mac(KeyId=key["KeyId"], Message=MESSAGE, MacAlgorithm="HMAC_SHA_256")
    said = f"{plain['Arn']} key usage is ENCRYPT_DECRYPT which is not valid for GenerateMac."
    with refused("InvalidKeyUsageException", said):
        kms.generate_mac(KeyId=plain["KeyId"], Message=MESSAGE, MacAlgorithm="HMAC_SHA_256")
    with refused("DryRunOperationException"):
        kms.generate_mac(KeyId=key["KeyId"], Message=MESSAGE, MacAlgorithm="HMAC_SHA_224", DryRun=True)
    with refused("KMSInvalidMacException", ""):
        kms.verify_mac(
            KeyId=key["KeyId"], Message=MESSAGE, MacAlgorithm="HMAC_SHA_224", Mac=b"m", DryRun=True
        )


@pytest.mark.parametrize(("spec", "length"), [("ML_KEM_768", 1088), ("ML_KEM_1024", 1568)])
def test_a_secret_comes_back_from_its_ciphertext(kms, new_key, refused, spec, length):
    key = new_key(KeySpec=spec, KeyUsage="ENCAPSULATE_DECAPSULATE")
    asked = {"KeyId": key["KeyId"], "EncapsulationAlgorithm": "ML_KEM"}
    made = kms.encapsulate(**asked)
    blob = made["SharedSecretCiphertextBlob"]
    assert (len(made["SharedSecret"]), len(blob), made["KeyId"]) == (32, length, key["Arn"])
    opened = kms.decapsulate(SharedSecretCiphertextBlob=blob, **asked)
    assert (opened["SharedSecret"], opened["KeyId"]) == (made["SharedSecret"], key["Arn"])
    # Implicit rejection: an altered ciphertext gives another secret, always the same.
    altered = bytes([blob[0] ^ 1]) + blob[1:]
    others = {kms.decapsulate(SharedSecretCiphertextBlob=altered, **asked)["SharedSecret"] for _ in range(2)}
    assert len(others) == 1
    assert others != {made["SharedSecret"]}
    with refused("InvalidCiphertextException", ""):
        kms.decapsulate(SharedSecretCiphertextBlob=blob[1:], **asked)


def test_what_was_encapsulated_offline_decapsulates(kms, new_key):
    key = new_key(KeySpec="ML_KEM_768", KeyUsage="ENCAPSULATE_DECAPSULATE")
    public = load_der_public_key(kms.get_public_key(KeyId=key["KeyId"])["PublicKey"])
    secret, blob = public.encapsulate()
    opened = kms.decapsulate(
        KeyId=key["KeyId"], EncapsulationAlgorithm="ML_KEM", SharedSecretCiphertextBlob=blob
    )
    assert opened["SharedSecret"] == secret


def test_refusals_of_encapsulation(kms, new_key, refused):
    plain = new_key()
    with refused(
        "InvalidKeyUsageException",
        f"{plain['Arn']} key usage is ENCRYPT_DECRYPT which is not valid for Encapsulate.",
    ):
        kms.encapsulate(KeyId=plain["KeyId"], EncapsulationAlgorithm="ML_KEM")
    key = new_key(KeySpec="ML_KEM_768", KeyUsage="ENCAPSULATE_DECAPSULATE")
    with refused("DryRunOperationException"):
        kms.encapsulate(KeyId=key["KeyId"], EncapsulationAlgorithm="ML_KEM", DryRun=True)
    with refused("UnsupportedOperationException"):
        new_key(KeySpec="ML_KEM_512", KeyUsage="ENCAPSULATE_DECAPSULATE")
