"""The door on a real socket, on both event loops: order, keep-alive, errors, drain."""

from __future__ import annotations

import json
import socket
import ssl
import uuid

import pytest
from structlog.testing import capture_logs

from keystead.http import Limits
from keystead.http.peer import address_of
from keystead.wire.http import Response

HELLO = b"GET /echo HTTP/1.1\r\nHost: x\r\n\r\n"


def flood(sock: socket.socket) -> None:
    """Send until it would block."""
    for _ in range(1 << 18):
        sock.send(HELLO * 1000)


def post(target: str, body: bytes, *lines: str) -> bytes:
    head = [f"POST {target} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *lines]
    return "\r\n".join([*head, "", ""]).encode() + body


def test_a_kept_connection_answers_again_and_again(running) -> None:
    client = running.start().client()
    for body in ("one", "two"):
        status, headers, answer = client.send(post("/echo", body.encode())).answer()
        assert status == 200
        assert json.loads(answer) == ["POST", "/echo", body]
        assert set(headers) == {"content-length", "date"}
    assert running.seen[0].peer == "127.0.0.1"
    assert not running.seen[0].secure


def test_byte_by_byte(running) -> None:
    client = running.start().client()
    client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    data = b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    for byte in data:
        client.send(bytes([byte]))
    assert json.loads(client.answer()[2]) == ["POST", "/echo", "abc"]


def test_pipelined_requests_are_answered_in_order(running) -> None:
    client = running.start().client()
    client.send(b"".join(post(f"/{i}", b"") for i in range(1500)))
    assert [json.loads(client.answer()[2])[1] for _ in range(1500)] == [f"/{i}" for i in range(1500)]


def test_a_later_request_waits_for_the_answer_to_an_earlier_one(running) -> None:
    client = running.start().client()
    client.send(post("/hold", b"") + HELLO)
    running.until_phase("HANDLING")
    client.send(HELLO * 2)
    running.until(lambda: len(running.held) == 1)
    assert len(running.seen) == 1
    running.release()
    assert client.answer()[2] == b"held"
    assert [client.answer()[0] for _ in range(3)] == [200, 200, 200]
    assert len(running.seen) == 4


def test_reading_stops_while_a_request_is_handled(running) -> None:
    client = running.start().client()
    client.send(post("/hold", b""))
    running.until_phase("HANDLING")
    client.sock.setblocking(False)
    with pytest.raises(BlockingIOError):
        flood(client.sock)
    (connection,) = running.server._door.connections
    assert len(connection._backlog) <= 1 << 20
    assert len(running.seen) == 1


def test_only_the_first_answer_counts(running) -> None:
    client = running.start().client()
    client.send(post("/hold", b"") + post("/hold", b""))
    running.until_phase("HANDLING")
    _, done = running.held[0]
    running.release(b"first")
    running.until(lambda: len(running.held) == 1)
    running.on_loop(lambda: done(Response(200, (), b"again")))
    running.release(b"second")
    assert [client.answer()[2], client.answer()[2]] == [b"first", b"second"]


def test_an_answer_to_a_lost_client_is_dropped(running) -> None:
    client = running.start().client(SO_KEEPALIVE=1)
    client.send(post("/hold", b""))
    running.until_phase("HANDLING")
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client.close()
    running.until(lambda: running.server.connections == 0)
    running.release()
    assert running.is_well()


def test_http_1_0(running) -> None:
    running.start()
    client = running.client().send(b"GET /echo HTTP/1.0\r\n\r\n")
    assert client.answer()[1]["connection"] == "close"
    assert client.closed()
    client = running.client()
    for _ in range(2):
        client.send(b"GET /echo HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert client.answer()[1]["connection"] == "keep-alive"


def test_connection_close_is_granted(running) -> None:
    client = running.start().client().send(post("/echo", b"a", "Connection: close"))
    assert client.answer()[1]["connection"] == "close"
    assert client.closed()


def test_head_has_no_body(running) -> None:
    client = running.start().client().send(b"HEAD /echo HTTP/1.1\r\nHost: x\r\n\r\n")
    assert int(client.answer(bodiless=True)[1]["content-length"]) > 0
    assert client.send(HELLO).answer()[0] == 200


def test_expect_100_continue(running) -> None:
    client = running.start().client()
    client.send(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
    assert client.answer()[0] == 100
    assert client.send(b"ab").answer()[0] == 200


@pytest.mark.parametrize("before", [b"", HELLO])
def test_who_expects_100_continue_hears_it_before_an_empty_body_too(running, before) -> None:
    client = running.start().client()
    empty = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nExpect: 100-continue\r\n\r\n"
    client.send(before + empty + empty + HELLO)
    told = [client.answer()[0] for _ in range(5 + bool(before))]
    assert told == [200] * bool(before) + [100, 200, 100, 200, 200]


def test_100_continue_waits_for_earlier_answers(running) -> None:
    client = running.start().client()
    expecting = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
    client.send(post("/hold", b"") + expecting)
    running.until_phase("HANDLING")
    running.release()
    assert [client.answer()[0], client.answer()[0]] == [200, 100]
    assert client.send(b"ab").answer()[0] == 200


def test_a_refused_expectation_is_answered_at_once(running) -> None:
    client = running.start(Limits(max_body=1)).client()
    client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
    assert client.answer()[0] == 413


def test_a_refusal_has_the_form_of_an_aws_error(running) -> None:
    client = running.start().client().send(b"GET / HTTP/1.1\r\n\r\n")
    status, headers, body = client.answer()
    assert status == 400
    assert headers["content-type"] == "application/x-amz-json-1.1"
    assert headers["connection"] == "close"
    assert uuid.UUID(headers["x-amzn-requestid"])
    assert json.loads(body) == {
        "__type": "MalformedHttpRequestException",
        "message": "The request needs exactly one valid Host header.",
    }
    assert client.closed()


@pytest.mark.parametrize("target", ["/fail", "/split"])
def test_a_failing_handler_is_a_500_that_tells_nothing(running, target: str) -> None:
    running.start()
    with capture_logs() as logs:
        client = running.client().send(post(target, b"hunter2", "X-Token: hunter2"))
        status, headers, body = client.answer()
        assert client.closed()
    assert status == 500
    assert json.loads(body)["__type"] == "InternalFailure"
    (line,) = [line for line in logs if line["event"] == "request handler failed"]
    assert line["error"] in {"RuntimeError", "ValueError"}
    assert line["request_id"] == headers["x-amzn-requestid"]
    assert "hunter2" not in str(logs) + body.decode()
    assert running.is_well()


def test_an_answer_that_cannot_be_written_is_a_500(running) -> None:
    with capture_logs() as logs:
        client = running.start().client().send(post("/hold", b""))
        running.until_phase("HANDLING")
        _, done = running.held.pop()
        running.on_loop(lambda: done(Response(200, (("X-A", "b"),), None)))
        assert client.answer()[0] == 500
        assert client.closed()
    assert [line["error"] for line in logs] == ["TypeError"]


def test_a_handler_that_fails_after_its_answer_ends_the_connection(running) -> None:
    def handle(request, done) -> None:
        done(Response(200, (), b"answered"))
        raise RuntimeError

    running.handle = handle
    with capture_logs() as logs:
        client = running.start().client().send(HELLO)
        assert client.answer()[2] == b"answered"
        assert client.closed()
    assert len(logs) == 1


def test_half_close_still_gets_every_answer(running) -> None:
    client = running.start().client()
    client.send(post("/hold", b"") + HELLO * 600)
    client.sock.shutdown(socket.SHUT_WR)
    running.until(lambda: running.held)
    running.release()
    assert client.rest().count(b"HTTP/1.1 200 OK") == 601


def test_half_close_within_a_request_closes(running) -> None:
    client = running.start().client().send(b"POST / HTTP/1.1\r\nHo")
    client.sock.shutdown(socket.SHUT_WR)
    assert client.closed()
    running.until(lambda: running.server.connections == 0)


def test_drain_finishes_what_runs_and_closes_what_idles(running) -> None:
    running.start()
    idle, busy, half = running.client().send(HELLO), running.client(), running.client()
    idle.answer()
    busy.send(post("/hold", b"") + HELLO)
    half.send(b"GET /echo HTTP/1.1\r\nHo")
    running.until_phase("IDLE", "HANDLING", "HEADERS")
    future = running.on_loop(lambda: running.loop.create_task(running.server.drain(20)))
    assert idle.closed()
    half.send(b"st: x\r\n\r\n")
    assert half.answer()[1]["connection"] == "close"
    assert half.closed()
    running.release()
    assert busy.answer()[1]["connection"] == "close"
    assert busy.closed()
    running.until(future.done)
    assert running.on_loop(future.result) == 0
    with pytest.raises(ConnectionRefusedError):
        running.client()


def test_drain_does_not_wait_for_ever(running) -> None:
    running.start()
    stuck = running.client().send(post("/hold", b""))
    running.until_phase("HANDLING")
    idle = running.client().send(HELLO)
    idle.answer()
    assert running.wait(running.server.drain(0)) == 1
    assert running.server.sockets == ()
    assert idle.closed()
    assert stuck.closed()
    running.release()


def test_many_drains_are_one(running) -> None:
    running.start()
    assert running.wait(running.server.drain(1)) == 0
    assert running.wait(running.server.drain(1)) == 0


def test_accepted_sockets_do_not_delay_small_answers(running) -> None:
    client = running.start().client().send(HELLO)
    client.answer()
    (connection,) = running.server._door.connections
    sock = connection._transport.get_extra_info("socket")
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_two_servers_share_a_port(running) -> None:
    running.start(reuse_port=True)
    first = running.server
    running.start(reuse_port=True, port=first.port)
    assert running.server.port == first.port
    assert running.is_well()
    running.wait(first.drain(0))


def test_a_socket_may_be_given(running, tmp_path) -> None:
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(tmp_path / "door"))
    running.start(sock=sock)
    assert running.server.port == 0
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(300)
        client.connect(str(tmp_path / "door"))
        client.sendall(HELLO)
        assert client.recv(12) == b"HTTP/1.1 200"
    assert running.seen[0].peer == ""


@pytest.mark.parametrize(
    ("peername", "text"),
    [
        (("192.0.2.1", 5), "192.0.2.1"),
        (("::ffff:192.0.2.1", 5, 0, 0), "192.0.2.1"),
        (("fe80::1%eth0", 5, 0, 2), "fe80::1"),
        (("2001:DB8:0::1", 5, 0, 0), "2001:db8::1"),
        ("", ""),
        (None, ""),
    ],
)
def test_peer_addresses_have_one_form(peername, text: str) -> None:
    assert address_of(peername) == text


def secured(running, context: ssl.SSLContext):
    client = running.client()
    client.file.close()
    client.sock = context.wrap_socket(client.sock, server_hostname="localhost")
    client.file = client.sock.makefile("rb")
    return client


def test_tls(running, tls_contexts) -> None:
    running.start(Limits(max_body=1000), tls=tls_contexts[0])
    client = secured(running, tls_contexts[1])
    assert client.send(post("/echo", b"a")).answer()[0] == 200
    assert client.send(post("/echo", b"b")).answer()[0] == 200
    assert running.seen[0].secure
    assert client.send(post("/echo", b"c" * 1001)).answer()[0] == 413
    client.close()
    client = secured(running, tls_contexts[1]).send(post("/echo", b"a", "Connection: close"))
    assert client.answer()[0] == 200
    assert client.closed()
    client.close()
    client = secured(running, tls_contexts[1]).send(post("/hold", b""))
    running.until(lambda: running.held)
    client.close()
    running.until(lambda: running.server.connections == 0)
    running.release()


def test_plain_bytes_on_a_tls_port_do_no_harm(running, tls_contexts) -> None:
    running.start(tls=tls_contexts[0])
    client = running.client().send(HELLO)
    client.rest()
    assert secured(running, tls_contexts[1]).send(HELLO).answer()[0] == 200
