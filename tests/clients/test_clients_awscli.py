"""The aws command as people type it: files in and out, pages, identities, and its words for errors."""

import base64
import json
import os

import pytest

pytestmark = pytest.mark.client

REFUSED = 255
"""Exit status of the aws command's first generation when the service answered with an error."""


@pytest.fixture
def aws(run, program):
    """`aws(*words)`: what the command printed, read as JSON."""
    found = program("aws")

    def call(*words, **options):
        printed = run(found, *words, "--output", "json", **options).stdout
        return json.loads(printed) if printed.strip() else None

    return call


@pytest.fixture
def refusal(run, program):
    """`refusal(*words)`: the one line that the command ends with when it is refused."""
    found = program("aws")
    return lambda *words, **options: run(found, *words, expect=REFUSED, **options).stderr.strip()


@pytest.fixture
def key(aws):
    return aws("kms", "create-key", "--description", "for files")["KeyMetadata"]["KeyId"]


def test_a_real_file_is_encrypted_and_comes_back(aws, run, program, key, tmp_path):
    secret, sealed, opened = tmp_path / "secret.bin", tmp_path / "sealed.bin", tmp_path / "opened.bin"
    secret.write_bytes(os.urandom(4096))
    context = ["--encryption-context", "Department=Finance,Purpose=backup"]
    answer = aws("kms", "encrypt", "--key-id", key, "--plaintext", f"fileb://{secret}", *context)
    sealed.write_bytes(base64.b64decode(answer["CiphertextBlob"]))
    assert secret.read_bytes() not in sealed.read_bytes()
    shown = ["--query", "Plaintext", "--output", "text"]
    decrypt = ["kms", "decrypt", "--ciphertext-blob", f"fileb://{sealed}", *context, *shown]
    opened.write_bytes(base64.b64decode(run(program("aws"), *decrypt).stdout))
    assert opened.read_bytes() == secret.read_bytes()


def test_a_key_is_described_by_its_alias(aws, key, server):
    aws("kms", "create-alias", "--alias-name", "alias/cli/files", "--target-key-id", key)
    metadata = aws("kms", "describe-key", "--key-id", "alias/cli/files")["KeyMetadata"]
    assert metadata["KeyId"] == key
    assert metadata["Description"] == "for files"
    assert metadata["KeyState"] == "Enabled"
    assert metadata["AWSAccountId"] == aws("sts", "get-caller-identity")["Account"]


def test_lists_are_walked_page_by_page(aws, key):
    for number in range(5):
        name = f"alias/cli/page/{number}"
        aws("kms", "create-alias", "--alias-name", name, "--target-key-id", key)
    listing = ["kms", "list-aliases", "--key-id", key]
    everything = aws(*listing, "--page-size", "2")["Aliases"]
    assert [entry["AliasName"] for entry in everything] == [f"alias/cli/page/{n}" for n in range(5)]
    part = aws(*listing, "--max-items", "3")
    assert len(part["Aliases"]) == 3
    rest = aws(*listing, "--starting-token", part["NextToken"])
    assert part["Aliases"] + rest["Aliases"] == everything
    assert key in {entry["KeyId"] for entry in aws("kms", "list-keys", "--page-size", "1")["Keys"]}


def test_the_caller_is_named(aws):
    assert aws("sts", "get-caller-identity") == {
        "UserId": "000000000000",
        "Account": "000000000000",
        "Arn": "arn:aws:iam::000000000000:root",
    }


def test_regions_are_apart(aws, refusal, key):
    said = refusal("kms", "describe-key", "--key-id", key, "--region", "eu-west-1")
    arn = f"arn:aws:kms:eu-west-1:000000000000:key/{key}"
    assert said.endswith(
        f"An error occurred (NotFoundException) when calling the DescribeKey operation: Key '{arn}' does not exist"
    )


def test_errors_are_in_awss_words(refusal, key):
    said = refusal("kms", "describe-key", "--key-id", "fake-key-id")
    assert said.endswith(
        "(NotFoundException) when calling the DescribeKey operation: Invalid keyId 'fake-key-id'"
    )
    said = refusal("kms", "create-key", "--key-spec", "RSA_2047")
    assert "(ValidationException) when calling the CreateKey operation: 1 validation error detected" in said
    said = refusal("kms", "create-alias", "--alias-name", "files", "--target-key-id", key)
    assert 'Alias must start with the prefix "alias/"' in said


def test_a_wrong_secret_and_an_unknown_key_are_refused(refusal):
    asked = ["kms", "list-keys"]
    assert "(InvalidSignatureException)" in refusal(*asked, AWS_SECRET_ACCESS_KEY="wrong-secret")
    said = refusal(*asked, AWS_ACCESS_KEY_ID="AKIAUNKNOWN000000000")
    assert said.endswith(
        "(UnrecognizedClientException) when calling the ListKeys operation: "
        "The security token included in the request is invalid."
    )


def test_a_changed_ciphertext_is_refused(aws, refusal, key, tmp_path):
    blob = aws("kms", "encrypt", "--key-id", key, "--plaintext", base64.b64encode(b"plain").decode())
    changed = bytearray(base64.b64decode(blob["CiphertextBlob"]))
    changed[-1] ^= 1
    (tmp_path / "changed").write_bytes(changed)
    said = refusal("kms", "decrypt", "--ciphertext-blob", f"fileb://{tmp_path / 'changed'}")
    assert "(InvalidCiphertextException) when calling the Decrypt operation" in said
