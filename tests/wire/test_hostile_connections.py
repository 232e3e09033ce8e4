"""Clients that are slow, half gone or very many; the door's own time limits are tested with its own clock."""

from __future__ import annotations

import resource
import socket
from collections.abc import Iterator

import pytest
from signed_http import read_answer

pytestmark = pytest.mark.usefixtures("unchanged")
CROWD = 3000


@pytest.fixture
def many_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = 2 * CROWD + 500
    if hard < needed:
        pytest.skip(f"the process may not open {needed} files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, needed), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def open_many(raw, count: int, first_bytes: bytes = b"") -> list[socket.socket]:
    crowd = []
    for _ in range(count):
        sock = raw.connect()
        if first_bytes:
            sock.sendall(first_bytes)
        crowd.append(sock)
    return crowd


@pytest.mark.parametrize(
    "first_bytes",
    [
        b"",
        b"POST",
        b"POST / HTTP/1.1\r\nHost: a\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{",
    ],
    ids=["silent", "in the method", "in the headers", "in the body"],
)
def test_thousands_that_say_nothing_or_half_a_thing_do_not_stop_the_others(
    many_files, raw, key_id, first_bytes
):
    crowd = open_many(raw, CROWD, first_bytes)
    try:
        for _ in range(20):
            assert raw.must("DescribeKey", {"KeyId": key_id})
    finally:
        for sock in crowd:
            sock.close()
    assert raw.must("DescribeKey", {"KeyId": key_id})


def test_a_client_that_leaves_in_the_middle_changes_nothing(raw):
    text = raw.prepare("CreateKey", {"Description": "never whole"}).raw()
    for length in range(1, len(text), 7):
        with raw.connect() as sock:
            sock.sendall(text[:length])


def test_a_client_that_sends_byte_by_byte_is_answered(raw, key_id):
    with raw.connect() as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in raw.prepare("DescribeKey", {"KeyId": key_id}).raw():
            sock.sendall(bytes([byte]))
        assert read_answer(sock).status == 200


def test_a_client_that_shuts_its_half_after_the_request_is_answered(raw, key_id):
    with raw.connect() as sock:
        sock.sendall(raw.prepare("DescribeKey", {"KeyId": key_id}).raw())
        sock.shutdown(socket.SHUT_WR)
        assert read_answer(sock).status == 200


def test_clients_that_do_not_wait_for_their_answer_do_no_harm(raw, key_id):
    for _ in range(200):
        with raw.connect() as sock:
            sock.sendall(raw.prepare("GenerateDataKey", {"KeyId": key_id, "KeySpec": "AES_256"}).raw())
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # reset, not end
    assert raw.must("DescribeKey", {"KeyId": key_id})


def test_requests_sent_ahead_are_answered_in_their_order(raw, key_id):
    operations = ["DescribeKey", "GenerateRandom", "ListKeys"] * 20
    bodies = {"DescribeKey": {"KeyId": key_id}, "GenerateRandom": {"NumberOfBytes": 1}, "ListKeys": {}}
    marks = {"DescribeKey": "KeyMetadata", "GenerateRandom": "Plaintext", "ListKeys": "Keys"}
    with raw.connect() as sock:
        sock.sendall(b"".join(raw.prepare(name, bodies[name]).raw() for name in operations))
        for name in operations:
            assert marks[name] in read_one(sock)


def read_one(sock: socket.socket) -> str:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += sock.recv(1)
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    body = b""
    while len(body) < length:
        body += sock.recv(length - len(body))
    return body.decode()


@pytest.mark.parametrize(
    "text",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
        b"\0" * 1000,
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET http://169.254.169.254/ HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n",
        b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 2000 + b"\r\n",
        b"POST /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST / HTTP/1.1\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 200-ok\r\nContent-Length: 1\r\n\r\n",
    ],
)
def test_what_is_not_http_gets_a_4xx_or_a_close(raw, text):
    with raw.connect() as sock:
        try:
            sock.sendall(text)
            sock.shutdown(socket.SHUT_WR)
            first = sock.recv(64)
        except OSError:
            first = b""
    assert first == b"" or first.startswith((b"HTTP/1.1 4", b"HTTP/1.1 5"))
    assert b" 200 " not in first
    assert b" 500 " not in first


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_needs_no_signature_and_tells_no_secret(server, path):
    from signed_http import get

    answer = get(server.port, path)
    assert answer.status == 200
    assert server.secret_access_key.encode() not in answer.body
    assert server.access_key_id.encode() not in answer.body


@pytest.mark.parametrize("path", ["/", "/dev/clock", "/console", "/metrics/x", "/healthz/x", "/.git/config"])
def test_nothing_else_answers_without_authentication(server, path):
    from signed_http import get

    assert get(server.port, path).status >= 400


def test_the_clock_is_moved_by_root_only(raw):
    body = b'{"advance_seconds": 86400}'
    unsigned = raw.prepare(None, body, target="/dev/clock").with_header("Authorization", None)
    before = raw.now()
    assert raw.send(unsigned).status >= 400
    forged = raw.other(secret="guessed").prepare(None, body, target="/dev/clock")
    assert raw.send(forged).status >= 400
    unknown = raw.other(access_key_id="AKIANOBODY").prepare(None, body, target="/dev/clock")
    assert raw.send(unknown).status >= 400
    assert raw.now() - before < 3600
