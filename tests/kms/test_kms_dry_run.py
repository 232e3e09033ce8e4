"""A dry run that asks for permissions only needs no ciphertext; every other call does."""

import base64

import pytest

ABSENT = (
    "1 validation error detected: Value null at '{}' failed to satisfy constraint: Member must not be null"
)
PERMISSIONS = {"DryRun": True, "DryRunModifiers": ["IGNORE_CIPHERTEXT"]}


@pytest.fixture
def client(kms):
    return kms


@pytest.fixture
def key(client):
    return client.create_key()["KeyMetadata"]["KeyId"]


def error(call, **members):
    with pytest.raises(Exception) as caught:
        call(**members)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def test_a_ciphertext_is_required_unless_it_is_ignored(client, key):
    validation = ("ValidationException", ABSENT.format("ciphertextBlob"))
    assert error(client.decrypt, KeyId=key) == validation
    assert error(client.decrypt, KeyId=key, DryRun=True) == validation
    assert error(client.decrypt, KeyId=key, DryRunModifiers=["IGNORE_CIPHERTEXT"]) == validation
    assert error(client.re_encrypt, SourceKeyId=key, DestinationKeyId=key) == validation


def test_then_the_key_must_be_named(client, key):
    validation = ("ValidationException", ABSENT.format("keyId"))
    assert error(client.decrypt, **PERMISSIONS) == validation
    assert error(client.re_encrypt, DestinationKeyId=key, **PERMISSIONS) == validation


def test_permissions_alone_are_told(client, key):
    assert error(client.decrypt, KeyId=key, **PERMISSIONS)[0] == "DryRunOperationException"
    assert (
        error(client.re_encrypt, SourceKeyId=key, DestinationKeyId=key, **PERMISSIONS)[0]
        == "DryRunOperationException"
    )
    junk = base64.b64encode(b"no ciphertext at all" * 5)
    assert (
        error(client.decrypt, KeyId=key, CiphertextBlob=junk, **PERMISSIONS)[0] == "DryRunOperationException"
    )
    assert (
        error(client.decrypt, KeyId=key, CiphertextBlob=junk, DryRun=True)[0] == "InvalidCiphertextException"
    )
