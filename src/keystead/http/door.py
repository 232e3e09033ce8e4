"""What the connections of one server share, and what happens to all of them at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import structlog

from keystead import errors
from keystead.clock import Clock
from keystead.entropy import Entropy, new_uuid
from keystead.http.inflow import Inflow
from keystead.http.limits import Budget, Limits
from keystead.http.peer import address_of, certificate_of, tls_of
from keystead.http.reader import CLOSE, Reader
from keystead.http.refusal import Refusal, as_response
from keystead.http.writer import Writer
from keystead.wire.http import Handler

if TYPE_CHECKING:
    from keystead.http.protocol import Connection

_log = structlog.get_logger(__name__)

Streams = Callable[[str, str, Mapping[str, str]], bool]
"""Whether a request with this method, target and headers is to be handed over before its body has arrived."""


class Door:
    """What the connections of one server share.

    Attributes:
        connections: those now open.
        draining: no further request is begun on any of them.
        on_empty: called when the last one has gone.
    """

    def __init__(
        self,
        handler: Handler,
        limits: Limits,
        clock: Clock,
        entropy: Entropy,
        monotonic: Callable[[], float],
        streams: Streams | None = None,
    ) -> None:
        self.handler = handler
        self.streams = streams
        self.limits = limits
        self.budget = Budget(limits.max_buffered)
        self.writer = Writer(clock)
        self.monotonic = monotonic
        self.connections: set[Connection] = set()
        self.draining = False
        self.on_empty: Callable[[], None] = lambda: None
        self._entropy = entropy

    def new_reader(self, transport: asyncio.BaseTransport, secure: bool) -> Reader:
        """What reads the requests of a connection that was accepted."""
        peer = address_of(transport.get_extra_info("peername"))
        return Reader(self.limits, peer, secure, certificate_of(transport), tls_of(transport), self.budget)

    def open_stream(
        self,
        wanted: Callable[[], None],
        drained: Callable[[], None],
        method: str,
        target: str,
        headers: Mapping[str, str],
    ) -> Inflow | None:
        """Where the body of such a request goes, None if it is to be gathered; `wanted` and `drained` as in `Inflow`."""
        if self.streams is None or not self.streams(method, target, headers):
            return None
        length, soon = headers.get("content-length"), asyncio.get_running_loop().call_soon_threadsafe
        return Inflow(None if length is None else int(length), soon, wanted, drained)

    def refusal_bytes(self, refusal: Refusal, request_id: str, *, head: bool = False) -> bytes:
        """What a client is sent instead of an answer; the connection closes after it."""
        return self.writer.encode(as_response(refusal, request_id), CLOSE, head=head)

    def new_request_id(self) -> str:
        """The id that joins an error answer with its line in the log."""
        return new_uuid(self._entropy)

    def failed(self, error: Exception) -> str:
        """The id of a request that failed with `error`; the log has where, but no message: it may quote the request."""
        request_id, where = self.new_request_id(), errors.places(error)
        _log.error(
            "request handler failed", request_id=request_id, error=type(error).__qualname__, where=where
        )
        return request_id

    def sweep(self) -> None:
        """End every connection whose time is up."""
        now = self.monotonic()
        for connection in tuple(self.connections):
            if connection.deadline <= now:
                connection.expire()

    def drain(self, patience: float) -> None:
        """Close what is idle for `patience` more seconds; the rest closes after its next answer."""
        self.draining = True
        for connection in tuple(self.connections):
            connection.drain(patience)

    def abort(self) -> int:
        """How many connections were still at a request or its answer; all that are open are now cut."""
        return sum(connection.abort() for connection in tuple(self.connections))
