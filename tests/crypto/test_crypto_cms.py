"""CiphertextForRecipient: OpenSSL opens it, and its structure is what the Nitro Enclaves SDK insists on."""

import shutil
import subprocess

import pytest
from asn1crypto import cms as asn1_cms
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from hypothesis import given, settings
from hypothesis import strategies as st

from keystead.crypto import cms
from keystead.entropy import SystemEntropy
from keystead.errors import BadPublicKey

ENTROPY = SystemEntropy()
SPECS = ["RSA_2048", "RSA_3072", "RSA_4096"]


@pytest.fixture
def opened(material, tmp_path):
    """What OpenSSL finds in a message for the run's key of a spec."""
    if shutil.which("openssl") is None:
        pytest.skip("OpenSSL is not installed")

    def decrypt(spec, message):
        path = tmp_path / f"{spec}.der"
        path.write_bytes(material(spec))
        command = ["openssl", "cms", "-decrypt", "-inform", "DER", "-binary", "-inkey", str(path)]
        return subprocess.run([*command, "-keyform", "DER"], input=message, capture_output=True, check=False)

    return decrypt


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("length", [0, 1, 15, 16, 32, 1024, 4096])
def test_openssl_opens_it(spec, length, key, opened):
    plaintext = ENTROPY.random(length)
    answer = opened(spec, cms.envelop(key(spec).public_der, plaintext, ENTROPY))
    assert (answer.returncode, answer.stdout) == (0, plaintext), answer.stderr


def test_openssl_opens_nothing_for_another_key(key, opened):
    plaintext = b"for one recipient only"
    answer = opened("RSA_3072", cms.envelop(key("RSA_2048").public_der, plaintext, ENTROPY))
    assert plaintext not in answer.stdout


def test_the_structure_is_the_one_that_is_read(key):
    spki = key("RSA_2048").public_der
    message = cms.envelop(spki, b"secret", ENTROPY)
    content = asn1_cms.ContentInfo.load(message, strict=True)
    assert content["content_type"].dotted == "1.2.840.113549.1.7.3"
    enveloped = content["content"].native
    assert enveloped["version"] == "v2"
    (recipient,) = enveloped["recipient_infos"]
    assert recipient["version"] == "v2"
    public = serialization.load_der_public_key(spki)
    assert recipient["rid"] == x509.SubjectKeyIdentifier.from_public_key(public).digest
    assert recipient["key_encryption_algorithm"] == {
        "algorithm": "rsaes_oaep",
        "parameters": {
            "hash_algorithm": {"algorithm": "sha256", "parameters": None},
            "mask_gen_algorithm": {
                "algorithm": "mgf1",
                "parameters": {"algorithm": "sha256", "parameters": None},
            },
            "p_source_algorithm": {"algorithm": "p_specified", "parameters": b""},
        },
    }
    assert len(recipient["encrypted_key"]) == 256
    inner = enveloped["encrypted_content_info"]
    assert inner["content_type"] == "data"
    assert inner["content_encryption_algorithm"]["algorithm"] == "aes256_cbc"
    assert len(inner["content_encryption_algorithm"]["parameters"]) == 16
    assert len(inner["encrypted_content"]) == 16


def test_the_key_identifier_is_a_primitive_context_tag(key):
    # The SDK's reader takes [0] with the octets in it, and AWS's constructed form.
    message = cms.envelop(key("RSA_2048").public_der, b"secret", ENTROPY)
    assert b"\x02\x01\x02\x80\x14" in message


@settings(max_examples=30)
@given(plaintext=st.binary(max_size=100))
def test_nothing_of_two_messages_is_the_same_secret(plaintext, key):
    spki = key("RSA_2048").public_der
    first, second = (
        asn1_cms.ContentInfo.load(cms.envelop(spki, plaintext, ENTROPY))["content"]["encrypted_content_info"]
        for _ in range(2)
    )
    assert first["content_encryption_algorithm"] != second["content_encryption_algorithm"]
    assert first["encrypted_content"].native != second["encrypted_content"].native
    assert len(first["encrypted_content"].native) == 16 * (len(plaintext) // 16 + 1)


@pytest.mark.parametrize("spki", [b"", b"not a key"])
def test_only_a_public_key_is_a_recipient(spki):
    with pytest.raises(BadPublicKey):
        cms.envelop(spki, b"secret", ENTROPY)


def test_only_an_rsa_key_is_a_recipient(key):
    with pytest.raises(BadPublicKey):
        cms.envelop(key("ECC_NIST_P384").public_der, b"secret", ENTROPY)
