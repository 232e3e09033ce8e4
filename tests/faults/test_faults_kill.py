"""The process is killed at its busiest, again and again: what was acknowledged is there, and nothing is half there."""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from pathlib import Path

import pytest
from dev_process import DevServer
from evidence import findings
from load import KeyKnown, Load
from signed_http import Client

from keystead import app
from keystead.audit.reader import read_journal
from keystead.audit.segment import Kind

THREADS = 4
KILLS = int(os.environ.get("KEYSTEAD_KILLS", "0"))
AT_ONCE = 15


def events(data_dir: Path) -> list[dict]:
    """All events; reading checks the chain of hashes from the first record to the last."""
    return [
        json.loads(frame.payload) for frame in read_journal(data_dir, app.WORKER) if frame.kind is Kind.EVENT
    ]


def check_key(client: Client, key: KeyKnown) -> None:
    state = client.must("DescribeKey", {"KeyId": key.id})["KeyMetadata"]
    if not key.doubtful:
        assert state["Enabled"] is not key.disabled
    aliases = {alias["AliasName"] for alias in client.must("ListAliases", {"KeyId": key.id})["Aliases"]}
    assert aliases >= set(key.aliases)
    if state["Enabled"]:
        for blob, plaintext in key.blobs:
            assert client.must("Decrypt", {"CiphertextBlob": blob})["Plaintext"] == plaintext


def check_whole(client: Client, key_id: str) -> None:
    """A key whose creation was perhaps not acknowledged is there with everything that belongs to it."""
    state = client.must("DescribeKey", {"KeyId": key_id})["KeyMetadata"]
    tags = client.must("ListResourceTags", {"KeyId": key_id})["Tags"]
    assert tags == [{"TagKey": "made-by", "TagValue": state["Description"]}]
    assert "key-default-1" in client.must("GetKeyPolicy", {"KeyId": key_id})["Policy"]
    if state["Enabled"]:
        blob = client.must("Encrypt", {"KeyId": key_id, "Plaintext": "YQ=="})["CiphertextBlob"]
        assert client.must("Decrypt", {"CiphertextBlob": blob})["Plaintext"] == "YQ=="


def all_keys(client: Client) -> set[str]:
    found: set[str] = set()
    marker: dict[str, str] = {}
    while True:
        page = client.must("ListKeys", {"Limit": 1000, **marker})
        found |= {entry["KeyId"] for entry in page["Keys"]}
        if not page["Truncated"]:
            return found
        marker = {"Marker": page["NextMarker"]}


def check_evidence(data_dir: Path, request_ids: list[str], keys: set[str]) -> None:
    recorded = events(data_dir)
    counted = Counter(event["requestID"] for event in recorded if "requestID" in event)
    assert [name for name in request_ids if counted[name] != 1] == []
    assert max(counted.values(), default=0) <= 1
    created = {
        event["resources"][0]["ARN"].rpartition("/")[2]
        for event in recorded
        if event["eventName"] == "CreateKey" and "errorCode" not in event
    }
    assert created == keys


def check_store(data_dir: Path) -> None:
    """Nobody serves it now: records, journal, log and store are compared with each other."""
    assert findings(data_dir) == ()


def kill_again_and_again(place: Path, kills: int, seed: int) -> None:
    chance = random.Random(seed)
    server = DevServer(place / "data", place / "logs", "--log-level", "error")
    request_ids: list[str] = []
    known: list[KeyKnown] = []
    checked: set[str] = set()
    for number in range(kills):
        with server:
            load = Load(server.client(), THREADS, f"run{number}")
            load.start()
            load.wait_for(chance.randint(1, 120))
            server.kill()
            load.join()
        request_ids += load.request_ids
        known += load.keys
        with server:
            client = server.client()
            keys = all_keys(client)
            assert keys >= {key.id for key in known}
            for key in load.keys:
                check_key(client, key)
            for key_id in keys - checked:
                check_whole(client, key_id)
            checked |= keys
            check_evidence(server.data_dir, request_ids, keys)
    with server:
        for key in known:
            check_key(server.client(), key)
        assert server.stop() == 0
    check_store(server.data_dir)


def test_a_dozen_kills_lose_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    kill_again_and_again(tmp_path, 6, seed=1)  # six at work, six while it looks back


def test_killed_while_it_starts(tmp_path: Path) -> None:
    """The first start makes everything; whatever is there after a kill is a state to start from."""
    server = DevServer(tmp_path / "data", tmp_path / "logs")
    for _ in range(6):
        server.start()
        server.kill()
    with server:
        assert server.client().must("CreateKey")
    check_store(server.data_dir)


@pytest.mark.slow
@pytest.mark.skipif(KILLS < AT_ONCE, reason=f"KEYSTEAD_KILLS does not ask for {AT_ONCE} kills or more")
@pytest.mark.parametrize("seed", range(max(1, KILLS // AT_ONCE)))
def test_hundreds_of_kills_lose_nothing_that_was_acknowledged(tmp_path: Path, seed: int) -> None:
    kill_again_and_again(tmp_path, AT_ONCE, seed=100 + seed)
