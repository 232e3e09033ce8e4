"""What a worker and its log's process tell each other, over a pair of sockets that nobody else has."""

from __future__ import annotations

import socket
from contextlib import suppress
from select import POLLIN, poll
from typing import Any, Final, Literal

import msgspec

from keystead.audit.logkeys import LogKeys

_LONGEST: Final = 64 << 10


class Work(msgspec.Struct, frozen=True, tag="work"):
    """The first order: where the journals and the log are, the log's keys, and witnesses as `URL VKEY`.

    `begun` says that a process before has found the log or begun it: it is not begun anew.
    """

    directory: str
    keys: LogKeys
    witnesses: tuple[str, ...] = ()
    begun: bool = False


class Nudge(msgspec.Struct, frozen=True, tag="nudge"):
    """Somebody waits for what is durable by now to be in the log."""


class Stop(msgspec.Struct, frozen=True, tag="stop"):
    """Nothing more will come: end after a last run."""


class Report(msgspec.Struct, frozen=True, tag="report"):
    """How the process fares: `ok`, or why the log is behind; and why the index is, empty if it is not.

    The state is empty before the first run: the process is there, and no more is known.
    """

    state: str
    index: str = ""


class Line(msgspec.Struct, frozen=True, tag="line"):
    """A line for the program's own log."""

    level: Literal["warning", "error"]
    event: str
    details: dict[str, Any]


Message = Work | Nudge | Stop | Report | Line

_encode: Final = msgspec.msgpack.Encoder().encode
_decoder: Final[msgspec.msgpack.Decoder[Message]] = msgspec.msgpack.Decoder(Message)


def channel() -> tuple[Channel, socket.socket]:
    """This process's end, and the other one to hand over.

    Raises:
        OSError: too many files are open.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    return Channel(ours), theirs


class Channel:
    """One end. It keeps the bounds of messages; its other end is closed when the process there ends, however it does."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._poll = poll()
        self._poll.register(end, POLLIN)

    def tell(self, message: Message) -> None:
        """None; the message is on its way, unless nobody takes messages there."""
        # A full socket: the other side has enough to read; what it needs to know it is told again.
        with suppress(BlockingIOError, BrokenPipeError, ConnectionResetError):
            self._socket.send(_encode(message), socket.MSG_DONTWAIT)

    def hear(self, patience: float | None = None) -> Message | None:
        """The next message; None if none came within so many seconds, or (without any) when the other end is closed.

        Raises:
            EOFError: the other end is closed.
        """
        if not self._poll.poll(None if patience is None else max(0.0, patience) * 1000):
            return None
        try:
            data = self._socket.recv(_LONGEST)
        except (
            ConnectionResetError
        ):  # it closed before it had read all; Linux tells so once, before what it told
            data = self._socket.recv(_LONGEST)
        if not data:
            raise EOFError
        return _decoder.decode(data)

    def close(self) -> None:
        """None; the other side hears that nothing more will come."""
        self._socket.close()
