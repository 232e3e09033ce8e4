"""Requests that come in the same turn of the loop take their steps together, and each is answered for itself."""

import base64
import json
import threading

import pytest
from signed_http import Client

from keystead.api import pipeline
from keystead.http.limits import Limits
from keystead.http.reader import Reader
from keystead.testing import RunningServer

PEER = "127.0.0.1"


@pytest.fixture
def server():
    with RunningServer() as running:
        yield running


def together(server, asked):
    """The answers to operations with their documents, all of which arrive in one turn of the loop."""
    client = Client(server.port, server.access_key_id, server.secret_access_key)
    requests = []
    for operation, document in asked:
        reader = Reader(Limits(), PEER, secure=False, certificate=b"")
        reader.feed(client.prepare(operation, document).raw())
        requests.append(reader.ready.popleft()[0])
    answers, waiting = [None] * len(requests), threading.Semaphore(0)

    def arrive():
        for number, request in enumerate(requests):
            server.app.handle(request, lambda answer, number=number: told(number, answer))

    def told(number, answer):
        answers[number] = answer
        waiting.release()

    server._loop.call_soon_threadsafe(arrive)
    for _ in requests:
        assert waiting.acquire(timeout=300)
    return answers


def test_each_has_its_own_answer_and_event(server):
    key = server.client("kms").create_key()["KeyMetadata"]["KeyId"]
    plain = [base64.b64encode(b"text %d" % number).decode() for number in range(20)]
    sealed = together(server, [("Encrypt", {"KeyId": key, "Plaintext": text}) for text in plain])
    blobs = [base64.b64encode(blob).decode() for blob in map(blob_of, sealed)]
    opened = together(server, [("Decrypt", {"CiphertextBlob": blob}) for blob in blobs])
    assert [answer_of(answer)["Plaintext"] for answer in opened] == plain
    uses = [event for event in server.events() if event["eventName"] in {"Encrypt", "Decrypt"}]
    assert len({event["requestID"] for event in uses}) == 40


def test_what_fails_on_the_way_does_not_concern_the_others(server):
    key = server.client("kms").create_key()["KeyMetadata"]["KeyId"]
    other = server.client("kms").create_key(KeyUsage="SIGN_VERIFY", KeySpec="ECC_NIST_P256")
    signing = other["KeyMetadata"]["KeyId"]
    answers = together(
        server,
        [
            ("Encrypt", {"KeyId": key, "Plaintext": "eA=="}),
            ("Encrypt", {"KeyId": key}),
            ("Nonsense", {}),
            ("Encrypt", {"KeyId": "1234abcd-12ab-34cd-56ef-1234567890ab", "Plaintext": "eA=="}),
            ("Encrypt", {"KeyId": signing, "Plaintext": "eA=="}),
            ("GenerateDataKeyPair", {"KeyId": key, "KeyPairSpec": "ECC_NIST_P256"}),
            ("Encrypt", {"KeyId": key, "Plaintext": "eQ=="}),
        ],
    )
    assert [answer.status for answer in answers] == [200, 400, 400, 400, 400, 200, 200]
    failed = [answer_of(answer)["__type"] for answer in answers[1:5]]
    assert failed == [
        "ValidationException",
        "UnknownOperationException",
        "NotFoundException",
        "InvalidKeyUsageException",
    ]


@pytest.mark.skipif(pipeline.__file__.endswith(".so"), reason="nothing in a compiled module can be replaced")
@pytest.mark.parametrize("step", ["authorize", "records_of"])
def test_a_defect_in_one_keeps_nobody_waiting(server, monkeypatch, step):
    kms = server.client("kms")
    keys = [kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(3)]
    sound = getattr(pipeline, step)
    calls = []

    def breaks(call, *rest):
        calls.append(call.request_id)
        if call.request_id == calls[1 if len(calls) > 1 else 0] and len(calls) > 1:
            raise RuntimeError("secret")
        return sound(call, *rest)

    monkeypatch.setattr(pipeline, step, breaks)
    answers = together(server, [("Encrypt", {"KeyId": key, "Plaintext": "eA=="}) for key in keys])
    assert [answer.status for answer in answers] == [200, 500, 200]
    assert b"secret" not in answers[1].body


@pytest.mark.skipif(pipeline.__file__.endswith(".so"), reason="nothing in a compiled module can be replaced")
def test_a_use_whose_event_cannot_be_made_is_refused_and_recorded_as_that(server, monkeypatch):
    key = server.client("kms").create_key()["KeyMetadata"]["KeyId"]
    sound = pipeline.records_of

    def breaks(call, service, request, answer, targets, error, *rest):
        if error is None:
            raise RuntimeError("secret")
        return sound(call, service, request, answer, targets, error, *rest)

    monkeypatch.setattr(pipeline, "records_of", breaks)
    (answer,) = together(server, [("Encrypt", {"KeyId": key, "Plaintext": "eA=="})])
    assert answer.status == 500
    assert b"secret" not in answer.body
    (event,) = [event for event in server.events() if event["eventName"] == "Encrypt"]
    assert event["errorCode"] == "KMSInternalException"
    assert "additionalEventData" not in event


def test_changes_in_one_group_are_each_made(server):
    key = server.client("kms").create_key()["KeyMetadata"]["KeyId"]
    names = [f"alias/together-{number}" for number in range(10)]
    together(server, [("CreateAlias", {"AliasName": name, "TargetKeyId": key}) for name in names])
    listed = server.client("kms").list_aliases(KeyId=key)["Aliases"]
    assert sorted(alias["AliasName"] for alias in listed) == sorted(names)


def test_keys_that_nobody_has_read_yet_are_found_together(tmp_path):
    with RunningServer(tmp_path) as before:
        kms = before.client("kms")
        keys = [kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(12)]
        for number, key in enumerate(keys[:6]):
            kms.create_alias(AliasName=f"alias/{number}", TargetKeyId=key)
        kms.disable_key(KeyId=keys[9])
    asked = [*(f"alias/{number}" for number in range(6)), *keys[6:], keys[6], "alias/none", "alias/nul\0"]
    asked.append("1234abcd-12ab-34cd-56ef-1234567890ab")
    with RunningServer(tmp_path) as server:
        server.store.checkpoint()
        statements = []
        server._loop.call_soon_threadsafe(trace, server, statements)
        documents = [("Encrypt", {"KeyId": name, "Plaintext": "eA=="}) for name in asked]
        answers = [answer_of(answer) for answer in together(server, documents)]
        uses = [event for event in server.events() if event["eventName"] == "Encrypt"]
    assert [answer["KeyId"].rpartition("/")[2] for answer in answers[:9]] == keys[:9]
    assert [answer.get("__type") for answer in answers[9:]] == [
        "DisabledException",
        None,
        None,
        None,
        *["NotFoundException"] * 3,
    ]
    assert len({event["requestID"] for event in uses}) == len(asked)
    assert len(statements) <= 6, (
        "one for the aliases, one for the keys, and those of who asks for what is not there"
    )


def trace(server, statements):
    """Has the loop's thread note what it asks of the database."""
    server.store.backend._reader().set_trace_callback(statements.append)


def answer_of(answer):
    return json.loads(answer.body)


def blob_of(answer):
    return base64.b64decode(answer_of(answer)["CiphertextBlob"])
