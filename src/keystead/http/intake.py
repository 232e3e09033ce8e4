"""Long bodies past the parser: from the socket into memory that is used again, and from there to their reader."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from keystead.http.inflow import PIECE, Inflow
from keystead.wire.rooms import Rooms

LEAST: Final = 4 * PIECE
"""Bytes that must be missing, or going past the parser is not worth the change."""


class Intake(asyncio.BufferedProtocol):
    """Stands in for a connection while the rest of a body of known length arrives, and not a byte longer.

    Pieces end where whole ones do, counted from the body's first byte. What else happens to the connection is told to it.
    """

    def __init__(self, host: asyncio.Protocol, inflow: Inflow, took: Callable[[], None]) -> None:
        """`took` is called when something was received; when it was the last, the host has its transport back."""
        self._host = host
        self._inflow = inflow
        self._took = took
        self._rooms = Rooms(PIECE)
        self._filled = 0
        self._left = (inflow.length or 0) - inflow.received
        self._room = self._next_room()

    @staticmethod
    def pays(inflow: Inflow) -> bool:
        """Whether so much of the body is missing that it should take this way."""
        return inflow.length is not None and inflow.length - inflow.received >= LEAST

    def begin(self, transport: asyncio.Transport) -> None:
        """None; what arrives from now on comes here. The transport is not reading."""
        self._transport = transport
        transport.set_protocol(self)

    def _next_room(self) -> memoryview:
        return self._rooms.take(min(PIECE - self._inflow.received % PIECE, self._left))

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002  the body's rest decides
        return self._room[self._filled :]

    def buffer_updated(self, nbytes: int) -> None:
        """Hand on what is a whole piece, or the last; once nobody wants it, nothing."""
        if self._inflow.failed:
            return
        self._filled += nbytes
        self._left -= nbytes
        if self._filled == len(self._room):
            room, self._room, self._filled = self._room, memoryview(b""), 0
            self._inflow.feed(room)
            if self._left:
                self._room = self._next_room()
            else:
                self._transport.pause_reading()
                self._transport.set_protocol(self._host)
        self._took()

    def connection_lost(self, exc: Exception | None) -> None:
        self._host.connection_lost(exc)

    def eof_received(self) -> bool | None:
        return self._host.eof_received()

    def pause_writing(self) -> None:
        self._host.pause_writing()

    def resume_writing(self) -> None:
        self._host.resume_writing()
