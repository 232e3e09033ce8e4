"""What `dev` and `serve` share: a hardened process, logs, one event loop, signals, a drain."""

from __future__ import annotations

import asyncio
import errno
import gc
import logging
import os
import resource
import signal
import socket
import ssl
import sys
from collections.abc import Callable

import structlog
import uvloop

from keystead import errors
from keystead.app import App
from keystead.hardening import harden
from keystead.http import Limits, serve
from keystead.settings import Settings

log = structlog.get_logger("keystead")

_OWN_FILES = 256
"""The store, journals, sockets of other kinds and what libraries open."""
_DRAIN = 10.0
"""Seconds that running requests get after a signal to stop."""
_PATIENCE = 2.0
"""Seconds that idle connections get to bring one more request when the worker is only replaced."""
_TURNS = 3
"""Rounds of the event loop in which it reads a signal that has come, and calls who hears it."""
HELD = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
"""Signals that wait, from here on, until a successor listens to them; they would end it before."""
RETIRE = signal.SIGUSR1
"""What a worker is told that another takes its place."""
_GC_THRESHOLDS = (20_000, 20, 50)
"""Requests leave no cycles behind: the collector need not look often (default 700, 10, 10)."""
SWITCH_INTERVAL = 0.0005
"""Seconds; the writer thread would otherwise wait up to 5 ms for the interpreter."""


def _allow_files(connections: int) -> None:
    """Let the process open as many files as it may, or as many as its connections take."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _OWN_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        ceiling = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (ceiling, hard))


def configure_logging(settings: Settings) -> None:
    """Logs go to stderr: lines for people on a terminal, JSON elsewhere."""
    as_text = settings.log_format == "text" or (settings.log_format == "auto" and sys.stderr.isatty())
    renderer = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        if as_text
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            plain_tracebacks,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, settings.log_level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def plain_tracebacks(
    _logger: object, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """The event with its exception as file and line numbers only: messages and locals may hold secrets."""
    error = event.pop("exc_info", None)
    if isinstance(error, BaseException):
        frames, trace = [], error.__traceback__
        while trace is not None:
            code = trace.tb_frame.f_code
            frames.append(f"{code.co_filename.rpartition('keystead/')[2]}:{trace.tb_lineno} {code.co_name}")
            trace = trace.tb_next
        event["where"] = frames
    return event


def listening_socket(settings: Settings) -> socket.socket:
    """A bound socket for the `listen` setting.

    Raises:
        errors.SettingsError: the address cannot be listened on.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=1024)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        hint = "; give another port by --listen" if error.errno == errno.EADDRINUSE else ""
        raise errors.SettingsError(f"cannot listen on {settings.listen}: {reason}{hint}") from None


def run(
    app: App,
    sock: socket.socket,
    *,
    tls: ssl.SSLContext | None,
    on_ready: Callable[[int], None],
    check: Callable[[], object] | None = None,
) -> bool:
    """Serve until a signal to end, then finish what is running. True if a successor is to take over.

    SIGTERM and SIGINT end it, and so does the end of its terminal (SIGHUP, unless that is ignored). With `check`, SIGHUP
    asks for a successor instead, and is heeded if `check` raises nothing: settings can be used.

    Raises:
        errors.OperatorError: the store or the journal cannot be used.
    """
    harden()
    sys.setswitchinterval(SWITCH_INTERVAL)
    ending = _Ending(check)
    uvloop.run(_serve(app, sock, tls, on_ready, ending))
    return ending.succeeded


class _Ending:
    """When the server is to end, and how: which signals say so. Who is told to end has no successor, however late."""

    def __init__(self, check: Callable[[], object] | None) -> None:
        self.succeeded = False
        self._check = check

    def told(self, loop: asyncio.AbstractEventLoop) -> asyncio.Future[float]:
        """What will be the seconds that idle connections get, once a signal says to end."""
        told: asyncio.Future[float] = loop.create_future()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end, told)
        loop.add_signal_handler(RETIRE, _set, told, _PATIENCE)
        if self._check is not None:
            loop.add_signal_handler(signal.SIGHUP, self._hang_up, told)
        elif signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            loop.add_signal_handler(signal.SIGHUP, _set, told, 0.0)
        return told

    async def heard(self) -> None:
        """None, when each signal that came has been heard. Later ones wait for the successor, where there is one."""
        if self.succeeded:
            signal.pthread_sigmask(signal.SIG_BLOCK, HELD)
            for _ in range(_TURNS):
                await asyncio.sleep(0)

    def _end(self, told: asyncio.Future[float]) -> None:
        self.succeeded = False
        _set(told, 0.0)

    def _hang_up(self, told: asyncio.Future[float]) -> None:
        assert self._check is not None
        try:
            self._check()
        except errors.OperatorError as error:
            log.error("SIGHUP changes nothing: the settings cannot be used", why=str(error))
            return
        if not told.done():
            self.succeeded = True
            told.set_result(_PATIENCE)


def _set(told: asyncio.Future[float], patience: float) -> None:
    if not told.done():
        told.set_result(patience)


async def _serve(
    app: App,
    sock: socket.socket,
    tls: ssl.SSLContext | None,
    on_ready: Callable[[int], None],
    ending: _Ending,
) -> None:
    told = ending.told(asyncio.get_running_loop())
    await app.start()
    limits = Limits(max_connections=app.settings.max_connections, max_buffered=app.settings.max_buffered)
    _allow_files(limits.max_connections)
    server = await serve(app.handle, sock=sock, limits=limits, tls=tls, clock=app.wall, streams=app.streams)
    gc.collect()
    gc.freeze()  # what was loaded at the start is never garbage
    gc.set_threshold(*_GC_THRESHOLDS)
    on_ready(server.port)
    await server.drain(_DRAIN, await told)
    await app.stop()
    await ending.heard()
