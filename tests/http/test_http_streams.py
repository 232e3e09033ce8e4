"""Bodies that arrive while their request is handled, and answers that are made while they are sent."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import http.client
import random
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
import uvloop

from keystead import errors
from keystead.http import Limits, serve
from keystead.http.inflow import MOST_HELD
from keystead.http.intake import LEAST
from keystead.http.outflow import Outflow
from keystead.wire.http import Buffer, Request, Response, Send, Take
from keystead.wire.rooms import Rooms

PIECE = b"0123456789abcdef" * 4096
PATIENCE = 300.0  # seconds before a test calls what does not happen lost
COUNT = 256  # more than kernels hold for a connection


class Pieces:
    """A source of `count` pieces; the last one is missing if it `breaks`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, count: int, *, breaks: bool = False) -> None:
        self._loop, self._left, self._breaks = loop, count, breaks
        self._rooms = Rooms(len(PIECE) // 2)
        self.made = self.sent = 0
        self.closed = threading.Event()

    def pull(self, take: Take, _send: Send) -> None:
        self._left -= 1
        self.made += 1
        self._loop.call_soon(take, None if self._breaks and not self._left else self._piece())

    def _piece(self) -> list[Buffer]:
        """The next piece, in two parts, the second in memory that may have been sent from before."""
        half = len(PIECE) // 2
        room = self._rooms.take(half)
        room[:] = PIECE[half:]
        return [PIECE[:half], room]

    def close(self) -> None:
        self.closed.set()


class Eager(Pieces):
    """The same, made and sent by threads of its own, until one is refused."""

    def pull(self, take: Take, send: Send) -> None:
        threading.Thread(target=self._run, args=(take, send)).start()

    def _run(self, take: Take, send: Send) -> None:
        sent = True
        while sent:
            self._left -= 1
            self.made += 1
            piece = None if self._breaks and not self._left else self._piece()
            sent = send(piece)
            if sent:
                self.sent += 1
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(take, piece)


class Streaming:
    """A server whose handler runs in a thread and does what the path says."""

    def __init__(self) -> None:
        self.threads = ThreadPoolExecutor(4)
        self.sources: list[Pieces] = []
        self.lengths: list[int] = []
        self.digests: list[str] = []
        self.failures: list[str] = []
        self.may_read = threading.Event()
        self.received: list[Any] = []
        self.failed = threading.Event()

    def handle(self, request: Request, done: Callable[[Response], None]) -> None:
        loop = asyncio.get_running_loop()
        self.received.append(request.stream)
        if request.path == "/refused":
            done(Response(403, (), b"no"))
            return
        if (answer := request.path.removesuffix("/eager")) in {"/answer", "/broken"}:
            kind = Pieces if answer == request.path else Eager
            source = kind(loop, COUNT, breaks=answer == "/broken")
            self.sources.append(source)
            done(Response(200, (), b"", source, COUNT * len(PIECE)))
            return
        self.threads.submit(self._read, request, lambda answer: loop.call_soon_threadsafe(done, answer))

    def _read(self, request: Request, done: Callable[[Response], None]) -> None:
        if request.path in {"/patient", "/late"}:
            self.may_read.wait(PATIENCE)
        if request.path == "/late":
            done(Response(403, (), b"no"))
            return
        body, stream, digest = 0, request.stream, hashlib.sha256()
        assert stream is not None
        try:
            while piece := stream.read():
                body += len(piece)
                digest.update(piece)
        except errors.RequestTimeout as error:
            self.failures.append(error.code)
            self.failed.set()
            done(Response(400, (), b""))  # else the server waits for it as it ends
            return
        self.lengths.append(body)
        self.digests.append(digest.hexdigest())
        done(Response(200, (), str(body).encode()))


@contextmanager
def running(
    limits: Limits | None = None,
    new_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop,
    tls: ssl.SSLContext | None = None,
) -> Iterator[tuple[Streaming, int, Any]]:
    served, ready, stop = Streaming(), threading.Event(), asyncio.Event()
    kept: dict[str, Any] = {}

    async def run() -> None:
        kept["loop"] = asyncio.get_running_loop()
        server = kept["server"] = await serve(
            served.handle,
            limits=limits,
            streams=lambda method, _target, _headers: method in {"PUT", "GET"},
            tls=tls,
        )
        ready.set()
        await stop.wait()
        await server.drain(5.0)

    def serving() -> None:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(run())

    thread = threading.Thread(target=serving, daemon=True)
    thread.start()
    ready.wait()
    try:
        yield served, kept["server"].port, kept["loop"]
    finally:
        served.may_read.set()
        kept["loop"].call_soon_threadsafe(stop.set)
        thread.join()
        served.threads.shutdown()


def let_turn(loop: asyncio.AbstractEventLoop) -> None:
    """None, once the loop has looked at what arrived."""
    for _ in range(3):
        asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop).result(PATIENCE)


