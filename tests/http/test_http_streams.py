"""Bodies that arrive while their request is handled, and answers that are made while they are sent."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from keystead import errors
from keystead.http import Limits, serve
from keystead.http.inflow import MOST_HELD
from keystead.objects import Rooms
from keystead.wire.http import Buffer, Request, Response

PIECE = b"0123456789abcdef" * 4096
COUNT = 256  # more than kernels hold for a connection


class Pieces:
    """A source of `count` pieces; the last one is missing if it `breaks`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, count: int, *, breaks: bool = False) -> None:
        self._loop, self._left, self._breaks = loop, count, breaks
        self._rooms = Rooms(len(PIECE) // 2)
        self.made = self.given_back = 0
        self.closed = threading.Event()

    def pull(self, take: Callable[[Sequence[Buffer] | None], None]) -> None:
        self._left -= 1
        self.made += 1
        self._loop.call_soon(take, None if self._breaks and not self._left else self._piece())

    def _piece(self) -> list[Buffer]:
        """The next piece, in two parts, the second in memory that was given back if any was."""
        half = len(PIECE) // 2
        room = self._rooms.take(half)
        room[:] = PIECE[half:]
        return [PIECE[:half], room]

    def give_back(self, piece: Sequence[Buffer]) -> None:
        self._rooms.give_back(piece)
        self.given_back += 1
        for room in piece[1:]:
            memoryview(room)[:] = bytes(len(room))  # who looks at it now sees another thing

    def close(self) -> None:
        self.closed.set()


class Streaming:
    """A server whose handler runs in a thread and does what the path says."""

    def __init__(self) -> None:
        self.threads = ThreadPoolExecutor(4)
        self.sources: list[Pieces] = []
        self.lengths: list[int] = []
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
        if request.path in {"/answer", "/broken"}:
            source = Pieces(loop, COUNT, breaks=request.path == "/broken")
            self.sources.append(source)
            done(Response(200, (), b"", source, COUNT * len(PIECE)))
            return
        self.threads.submit(self._read, request, lambda answer: loop.call_soon_threadsafe(done, answer))

    def _read(self, request: Request, done: Callable[[Response], None]) -> None:
        if request.path == "/patient":
            self.may_read.wait(20)
        body, stream = 0, request.stream
        assert stream is not None
        try:
            while piece := stream.read():
                body += len(piece)
        except errors.RequestTimeout as error:
            self.failures.append(error.code)
            self.failed.set()
            return
        self.lengths.append(body)
        done(Response(200, (), str(body).encode()))


@contextmanager
def running(limits: Limits | None = None) -> Iterator[tuple[Streaming, int, Any]]:
    served, ready, stop = Streaming(), threading.Event(), asyncio.Event()
    kept: dict[str, Any] = {}

    async def run() -> None:
        kept["loop"] = asyncio.get_running_loop()
        server = kept["server"] = await serve(
            served.handle, limits=limits, streams=lambda method, _target, _headers: method in {"PUT", "GET"}
        )
        ready.set()
        await stop.wait()
        await server.drain(5.0)

    thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    ready.wait()
    try:
        yield served, kept["server"].port, kept["server"]
    finally:
        served.may_read.set()
        kept["loop"].call_soon_threadsafe(stop.set)
        thread.join()
        served.threads.shutdown()


def test_a_body_beyond_every_limit_on_gathered_ones_arrives_and_the_connection_is_kept() -> None:
    with running(Limits(max_body=1000, max_buffered=1000)) as (served, port, _):
        client = http.client.HTTPConnection("127.0.0.1", port)
        for size in (0, 1, 100_000, 5_000_000):
            client.request("PUT", "/x", body=b"x" * size)
            answer = client.getresponse()
            assert (answer.status, answer.read()) == (200, str(size).encode())
        client.close()
    assert served.lengths == [0, 1, 100_000, 5_000_000]


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
        with contextlib.suppress(TimeoutError):
            while sent < size:
                sent += sender.send(bytes(min(1 << 20, size - sent)))
        assert sent < size
        stream = served.received[0]
        assert stream.received < 4 * MOST_HELD < size
        served.may_read.set()
        sender.settimeout(20)
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
        sender.settimeout(20)
        assert sender.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sender.sendall(b"hello")
        assert sender.recv(1000).endswith(b"\r\n\r\n5")
        sender.sendall(head % b"refused")
        answer = sender.recv(1000)
        assert answer.startswith(b"HTTP/1.1 403 ")
        assert b"Connection: close\r\n" in answer
        sender.close()


def test_whoever_reads_hears_that_the_client_went_away() -> None:
    with running() as (served, port, _):
        sender = socket.create_connection(("127.0.0.1", port))
        sender.sendall(b"PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\nhello")
        sender.close()
        assert served.failed.wait(20)
    assert served.failures == ["RequestTimeoutException"]


def test_an_answer_is_made_as_fast_as_it_is_taken() -> None:
    with running() as (served, port, _):
        client = http.client.HTTPConnection("127.0.0.1", port)
        for _ in range(2):
            client.request("GET", "/answer")
            answer = client.getresponse()
            assert answer.headers["Content-Length"] == str(COUNT * len(PIECE))
            assert answer.read() == PIECE * COUNT
        client.close()
        lazy = socket.create_connection(("127.0.0.1", port))
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        lazy.sendall(b"GET /answer HTTP/1.1\r\nHost: x\r\n\r\n")
        lazy.recv(10)
        other = http.client.HTTPConnection("127.0.0.1", port)
        other.request("GET", "/answer")
        other.getresponse().read()
        other.close()
        assert served.sources[2].made < COUNT
        lazy.close()
        assert served.sources[2].closed.wait(20)


def test_an_answer_that_cannot_be_made_to_its_end_is_cut_not_ended() -> None:
    with running() as (_, port, _server):
        client = http.client.HTTPConnection("127.0.0.1", port)
        client.request("GET", "/broken")
        with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
            client.getresponse().read()
        client.close()
