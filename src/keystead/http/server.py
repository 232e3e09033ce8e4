"""A listening socket with a door behind it: start, count, sweep, drain."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import Callable
from typing import Final

from keystead.clock import Clock, SystemClock
from keystead.entropy import Entropy, SystemEntropy
from keystead.http.door import Door, Streams
from keystead.http.limits import Limits
from keystead.http.protocol import Connection
from keystead.wire.http import Handler

BACKLOG: Final = 1024
SWEEP_INTERVAL: Final = 1.0  # seconds; a time limit is kept to within this, never early


class Server:
    """A running server, bound to the event loop it was started on; made by `serve`.

    Attributes:
        port: the port it listens on (0 for a Unix socket).
        sockets: the listening sockets, empty once it drains.
    """

    def __init__(self, listener: asyncio.Server, door: Door) -> None:
        self._listener = listener
        self._door = door
        self._loop = asyncio.get_running_loop()
        name = listener.sockets[0].getsockname()
        self.port: int = name[1] if isinstance(name, tuple) else 0
        self._timer = self._loop.call_later(SWEEP_INTERVAL, self._tick)

    @property
    def sockets(self) -> tuple[socket.socket, ...]:
        return tuple(self._listener.sockets)

    @property
    def connections(self) -> int:
        """How many connections are open now."""
        return len(self._door.connections)

    def sweep(self) -> None:
        """End the connections whose time is up; runs by itself once a second."""
        self._door.sweep()

    def _tick(self) -> None:
        self._timer = self._loop.call_later(SWEEP_INTERVAL, self._tick)
        self._door.sweep()

    async def drain(self, timeout: float, patience: float = 0.0) -> int:  # noqa: ASYNC109 - how long to wait is this operation's meaning
        """How many connections had to be cut at a request or its answer after `timeout` seconds.

        Stops accepting, closes what is idle, lets each request that has begun finish and
        closes its connection after the answer. With `patience` (seconds), an idle connection may bring one more
        request until then: clients that send often learn by `Connection: close` that it ends, and lose none.
        """
        empty = asyncio.Event()
        self._door.on_empty = empty.set
        self._listener.close()
        self._door.drain(patience)
        if self._door.connections:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(empty.wait(), timeout)
        self._timer.cancel()
        return self._door.abort()


async def serve(
    handler: Handler,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    sock: socket.socket | None = None,
    limits: Limits | None = None,
    tls: ssl.SSLContext | None = None,
    reuse_port: bool = False,
    clock: Clock | None = None,
    entropy: Entropy | None = None,
    monotonic: Callable[[], float] = time.monotonic,
    streams: Streams | None = None,
) -> Server:
    """A server that accepts connections and hands each request to `handler` on this event loop.

    Args:
        handler: called once per request; see `keystead.wire.http.Handler`.
        host: address to listen on, unless `sock` is given.
        port: port to listen on; 0 takes a free one.
        sock: a bound socket to listen on instead.
        limits: what clients may do; the defaults of `Limits` without.
        tls: speaks TLS with this context; plain HTTP without.
        reuse_port: other processes may listen on the same port, and the kernel spreads
            connections over them.
        clock: tells the Date header's time.
        entropy: source of the request ids of the door's own errors.
        monotonic: seconds that never go back; time limits are measured with it.
        streams: which requests are handed over before their bodies have arrived; none without.

    Raises:
        OSError: the address cannot be listened on.
    """
    limits = limits or Limits()
    door = Door(handler, limits, clock or SystemClock(), entropy or SystemEntropy(), monotonic, streams)
    sock = sock or _bound(host, port, reuse_port)
    if sock.family != socket.AF_UNIX:
        # Linux passes it on to what is accepted; asyncio sets it only on sockets it made itself.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener = await asyncio.get_running_loop().create_server(
        lambda: Connection(door),
        sock=sock,
        backlog=BACKLOG,
        ssl=tls,
        ssl_handshake_timeout=limits.header_timeout if tls else None,
    )
    return Server(listener, door)


def _bound(host: str, port: int, reuse_port: bool) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=BACKLOG, reuse_port=reuse_port)
