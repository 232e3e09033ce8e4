"""The AWS Encryption SDK: envelopes whose data keys are ours, by its master keys and by its keyrings."""

import os
from importlib import import_module

import botocore.session
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

aws_encryption_sdk = pytest.importorskip("aws_encryption_sdk", reason="aws-encryption-sdk is not installed")
from aws_encryption_sdk.exceptions import AWSEncryptionSDKClientError, DecryptKeyError  # noqa: E402  after the skip

pytestmark = pytest.mark.client

UNSIGNED = aws_encryption_sdk.Algorithm.AES_256_GCM_HKDF_SHA512_COMMIT_KEY
"""RSA keyrings refuse the default algorithm, which signs."""

PLAINTEXT = os.urandom(100_000)
CONTEXT = {"Department": "Finance", "Purpose": "backup"}
DAY = 86_400


@pytest.fixture
def session(server, monkeypatch):
    """A botocore session as the SDK makes its clients from: all it knows comes from the environment."""
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    return botocore.session.Session()


@pytest.fixture
def sdk():
    return aws_encryption_sdk.EncryptionSDKClient()


@pytest.fixture
def master_keys(session):
    return lambda *arns: aws_encryption_sdk.StrictAwsKmsMasterKeyProvider(
        key_ids=arns, botocore_session=session
    )


def test_an_envelope_comes_back_with_its_context(sdk, master_keys, new_key):
    provider = master_keys(new_key()["Arn"])
    sealed, header = sdk.encrypt(source=PLAINTEXT, key_provider=provider, encryption_context=CONTEXT)
    assert PLAINTEXT[:100] not in sealed
    (data_key,) = header.encrypted_data_keys
    assert data_key.key_provider.provider_id == "aws-kms"
    opened, header = sdk.decrypt(source=sealed, key_provider=provider)
    assert opened == PLAINTEXT
    assert CONTEXT.items() <= header.encryption_context.items()


@pytest.mark.parametrize("rotate", ["by the calendar", "on demand"])
def test_envelopes_outlive_rotations(sdk, master_keys, new_key, kms, server, rotate):
    key = new_key()["Arn"]
    provider = master_keys(key)
    sealed = [sdk.encrypt(source=b"first", key_provider=provider, encryption_context=CONTEXT)[0]]
    if rotate == "on demand":
        kms.rotate_key_on_demand(KeyId=key)
    else:
        kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
        server.advance(91 * DAY)
    sealed.append(sdk.encrypt(source=b"second", key_provider=provider, encryption_context=CONTEXT)[0])
    assert len(kms.list_key_rotations(KeyId=key)["Rotations"]) == 1
    assert [sdk.decrypt(source=one, key_provider=provider)[0] for one in sealed] == [b"first", b"second"]


def test_any_of_several_keys_opens_an_envelope(sdk, master_keys, new_key, kms):
    first, second, third = (new_key() for _ in range(3))
    sealed, _ = sdk.encrypt(source=PLAINTEXT, key_provider=master_keys(first["Arn"], second["Arn"]))
    kms.disable_key(KeyId=first["KeyId"])
    assert sdk.decrypt(source=sealed, key_provider=master_keys(second["Arn"]))[0] == PLAINTEXT
    with pytest.raises(DecryptKeyError):
        sdk.decrypt(source=sealed, key_provider=master_keys(first["Arn"]))
    with pytest.raises(DecryptKeyError):
        sdk.decrypt(source=sealed, key_provider=master_keys(third["Arn"]))


def test_a_multi_region_key_opens_envelopes_of_its_replica(sdk, master_keys, new_key, kms, server):
    key = new_key(MultiRegion=True)
    kms.replicate_key(KeyId=key["KeyId"], ReplicaRegion="eu-west-1")
    there = server.client("kms", region="eu-west-1")
    for _ in range(500):
        if there.describe_key(KeyId=key["KeyId"])["KeyMetadata"]["KeyState"] == "Enabled":
            break
    replica = key["Arn"].replace("us-east-1", "eu-west-1")
    sealed, _ = sdk.encrypt(source=PLAINTEXT, key_provider=master_keys(replica))
    provider = aws_encryption_sdk.key_providers.kms.MRKAwareStrictAwsKmsMasterKeyProvider
    here = provider(key_ids=[key["Arn"]], botocore_session=botocore.session.Session())
    assert sdk.decrypt(source=sealed, key_provider=here)[0] == PLAINTEXT


