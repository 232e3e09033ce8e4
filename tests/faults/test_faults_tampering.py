"""Somebody who can write the database, and has no key, changes it: what was changed is refused and never served."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from signed_http import Client

from keystead import app
from keystead.errors import OperatorError
from keystead.services.kms.tables import KEYS
from keystead.testing import RunningServer

Rows = dict[bytes, bytes]


def edit(data_dir: Path, change: Callable[[Rows], Rows]) -> None:
    """Replace rows of a stopped server's database, as anybody with the file could."""
    with closing(sqlite3.connect(data_dir / app.STORE)) as database:
        rows: Rows = dict(database.execute("SELECT k, v FROM kv"))
        for place, value in change(rows).items():
            if value is None:
                database.execute("DELETE FROM kv WHERE k = ?", (place,))
            else:
                database.execute("INSERT OR REPLACE INTO kv (k, v) VALUES (?, ?)", (place, value))
        database.commit()


def raw(server: RunningServer) -> Client:
    return Client(server.port, server.access_key_id, server.secret_access_key)


@pytest.fixture
def deployment(tmp_path: Path) -> tuple[Path, list[str], str]:
    """A stopped server's directory, the ids of two keys, and a ciphertext of the first."""
    with RunningServer(tmp_path / "data") as server:
        keys = [raw(server).must("CreateKey")["KeyMetadata"]["KeyId"] for _ in range(2)]
        blob = raw(server).must("Encrypt", {"KeyId": keys[0], "Plaintext": "YQ=="})["CiphertextBlob"]
        for key in keys:  # the material that was used gets a record of its own
            raw(server).must("RotateKeyOnDemand", {"KeyId": key})
        raw(server).must("DisableKey", {"KeyId": keys[1]})
    return tmp_path / "data", keys, blob


def place_of(rows: Rows, table: bytes, key_id: str) -> bytes:
    return next(
        place for place in rows if place.startswith(b"r" + table + b"\0") and key_id.encode() in place
    )


def flipped(rows: Rows, keys: list[str], table: bytes) -> Rows:
    place = place_of(rows, table, keys[0])
    value = bytearray(rows[place])
    value[len(value) // 2] ^= 1
    return {place: bytes(value)}


def swapped(rows: Rows, keys: list[str], table: bytes) -> Rows:
    first, second = (place_of(rows, table, key) for key in keys)
    return {first: rows[second], second: rows[first]}


def deleted(rows: Rows, keys: list[str], table: bytes) -> Rows:
    return {place_of(rows, table, keys[0]): None}


def emptied(rows: Rows, keys: list[str], table: bytes) -> Rows:
    return {place_of(rows, table, keys[0]): b""}


@pytest.mark.parametrize("table", [b"key", b"material"])
@pytest.mark.parametrize("change", [flipped, swapped, deleted, emptied])
def test_a_changed_record_is_refused_and_the_rest_is_served(deployment, table, change) -> None:
    data_dir, keys, blob = deployment
    edit(data_dir, lambda rows: change(rows, keys, table))
    with RunningServer(data_dir) as server:
        client = raw(server)
        answer = client.call("Decrypt", {"CiphertextBlob": blob})
        assert answer.error() == (500, "KMSInternalException")
        assert "Plaintext" not in answer.document
        findings = server.store.verify_all().findings
        assert any(keys[0] in line for line in findings)
        fresh = client.must("CreateKey")["KeyMetadata"]["KeyId"]
        again = client.must("Encrypt", {"KeyId": fresh, "Plaintext": "YQ=="})["CiphertextBlob"]
        assert client.must("Decrypt", {"CiphertextBlob": again})["Plaintext"] == "YQ=="


def test_a_disabled_key_cannot_be_enabled_by_bringing_back_its_old_record(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    old: Rows = {}
    with RunningServer(data_dir) as server:
        key = raw(server).must("CreateKey")["KeyMetadata"]["KeyId"]
        start, end = KEYS.rows("")
        old.update(server.store.backend.scan(start, end, None))
        raw(server).must("DisableKey", {"KeyId": key})
    edit(data_dir, lambda _rows: old)
    with RunningServer(data_dir) as server:
        answer = raw(server).call("Encrypt", {"KeyId": key, "Plaintext": "YQ=="})
        assert answer.error() == (500, "KMSInternalException")


def test_a_database_that_was_put_back_whole_is_not_served(tmp_path: Path) -> None:
    data_dir, copy = tmp_path / "data", tmp_path / "copy"
    with RunningServer(data_dir) as server:
        key = raw(server).must("CreateKey")["KeyMetadata"]["KeyId"]
    shutil.copytree(data_dir, copy)
    with RunningServer(data_dir) as server:
        raw(server).must("DisableKey", {"KeyId": key})
    for path in data_dir.glob("store.db*"):
        path.unlink()
    for path in copy.glob("store.db*"):
        shutil.copy(path, data_dir)
    with pytest.raises(OperatorError, match="put back"), RunningServer(data_dir):
        raise AssertionError("served an old database")


def test_a_record_changed_under_a_running_server_is_not_served_after_the_next_look(deployment) -> None:
    """What is held in memory stays right; what is read again is checked again."""
    data_dir, keys, blob = deployment
    with RunningServer(data_dir) as server:
        client = raw(server)
        assert client.must("Decrypt", {"CiphertextBlob": blob})["Plaintext"] == "YQ=="
        edit(data_dir, lambda rows: flipped(rows, keys, b"key"))
        answer = client.call("Decrypt", {"CiphertextBlob": blob})
        assert answer.status in {200, 500}
        if answer.status == 200:
            assert answer.document["Plaintext"] == "YQ=="


def test_a_cut_off_database_is_not_served(deployment) -> None:
    data_dir, _, _ = deployment
    path = data_dir / app.STORE
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(OperatorError), RunningServer(data_dir):
        raise AssertionError("served half a database")


def test_another_seal_key_opens_nothing(deployment) -> None:
    data_dir, _, _ = deployment
    key = data_dir / "seal.key"
    data = bytearray(key.read_bytes())
    data[0] ^= 1
    key.write_bytes(data)
    with pytest.raises(OperatorError), RunningServer(data_dir):
        raise AssertionError("opened with another key")


def test_a_changed_journal_is_told_from_a_crash(deployment) -> None:
    data_dir, _, _ = deployment
    segment = min((data_dir / "journal" / app.WORKER).glob("*.seg"))
    data = bytearray(segment.read_bytes())
    at = data.index(b'"eventName":"CreateKey"')
    data[at + 14] ^= 1
    segment.write_bytes(data)
    with pytest.raises(OperatorError, match="chain is broken"), RunningServer(data_dir):
        raise AssertionError("started on changed evidence")
