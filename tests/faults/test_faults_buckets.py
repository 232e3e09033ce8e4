"""A server that is killed while clients put objects: what was acknowledged is there, whole, and nothing is torn."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from dev_process import ACCESS_KEY_ID, SECRET, DevServer

SIZES = (100, 60_000, 100_000)
"""Two that are kept with their records, and one that is a blob."""
CLIENTS = 3
ROUNDS = 3
ENOUGH = 40
"""Acknowledged puts after which the server is killed."""


def client(server: DevServer) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{server.port}",
        region_name="us-east-1",
        aws_access_key_id=ACCESS_KEY_ID,
        aws_secret_access_key=SECRET,
        config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
    )


def content(key: str, number: int, size: int) -> bytes:
    return f"{key} {number} ".encode().ljust(size, b".")


class Writer(threading.Thread):
    """Puts its keys again and again; `kept` is what was acknowledged last of each, `tried` what was sent after it."""

    def __init__(self, s3: Any, number: int, count: threading.Semaphore) -> None:
        super().__init__(daemon=True)
        self._s3, self._number, self._count = s3, number, count
        self.kept: dict[str, bytes] = {}
        self.tried: dict[str, bytes] = {}

    def run(self) -> None:
        with suppress(BotoCoreError, ClientError, OSError):  # the server is gone
            for number in range(100_000):
                size = SIZES[number % len(SIZES)]
                key = f"{self._number}/{number % 7}"
                self.tried[key] = content(key, number, size)
                self._s3.put_object(
                    Bucket="kept", Key=key, Body=self.tried[key], ServerSideEncryption="aws:kms"
                )
                self.kept[key] = self.tried.pop(key)
                self._count.release()


@pytest.mark.slow
def test_acknowledged_objects_outlive_kills(tmp_path: Path) -> None:
    server = DevServer(tmp_path / "data", tmp_path / "logs").start()
    client(server).create_bucket(Bucket="kept")
    expected: dict[str, set[bytes]] = {}
    acknowledged: set[str] = set()
    for _ in range(ROUNDS):
        count = threading.Semaphore(0)
        writers = [Writer(client(server), number, count) for number in range(CLIENTS)]
        for writer in writers:
            writer.start()
        for _ in range(ENOUGH):
            assert count.acquire(timeout=300)
        server.kill()
        for writer in writers:
            writer.join(300)
            acknowledged |= writer.kept.keys()
            for key, body in writer.kept.items():
                expected[key] = {body}
            for key, body in writer.tried.items():  # sent and not answered: there or not, and never half
                expected.setdefault(key, set()).add(body)
        server.start()
        s3 = client(server)
        there = {entry["Key"] for entry in s3.list_objects_v2(Bucket="kept")["Contents"]}
        assert acknowledged <= there <= expected.keys()
        for key in there:
            assert s3.get_object(Bucket="kept", Key=key)["Body"].read() in expected[key], key
    assert server.stop() == 0
