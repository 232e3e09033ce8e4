"""Clients that are slow, greedy, silent or mad; the clock moves when a test says so."""

from __future__ import annotations

import resource
import socket
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keystead.http import Limits

HELLO = b"GET /echo HTTP/1.1\r\nHost: x\r\n\r\n"


def drink(sock: socket.socket) -> None:
    """Read for ever."""
    while sock.recv(1 << 20):
        pass
    raise EOFError


BIG = b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n"


def test_slow_headers_time_out(running) -> None:
    client = running.start().client().send(b"POST / HTTP/1.1\r\n")
    running.until_phase("HEADERS")
    for _ in range(9):  # a byte a second does not buy time
        running.advance(1)
        client.send(b"A")
    assert running.phases() == ["HEADERS"]
    running.advance(1)
    status, _, body = client.answer()
    assert status == 408
    assert b"RequestTimeoutException" in body


def test_slow_body_times_out(running) -> None:
    client = running.start().client().send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n")
    running.until_phase("BODY")
    for _ in range(29):
        running.advance(1)
        client.send(b"a")
    assert running.phases() == ["BODY"]
    running.advance(1)
    assert client.answer()[0] == 408


def test_a_second_request_has_its_own_time(running) -> None:
    client = running.start().client()
    for _ in range(3):
        client.send(HELLO[:9])
        running.until_phase("HEADERS")
        running.advance(9)
        assert client.send(HELLO[9:]).answer()[0] == 200


def test_a_request_that_follows_another_in_one_piece_is_timed(running) -> None:
    client = running.start().client().send(HELLO + HELLO[:9])
    assert client.answer()[0] == 200
    running.until_phase("HEADERS")
    running.advance(10)
    assert client.answer()[0] == 408


def test_idle_connections_are_closed_without_a_word(running) -> None:
    running.start()
    silent, used = running.client(), running.client().send(HELLO)
    used.answer()
    running.until_phase("IDLE", "IDLE")
    running.advance(74)
    assert running.phases() == ["IDLE", "IDLE"]
    running.advance(1)
    assert silent.closed()
    assert used.closed()


def test_a_request_being_handled_is_not_timed(running) -> None:
    client = running.start().client().send(b"GET /hold HTTP/1.1\r\nHost: x\r\n\r\n")
    running.until_phase("HANDLING")
    running.advance(100_000)
    running.release()
    assert client.answer()[2] == b"held"


def test_a_client_that_does_not_read_is_cut(running) -> None:
    client = running.start().client(SO_RCVBUF=4096).send(BIG * 3)
    running.until_phase("WRITING")
    assert len(running.seen) == 1
    running.advance(29)
    assert running.phases() == ["WRITING"]
    running.advance(1)
    running.until(lambda: running.server.connections == 0)
    with pytest.raises((ConnectionResetError, EOFError)):
        drink(client.sock)


def test_a_client_that_reads_late_gets_everything(running) -> None:
    client = running.start().client(SO_RCVBUF=4096).send(BIG * 2 + HELLO)
    running.until_phase("WRITING")
    assert [len(client.answer()[2]) for _ in range(2)] == [8 << 20, 8 << 20]
    assert client.answer()[0] == 200
    running.until_phase("IDLE")


def test_a_client_that_does_not_read_its_last_answer_is_cut(running) -> None:
    running.start()
    running.client(SO_RCVBUF=4096).send(BIG.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    running.until_phase("CLOSING")
    running.advance(30)
    running.until(lambda: running.server.connections == 0)


def test_a_refused_upload_sees_the_refusal_not_a_reset(running) -> None:
    client = running.start().client()
    client.send(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(64):
        client.send(b"10000\r\n" + bytes(0x10000) + b"\r\n")
    assert client.answer()[0] == 413
    assert client.closed()


def test_a_refused_client_that_stays_is_cut(running) -> None:
    client = running.start().client().send(b"nonsense\r\n\r\n")
    assert client.answer()[0] == 400
    running.until_phase("LINGERING")
    client.send(HELLO)
    running.advance(4)
    assert running.phases() == ["LINGERING"]
    running.advance(1)
    running.until(lambda: running.server.connections == 0)
    assert not running.seen


def test_one_connection_too_many_is_told_so(running) -> None:
    running.start(Limits(max_connections=2))
    kept = [running.client().send(HELLO) for _ in range(2)]
    assert [client.answer()[0] for client in kept] == [200, 200]
    extra = running.client()
    assert extra.answer()[0] == 503
    assert extra.closed()
    kept.pop().close()
    running.until(lambda: running.server.connections == 1)
    assert running.is_well()


def test_http_2_preface_is_refused_cleanly(running) -> None:
    client = running.start().client().send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9))
    assert client.answer()[0] == 400
    assert client.closed()


def test_a_smuggled_request_is_never_handled(running) -> None:
    client = running.start().client()
    client.send(
        b"POST /outer HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"0\r\n\r\nGET /inner HTTP/1.1\r\nHost: x\r\n\r\n"
    )
    assert client.answer()[0] == 400
    assert client.closed()
    assert not running.seen


@pytest.fixture
def many_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 4500:
        pytest.skip("the process may not open so many files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 4500), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_two_thousand_idle_connections(many_files, running) -> None:
    running.start()
    clients = [running.client() for _ in range(2000)]
    running.until(lambda: running.server.connections == 2000)
    assert clients[1000].send(HELLO).answer()[0] == 200
    running.advance(75)
    running.until(lambda: running.server.connections == 0)
    assert clients[1].closed()
    assert running.is_well()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.one_of(
            st.binary(min_size=1, max_size=200),
            st.sampled_from(
                [HELLO, HELLO[:-2], b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n", b"\r\n"]
            ),
        ),
        max_size=6,
    )
)
def test_mad_clients_do_no_harm(running, pieces: list[bytes]) -> None:
    if not hasattr(running, "server"):
        running.start()
    client = running.client()
    try:
        for piece in pieces:
            client.send(piece)
        client.sock.shutdown(socket.SHUT_WR)
        answers = client.rest()
    except OSError:
        answers = b""  # the server had refused and closed already
    assert answers == b"" or answers.startswith(b"HTTP/1.1 ")
    assert running.is_well()
    for used in running.clients:
        used.close()
    running.clients.clear()


def test_large_bodies_of_all_connections_together_are_bounded(running) -> None:
    running.start(Limits(max_body=100_000, max_buffered=140_000))
    half = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 90000\r\n\r\n" + bytes(80_000)
    first = running.client().send(half)
    running.until_phase("BODY")
    running.until(lambda: running.server._door.budget.left <= 70_000)
    second = running.client().send(half)
    assert second.answer()[0] == 503
    assert second.closed()
    assert (
        running.client().send(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc").answer()[0]
        == 200
    )
    assert first.send(bytes(10_000)).answer()[0] == 200
    running.until(lambda: running.server._door.budget.left == 140_000)
    assert running.client().send(half + bytes(10_000)).answer()[0] == 200


def test_a_lost_connection_gives_back_what_its_body_took(running) -> None:
    running.start(Limits(max_body=100_000, max_buffered=100_000))
    lost = running.client().send(
        b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 90000\r\n\r\n" + bytes(80_000)
    )
    running.until(lambda: running.server._door.budget.left <= 30_000)
    lost.close()
    running.until(lambda: running.server._door.budget.left == 100_000)
