"""Several worker processes behind one listening socket, and the process that looks after them.

The supervisor opens no store and serves nothing. It runs this very command again for each worker, and hands over the
listening socket, so that a connection that waits to be accepted is anybody's, whoever dies or is replaced
meanwhile. Workers find by the generation in shared memory what others have committed.

SIGTERM and SIGINT end all workers after a drain. SIGHUP replaces them one after the other: settings and code are
read anew, and no connection is refused; if the first new one does not start, the others stay as they are. A worker
that dies is started again; its journal is recovered by the one that takes its place. If the supervisor dies, its
workers drain and end.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import msgspec
import structlog

from keystead import errors
from keystead.cli.running import RETIRE
from keystead.hardening import end_with, harden

log = structlog.get_logger("keystead.workers")

VARIABLE: Final = "KEYSTEAD_INTERNAL_WORKER"
"""How a worker knows that it is one: its place, as JSON. Nothing in it is secret."""
_WATCHED: Final = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
_ENDING: Final = {signal.SIGTERM, signal.SIGINT}
_MOST_FAILURES: Final = 5
"""Starts in a row that may fail while no worker runs; as long as one does, starts are tried again for ever."""
_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 5.0
"""Seconds before a worker that failed to start is tried again, and their growth's end."""
_GLANCE: Final = 0.1
"""Seconds between looks whether a signal to end came during a start."""
_STUBBORN: Final = 30.0
"""Seconds after which a worker that was told to end is killed; its drain takes less."""


class Place(msgspec.Struct, frozen=True):
    """A worker's place: its name, and the descriptors that it was given."""

    name: str
    socket: int
    ready: int
    passphrase: int
    parent: int


class Worker:
    """This process, where it is a worker."""

    def __init__(self, place: Place) -> None:
        self.name = place.name
        self.socket = socket.socket(fileno=place.socket)
        self._ready = place.ready
        self._passphrase = place.passphrase
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _WATCHED)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the supervisor replaces workers by SIGTERM
        if not end_with(place.parent):
            raise errors.SettingsError("the supervisor is gone")

    def passphrase(self) -> str:
        """What the supervisor was told, for a seal that asks for it."""
        with os.fdopen(self._passphrase, "rb") as pipe:
            return pipe.read().decode()

    def announce(self, _port: int) -> None:
        """None; the supervisor knows that this worker accepts requests."""
        os.write(self._ready, b"1")
        os.close(self._ready)


def this_worker() -> Worker | None:
    """The worker that this process is, None if it is no worker."""
    text = os.environ.pop(VARIABLE, None)
    return None if text is None else Worker(msgspec.json.decode(text, type=Place))


class _Child:
    """A worker process as the supervisor sees it."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], ready: int) -> None:
        self.name = name
        self.process = process
        self._ready = ready

    def wait_ready(self) -> bool:
        """True once it accepts requests, False if it has ended instead or a signal to end waits."""
        try:
            while not select.select([self._ready], [], [], _GLANCE)[0]:
                if signal.sigpending() & _ENDING:
                    return False
            return os.read(self._ready, 1) == b"1"
        finally:
            os.close(self._ready)

    @property
    def runs(self) -> bool:
        """Whether the process has not ended."""
        return self.process.poll() is None

    def tell(self, number: signal.Signals) -> None:
        """None; the process was sent the signal, if it still runs."""
        with suppress(ProcessLookupError):
            self.process.send_signal(number)

    def wait(self) -> None:
        """None; the process has ended, by force if it takes too long."""
        try:
            self.process.wait(_STUBBORN)
        except subprocess.TimeoutExpired:
            log.error("a worker did not end and was killed", worker=self.name)
            self.process.kill()
            self.process.wait()


class Supervisor:
    """Looks after `count` workers until it is told to stop."""

    def __init__(
        self,
        count: int,
        sock: socket.socket,
        arguments: list[str],
        passphrase: str = "",
        renew: Callable[[], str] = str,
    ) -> None:
        """`renew` tells the passphrase for a later start, or raises an OperatorError if none could succeed."""
        self._names = [f"w{number}" for number in range(count)]
        self._socket = sock
        self._arguments = arguments
        self._passphrase = passphrase
        self._renew = renew
        self._children: dict[str, _Child] = {}
        self._failures = 0

    def run(self, on_ready: Callable[[int], None]) -> int:
        """The exit status, once all workers have ended: 0, or 1 if they would not start.

        `on_ready` is called with the port when every worker accepts requests.
        """
        harden()  # it may know the passphrase
        signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
        for name in self._names:
            self._children[name] = self._start(name)
        if not all(child.wait_ready() for child in list(self._children.values())):
            told = bool(signal.sigpending() & _ENDING)
            self._stop()
            return 0 if told else 1
        on_ready(self._socket.getsockname()[1])
        return self._watch()

    def _watch(self) -> int:
        while True:
            number = self._next_signal()
            if number in _ENDING:
                self._stop()
                return 0
            if number == signal.SIGHUP:
                self._replace_all()
            self._revive()
            if self._failures >= _MOST_FAILURES and not any(c.runs for c in self._children.values()):
                log.error("workers do not start")
                return 1

    def _next_signal(self) -> int | None:
        """The next signal, None once it is time to try again to start a worker."""
        if not self._failures:
            return signal.sigwait(_WATCHED)
        pause = min(_PAUSE * self._failures, _LONGEST_PAUSE)
        told = signal.sigtimedwait(_WATCHED - {signal.SIGCHLD}, pause)
        return None if told is None else told.si_signo

    def _start(self, name: str) -> _Child:
        hear, tell = os.pipe()
        secret, give = os.pipe()
        os.write(give, self._passphrase.encode())
        os.close(give)
        place = Place(name, self._socket.fileno(), tell, secret, os.getpid())
        process = subprocess.Popen(  # noqa: S603  this very program
            [sys.executable, "-P", "-c", "from keystead.cli.main import main; main()", *self._arguments],
            env={**os.environ, VARIABLE: json.dumps(msgspec.structs.asdict(place))},
            pass_fds=(place.socket, tell, secret),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # the supervisor alone says what is ready
        )
        os.close(tell)
        os.close(secret)
        return _Child(name, process, hear)

    def _revive(self) -> None:
        """None; those that died were started again, once."""
        for name, child in list(self._children.items()):
            if not child.runs:
                log.warning("a worker died", worker=name, status=child.process.returncode)
                self._start_again(name)

    def _start_again(self, name: str) -> bool:
        ready = self._renewed("a worker cannot be started") and self._started(name)
        self._failures = 0 if ready else self._failures + 1
        return ready

    def _started(self, name: str) -> bool:
        child = self._children[name] = self._start(name)
        return child.wait_ready()

    def _renewed(self, otherwise: str) -> bool:
        """Whether a worker that is started now has what it needs; else the log says `otherwise`, and why."""
        try:
            self._passphrase = self._renew()
        except errors.OperatorError as error:
            log.error(otherwise, why=str(error))
            return False
        return True

    def _replace_all(self) -> None:
        """None; each worker was replaced. Others, and the socket's queue, take what comes meanwhile."""
        if not self._renewed("SIGHUP changes nothing: the settings cannot be used"):
            return
        for name in self._names:
            self._children[name].tell(RETIRE)
            self._children[name].wait()
            if not self._start_again(name):
                log.error("the other workers are not replaced", worker=name)
                return

    def _stop(self) -> None:
        for child in self._children.values():
            child.tell(signal.SIGTERM)
        for child in self._children.values():
            child.wait()
