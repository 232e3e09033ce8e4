"""One process that takes its own place: it becomes a new one of the same id, and no connection is refused.

A single worker has no supervisor who could start another. When it has answered what it had and closed its files, it
executes its own command anew (execve(2)), and hands over what a successor cannot make itself: the listening socket,
in whose queue new connections wait meanwhile, and the passphrase that a person was asked for once.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from typing import Final, NoReturn

import msgspec

from keystead.cli.running import HELD

VARIABLE: Final = "KEYSTEAD_INTERNAL_SUCCESSOR"
"""How a process knows that it succeeds itself: descriptors, as JSON. Nothing in it is secret."""


class _Inherited(msgspec.Struct, frozen=True):
    socket: int
    passphrase: int


class Successor:
    """This process, where it succeeds itself."""

    def __init__(self, inherited: _Inherited) -> None:
        self.socket = socket.socket(fileno=inherited.socket)
        self.socket.set_inheritable(False)
        self._passphrase = inherited.passphrase

    def passphrase(self) -> str:
        """What the predecessor was told, for a seal that asks for it."""
        with os.fdopen(self._passphrase, "rb") as pipe:
            return pipe.read().decode()

    def announce(self, _port: int) -> None:
        """None; signals that came meanwhile are heard. Who waits for a ready line has had it long ago."""
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD)


def this_successor() -> Successor | None:
    """The successor that this process is, None if it was started by somebody else."""
    text = os.environ.pop(VARIABLE, None)
    return None if text is None else Successor(msgspec.json.decode(text, type=_Inherited))


def succeed(sock: socket.socket, passphrase: str) -> NoReturn:
    """Never returns: this process, which holds signals back, is its successor, with the socket and the passphrase."""
    secret, give = os.pipe()
    os.write(give, passphrase.encode())
    os.close(give)
    for descriptor in (sock.fileno(), secret):
        os.set_inheritable(descriptor, True)
    given = _Inherited(sock.fileno(), secret)
    os.execve(  # noqa: S606  this very program
        sys.executable,
        [sys.executable, *sys.orig_argv[1:]],
        {**os.environ, VARIABLE: json.dumps(msgspec.structs.asdict(given))},
    )
