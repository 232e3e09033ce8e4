"""One connection: when to read, whom to hand a request to, when to give up.

No task, future or timer is made for a request: the handler calls back, and time limits are one
number per connection that `Door.sweep` compares with the clock once a second.
"""

from __future__ import annotations

import asyncio
import enum
import functools
import ipaddress
import math
import traceback
from collections.abc import Callable
from typing import Final, cast

import structlog

from keystead.clock import Clock
from keystead.entropy import Entropy, new_uuid
from keystead.http import refusal as refusals
from keystead.http.limits import Budget, Limits
from keystead.http.reader import CLOSE, Reader
from keystead.http.refusal import Refusal, as_response
from keystead.http.writer import CONTINUE, Writer
from keystead.wire.http import Handler, Request, Response

_log = structlog.get_logger(__name__)


class Phase(enum.IntEnum):
    """What a connection does; the time limit that runs is in parentheses.

    In order: up to BODY it reads, from HANDLING on what arrives waits, from LINGERING on it ends.
    (Comparing integers is what keeps this out of a request's cost.)
    """

    IDLE = enum.auto()  # between requests (idle_timeout)
    HEADERS = enum.auto()  # a request has begun (header_timeout)
    BODY = enum.auto()  # its headers are complete (body_timeout)
    HANDLING = enum.auto()  # the handler has it (none: operations bound themselves)
    WRITING = enum.auto()  # the client does not take its answer (body_timeout)
    LINGERING = enum.auto()  # refused; what still comes is thrown away (linger_timeout)
    CLOSING = enum.auto()  # the last answer is on its way out (body_timeout)
    CLOSED = enum.auto()  # gone


_IDLE: Final = Phase.IDLE
_HEADERS: Final = Phase.HEADERS
_BODY: Final = Phase.BODY
_HANDLING: Final = Phase.HANDLING
_WRITING: Final = Phase.WRITING
_LINGERING: Final = Phase.LINGERING


class Door:
    """What the connections of one server share.

    Attributes:
        connections: those now open.
        draining: no further request is begun on any of them.
        on_empty: called when the last one has gone.
    """

    def __init__(
        self, handler: Handler, limits: Limits, clock: Clock, entropy: Entropy, monotonic: Callable[[], float]
    ) -> None:
        self.handler = handler
        self.limits = limits
        self.budget = Budget(limits.max_buffered)
        self.writer = Writer(clock)
        self.monotonic = monotonic
        self.connections: set[Connection] = set()
        self.draining = False
        self.on_empty: Callable[[], None] = lambda: None
        self._entropy = entropy

    def refusal_bytes(self, refusal: Refusal, request_id: str, *, head: bool = False) -> bytes:
        """What a client is sent instead of an answer; the connection closes after it."""
        return self.writer.encode(as_response(refusal, request_id), CLOSE, head=head)

    def new_request_id(self) -> str:
        """The id that joins an error answer with its line in the log."""
        return new_uuid(self._entropy)

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


