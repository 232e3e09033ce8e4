"""`keystead witness`: cosigns the checkpoints of logs, as long as each only grows."""

from __future__ import annotations

import asyncio
import signal
import socket
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import click

from keystead import errors
from keystead.audit.witness import Memory, Witness
from keystead.cli.options import setting_options, settings_from
from keystead.cli.running import configure_logging, listening_socket
from keystead.cli.tls import tls_context
from keystead.clock import SystemClock
from keystead.entropy import SystemEntropy
from keystead.http import Limits, serve
from keystead.settings import Settings
from keystead.tlog.checkpoint import LOG, VerifierKey, parse_vkey
from keystead.wire.http import Request, Response

_DRAIN: Final = 10.0
_LIMITS: Final = Limits(max_body=512 << 10, max_connections=200)


@click.command()
@setting_options("data_dir", "listen", "tls_cert", "tls_key", "log_format", "log_level")
@click.option("--name", help="The witness's name in its cosignatures; fixed at the first start.")
@click.option("--log", "logs", multiple=True, required=True, help="Verifier key of a log; may be repeated.")
def witness(*, name: str | None, logs: Sequence[str], **options: Any) -> None:
    """Cosign checkpoints of the given logs until SIGTERM or SIGINT.

    What it signed is on the disk before it answers. A log that shows another history than before, or less of it,
    gets no signature. Beyond loopback it demands TLS.
    """
    settings = settings_from(dict(options), data_dir="")
    if not settings.data_dir:
        raise click.UsageError("Missing option '--data-dir'.")
    keys = [_log_key(text) for text in logs]
    tls = tls_context(settings)
    configure_logging(settings)
    sock = listening_socket(settings)
    memory = Memory(Path(settings.data_dir))
    signer = memory.signer(name, SystemEntropy())
    door = Witness(memory, signer, keys, SystemClock())
    try:
        asyncio.run(_serve(door, sock, tls, lambda port: _announce(settings, port, signer.key)))
    finally:
        door.close()
        memory.close()


def _log_key(text: str) -> VerifierKey:
    try:
        key = parse_vkey(text)
    except errors.LogError as error:
        raise errors.SettingsError(f"--log: {error}") from None
    if key.kind != LOG:
        raise errors.SettingsError(f"--log: a log's key is of type {LOG}")
    return key


async def _serve(
    door: Witness, sock: socket.socket, tls: ssl.SSLContext | None, on_ready: Callable[[int], None]
) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    def handle(request: Request, answer: Callable[[Response], None]) -> None:
        door.handle(request, answer, loop.call_soon_threadsafe)

    server = await serve(handle, sock=sock, limits=_LIMITS, tls=tls)
    on_ready(server.port)
    await stop.wait()
    await server.drain(_DRAIN)


def _announce(settings: Settings, port: int, key: VerifierKey) -> None:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    scheme = "https" if settings.tls_cert else "http"
    print(f"keystead witness ready on {scheme}://{host}:{port}")
    print(f"verifier key: {key.text}", flush=True)