# ------------------------------------------------------------------------------ its keyrings


@pytest.fixture(scope="module")
def models():
    """What keyrings are described by; an extra of the SDK brings them."""
    return pytest.importorskip(
        "aws_cryptographic_material_providers.mpl.models",
        reason="aws-encryption-sdk is installed without its extra MPL, so without keyrings",
    )


@pytest.fixture(scope="module")
def library(models):
    mpl = import_module("aws_cryptographic_material_providers.mpl")
    config = import_module("aws_cryptographic_material_providers.mpl.config")
    return mpl.AwsCryptographicMaterialProviders(config=config.MaterialProvidersConfig())


def test_a_keyring_wraps_and_unwraps_with_our_key(sdk, library, models, new_key, kms):
    key = new_key()["Arn"]
    asked = models.CreateAwsKmsKeyringInput(kms_key_id=key, kms_client=kms)
    keyring = library.create_aws_kms_keyring(input=asked)
    sealed, _ = sdk.encrypt(source=PLAINTEXT, keyring=keyring, encryption_context=CONTEXT)
    kms.rotate_key_on_demand(KeyId=key)
    opened, _ = sdk.decrypt(source=sealed, keyring=keyring, encryption_context=CONTEXT)
    assert opened == PLAINTEXT
    kms.disable_key(KeyId=key)
    with pytest.raises(AWSEncryptionSDKClientError, match="No Configured KMS Key was able to decrypt"):
        sdk.decrypt(source=sealed, keyring=keyring, encryption_context=CONTEXT)


def test_an_rsa_keyring_encrypts_offline_and_decrypts_with_our_key(sdk, library, models, new_key, kms):
    key = new_key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")["Arn"]
    public = load_der_public_key(kms.get_public_key(KeyId=key)["PublicKey"])
    asked = models.CreateAwsKmsRsaKeyringInput(
        kms_key_id=key,
        encryption_algorithm="RSAES_OAEP_SHA_256",
        public_key=public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        kms_client=kms,
    )
    keyring = library.create_aws_kms_rsa_keyring(input=asked)
    sealed, _ = sdk.encrypt(source=PLAINTEXT, keyring=keyring, algorithm=UNSIGNED)
    assert sdk.decrypt(source=sealed, keyring=keyring)[0] == PLAINTEXT


def test_an_ecdh_keyring_agrees_with_our_keys(sdk, library, models, new_key, kms):
    sender, recipient = (new_key(KeySpec="ECC_NIST_P256", KeyUsage="KEY_AGREEMENT")["Arn"] for _ in range(2))
    to_recipient = models.KmsPrivateKeyToStaticPublicKeyInput(
        sender_kms_identifier=sender,
        sender_public_key=kms.get_public_key(KeyId=sender)["PublicKey"],
        recipient_public_key=kms.get_public_key(KeyId=recipient)["PublicKey"],
    )
    discovery = models.KmsPublicKeyDiscoveryInput(recipient_kms_identifier=recipient)
    seals, opens = (
        library.create_aws_kms_ecdh_keyring(
            input=models.CreateAwsKmsEcdhKeyringInput(
                key_agreement_scheme=scheme, curve_spec="ECC_NIST_P256", kms_client=kms
            )
        )
        for scheme in (
            models.KmsEcdhStaticConfigurationsKmsPrivateKeyToStaticPublicKey(to_recipient),
            models.KmsEcdhStaticConfigurationsKmsPublicKeyDiscovery(discovery),
        )
    )
    sealed, _ = sdk.encrypt(source=PLAINTEXT, keyring=seals)
    assert sdk.decrypt(source=sealed, keyring=opens)[0] == PLAINTEXT
