"""`keystead serve`: the server of a deployment that `keystead init` created."""

from __future__ import annotations

import functools
import ssl
import sys
from pathlib import Path
from typing import Any

import click

from keystead import app as apps
from keystead import errors
from keystead.api.dev_clock import forget_moved
from keystead.app import open_store
from keystead.cli.deployment import asker, passphrase_now, seal_with
from keystead.cli.options import setting_options, settings_from
from keystead.cli.running import configure_logging, listening_socket, run
from keystead.cli.succession import succeed, this_successor
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
    """Run the server of a deployment until SIGTERM or SIGINT; SIGHUP reads settings, certificates and code anew.

    Beyond loopback it demands TLS. With the passphrase seal, the passphrase comes from --passphrase-file or
    is asked for on the terminal.
    """
    where = settings_from(dict(options), data_dir="").data_dir
    if not where:
        raise click.UsageError("Missing option '--data-dir'.")
    directory = Path(where)
    if not apps.exists(directory):
        raise errors.SettingsError(f"{directory} holds no deployment; `keystead init` creates one")
    settings = _settings(options, directory)
    tls = tls_context(settings)
    configure_logging(settings)
    worker = this_worker()
    if worker is not None:
        with apps.starting(directory):
            store = open_store(directory, seal_with(directory, worker.passphrase))
            app = apps.build(settings, store, directory, clock=SystemClock(), worker=worker.name)
        forget_moved(directory)
        run(app, worker.socket, tls=tls, on_ready=worker.announce)
        return
    _serve(settings, options, directory, tls)


def _settings(options: dict[str, Any], directory: Path) -> Settings:
    """The settings as they are now, for the seal that the deployment has now.

    Raises:
        errors.SettingsError: one has a bad value, or names another seal.
        errors.SealError: `root.sealed` cannot be read.
    """
    used = seal_name(directory)
    settings = settings_from(dict(options), seal=used)
    if settings.seal != used:
        raise errors.SettingsError(
            f"the deployment is sealed by {used}; `keystead seal rekey --to {settings.seal}` changes that"
        )
    return settings


def _serve(settings: Settings, options: dict[str, Any], directory: Path, tls: ssl.SSLContext | None) -> None:
    """None; this process was the only worker, or looked after several, until it was told to end."""
    successor = this_successor()
    asked = asker(_passphrase_file(settings)) if successor is None else successor.passphrase
    ask = functools.cache(asked)  # a person is asked once
    sock = listening_socket(settings) if successor is None else successor.socket
    several = settings.workers > 1 and successor is None
    with apps.starting(directory):
        store = open_store(directory, seal_with(directory, ask))
        told = ask() if settings.seal == PassphraseSeal.name else ""
        app = None if several else apps.build(settings, store, directory, clock=SystemClock())
    renew = _Renewal(options, directory, told)
    announce = functools.partial(_announce, settings)
    if app is None:
        store.close()  # opened to tell a wrong passphrase now
        sys.exit(Supervisor(settings.workers, sock, sys.argv[1:], told, renew).run(announce))
    forget_moved(directory)
    kept = sock.dup()
    ready = announce if successor is None else successor.announce
    if run(app, sock, tls=tls, on_ready=ready, check=renew):
        succeed(kept, renew())


def _passphrase_file(settings: Settings) -> Path | None:
    return None if settings.passphrase_file is None else Path(settings.passphrase_file)


class _Renewal:
    """The passphrase for a process that starts now; once it was found in its file, it need not stay there."""

    def __init__(self, options: dict[str, Any], directory: Path, told: str) -> None:
        self._options = options
        self._directory = directory
        self._told = told

    def __call__(self) -> str:
        """The passphrase, with which such a process can start with the settings as they are now.

        Raises:
            errors.SettingsError: one has a bad value, or its file cannot be used.
            errors.SealError: no passphrase that is known opens the seal as it is now.
        """
        settings = _settings(self._options, self._directory)
        tls_context(settings)
        self._told = passphrase_now(self._directory, self._told, _passphrase_file(settings))
        return self._told


def _announce(settings: Settings, port: int) -> None:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    scheme = "https" if settings.tls_cert else "http"
    print(f"keystead ready on {scheme}://{host}:{port}", flush=True)
