"""A server for each module, a bucket for each test."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.config import Config
from evidence import findings

from keystead.testing.server import RunningServer

_numbers = itertools.count()


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with RunningServer() as running:
        yield running
        assert findings(running.data_dir) == ()


@pytest.fixture(scope="module")
def s3(server: RunningServer) -> Any:
    return client(server)


def client(server: RunningServer, person: Any = None, **options: Any) -> Any:
    options.setdefault("config", Config(retries={"total_max_attempts": 1}))
    return server.client_of(person or server.root(), "s3", **options)


@pytest.fixture
def bucket(s3: Any) -> str:
    name = f"bucket-{next(_numbers)}"
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture
def made(server: RunningServer) -> Any:
    """What makes clients of somebody else."""
    return lambda person=None, **options: client(server, person, **options)


@pytest.fixture
def kept(s3: Any, bucket: str) -> str:
    """The name of a bucket with the object `k`."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"hello")
    return bucket
