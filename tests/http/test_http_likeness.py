"""Requests like the one before on their connection: order, limits and ends are those of any other."""

from __future__ import annotations

import json
import socket

import pytest
from structlog.testing import capture_logs

from keystead.wire.http import Response


def post(target: str, body: str = "") -> bytes:
    lines = f"POST {target} HTTP/1.1", "Host: x", "X-Amz-Target: A.B", f"Content-Length: {len(body)}"
    return "\r\n".join([*lines, "", body]).encode()


def used_to(running, target: str, **options):
    """A client of a running server that has sent such requests, so that the next one is like them."""
    client = running.client(**options).send(post(target))
    if target == "/hold":
        running.until(lambda: running.held)
        running.release()
    client.answer()
    (connection,) = (each for each in running.server._door.connections if each._reader.likeness is not None)
    running.seen.clear()
    return client, connection


def held(running, client) -> None:
    client.send(post("/hold"))
    running.until_phase("HANDLING")


def test_they_are_answered_again_and_again(running) -> None:
    client, connection = used_to(running.start(), "/echo")
    likeness = connection._reader.likeness
    for body in ("one", "", "two\r\n\r\n", "x" * 5000):
        assert json.loads(client.send(post("/echo", body)).answer()[2]) == ["POST", "/echo", body]
    assert connection._reader.likeness is likeness
    assert running.seen[0].peer == "127.0.0.1"
    assert running.seen[0].headers == {"host": "x", "x-amz-target": "A.B", "content-length": "3"}


def test_others_between_them_are_answered_too(running) -> None:
    client, _ = used_to(running.start(), "/echo")
    for target, body in [
        ("/echo", "a"),
        ("/other", "b"),
        ("/echo", "x" * 20_000),
        ("/echo", "c"),
        ("/echo", "d"),
    ]:
        assert json.loads(client.send(post(target, body)).answer()[2]) == ["POST", target, body]
    client.send(post("/echo", "e") + post("/echo", "f")).send(post("/echo", "g"))
    assert [json.loads(client.answer()[2])[2] for _ in range(3)] == ["e", "f", "g"]


def test_what_comes_meanwhile_waits(running) -> None:
    client, _ = used_to(running.start(), "/hold")
    held(running, client)
    client.send(post("/echo", "b") + post("/hold"))
    running.until(lambda: next(iter(running.server._door.connections))._backlog)
    assert len(running.seen) == 1
    running.release(b"a")
    assert client.answer()[2] == b"a"
    assert json.loads(client.answer()[2])[2] == "b"
    running.until(lambda: running.held)
    running.release(b"c")
    assert client.answer()[2] == b"c"


def test_only_the_first_answer_counts(running) -> None:
    client, _ = used_to(running.start(), "/hold")
    held(running, client)
    _, done = running.held[0]
    running.release(b"first")
    assert client.answer()[2] == b"first"
    held(running, client)
    running.on_loop(lambda: done(Response(200, (), b"again")))
    running.release(b"second")
    assert client.answer()[2] == b"second"


def test_an_answer_to_a_lost_client_is_dropped(running) -> None:
    client, _ = used_to(running.start(), "/hold")
    held(running, client)
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client.close()
    running.until(lambda: running.server.connections == 0)
    running.release()
    assert running.is_well()


def test_a_half_closed_connection_gets_its_answer(running) -> None:
    client, _ = used_to(running.start(), "/hold")
    held(running, client)
    client.sock.shutdown(socket.SHUT_WR)
    running.until(lambda: next(iter(running.server._door.connections))._eof)
    running.release(b"last")
    assert client.answer()[2] == b"last"
    assert client.closed()


def test_the_last_answer_of_a_draining_server_says_so(running) -> None:
    client, _ = used_to(running.start(), "/hold")
    held(running, client)
    future = running.on_loop(lambda: running.loop.create_task(running.server.drain(20)))
    running.until(lambda: running.server._door.draining)
    running.release()
    assert client.answer()[1]["connection"] == "close"
    assert client.closed()
    running.until(future.done)
    assert running.on_loop(future.result) == 0


def test_a_handler_that_fails_is_a_500(running) -> None:
    client, _ = used_to(running.start(), "/hold")
    held(running, client)
    _, done = running.held[0]
    with capture_logs() as logs:
        running.on_loop(lambda: done(Response(200, (("X-A", "b\r\nX-C: d"),), b"")))
        status, headers, _ = client.answer()
        assert client.closed()
    assert (status, headers["connection"]) == (500, "close")
    assert len(logs) == 1


def test_time_runs_only_between_them(running) -> None:
    client, _ = used_to(running.start(), "/hold")
    running.advance(74)
    held(running, client)
    running.advance(100_000)
    running.release()
    assert client.answer()[2] == b"held"
    running.advance(74)
    assert running.phases() == ["IDLE"]
    running.advance(1)
    assert client.closed()


def test_a_client_that_reads_late_gets_everything(running) -> None:
    client, connection = used_to(running.start(), "/big", SO_RCVBUF=4096)
    for _ in range(2):
        client.send(post("/big"))
        running.until_phase("WRITING")
        assert connection._full
        assert len(client.answer()[2]) == 8 * 1024 * 1024


def test_a_client_that_does_not_read_is_cut(running) -> None:
    client, _ = used_to(running.start(), "/big", SO_RCVBUF=4096)
    client.send(post("/big"))
    running.until_phase("WRITING")
    running.advance(31)
    running.until(lambda: running.server.connections == 0)


@pytest.mark.parametrize("rest", [b"P", b"POST /echo HTTP/1.1\r\n", b"POST / HTTP/1.1\r\nA : x\r\n\r\n"])
def test_what_follows_one_in_the_same_piece_is_judged(running, rest: bytes) -> None:
    client, _ = used_to(running.start(), "/echo")
    client.send(post("/echo", "a") + rest)
    assert json.loads(client.answer()[2])[2] == "a"
    running.until_phase("HEADERS" if b":" not in rest else "LINGERING")
    running.advance(31)
    if b":" not in rest:
        assert client.answer()[0] == 408
