"""Calls from one service to another in this process: by the one pipeline, as the caller."""

import json
import re
from pathlib import Path

import msgspec
import pytest
from botocore.exceptions import ClientError

from keystead.api import operation
from keystead.api.accounts import CREDENTIALS
from keystead.api.client import Client
from keystead.api.directory import ACCOUNTS
from keystead.api.operation import always
from keystead.services.kms.service import KMS
from keystead.services.kms.tables import KEYS
from keystead.testing import RunningServer
from keystead.wire.models import kms as wire

SERVICE = "s3.amazonaws.com"


@operation(
    "GenerateRandom", targets=lambda _call, _request: (), slow=always, undecided="it only stands for one"
)
def store_something(call, _request):
    """Stands for an operation of another service: it encrypts with its caller's default key and makes a key."""
    kms = Client(call, SERVICE, source_arn="arn:aws:s3:::bucket")
    sealed = kms.call("kms", "Encrypt", wire.EncryptRequest(key_id="alias/aws/s3", plaintext=b"object"))
    opened = kms.call("kms", "Decrypt", wire.DecryptRequest(ciphertext_blob=sealed.ciphertext_blob))
    kms.call("kms", "CreateKey", wire.CreateKeyRequest(description="made on the way"))
    return wire.GenerateRandomResponse(plaintext=opened.plaintext)


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setitem(KMS.operations, "GenerateRandom", store_something)
    with RunningServer() as running:
        yield running


def test_a_service_uses_keys_for_its_caller(server):
    kms = server.client("kms")
    assert kms.generate_random(NumberOfBytes=1)["Plaintext"] == b"object"
    assert kms.generate_random(NumberOfBytes=1)["Plaintext"] == b"object"
    names = [
        (event["eventName"], event["userIdentity"].get("invokedBy"))
        for event in server.events()
        if event["eventType"] == "AwsApiCall"
    ]
    once = [("Encrypt", SERVICE), ("Decrypt", SERVICE), ("CreateKey", SERVICE), ("GenerateRandom", None)]
    assert names == once * 2
    assert len({event["eventID"] for event in server.events()}) == len(server.events())


