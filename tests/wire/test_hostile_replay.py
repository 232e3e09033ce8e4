"""The very same bytes again: refused where they would change something, answered where they would not."""

from __future__ import annotations

import concurrent.futures

import pytest
from signed_http import Client

REPLAYED = (400, "InvalidSignatureException")


def test_a_create_key_is_carried_out_once(raw, key_id):
    prepared = raw.prepare("CreateKey", {"Description": "once"})
    assert raw.send(prepared).status == 200
    before = raw.must("ListKeys")["Keys"]
    for _ in range(3):
        answer = raw.send(prepared)
        assert answer.error() == REPLAYED
        assert "already carried out" in answer.message
    assert raw.must("ListKeys")["Keys"] == before


def test_of_many_copies_at_once_one_is_carried_out(raw):
    prepared = raw.prepare("CreateKey", {"Description": "raced"})
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = [answer.status for answer in pool.map(raw.send, [prepared] * 32)]
    assert sorted(answers) == [200] + [400] * 31


def test_a_presigned_change_is_carried_out_once(raw):
    prepared = raw.presign("CreateKey", {})
    assert raw.send(prepared).status == 200
    assert raw.send(prepared).error() == REPLAYED


@pytest.mark.parametrize(
    ("operation", "undo", "body"),
    [
        ("DisableKey", "EnableKey", {}),
        ("EnableKeyRotation", "DisableKeyRotation", {}),
        ("ScheduleKeyDeletion", "CancelKeyDeletion", {"PendingWindowInDays": 7}),
        ("TagResource", "UntagResource", {"Tags": [{"TagKey": "a", "TagValue": "b"}]}),
        ("UpdateKeyDescription", None, {"Description": "changed"}),
    ],
)
def test_an_old_change_cannot_be_brought_back(raw, operation, undo, body):
    """Who recorded a request cannot repeat it after its effect was undone."""
    key = {"KeyId": raw.must("CreateKey")["KeyMetadata"]["KeyId"]}
    recorded = raw.prepare(operation, {**key, **body})
    assert raw.send(recorded).status == 200
    if undo == "UntagResource":
        raw.must(undo, {**key, "TagKeys": ["a"]})
    elif undo is not None:
        raw.must(undo, key)
    state = raw.must("DescribeKey", key), raw.must("ListResourceTags", key)
    assert raw.send(recorded).error() == REPLAYED
    assert (raw.must("DescribeKey", key), raw.must("ListResourceTags", key)) == state


def test_create_alias_is_carried_out_once(raw, key_id):
    recorded = raw.prepare("CreateAlias", {"AliasName": "alias/once", "TargetKeyId": key_id})
    assert raw.send(recorded).status == 200
    raw.must("DeleteAlias", {"AliasName": "alias/once"})
    assert raw.send(recorded).error() == REPLAYED
    assert raw.must("ListAliases", {"KeyId": key_id})["Aliases"] == []


def test_a_change_that_was_refused_may_be_tried_again(raw):
    key = {"KeyId": raw.must("CreateKey")["KeyMetadata"]["KeyId"]}
    refused = raw.prepare("CancelKeyDeletion", key)
    assert raw.send(refused).error() == (400, "KMSInvalidStateException")
    raw.must("ScheduleKeyDeletion", key)
    assert raw.send(refused).status == 200


def test_reads_and_cryptography_may_be_repeated(raw, key_id):
    blob = raw.must("Encrypt", {"KeyId": key_id, "Plaintext": "YQ=="})["CiphertextBlob"]
    for operation, body in {
        "DescribeKey": {"KeyId": key_id},
        "ListKeys": {},
        "Encrypt": {"KeyId": key_id, "Plaintext": "YQ=="},
        "Decrypt": {"CiphertextBlob": blob},
        "GenerateDataKey": {"KeyId": key_id, "KeySpec": "AES_256"},
        "GenerateRandom": {"NumberOfBytes": 8},
    }.items():
        prepared = raw.prepare(operation, body)
        assert [raw.send(prepared).status for _ in range(3)] == [200] * 3, operation


def test_two_equal_calls_of_one_second_are_two_calls(server):
    """AWS's clients sign to the second, so equal calls of one second have equal signatures."""
    client = server.client("kms")
    ids = [client.create_key(Description="twin")["KeyMetadata"]["KeyId"] for _ in range(6)]
    assert len(set(ids)) == 6


def test_a_replay_is_refused_after_a_restart(tmp_path):

    from keystead.testing import RunningServer

    def client(server):
        return Client(server.port, server.access_key_id, server.secret_access_key)

    with RunningServer(tmp_path) as server:
        recorded = client(server).prepare("CreateKey", {"Description": "once"}, headers={"Host": "kms.test"})
        assert client(server).send(recorded).status == 200
        credentials = server.access_key_id, server.secret_access_key
    with RunningServer(tmp_path) as server:
        assert (server.access_key_id, server.secret_access_key) == credentials
        assert client(server).send(recorded).error() == REPLAYED
        assert len(client(server).must("ListKeys")["Keys"]) == 1


def test_moving_the_clock_does_not_make_replays_possible(fresh_server):
    """Signatures live by the host's clock, so the memory of them must too."""
    client = Client(fresh_server.port, fresh_server.access_key_id, fresh_server.secret_access_key)
    recorded = client.prepare("CreateKey")
    assert client.send(recorded).status == 200
    fresh_server.advance(86_400)
    assert client.send(recorded).error() == REPLAYED
