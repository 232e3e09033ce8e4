"""A real server on its own thread and loop, driven by raw sockets and a clock that stands still."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from keystead.clock import ManualClock
from keystead.http import Limits, Server, serve
from keystead.wire.http import Request, Response

PATIENCE = 300.0  # seconds before a test calls a lost answer lost
HELLO = b"GET /echo HTTP/1.1\r\nHost: x\r\n\r\n"
LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


def say(body: bytes, status: int = 200, *headers: tuple[str, str]) -> Response:
    return Response(status, headers, body)


class Client:
    """One raw connection and a reader of answers."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.file = sock.makefile("rb")

    def send(self, data: bytes) -> Client:
        self.sock.sendall(data)
        return self

    def answer(self, *, bodiless: bool = False) -> tuple[int, dict[str, str], bytes]:
        """The next answer: status, headers by lower-case name, body."""
        status = int(self.file.readline().split()[1])
        headers = {}
        while (line := self.file.readline()) not in {b"\r\n", b""}:
            name, _, value = line.decode("latin-1").partition(":")
            assert name.lower() not in headers
            headers[name.lower()] = value.strip()
        body = b"" if bodiless else self.file.read(int(headers.get("content-length", 0)))
        return status, headers, body

    def rest(self) -> bytes:
        """What comes until the server closes."""
        return self.file.read()

    def closed(self) -> bool:
        """Whether nothing comes but the end; a reset counts."""
        try:
            return self.rest() == b""
        except ConnectionResetError:
            return True

    def close(self) -> None:
        self.file.close()
        self.sock.close()


class Running:
    """A server under test; `held` has the requests that /hold left open, with their callbacks."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.time = ManualClock(1000.0)
        self.seen: list[Request] = []
        self.held: list[tuple[Request, Callable[[Response], None]]] = []
        self.clients: list[Client] = []
        self.server: Server
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        self.loop.run_forever()
        self.loop.close()

    def start(self, limits: Limits | None = None, **options: Any) -> Running:
        self.server = self.wait(
            serve(self.handle, limits=limits, monotonic=self.time.now, clock=ManualClock(0.0), **options)
        )
        return self

    def handle(self, request: Request, done: Callable[[Response], None]) -> None:
        self.seen.append(request)
        if request.target == "/hold":
            self.held.append((request, done))
        elif request.target == "/fail":
            raise RuntimeError("the secret is " + request.body.decode())
        elif request.target == "/big":
            done(say(bytes(8 * 1024 * 1024)))
        elif request.target == "/split":
            done(say(b"", 200, ("X-A", "b\r\nX-C: d")))
        else:
            done(say(json.dumps([request.method, request.target, request.body.decode("latin-1")]).encode()))

    def wait(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(PATIENCE)

    def on_loop(self, function: Callable[[], Any]) -> Any:
        async def call() -> Any:
            return function()

        return self.wait(call())

    def until(self, condition: Callable[[], Any]) -> None:
        """Let the loop turn until `condition` holds."""
        for _ in range(1_000_000):
            if self.on_loop(condition):
                return
        raise AssertionError(f"it never came to be: {self.phases()}")

    def _phases(self) -> list[str]:
        return sorted(connection._phase.name for connection in self.server._door.connections)

    def phases(self) -> list[str]:
        """What each open connection does, sorted."""
        return self.on_loop(self._phases)

    def until_phase(self, *names: str) -> None:
        self.until(lambda: self._phases() == sorted(names))

    def _advance(self, seconds: float) -> None:
        self.time.advance(seconds)
        self.server.sweep()

    def advance(self, seconds: float) -> None:
        """Move time between two turns of the loop."""
        self.on_loop(lambda: self._advance(seconds))

    def release(self, body: bytes = b"held") -> None:
        _, done = self.held.pop(0)
        self.on_loop(lambda: done(say(body)))

    def client(self, **options: Any) -> Client:
        sock = socket.socket()
        for option, value in options.items():
            sock.setsockopt(socket.SOL_SOCKET, getattr(socket, option), value)
        sock.settimeout(PATIENCE)
        try:
            sock.connect(("127.0.0.1", self.server.port))
        except ConnectionRefusedError:
            sock.close()
            raise
        self.clients.append(Client(sock))
        return self.clients[-1]

    def is_well(self) -> bool:
        """Whether a good request is answered."""
        return self.client().send(HELLO).answer()[0] == 200

    def stop(self) -> None:
        for client in self.clients:
            client.close()
        if hasattr(self, "server"):
            self.wait(self.server.drain(0))
            self.until(lambda: not self.server._door.connections)
        self.loop.call_soon_threadsafe(self.loop.stop)


@pytest.fixture(params=LOOPS)
def running(request: pytest.FixtureRequest) -> Iterator[Running]:
    running = Running(LOOPS[request.param]())
    yield running
    running.stop()


@pytest.fixture(scope="session")
def tls_contexts(tmp_path_factory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """What a server and its client speak TLS with."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    path.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path)
    return server, ssl.create_default_context(cafile=str(path))
