"""One connection: when to read, whom to hand a request to, when to give up.

No task, future or timer is made for a request: the handler calls back, and time limits are one
number per connection that `Door.sweep` compares with the clock once a second.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from math import inf
from typing import Final, cast

from keystead.http import refusal as refusals
from keystead.http.door import Door
from keystead.http.intake import Intake
from keystead.http.outflow import Outflow
from keystead.http.phase import Phase
from keystead.http.reader import CLOSE, Reader
from keystead.http.refusal import Refusal
from keystead.http.writer import CONTINUE
from keystead.wire.http import Buffer, Request, Response

_IDLE: Final = Phase.IDLE
_HEADERS: Final = Phase.HEADERS
_BODY: Final = Phase.BODY
_HANDLING: Final = Phase.HANDLING
_SENDING: Final = Phase.SENDING
_WRITING: Final = Phase.WRITING
_LINGERING: Final = Phase.LINGERING
_ANSWERING: Final = frozenset({_HANDLING, _SENDING, _WRITING})


class Connection(asyncio.Protocol):
    """Reads requests one after the other, answers them in that order, and keeps within the limits."""

    __slots__ = (
        "_alone",
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
        "_source",
        "_transport",
        "deadline",
    )

    _transport: asyncio.Transport
    _reader: Reader

    def __init__(self, door: Door) -> None:
        self._door = door
        self._phase = _IDLE
        self._alone = False  # nothing came with the request being handled, nor has anything happened since
        self._backlog = b""  # bytes that wait until what came before them is answered
        self._closing_line = ""  # the Connection header of the answer that is due
        self._head = False  # the request being handled is HEAD
        self._serial = 0  # the number of the request being handled
        self._eof = False  # the client will send no more
        self._full = False  # the client does not read what it is sent
        self._paused = False  # reading is stopped
        self._pumping = False  # answers are taken up by the loop in _pump
        self._secure = False
        self._source: Outflow | None = None  # what the answer that is being sent comes from
        self.deadline = inf

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
        self._reader = door.new_reader(transport, self._secure)
        self._reader.open_stream = partial(door.open_stream, self._continue, self._go_on)
        door.connections.add(self)
        # One that was accepted just before the door closed is not refused: its client may have sent a request.
        self._enter(_IDLE, door.limits.linger_timeout if door.draining else door.limits.idle_timeout)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - why it ended changes nothing
        """Forget the connection; an answer that still comes is dropped."""
        if self in self._door.connections:
            self._phase, self._backlog = Phase.CLOSED, b""
            self._reader.release()
            self._drop_source()
            self._door.connections.discard(self)
            if not self._door.connections:
                self._door.on_empty()

    def data_received(self, data: bytes) -> None:
        """Parse what came, unless a request is being handled: then stop reading."""
        if self._phase is _IDLE and not self._backlog and (likeness := self._reader.likeness) is not None:
            request = likeness.read(data)
            if request is not None:
                self._alone = True
                self._hand_over(request, likeness.closing_line)
                return
        self._alone = False
        if self._phase < _HANDLING and not self._backlog:
            self._backlog = self._reader.feed(data)
            self._pump()
        elif self._phase < _LINGERING:
            self._backlog += data
            if self._reader.inflow is not None:
                self._take_body()
                return
            self._stop_reading()

    def eof_received(self) -> bool:
        """Whether the transport stays open for an answer that is due (never over TLS)."""
        self._eof = True
        self._alone = False
        if self._reader.inflow is not None:
            self._reader.inflow.fail()
        if not self._secure and (self._phase in _ANSWERING or self._backlog):
            return True
        self._enter(Phase.CLOSING, self._door.limits.body_timeout)
        return False

    def pause_writing(self) -> None:
        """Note that the client is slow to read."""
        self._full = True
        self._alone = False

    def resume_writing(self) -> None:
        """Go on with what waited for the client."""
        self._full = False
        if self._phase is _WRITING:
            self._phase = _IDLE
            self._pump()
        elif self._phase is _SENDING:
            self._pull()

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
        self._drop_source()
        self._transport.abort()
        return under_way

    # ------------------------------------------------------------ requests and answers

    def _pump(self) -> None:
        """Hand over what is ready, one request at a time, until one is not answered at once.

        An answer given inside the handler's own call comes back here: pipelined requests must not become a stack.
        """
        ready = self._reader.ready
        self._pumping = True
        while ready and self._phase < _HANDLING and not self._full:
            if isinstance(arrival := ready.popleft(), tuple):
                self._hand_over(*arrival)
            elif isinstance(arrival, bytes):
                self._transport.write(arrival)
            else:
                self._refuse(arrival)
        self._pumping = False
        self._settle()

    def _hand_over(self, request: Request, closing_line: str) -> None:
        self._phase = _HANDLING
        self.deadline = inf
        self._serial += 1
        self._closing_line = closing_line
        self._head = request.method == "HEAD"
        try:
            self._door.handler(request, partial(self._answer, self._serial))
        except Exception as error:  # noqa: BLE001 - whatever a handler raises is the client's 500, not the loop's end
            self._fail(error)

    def _answer(self, serial: int, response: Response) -> None:
        """Send the answer to request number `serial`; a second answer, or one to a lost client, is dropped."""
        if serial != self._serial or self._phase is not _HANDLING:
            return
        door = self._door
        line = CLOSE if door.draining or self._reader.inflow is not None else self._closing_line
        try:
            data = door.writer.encode(response, line, head=self._head)
        except Exception as error:  # noqa: BLE001 - a malformed answer must not leave its client waiting
            self._fail(error)
            return
        self._transport.write(data)
        if self._alone and response.source is None and line is not CLOSE:  # what most answers come to
            self._phase = _IDLE
            self.deadline = door.monotonic() + door.limits.idle_timeout
        elif response.source is not None and not self._head:
            self._phase, self._closing_line = _SENDING, line
            self._source = Outflow(response.source, response.length, self._transport)
            self._pull()
        else:
            self._answered(line)

    def _answered(self, line: str) -> None:
        """Go on after the last byte of an answer."""
        self._phase = _IDLE
        if self._reader.inflow is not None:
            self._linger()  # the client may still be sending what nobody wants
        elif line == CLOSE:
            self._close()
        elif not self._pumping:
            if self._reader.ready or self._backlog or self._full or self._eof or self._paused:
                self._pump()
            else:
                self._await_input(_IDLE)

    def _fail(self, error: Exception) -> None:
        """Answer that the request failed."""
        request_id = self._door.failed(error)
        if self._phase is _HANDLING:
            self._transport.write(self._door.refusal_bytes(refusals.INTERNAL, request_id, head=self._head))
        if self._phase < _LINGERING:
            self._close()

    # ------------------------------------------------------------ bodies in pieces

    def _continue(self) -> None:
        """Tell the client that its body is wanted, if it waits for that; its time to send it begins."""
        reader = self._reader
        if reader.inflow is not None and self._phase is _HANDLING:
            if reader.continue_due:
                reader.continue_due = False
                self._transport.write(CONTINUE)
            self._pace()

    def _take_body(self) -> None:
        """Feed the request that is being handled."""
        self._backlog = self._reader.feed(self._backlog)
        inflow = self._reader.inflow
        if inflow is not None and not self._backlog and Intake.pays(inflow):
            self._stop_reading()
            Intake(self, inflow, self._took).begin(self._transport)
        self._pace()

    def _took(self) -> None:
        """Go on after a part of the body that went past the parser."""
        inflow = self._reader.inflow
        if inflow is not None and inflow.received == inflow.length:
            self._reader.pass_over()
        self._pace()

    def _pace(self) -> None:
        """Stop reading when the request that is being handled has enough for now, else read on."""
        inflow = self._reader.inflow
        self.deadline = inf
        if inflow is None or inflow.full:
            self._stop_reading()
        else:
            self._read_on()
            if self._phase is _HANDLING and not self._reader.continue_due:
                self.deadline = self._door.monotonic() + self._door.limits.body_timeout

    def _stop_reading(self) -> None:
        self._paused = True
        self._transport.pause_reading()

    def _read_on(self) -> None:
        if self._paused:
            self._paused = False
            self._transport.resume_reading()

    def _go_on(self) -> None:
        """Read on: the body's reader has room again."""
        if self._phase in _ANSWERING and self._reader.inflow is not None:
            self._pace()
            if self._backlog:
                self._take_body()

    def _pull(self) -> None:
        """Ask for the next piece; while the client takes none, none is made."""
        source = self._source
        assert source is not None  # the phase says so
        if source.left <= 0:
            self._drop_source()
            self._answered(self._closing_line)
        elif self._full:
            self.deadline = self._door.monotonic() + self._door.limits.body_timeout
        else:
            self.deadline = inf
            source.pull(partial(self._take_piece, self._serial))

    def _take_piece(self, serial: int, piece: Sequence[Buffer] | None) -> None:
        if serial != self._serial or self._phase is not _SENDING or self._source is None:
            return
        if self._source.send(piece):
            self._pull()
        else:
            # The client was told another length: only a broken connection says that this is not all.
            self.abort()

    def _drop_source(self) -> None:
        source, self._source = self._source, None
        if source is not None:
            source.close()

    # ------------------------------------------------------------ phases

    def _settle(self) -> None:
        """Decide what the connection waits for, now that nothing can be handed over."""
        phase = self._phase
        if phase >= _HANDLING:
            if (self._backlog or self._paused) and self._reader.inflow is not None:
                self._take_body()  # of a head that waited for the answer before, or what came with it
            return
        if self._full:
            self._enter(_WRITING, self._door.limits.body_timeout)
        elif self._backlog:
            # Back through the event loop, so that one client's long pipeline leaves others their turn.
            asyncio.get_running_loop().call_soon(self._resume)
        elif self._eof:
            self._close()
        else:
            self._read_on()
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
        self._linger()

    def _linger(self) -> None:
        """Throw away what still comes, so that the client sees its answer and not a reset."""
        if self._reader.inflow is not None:
            self._reader.inflow.fail()
            self._reader.inflow = None
        if self._eof:
            self._close()
            return
        self._backlog = b""
        self._reader.give_back()
        self._enter(_LINGERING, self._door.limits.linger_timeout)
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._read_on()

    def _close(self) -> None:
        self._enter(Phase.CLOSING, self._door.limits.body_timeout)
        self._transport.close()