def test_what_it_makes_outlives_it(server):
    kms = server.client("kms")
    kms.generate_random(NumberOfBytes=1)
    described = [kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"] for key in kms.list_keys()["Keys"]]
    assert sorted(key["KeyManager"] for key in described) == ["AWS", "CUSTOMER"]


def test_its_caller_s_denial_is_its_own(server):
    kms = server.client("kms")
    key = kms.describe_key(KeyId="alias/aws/s3")["KeyMetadata"]
    policy = json.loads(kms.get_key_policy(KeyId=key["KeyId"])["Policy"])
    assert policy["Statement"][0]["Principal"] == {"AWS": "*"}
    server.store.run(lambda tx: _narrow(tx, key))
    with pytest.raises(ClientError) as caught:
        kms.generate_random(NumberOfBytes=1)
    assert caught.value.response["Error"]["Code"] == "AccessDeniedException"
    assert "kms:Encrypt" in caught.value.response["Error"]["Message"]
    denied = [event["eventName"] for event in server.events() if event.get("errorCode") == "AccessDenied"]
    assert denied == ["Encrypt", "GenerateRandom"]


def _closed(tx):
    ((key, credential),) = tx.scan(CREDENTIALS, "")
    tx.put(CREDENTIALS, key, msgspec.structs.replace(credential, active=False))


def _renamed(tx):
    ((key, account),) = tx.scan(ACCOUNTS, "")
    tx.put(ACCOUNTS, key, msgspec.structs.replace(account, name="other"))


def test_who_is_revoked_meanwhile_uses_no_key(monkeypatch):
    @operation(
        "GenerateRandom", targets=lambda _call, _request: (), slow=always, undecided="it only stands for one"
    )
    def use_something(call, _request):
        """Stands for an operation of another service, which uses a key long after its caller has signed."""
        client = Client(call, SERVICE)
        client.call("kms", "Encrypt", wire.EncryptRequest(key_id=key, plaintext=b"before"))
        server.store.run(_closed)
        client.call("kms", "Encrypt", wire.EncryptRequest(key_id=key, plaintext=b"after"))
        return wire.GenerateRandomResponse(plaintext=b"done")

    monkeypatch.setitem(KMS.operations, "GenerateRandom", use_something)
    with RunningServer() as server:
        kms = server.client("kms")
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        with pytest.raises(ClientError, match="UnrecognizedClient"):
            kms.generate_random(NumberOfBytes=1)
        events = [(event["eventName"], event.get("errorCode")) for event in server.events()]
    refused = "UnrecognizedClientException"
    assert events == [
        ("CreateKey", None), ("Encrypt", None), ("Encrypt", refused), ("GenerateRandom", refused),
    ]  # fmt: skip


@pytest.mark.parametrize(("change", "code"), [(_renamed, None), (_closed, "UnrecognizedClient")])
def test_what_becomes_of_its_caller_meanwhile_counts(monkeypatch, change, code):
    @operation(
        "GenerateRandom", targets=lambda _call, _request: (), slow=always, undecided="it only stands for one"
    )
    def make_something(call, _request):
        """Stands for an operation of another service, which makes a key after its caller has changed."""
        server.store.run(change)
        Client(call, SERVICE).call("kms", "CreateKey", wire.CreateKeyRequest())
        return wire.GenerateRandomResponse(plaintext=b"made")

    monkeypatch.setitem(KMS.operations, "GenerateRandom", make_something)
    with RunningServer() as server:
        kms = server.client("kms")
        if code is None:
            assert kms.generate_random(NumberOfBytes=1)["Plaintext"] == b"made"
        else:
            with pytest.raises(ClientError, match=code):
                kms.generate_random(NumberOfBytes=1)
        keys = server.store.transaction().scan(KEYS, "")
        assert len(keys) == (code is None)
        events = [(event["eventName"], event.get("errorCode")) for event in server.events()]
    assert [name for name, _ in events] == ["CreateKey", "GenerateRandom"]
    assert all((error or "").startswith(code or "") for _, error in events)
    assert [error is None for _, error in events] == [code is None] * 2


def _narrow(tx, key):
    place = f"{key['AWSAccountId']}/us-east-1/{key['KeyId']}"
    stored = tx.get(KEYS, place)
    tx.put(KEYS, place, msgspec.structs.replace(stored, policy=stored.policy.replace('"*"', '"x"')))


# --------------------------------------------------------------------------- the guide

GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "services.md"


@operation(
    "GenerateRandom", targets=lambda _call, _request: (), slow=always, undecided="it only stands for one"
)
def answer_from_the_guide(call, _request):
    """Stands for an operation of a database: it seals a page as the guide has it."""
    (example,) = re.findall(r"^```py\n(.*?)^```$", GUIDE.read_text(), re.DOTALL | re.MULTILINE)
    names = {}
    exec(example, names)
    return wire.GenerateRandomResponse(plaintext=names["seal_page"](call, b"page 7"))


def test_the_guide_s_example_seals_with_the_caller_s_default_key(monkeypatch):
    monkeypatch.setitem(KMS.operations, "GenerateRandom", answer_from_the_guide)
    with RunningServer() as server:
        kms = server.client("kms")
        page = kms.generate_random(NumberOfBytes=1)["Plaintext"]
        with pytest.raises(ClientError, match="AccessDenied"):
            kms.decrypt(CiphertextBlob=page, EncryptionContext={"db": "orders"})
        sealed = next(event for event in server.events() if event["eventName"] == "Encrypt")
        assert sealed["userIdentity"]["invokedBy"] == "rds.amazonaws.com"
        assert sealed["requestParameters"]["encryptionContext"] == {"db": "orders"}
