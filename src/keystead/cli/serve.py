"""`keystead serve`: the server of a deployment that `keystead init` created."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from keystead import app as apps
from keystead import errors
from keystead.app import open_store
from keystead.cli.deployment import the_seal
from keystead.cli.options import setting_options, settings_from
from keystead.cli.running import configure_logging, listening_socket, run
from keystead.cli.tls import tls_context
from keystead.clock import SystemClock
from keystead.seal import seal_name
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
    file = None if settings.passphrase_file is None else Path(settings.passphrase_file)
    sock = listening_socket(settings)
    store = open_store(directory, the_seal(directory, file))
    app = apps.build(settings, store, directory, clock=SystemClock())
    run(app, sock, tls=tls, on_ready=lambda port: _announce(settings, port))


def _announce(settings: Settings, port: int) -> None:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    scheme = "https" if settings.tls_cert else "http"
    print(f"keystead ready on {scheme}://{host}:{port}", flush=True)