def test_a_body_beyond_every_limit_on_gathered_ones_arrives_and_the_connection_is_kept() -> None:
    with running(Limits(max_body=1000, max_buffered=1000)) as (served, port, _):
        client = http.client.HTTPConnection("127.0.0.1", port)
        for size in (0, 1, 100_000, 5_000_000):
            client.request("PUT", "/x", body=b"x" * size)
            answer = client.getresponse()
            assert (answer.status, answer.read()) == (200, str(size).encode())
        client.close()
    assert served.lengths == [0, 1, 100_000, 5_000_000]


LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("secure", [False, True], ids=["plain", "TLS"])
def test_long_bodies_arrive_as_they_were_sent_and_what_follows_them_is_a_request(
    loop: str, secure: bool, tls_contexts: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    serving, asking = tls_contexts if secure else (None, None)
    with running(new_loop=LOOPS[loop], tls=serving) as (served, port, _):
        sender: socket.socket = socket.create_connection(("127.0.0.1", port))
        if asking is not None:
            sender = asking.wrap_socket(sender, server_hostname="localhost")
        sizes = (2 * LEAST, 5_000_003, 3 * LEAST, 7)
        bodies = [random.Random(size).randbytes(size) for size in sizes]
        head = b"PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
        # All at once: the first bytes of a request stand right behind the last of the one before.
        sent = threading.Thread(
            target=sender.sendall,
            args=(b"".join(head % len(body) + body for body in bodies),),
        )
        sent.start()
        told = sender.makefile("rb")
        for body in bodies:
            assert told.readline() == b"HTTP/1.1 200 OK\r\n"
            while told.readline() != b"\r\n":
                pass
            assert told.read(len(str(len(body)))) == str(len(body)).encode()
        sent.join()
        told.close()
        sender.close()
    assert served.digests == [hashlib.sha256(body).hexdigest() for body in bodies]


@pytest.mark.parametrize("loop", LOOPS)
def test_a_long_body_that_nobody_wants_is_thrown_away_until_its_client_has_the_answer(loop: str) -> None:
    with running(new_loop=LOOPS[loop]) as (served, port, _):
        sender = socket.create_connection(("127.0.0.1", port))
        sender.sendall(b"PUT /late HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (4 * LEAST))
        for _number in range(8):  # several turns of the server's loop
            sender.sendall(bytes(LEAST // 16))
        served.may_read.set()
        sender.sendall(bytes(LEAST))
        told = b""
        while piece := sender.recv(1000):
            told += piece
        assert told.startswith(b"HTTP/1.1 403 ")
        sender.close()


@pytest.mark.parametrize("loop", LOOPS)
def test_whoever_reads_hears_that_the_client_of_a_long_body_went_away(loop: str) -> None:
    with running(new_loop=LOOPS[loop]) as (served, port, _):
        sender = socket.create_connection(("127.0.0.1", port))
        sender.sendall(b"PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (4 * LEAST))
        sender.sendall(bytes(2 * LEAST))
        sender.close()
        assert served.failed.wait(PATIENCE)
    assert served.failures == ["RequestTimeoutException"]


def test_a_chunked_body_arrives() -> None:
    with running() as (_, port, _server):
        client = http.client.HTTPConnection("127.0.0.1", port)
        client.request("PUT", "/x", body=(PIECE for _ in range(50)), encode_chunked=True)
        assert client.getresponse().read() == str(50 * len(PIECE)).encode()
        client.close()


def test_a_client_is_not_read_while_nobody_reads_its_body() -> None:
    with running() as (served, port, _):
        sender = socket.create_connection(("127.0.0.1", port))
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        size = 64 * MOST_HELD
        sender.sendall(b"PUT /patient HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size)
        sender.settimeout(0.5)
        sent = 0
        while sent < size:
            try:
                sent += sender.send(bytes(min(1 << 20, size - sent)))
            except TimeoutError:
                if served.received:  # else the server has not come so far
                    break
        assert sent < size
        stream = served.received[0]
        assert stream.received < 4 * MOST_HELD < size
        served.may_read.set()
        sender.settimeout(PATIENCE)
        while sent < size:
            sent += sender.send(bytes(min(1 << 20, size - sent)))
        assert b"200 OK" in sender.recv(4096)
        sender.close()
    assert served.lengths == [size]


def test_a_client_that_waits_for_leave_gets_it_when_its_body_is_read_and_not_before() -> None:
    with running() as (served, port, _):
        sender = socket.create_connection(("127.0.0.1", port))
        head = b"PUT /%s HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
        sender.sendall(head % b"patient")
        sender.settimeout(0.2)
        with pytest.raises(TimeoutError):
            sender.recv(100)
        served.may_read.set()
        sender.settimeout(PATIENCE)
        assert sender.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sender.sendall(b"hello")
        assert sender.recv(1000).endswith(b"\r\n\r\n5")
        sender.sendall(head % b"refused")
        answer = sender.recv(1000)
        assert answer.startswith(b"HTTP/1.1 403 ")
        assert b"Connection: close\r\n" in answer
        sender.close()


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("size", [10, 2 * LEAST])
def test_a_head_that_came_during_the_answer_before_is_followed_by_its_body(loop: str, size: int) -> None:
    with running(new_loop=LOOPS[loop]) as (served, port, turning):
        client = socket.create_connection(("127.0.0.1", port), PATIENCE)
        with client, client.makefile("rb") as answer:
            client.sendall(b"GET /answer HTTP/1.1\r\nHost: x\r\n\r\n")
            while answer.readline() != b"\r\n":
                pass
            client.sendall(b"PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size)
            let_turn(turning)  # now the head waits, and the connection is not read
            assert answer.read(COUNT * len(PIECE)) == COUNT * PIECE
            client.sendall(bytes(size))
            assert b"200 OK" in answer.readline()
    assert served.lengths == [size]


@pytest.mark.parametrize("head", [b"", b"Expect: 100-continue\r\n"])
def test_a_client_that_sends_nothing_of_its_body_is_not_waited_for(head: bytes) -> None:
    with running(Limits(body_timeout=0.1)) as (served, port, _):
        client = socket.create_connection(("127.0.0.1", port))
        client.sendall(b"PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n%s\r\n" % head)
        assert served.failed.wait(PATIENCE)
        client.close()
    assert served.failures == ["RequestTimeoutException"]


def test_whoever_reads_hears_that_the_client_went_away() -> None:
    with running() as (served, port, _):
        sender = socket.create_connection(("127.0.0.1", port))
        sender.sendall(b"PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\nhello")
        sender.close()
        assert served.failed.wait(PATIENCE)
    assert served.failures == ["RequestTimeoutException"]


@pytest.mark.parametrize("path", ["/answer", "/answer/eager"])
@pytest.mark.parametrize("loop", LOOPS)
def test_an_answer_is_made_as_fast_as_it_is_taken(path: str, loop: str) -> None:
    with running(new_loop=LOOPS[loop]) as (served, port, _):
        client = http.client.HTTPConnection("127.0.0.1", port)
        for _ in range(2):
            client.request("GET", path)
            answer = client.getresponse()
            assert answer.headers["Content-Length"] == str(COUNT * len(PIECE))
            assert answer.read() == PIECE * COUNT
        client.close()
        lazy = socket.create_connection(("127.0.0.1", port))
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        lazy.sendall(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path.encode())
        lazy.recv(10)
        other = http.client.HTTPConnection("127.0.0.1", port)
        other.request("GET", path)
        other.getresponse().read()
        other.close()
        assert served.sources[2].made < COUNT
        lazy.close()
        assert served.sources[2].closed.wait(PATIENCE)


@pytest.mark.parametrize("path", ["/broken", "/broken/eager"])
def test_an_answer_that_cannot_be_made_to_its_end_is_cut_not_ended(path: str) -> None:
    with running() as (_, port, _server):
        client = http.client.HTTPConnection("127.0.0.1", port)
        client.request("GET", path)
        with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
            client.getresponse().read()
        client.close()


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("secure", [False, True], ids=["plain", "TLS"])
def test_threads_send_what_they_make_past_the_loop_but_never_past_tls(
    loop: str, secure: bool, tls_contexts: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    serving, asking = tls_contexts if secure else (None, None)
    with running(new_loop=LOOPS[loop], tls=serving) as (served, port, _):
        client = http.client.HTTPConnection("127.0.0.1", port)
        if asking is not None:
            client = http.client.HTTPSConnection("localhost", port, context=asking)
        for _ in range(2):
            client.request("GET", "/answer/eager")
            assert client.getresponse().read() == PIECE * COUNT
        client.close()
    assert bool(sum(source.sent for source in served.sources)) is not secure


def test_nothing_is_sent_on_a_descriptor_whose_connection_has_ended() -> None:
    """It may be another's by then."""
    near, far = socket.socketpair()

    async def run() -> tuple[bool, bool]:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_connection(asyncio.Protocol, sock=near)
        flow = Outflow(Pieces(loop, COUNT), COUNT * len(PIECE), transport)
        flow.pull(lambda _piece: None)
        before = flow.offer([PIECE])
        flow.close()
        after = flow.offer([PIECE])
        transport.abort()
        return before, after

    assert asyncio.run(run()) == (True, False)
    far.close()
