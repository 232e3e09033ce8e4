"""The leading worker's side of the log's process: starts it, watches it, and starts it again when it dies."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Final

import msgspec
import structlog

from keystead.audit.custody import remember_begun
from keystead.audit.logkeys import LogKeys
from keystead.audit.logmessages import Channel, Line, Nudge, Report, Stop, Work, channel
from keystead.audit.witnessing import parse_address
from keystead.errors import OperatorError
from keystead.settings import without_settings
from keystead.storage.store import Store

log = structlog.get_logger("keystead.log")

_PROGRAM: Final = "import sys; from keystead.audit.logprocess import main; main(int(sys.argv[1]))"
_SILENCE: Final = 15.0
"""Seconds without a word after which the process is said not to answer; it reports twice a second."""
_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 5.0
"""Seconds before another start after a process that lived shortly, and their growth's end."""
_STUBBORN: Final = 30.0
"""Seconds without a word after which a process that was told to stop is killed; the next start goes on where it was."""


def sequencing_of(directory: Path, keys: LogKeys, witnesses: tuple[str, ...], store: Store) -> Sequencing:
    """What has the log in the data directory written, with the witnesses that the setting names; `store` remembers it.

    Raises:
        errors.SettingsError: one of the witnesses is malformed; said now, and not by the process.
    """
    for witness in witnesses:
        parse_address(witness)
    return Sequencing(Work(str(directory), keys, witnesses, begun=keys.begun), partial(remember_begun, store))


class Sequencing:
    """The log's process, while this worker leads."""

    def __init__(self, work: Work, remember: Callable[[], None] = lambda: None) -> None:
        """`remember` keeps it, beyond this process, that the log is begun; it is called on a thread of its own."""
        self._work = work
        self._remember = remember
        self._remembered = work.begun
        self._lock = Lock()
        self._channel: Channel | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._thread: Thread | None = None
        self._ending = Event()
        self._state, self._index = "ok", ""
        self._heard = 0.0

    @property
    def state(self) -> str:
        """`ok`, or why the log is behind; `ok` as long as this worker does not lead."""
        silence = time.monotonic() - self._heard if self._thread is not None else 0.0
        if silence > _SILENCE:
            return f"log behind: its process has not answered for {silence:.0f} seconds"
        return self._state

    @property
    def pid(self) -> int | None:
        """Of the process; None while there is none."""
        process = self._process
        return None if process is None else process.pid

    def lead(self) -> None:
        """None; from now on this worker has the log written. Never blocks."""
        if self._thread is None and not self._ending.is_set():
            self._heard = time.monotonic()
            self._thread = Thread(target=self._work_on, name="log", daemon=True)
            self._thread.start()

    def nudge(self) -> None:
        """None; what is durable by now is in the log as soon as possible. Never blocks; nothing where another leads."""
        self._order(Nudge())

    def stop(self) -> None:
        """None, once the process has done a last run and ended; blocks for as long as that takes."""
        self._ending.set()
        thread = self._thread
        if thread is None:
            return
        told = time.monotonic()
        while thread.is_alive() and time.monotonic() - max(told, self._heard) < _STUBBORN:
            self._order(Stop())  # again and again: a socket that is full of nudges takes none
            thread.join(_PAUSE)
        process = self._process
        if thread.is_alive() and process is not None:
            log.error("the log's process did not end and was killed")
            process.kill()
        thread.join()

    def _order(self, order: Nudge | Stop) -> None:
        with self._lock:
            if self._channel is not None:
                self._channel.tell(order)

    # -------------------------------------------------------------------------- the thread

    def _work_on(self) -> None:
        pause, ended = 0.0, False
        # Once at least, so that what is durable is in the log even if the end came right after the start.
        while not ended:
            began = time.monotonic()
            self._run_process()
            lived = time.monotonic() - began
            pause = 0.0 if lived > _LONGEST_PAUSE else min(_LONGEST_PAUSE, pause + _PAUSE)
            ended = self._ending.wait(pause)

    def _run_process(self) -> None:
        """None, once a process was started and has ended."""
        try:
            process, ours = self._start()
        except OSError as error:
            self._tell(f"log behind: its process does not start: {error.strerror}")
            return
        ours.tell(self._work)  # before any order
        with self._lock:
            self._process, self._channel = process, ours
        if self._ending.is_set():  # told before there was anybody to tell
            ours.tell(Stop())
        self._listen(ours)
        status = process.wait()
        with self._lock:
            self._process = self._channel = None
        ours.close()
        if not self._ending.is_set():
            self._tell(f"log behind: its process ended with status {status}")

    def _start(self) -> tuple[subprocess.Popen[bytes], Channel]:
        ours, theirs = channel()
        try:
            with theirs:
                process = subprocess.Popen(  # noqa: S603  this very program
                    [sys.executable, "-P", "-c", _PROGRAM, str(theirs.fileno())],
                    env=without_settings(os.environ),
                    pass_fds=(theirs.fileno(),),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    # What a terminal sends is meant for the server. A session of its own would do, too, but Linux may share
                    # processors out between sessions first (autogroups), and the process would not give way to calls however nice.
                    process_group=0,
                )
        except BaseException:
            ours.close()
            raise
        return process, ours

    def _listen(self, ours: Channel) -> None:
        """None, once the process has closed its end."""
        while True:
            try:
                message = ours.hear()
            except EOFError:
                return
            if isinstance(message, Report):
                self._heard = time.monotonic()
                if message.state == "ok":
                    self._work = msgspec.structs.replace(self._work, begun=True)
                    self._note_begun()
                if message.state:
                    self._tell(message.state)
                self._tell_of_index(message.index)
            elif isinstance(message, Line):
                (log.error if message.level == "error" else log.warning)(message.event, **message.details)

    def _note_begun(self) -> None:
        if not self._remembered:
            with suppress(OperatorError):  # the next report tries again
                self._remember()
                self._remembered = True

    def _tell(self, state: str) -> None:
        if state not in {self._state, "ok"}:
            log.error("the log cannot be written", reason=state)
        self._state = state

    def _tell_of_index(self, reason: str) -> None:
        if reason not in {self._index, ""}:
            log.warning("the index waits", reason=reason)
        self._index = reason
