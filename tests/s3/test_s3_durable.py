"""What was answered is there after a restart, and no file holds a byte of it in plain."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from canaries import files

from keystead.testing.server import RunningServer

CONFIG = Config(retries={"total_max_attempts": 1})


def client(server: RunningServer) -> Any:
    return server.client_of(server.root(), "s3", config=CONFIG)


def test_objects_outlive_a_restart_and_are_ciphertext_only(tmp_path: Path) -> None:
    canary = b"canary-" + os.urandom(12).hex().encode()
    bodies = {"own": canary * 10, "kms": canary * 100_000, "dsse": canary * 20_000}
    modes = {"own": "AES256", "kms": "aws:kms", "dsse": "aws:kms:dsse"}
    with RunningServer(tmp_path) as server:
        s3 = client(server)
        s3.create_bucket(Bucket="kept")
        for name, body in bodies.items():
            s3.put_object(Bucket="kept", Key=name, Body=body, ServerSideEncryption=modes[name])
        root = server.credential()
    found = list(files([tmp_path]))
    assert sum(path.stat().st_size for path in found) > sum(map(len, bodies.values()))
    for path in found:
        assert canary not in path.read_bytes(), path
    with RunningServer(tmp_path) as again:
        again._credentials[root.account] = root
        s3 = client(again)
        for name, body in bodies.items():
            assert s3.get_object(Bucket="kept", Key=name)["Body"].read() == body


def test_a_blob_that_was_changed_or_swapped_is_not_served(tmp_path: Path) -> None:
    with RunningServer(tmp_path, inline_objects=0) as server:
        s3 = client(server)
        s3.create_bucket(Bucket="kept")
        blobs: dict[str, Path] = {}
        for name in ("a", "b"):
            before = set((tmp_path / "objects").rglob("*"))
            s3.put_object(Bucket="kept", Key=name, Body=name.encode() * 1000)
            (blobs[name],) = [p for p in set((tmp_path / "objects").rglob("*")) - before if p.is_file()]
        original = blobs["a"].read_bytes()
        broken = (
            original[:-1] + bytes([original[-1] ^ 1]),
            original[:-1],
            blobs["b"].read_bytes(),
            b"",
        )
        for content in broken:
            blobs["a"].chmod(0o600)
            blobs["a"].write_bytes(content)
            with pytest.raises(ClientError) as caught:
                s3.get_object(Bucket="kept", Key="a")
            assert caught.value.response["Error"]["Code"] == "InternalError"
        blobs["a"].write_bytes(original)
        assert s3.get_object(Bucket="kept", Key="a")["Body"].read() == b"a" * 1000
