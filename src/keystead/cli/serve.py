"""`keystead serve`: the server of a deployment that `keystead init` created."""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import Any

import click

from keystead import app as apps
from keystead import errors
from keystead.app import open_store
from keystead.cli.deployment import asker, seal_with
from keystead.cli.options import setting_options, settings_from
from keystead.cli.running import configure_logging, listening_socket, run
from keystead.cli.tls import tls_context
from keystead.cli.workers import Supervisor, this_worker
from keystead.clock import SystemClock
from keystead.seal import seal_name
from keystead.seal.passphrase import PassphraseSeal
from keystead.settings import Settings


@click.command()
@setting_options(
    "data_dir",
    "listen",
    "tls_cert",
    "tls_key",
    "client_ca",
    "workers",
    "region",
    "seal",
    "passphrase_file",
    "threads",
    "max_connections",
    "max_waiting",
    "max_buffered",
    "log_format",
    "log_level",
)
def serve(**options: Any) -> None:
    """Run the server of a deployment until SIGTERM or SIGINT.

    Beyond loopback it demands TLS. With the passphrase seal, the passphrase comes from --passphrase-file or
    is asked for on the terminal.
    """
    where = settings_from(dict(options), data_dir="").data_dir
    if not where:
        raise click.UsageError("Missing option '--data-dir'.")
    directory = Path(where)
    if not apps.exists(directory):
        raise errors.SettingsError(f"{directory} holds no deployment; `keystead init` creates one")
    used = seal_name(directory)
    settings = settings_from(options, seal=used)
    if settings.seal != used:
        raise errors.SettingsError(
            f"the deployment is sealed by {used}; `keystead seal rekey --to {settings.seal}` changes that"
        )
    tls = tls_context(settings)
    configure_logging(settings)
    worker = this_worker()
    if worker is not None:
        store = open_store(directory, seal_with(directory, worker.passphrase))
        app = apps.build(settings, store, directory, clock=SystemClock(), worker=worker.name)
        run(app, worker.socket, tls=tls, on_ready=worker.announce)
        return
    file = None if settings.passphrase_file is None else Path(settings.passphrase_file)
    ask = functools.cache(asker(file))  # a person is asked once
    sock = listening_socket(settings)
    store = open_store(directory, seal_with(directory, ask))
    if settings.workers > 1:
        store.close()  # opened to tell a wrong passphrase now
        passphrase = ask() if used == PassphraseSeal.name else None
        supervisor = Supervisor(settings.workers, sock, sys.argv[1:], passphrase)
        sys.exit(supervisor.run(lambda port: _announce(settings, port)))
    app = apps.build(settings, store, directory, clock=SystemClock())
    run(app, sock, tls=tls, on_ready=lambda port: _announce(settings, port))


def _announce(settings: Settings, port: int) -> None:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    scheme = "https" if settings.tls_cert else "http"
    print(f"keystead ready on {scheme}://{host}:{port}", flush=True)
