"""Data keys and data key pairs, by boto3 against a running server."""

import pytest
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_der_public_key

EITHER = "Please specify either number of bytes or key spec."
PAIRS = [
    "RSA_2048",
    "RSA_3072",
    "RSA_4096",
    "ECC_NIST_P256",
    "ECC_NIST_P384",
    "ECC_NIST_P521",
    "ECC_SECG_P256K1",
    "ECC_NIST_EDWARDS25519",
    "ML_KEM_768",
    "ML_KEM_1024",
]
CONTEXT = {"purpose": "test"}


@pytest.fixture
def key(new_key):
    return new_key()


@pytest.mark.parametrize(
    ("asked", "length"),
    [({"KeySpec": "AES_128"}, 16), ({"KeySpec": "AES_256"}, 32), ({"NumberOfBytes": 1024}, 1024)],
)
def test_a_data_key_comes_in_plaintext_and_encrypted(kms, key, asked, length):
    answer = kms.generate_data_key(KeyId=key["KeyId"], EncryptionContext=CONTEXT, **asked)
    assert len(answer["Plaintext"]) == length
    assert answer["KeyId"] == key["Arn"]
    assert answer["KeyMaterialId"] == key["CurrentKeyMaterialId"]
    assert "CiphertextForRecipient" not in answer
    opened = kms.decrypt(CiphertextBlob=answer["CiphertextBlob"], EncryptionContext=CONTEXT)
    assert opened["Plaintext"] == answer["Plaintext"]
    assert opened["KeyMaterialId"] == answer["KeyMaterialId"]


def test_a_data_key_without_plaintext_has_none(kms, key):
    answer = kms.generate_data_key_without_plaintext(KeyId=key["Arn"], NumberOfBytes=7)
    assert "Plaintext" not in answer
    assert answer["KeyMaterialId"] == key["CurrentKeyMaterialId"]
    assert len(kms.decrypt(CiphertextBlob=answer["CiphertextBlob"])["Plaintext"]) == 7


@pytest.mark.parametrize("asked", [{}, {"KeySpec": "AES_256", "NumberOfBytes": 32}])
@pytest.mark.parametrize("operation", ["generate_data_key", "generate_data_key_without_plaintext"])
def test_a_length_is_asked_in_exactly_one_way(kms, key, refused, operation, asked):
    with refused("ValidationException", EITHER):
        getattr(kms, operation)(KeyId=key["KeyId"], **asked)


def test_the_context_belongs_to_the_data_key(kms, key, refused):
    blob = kms.generate_data_key(KeyId=key["KeyId"], KeySpec="AES_256", EncryptionContext=CONTEXT)[
        "CiphertextBlob"
    ]
    with refused("InvalidCiphertextException", ""):
        kms.decrypt(CiphertextBlob=blob)


@pytest.mark.parametrize(
    ("members", "said"),
    [
        (
            {"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"},
            "{} key usage is SIGN_VERIFY which is not valid for {}.",
        ),
        (
            {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"},
            "{} key usage is GENERATE_VERIFY_MAC which is not valid for {}.",
        ),
        (
            {"KeySpec": "RSA_2048", "KeyUsage": "ENCRYPT_DECRYPT"},
            "Algorithm SYMMETRIC_DEFAULT is incompatible with key spec RSA_2048.",
        ),
    ],
)
def test_only_symmetric_encryption_keys_make_data_keys(kms, new_key, refused, members, said):
    other = new_key(**members)
    with refused("InvalidKeyUsageException", said.format(other["Arn"], "GenerateDataKey")):
        kms.generate_data_key(KeyId=other["KeyId"], KeySpec="AES_256")
    with refused("InvalidKeyUsageException", said.format(other["Arn"], "GenerateDataKeyPair")):
        kms.generate_data_key_pair(KeyId=other["KeyId"], KeyPairSpec="ECC_NIST_P256")


@pytest.mark.parametrize("spec", PAIRS)
def test_a_pairs_private_key_is_the_one_that_decrypts(kms, key, spec):
    answer = kms.generate_data_key_pair(KeyId=key["KeyId"], KeyPairSpec=spec, EncryptionContext=CONTEXT)
    assert (answer["KeyId"], answer["KeyPairSpec"]) == (key["Arn"], spec)
    assert answer["KeyMaterialId"] == key["CurrentKeyMaterialId"]
    opened = kms.decrypt(CiphertextBlob=answer["PrivateKeyCiphertextBlob"], EncryptionContext=CONTEXT)
    assert opened["Plaintext"] == answer["PrivateKeyPlaintext"]
    private = load_der_private_key(answer["PrivateKeyPlaintext"], None)
    assert private.public_key() == load_der_public_key(answer["PublicKey"])


def test_a_pair_without_plaintext_keeps_its_private_key_back(kms, key):
    answer = kms.generate_data_key_pair_without_plaintext(KeyId=key["KeyId"], KeyPairSpec="ECC_NIST_P256")
    assert "PrivateKeyPlaintext" not in answer
    private = load_der_private_key(
        kms.decrypt(CiphertextBlob=answer["PrivateKeyCiphertextBlob"])["Plaintext"], None
    )
    assert private.public_key() == load_der_public_key(answer["PublicKey"])


@pytest.mark.parametrize("spec", ["SM2", "ML_KEM_512"])
def test_pairs_that_cannot_be_made_are_refused_by_name(kms, key, refused, spec):
    with refused("UnsupportedOperationException"):
        kms.generate_data_key_pair(KeyId=key["KeyId"], KeyPairSpec=spec)


def test_dry_runs_and_disabled_keys(kms, key, refused):
    asked = {"KeyId": key["KeyId"], "KeySpec": "AES_256"}
    with refused(
        "DryRunOperationException", "The request would have succeeded, but the DryRun option is set."
    ):
        kms.generate_data_key(DryRun=True, **asked)
    with refused("DryRunOperationException"):
        kms.generate_data_key_pair(KeyId=key["KeyId"], KeyPairSpec="RSA_4096", DryRun=True)
    kms.disable_key(KeyId=key["KeyId"])
    with refused("DisabledException", f"{key['Arn']} is disabled."):
        kms.generate_data_key(DryRun=True, **asked)


def test_an_unverified_recipient_never_gets_plaintext(kms, key, refused):
    recipient = {"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": b"made up"}
    with refused("ValidationException"):
        kms.generate_data_key(KeyId=key["KeyId"], KeySpec="AES_256", Recipient=recipient)
    with refused("ValidationException"):
        kms.generate_data_key_pair(KeyId=key["KeyId"], KeyPairSpec="ECC_NIST_P256", Recipient=recipient)
