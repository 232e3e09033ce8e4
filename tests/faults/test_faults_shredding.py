"""Deleted means destroyed: no file holds a piece of what was stored of the material, and nothing uses it again."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from canaries import files
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import load_der_public_key
from signed_http import Client

from keystead.keyring.keyring import MATERIALS
from keystead.services.kms.tables import KEYS
from keystead.testing import RunningServer

DAY = 86_400
PIECE = 16  # bytes: whatever is left of a sealed value shows in a piece of this size


def sealed_rows(server: RunningServer, key_id: str) -> list[bytes]:
    """The stored bytes of all material of a key: records of its own, and the key's, which has the newest."""
    return [
        value
        for table in (MATERIALS, KEYS)
        for place, value in server.store.backend.scan(*table.rows(""), None)
        if key_id.encode() in place
    ]


def pieces_left(data_dir: Path, sealed: list[bytes]) -> list[str]:
    pieces = {
        value[at : at + PIECE] for value in sealed for at in range(0, len(value) - PIECE + 1, PIECE // 2)
    }
    assert pieces
    found = []
    for path in files([data_dir]):
        try:
            data = path.read_bytes().rstrip(b"\0")  # a journal's segments are zeros mostly
        except FileNotFoundError:  # the log's tiles are replaced meanwhile
            continue
        found += [path.name for piece in pieces if piece in data]
    return found


def call(server: RunningServer, operation: str, **members) -> dict:
    return Client(server.port, server.access_key_id, server.secret_access_key).must(operation, members)


@pytest.mark.parametrize("spec", ["SYMMETRIC_DEFAULT", "RSA_2048", "HMAC_256"])
def test_a_due_deletion_leaves_no_piece_of_the_material(tmp_path: Path, spec: str) -> None:
    usage = {
        "SYMMETRIC_DEFAULT": "ENCRYPT_DECRYPT",
        "RSA_2048": "SIGN_VERIFY",
        "HMAC_256": "GENERATE_VERIFY_MAC",
    }
    with RunningServer(tmp_path) as server:
        kept = call(server, "CreateKey")["KeyMetadata"]["KeyId"]
        blob = call(server, "Encrypt", KeyId=kept, Plaintext="YQ==")["CiphertextBlob"]
        doomed = call(server, "CreateKey", KeySpec=spec, KeyUsage=usage[spec])["KeyMetadata"]["KeyId"]
        sealed = sealed_rows(server, doomed)
        for number in range(40):  # rows come and go around it, so that pages split and merge
            call(server, "CreateKey", Description=str(number))
        if spec == "SYMMETRIC_DEFAULT":
            for _ in range(3):
                call(server, "RotateKeyOnDemand", KeyId=doomed)
            sealed += sealed_rows(server, doomed)
        assert pieces_left(tmp_path, sealed)  # the search would find it
        call(server, "ScheduleKeyDeletion", KeyId=doomed, PendingWindowInDays=7)
        sealed += sealed_rows(server, doomed)
        server.advance(7 * DAY - 60)
        assert sealed_rows(server, doomed)
        assert pieces_left(tmp_path, sealed)
        server.advance(25 * 3600)
        assert sealed_rows(server, doomed) == []
        assert pieces_left(tmp_path, sealed) == []
        assert call(server, "Decrypt", CiphertextBlob=blob)["Plaintext"] == "YQ=="
    assert pieces_left(tmp_path, sealed) == []
    with RunningServer(tmp_path) as server:
        client = Client(server.port, server.access_key_id, server.secret_access_key)
        assert client.call("DescribeKey", {"KeyId": doomed}).code == "NotFoundException"
        assert call(server, "Decrypt", CiphertextBlob=blob)["Plaintext"] == "YQ=="
    assert pieces_left(tmp_path, sealed) == []


def test_what_was_encrypted_under_a_deleted_key_is_lost(tmp_path: Path) -> None:
    with RunningServer(tmp_path) as server:
        doomed = call(server, "CreateKey")["KeyMetadata"]["KeyId"]
        blob = call(server, "Encrypt", KeyId=doomed, Plaintext="YQ==")["CiphertextBlob"]
        call(server, "ScheduleKeyDeletion", KeyId=doomed, PendingWindowInDays=7)
        client = Client(server.port, server.access_key_id, server.secret_access_key)
        assert client.call("Decrypt", {"CiphertextBlob": blob}).code == "KMSInvalidStateException"
        server.advance(9 * DAY)
        assert client.call("Decrypt", {"CiphertextBlob": blob}).code == "InvalidCiphertextException"
        assert client.call("Decrypt", {"CiphertextBlob": blob, "KeyId": doomed}).code == "NotFoundException"


def test_a_deletion_that_fell_due_while_the_server_was_down_is_carried_out(tmp_path: Path) -> None:
    with RunningServer(tmp_path) as server:
        doomed = call(server, "CreateKey")["KeyMetadata"]["KeyId"]
        sealed = sealed_rows(server, doomed)
        call(server, "ScheduleKeyDeletion", KeyId=doomed, PendingWindowInDays=7)
        clock = server.clock
    clock.advance(30 * DAY)
    with RunningServer(tmp_path, clock=clock) as server:
        server.advance(0)
        assert pieces_left(tmp_path, sealed) == []


def test_deleted_imported_material_leaves_no_piece(tmp_path: Path) -> None:
    with RunningServer(tmp_path) as server:
        key = call(server, "CreateKey", Origin="EXTERNAL")["KeyMetadata"]["KeyId"]
        parameters = call(
            server,
            "GetParametersForImport",
            KeyId=key,
            WrappingAlgorithm="RSAES_OAEP_SHA_256",
            WrappingKeySpec="RSA_2048",
        )
        public = load_der_public_key(base64.b64decode(parameters["PublicKey"]))
        oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
        call(
            server,
            "ImportKeyMaterial",
            KeyId=key,
            ImportToken=parameters["ImportToken"],
            ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE",
            EncryptedKeyMaterial=base64.b64encode(public.encrypt(bytes(range(32)), oaep)).decode(),
        )
        sealed = sealed_rows(server, key)
        assert pieces_left(tmp_path, sealed)
        call(server, "DeleteImportedKeyMaterial", KeyId=key)
        server.advance(1)
        assert pieces_left(tmp_path, sealed) == []