class Connection(asyncio.Protocol):
    """Reads requests one after the other, answers them in that order, and keeps within the limits."""

    __slots__ = (
        "_backlog",
        "_closing_line",
        "_door",
        "_eof",
        "_full",
        "_head",
        "_paused",
        "_phase",
        "_pumping",
        "_reader",
        "_secure",
        "_serial",
        "_transport",
        "deadline",
    )

    _transport: asyncio.Transport
    _reader: Reader

    def __init__(self, door: Door) -> None:
        self._door = door
        self._phase = _IDLE
        self._backlog = b""  # bytes that wait until what came before them is answered
        self._closing_line = ""  # the Connection header of the answer that is due
        self._head = False  # the request being handled is HEAD
        self._serial = 0  # the number of the request being handled
        self._eof = False  # the client will send no more
        self._full = False  # the client does not read what it is sent
        self._paused = False  # reading is stopped
        self._pumping = False  # answers are taken up by the loop in _pump
        self._secure = False
        self.deadline = math.inf

    # ------------------------------------------------------------ called by the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take up the connection, or refuse it when there are too many."""
        door = self._door
        self._transport = cast("asyncio.Transport", transport)
        if len(door.connections) >= door.limits.max_connections:
            self._phase = Phase.CLOSED
            self._transport.write(door.refusal_bytes(refusals.TOO_MANY_CONNECTIONS, door.new_request_id()))
            self._transport.close()
            return
        self._secure = transport.get_extra_info("sslcontext") is not None
        peer = _address(transport.get_extra_info("peername"))
        self._reader = Reader(
            door.limits, peer, self._secure, _certificate(transport), _tls(transport), door.budget
        )
        door.connections.add(self)
        # One that was accepted just before the door closed is not refused: its client may have sent a request.
        self._enter(_IDLE, door.limits.linger_timeout if door.draining else door.limits.idle_timeout)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - why it ended changes nothing
        """Forget the connection; an answer that still comes is dropped."""
        if self in self._door.connections:
            self._phase = Phase.CLOSED
            self._backlog = b""
            self._reader.release()
            self._door.connections.discard(self)
            if not self._door.connections:
                self._door.on_empty()

    def data_received(self, data: bytes) -> None:
        """Parse what came, unless a request is being handled: then stop reading."""
        phase = self._phase
        if phase < _HANDLING and not self._backlog:
            self._backlog = self._reader.feed(data)
            self._pump()
        elif phase < _LINGERING:
            self._backlog += data
            if not self._paused:
                self._paused = True
                self._transport.pause_reading()

    def eof_received(self) -> bool:
        """Whether the transport stays open for an answer that is due (never over TLS)."""
        self._eof = True
        if not self._secure and (self._phase in {_HANDLING, _WRITING} or self._backlog):
            return True
        self._enter(Phase.CLOSING, self._door.limits.body_timeout)
        return False

    def pause_writing(self) -> None:
        """Note that the client is slow to read."""
        self._full = True

    def resume_writing(self) -> None:
        """Go on with what waited for the client."""
        self._full = False
        if self._phase is _WRITING:
            self._phase = _IDLE
            self._pump()

    # ------------------------------------------------------------ called by the door

    def expire(self) -> None:
        """End the connection as its phase asks when its time is up."""
        if self._phase in {_HEADERS, _BODY}:
            self._refuse(refusals.TIMED_OUT)
        elif self._phase is _IDLE:
            self._close()
        else:
            self.abort()

    def drain(self, patience: float) -> None:
        """Close if nothing is under way and no request comes for `patience` more seconds."""
        if self._phase is not _IDLE or self._backlog:
            return
        if patience:
            self.deadline = min(self.deadline, self._door.monotonic() + patience)
        else:
            self._close()

    def abort(self) -> bool:
        """Whether something was under way on the connection, which is now cut."""
        under_way = _IDLE < self._phase < _LINGERING
        self._phase = Phase.CLOSED
        self._transport.abort()
        return under_way

    # ------------------------------------------------------------ requests and answers

    def _pump(self) -> None:
        """Hand over what is ready, one request at a time, until one is not answered at once.

        An answer given inside the handler's own call comes back to this loop: pipelined requests
        must not become a stack.
        """
        ready = self._reader.ready
        self._pumping = True
        while ready and self._phase < _HANDLING and not self._full:
            arrival = ready.popleft()
            if isinstance(arrival, Refusal):
                self._refuse(arrival)
            else:
                self._hand_over(*arrival)
        self._pumping = False
        self._settle()

    def _hand_over(self, request: Request, closing_line: str) -> None:
        door = self._door
        self._phase = _HANDLING
        self.deadline = math.inf
        self._serial += 1
        self._closing_line = closing_line
        self._head = request.method == "HEAD"
        try:
            door.handler(request, functools.partial(self._answer, self._serial))
        except Exception as error:  # noqa: BLE001 - whatever a handler raises is the client's 500, not the loop's end
            self._fail(error)

    def _answer(self, serial: int, response: Response) -> None:
        """Send the answer to request number `serial`; a second answer, or one to a lost client, is dropped."""
        if serial != self._serial or self._phase is not _HANDLING:
            return
        line = CLOSE if self._door.draining else self._closing_line
        try:
            data = self._door.writer.encode(response, line, head=self._head)
        except Exception as error:  # noqa: BLE001 - a malformed answer must not leave its client waiting
            self._fail(error)
            return
        self._phase = _IDLE
        self._transport.write(data)
        if line == CLOSE:
            self._close()
        elif not self._pumping:
            self._pump()

    def _fail(self, error: Exception) -> None:
        """Answer that the request failed; log where, but no message: it may quote the request."""
        request_id = self._door.new_request_id()
        _log.error(
            "request handler failed",
            request_id=request_id,
            error=type(error).__qualname__,
            where=[
                f"{frame.filename}:{frame.lineno} {frame.name}"
                for frame in traceback.extract_tb(error.__traceback__)
            ],
        )
        if self._phase is _HANDLING:
            self._transport.write(self._door.refusal_bytes(refusals.INTERNAL, request_id, head=self._head))
        if self._phase < _LINGERING:
            self._close()

    # ------------------------------------------------------------ phases

    def _settle(self) -> None:
        """Decide what the connection waits for, now that nothing can be handed over."""
        phase = self._phase
        if phase >= _HANDLING:
            return
        if self._full:
            self._enter(_WRITING, self._door.limits.body_timeout)
        elif self._backlog:
            # Back through the event loop, so that one client's long pipeline leaves others their turn.
            asyncio.get_running_loop().call_soon(self._resume)
        elif self._eof:
            self._close()
        else:
            if self._paused:
                self._paused = False
                self._transport.resume_reading()
            self._await_input(phase)

    def _await_input(self, phase: Phase) -> None:
        reader, limits = self._reader, self._door.limits
        if reader.in_body:
            if reader.continue_due:
                reader.continue_due = False
                self._transport.write(CONTINUE)
            if phase is not _BODY:
                self._enter(_BODY, limits.body_timeout)
        elif not reader.begun:
            reader.give_back()
            if self._door.draining:
                self._close()
            else:
                self._enter(_IDLE, limits.idle_timeout)
        elif phase is not _HEADERS:
            self._enter(_HEADERS, limits.header_timeout)

    def _enter(self, phase: Phase, timeout: float) -> None:
        self._phase = phase
        self.deadline = self._door.monotonic() + timeout

    def _resume(self) -> None:
        """Parse on where the last slice with requests ended."""
        if self._phase < _HANDLING:
            self._backlog = self._reader.feed(self._backlog)
            self._pump()

    def _refuse(self, refusal: Refusal) -> None:
        """Tell the client, then read on for a while without looking (RFC 9112 section 9.6)."""
        door = self._door
        self._transport.write(door.refusal_bytes(refusal, door.new_request_id()))
        if self._eof:
            self._close()
            return
        self._backlog = b""
        self._reader.give_back()
        self._enter(_LINGERING, door.limits.linger_timeout)
        if self._transport.can_write_eof():
            self._transport.write_eof()
        if self._paused:
            self._paused = False
            self._transport.resume_reading()

    def _close(self) -> None:
        self._enter(Phase.CLOSING, self._door.limits.body_timeout)
        self._transport.close()


def _tls(transport: asyncio.BaseTransport) -> tuple[str, str] | None:
    """Version and cipher suite of an encrypted connection."""
    tls = transport.get_extra_info("ssl_object")
    cipher: tuple[str, str, int] | None = None if tls is None else tls.cipher()
    return None if cipher is None else (tls.version() or cipher[1], cipher[0])


def _certificate(transport: asyncio.BaseTransport) -> bytes:
    """The client's certificate (DER), which the handshake has verified; empty without one."""
    tls = transport.get_extra_info("ssl_object")
    certificate: bytes | None = None if tls is None else tls.getpeercert(binary_form=True)
    return certificate or b""


def _address(peername: object) -> str:
    """The client's IP address as text, an IPv4-mapped one as IPv4; empty for a Unix socket.

    A policy's aws:SourceIp must see one form of each address, whatever the listening socket is.
    """
    if not isinstance(peername, tuple) or not peername:
        return ""
    address = ipaddress.ip_address(str(peername[0]).partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return str(address)
