"""Small requests are served on the event loop, and what would wait there goes to a thread."""

from __future__ import annotations

import contextlib
import http.client
import threading
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.config import Config

from keystead.api.waiting import Home, WouldWaitError, is_brief
from keystead.app.pools import BODIES_EACH
from keystead.testing.server import RunningServer

MOST = 65_536


@pytest.mark.parametrize(
    ("method", "headers", "brief"),
    [
        ("GET", {}, True),
        ("HEAD", {}, True),
        ("DELETE", {"content-length": "0"}, True),
        ("GET", {"content-length": "1"}, False),
        ("PUT", {}, True),
        ("PUT", {"content-length": str(MOST)}, True),
        ("PUT", {"content-length": str(MOST + 1)}, False),
        ("PUT", {"content-length": "9" * 30}, False),
        ("PUT", {"content-length": "1", "expect": "100-continue"}, False),
        ("PUT", {"transfer-encoding": "chunked"}, False),
        ("POST", {"content-length": "1"}, False),
    ],
)
def test_what_is_brief(method: str, headers: dict[str, str], brief: bool) -> None:
    assert is_brief(method, headers, MOST) is brief


def test_only_the_thread_that_is_home_may_not_wait() -> None:
    home, left = Home(), []
    with pytest.raises(WouldWaitError):
        home.leave()
    other = threading.Thread(target=lambda: left.append(home.leave()))
    other.start()
    other.join()
    assert left == [None]


@pytest.fixture
def signing(server: RunningServer) -> Any:
    """A client that signs URLs."""
    return server.client("s3", config=Config(signature_version="s3v4", s3={"addressing_style": "path"}))


@pytest.fixture
def crowded(signing: Any, bucket: str) -> Any:
    """As many uploads of one caller as it has threads for, none of which gets on."""
    url = urlsplit(signing.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "slow"}))
    held = []
    for _ in range(BODIES_EACH):
        connection = http.client.HTTPConnection(str(url.hostname), url.port, timeout=60)
        connection.putrequest("PUT", f"{url.path}?{url.query}")
        connection.putheader("Content-Length", str(1 << 20))
        connection.endheaders()
        held.append(connection)
    yield held
    for connection in held:
        connection.close()


def call(signing: Any, operation: str, bucket: str, key: str, body: bytes = b"") -> bytes:
    """The answer's body; the request is sent without waiting for a word before its body."""
    url = urlsplit(signing.generate_presigned_url(operation, Params={"Bucket": bucket, "Key": key}))
    method = operation.partition("_")[0].upper()
    with contextlib.closing(
        http.client.HTTPConnection(str(url.hostname), url.port, timeout=60)
    ) as connection:
        connection.request(method, f"{url.path}?{url.query}", body or None)
        answer = connection.getresponse()
        read = answer.read()
    assert answer.status in {200, 204}, read
    return read


def test_small_objects_do_not_wait_for_slow_uploads(signing: Any, bucket: str, crowded: Any) -> None:
    assert len(crowded) == BODIES_EACH
    call(signing, "put_object", bucket, "k", b"small")
    assert call(signing, "get_object", bucket, "k") == b"small"
    call(signing, "delete_object", bucket, "k")


@pytest.mark.parametrize("algorithm", ["aws:kms", "aws:kms:dsse"])
def test_what_asks_kms_is_performed_and_recorded_once(
    server: RunningServer, s3: Any, signing: Any, bucket: str, algorithm: str
) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"small", ServerSideEncryption=algorithm)
    before = len(server.events())
    assert call(signing, "get_object", bucket, "k") == b"small"
    names = [event["eventName"] for event in server.events()[before:]]
    assert sorted(names) == ["Decrypt", "GetObject"]
