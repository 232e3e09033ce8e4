"""`keystead why`, of the data directory and of the server; who may ask, and what each is told."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from callers import client_with
from principals import access_key, put_principals, set_policies, statement

KEYSTEAD = Path(sys.executable).with_name("keystead")
ALICE = "arn:aws:iam::000000000000:user/alice"
CAROL = "arn:aws:iam::444455556666:user/carol"


@pytest.fixture
def server(fresh_server):
    put_principals(fresh_server.store, ALICE, CAROL)
    return fresh_server


def person(server, name, *documents, api="kms"):
    set_policies(server.store, name, **{f"p{n}": text for n, text in enumerate(documents)})
    return client_with(server, *access_key(server.store, name), api=api, region="us-east-1")


def denial(call, **members):
    """The id of a refusal."""
    with pytest.raises(ClientError) as caught:
        call(**members)
    assert caught.value.response["Error"]["Code"] == "AccessDeniedException"
    return caught.value.response["ResponseMetadata"]["RequestId"]


def why(server, *words, **more):
    return subprocess.run(
        [KEYSTEAD, "why", *words],
        check=False,
        capture_output=True,
        text=True,
        cwd=server.data_dir.parent,
        **more,
    )


def test_the_operator_reads_it_from_the_data_directory(server):
    alice = person(server, ALICE)
    key = server.client("kms").create_key()["KeyMetadata"]["Arn"]
    decision = denial(alice.encrypt, KeyId=key, Plaintext=b"x")
    told = why(server, decision, "--data-dir", str(server.data_dir), "--output", "json")
    assert told.returncode == 0, told.stderr
    details = json.loads(told.stdout)
    (change,) = details["changes"]
    assert change["statement"] == {"Effect": "Allow", "Action": "kms:Encrypt", "Resource": key}
    newest = why(server, "--data-dir", str(server.data_dir))
    assert f"{ALICE} asked for kms:Encrypt on {key}." in newest.stdout
    assert "No identity policy allows it." in newest.stdout


def test_a_server_is_asked_about_one_refusal(server):
    told = why(server, env={**os.environ, "AWS_ENDPOINT_URL": server.url})
    assert (told.returncode, told.stdout) == (1, "")
    assert told.stderr == "keystead: say which refusal the server is to explain: its request id\n"


def test_what_it_suggests_helps(server):
    alice = person(server, ALICE)
    key = server.client("kms").create_key()["KeyMetadata"]["Arn"]
    decision = denial(alice.encrypt, KeyId=key, Plaintext=b"x")
    told = why(server, decision, "--data-dir", str(server.data_dir), "--output", "json")
    change = json.loads(told.stdout)["changes"][0]["statement"]
    set_policies(server.store, ALICE, added={"Version": "2012-10-17", "Statement": [change]})
    alice.encrypt(KeyId=key, Plaintext=b"x")


def test_a_condition_is_shown_with_the_value_seen(server):
    condition = {"StringEquals": {"kms:EncryptionContext:Tenant": "acme"}}
    alice = person(server, ALICE, statement(action="kms:Encrypt", Condition=condition))
    key = server.client("kms").create_key()["KeyMetadata"]["Arn"]
    decision = denial(alice.encrypt, KeyId=key, Plaintext=b"x", EncryptionContext={"tenant": "other"})
    told = why(server, decision, "--data-dir", str(server.data_dir)).stdout
    assert "Condition StringEquals kms:EncryptionContext:Tenant wants acme; it is other" in told
    assert "make the request with kms:EncryptionContext:Tenant = acme" in told


def test_the_denying_statement_is_named(server):
    deny = statement("Deny", "kms:Encrypt", Sid="NoEncryption")
    alice = person(server, ALICE, statement(), deny)
    key = server.client("kms").create_key()["KeyMetadata"]["Arn"]
    decision = denial(alice.encrypt, KeyId=key, Plaintext=b"x")
    told = why(server, decision, "--data-dir", str(server.data_dir)).stdout
    assert 'Denied by statement 0 ("NoEncryption") of the identity policy p1.' in told
    assert 'remove or narrow statement 0 ("NoEncryption") of the identity policy p1' in told


def test_those_with_the_permission_ask_the_server(server):
    alice = person(server, ALICE)
    key = server.client("kms").create_key()["KeyMetadata"]["Arn"]
    decision = denial(alice.encrypt, KeyId=key, Plaintext=b"x")
    told = json.loads(
        server.client("sts").decode_authorization_message(EncodedMessage=decision)["DecodedMessage"]
    )
    assert told["allowed"] is False
    assert told["context"]["action"] == "kms:Encrypt"
    assert told["context"]["principal"]["arn"] == ALICE
    told = why(server, decision, env={**server.environment(), "PATH": ""})
    assert "No identity policy allows it." in told.stdout
    with pytest.raises(ClientError, match="sts:DecodeAuthorizationMessage"):
        person(server, ALICE, api="sts").decode_authorization_message(EncodedMessage=decision)


def test_each_account_is_told_its_own_side(server):
    """The owner's policy is not shown to the caller, nor the caller's to the owner."""
    key = server.client("kms").create_key()["KeyMetadata"]["Arn"]
    carol = person(server, CAROL, statement(Sid="CarolsOwn"))
    decision = denial(carol.encrypt, KeyId=key, Plaintext=b"x")
    theirs = server.client("sts", account="444455556666")
    told = theirs.decode_authorization_message(EncodedMessage=decision)["DecodedMessage"]
    assert "CarolsOwn" in told
    assert "Enable IAM User Permissions" not in told
    assert "000000000000:root" not in told
    assert "the account that owns the resource would have to allow it" in told
    mine = server.client("sts").decode_authorization_message(EncodedMessage=decision)["DecodedMessage"]
    assert "CarolsOwn" not in mine
    assert "add a statement to the policy of the resource" in mine


def test_nobody_else_is_told(server):
    alice = person(server, ALICE)
    decision = denial(alice.list_keys)
    with pytest.raises(ClientError) as caught:
        server.client("sts", account="444455556666").decode_authorization_message(EncodedMessage=decision)
    assert caught.value.response["Error"]["Code"] == "InvalidAuthorizationMessageException"
    told = why(server, "no-such-id", "--data-dir", str(server.data_dir))
    assert (told.returncode, told.stdout) == (1, "")
    assert told.stderr == "keystead: no refusal no-such-id is known\n"


def test_what_is_kept_is_sealed(server):
    condition = {"StringEquals": {"kms:EncryptionContext:secretname": "x"}}
    alice = person(server, ALICE, statement(Condition=condition))
    key = server.client("kms").create_key()["KeyMetadata"]["Arn"]
    denial(alice.encrypt, KeyId=key, Plaintext=b"x", EncryptionContext={"secretname": "secretvalue"})
    kept = b"".join(path.read_bytes() for path in (server.data_dir / "decisions").iterdir())
    assert kept
    assert b"secret" not in kept
    assert b"alice" not in kept
