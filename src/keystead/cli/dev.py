"""`keystead dev`: a server for development and trials; it enforces everything."""

from __future__ import annotations

import ipaddress
import shutil
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any

import click

from keystead import app as apps
from keystead import errors
from keystead.api.dev_clock import SharedClock, forget_moved
from keystead.cli.deployment import asker
from keystead.cli.options import setting_options, settings_from
from keystead.cli.output import exports
from keystead.cli.running import configure_logging, listening_socket, run
from keystead.cli.workers import Supervisor, Worker, this_worker
from keystead.clock import Clock, ManualClock, SystemClock
from keystead.entropy import SystemEntropy
from keystead.identity import Credential
from keystead.keyring import Keyring
from keystead.seal import SealOptions
from keystead.seed import apply_seed, read_seed
from keystead.settings import Settings
from keystead.storage import Store


@click.command("dev")
@setting_options(
    "listen",
    "data_dir",
    "ephemeral",
    "seed",
    "account_id",
    "region",
    "access_key_id",
    "secret_access_key",
    "workers",
    "manual_clock",
    "threads",
    "log_format",
    "log_level",
)
def dev(**options: Any) -> None:
    """Run a server on loopback for development and trials.

    Creates what is missing (a deployment with a file seal, an account, root credentials) and prints the
    variables that AWS clients need. Everything is enforced.
    """
    settings = settings_from(options)
    if not settings.data_dir:  # which would be the current directory
        raise errors.SettingsError("data_dir must name a directory, not ''")
    _require_loopback(settings)
    configure_logging(settings)
    worker = this_worker()
    if worker is not None:
        _work(settings, worker)
        return
    seed = read_seed(Path(settings.seed)) if settings.seed else None
    sock = listening_socket(settings)
    entropy = SystemEntropy()
    directory = Path(tempfile.mkdtemp(prefix="keystead-")) if settings.ephemeral else Path(settings.data_dir)
    try:
        with apps.starting(directory):
            store = apps.ephemeral_store(entropy) if settings.ephemeral else _open(settings, entropy)
            clock = _clock(settings, directory)
            if seed is not None:
                apply_seed(store, Keyring.open(store, entropy), seed, clock.now(), entropy)
            credential = apps.first_credential(store, settings, clock, entropy)
            several = settings.workers > 1
            app = None if several else apps.build(settings, store, directory, clock=clock, entropy=entropy)
        if app is None:
            store.close()
            _supervise(settings, sock, credential)
            return
        if not settings.manual_clock:
            forget_moved(directory)
        run(app, sock, tls=None, on_ready=lambda port: _announce(settings, credential, port))
    finally:
        if settings.ephemeral:
            shutil.rmtree(directory, ignore_errors=True)


def _supervise(settings: Settings, sock: socket.socket, credential: Credential) -> None:
    """Run the workers until told to stop; this process has closed the store and keeps no key."""
    supervisor = Supervisor(settings.workers, sock, sys.argv[1:])
    sys.exit(supervisor.run(lambda port: _announce(settings, credential, port)))


def _work(settings: Settings, worker: Worker) -> None:
    """Be one of several workers."""
    directory, entropy = Path(settings.data_dir), SystemEntropy()
    with apps.starting(directory):
        store = _open(settings, entropy)
        clock = _clock(settings, directory)
        app = apps.build(settings, store, directory, clock=clock, entropy=entropy, worker=worker.name)
    if not settings.manual_clock:
        forget_moved(directory)
    run(app, worker.socket, tls=None, on_ready=worker.announce)


def _clock(settings: Settings, directory: Path) -> Clock:
    if not settings.manual_clock:
        return SystemClock()
    return ManualClock() if settings.ephemeral else SharedClock(directory)


def _open(settings: Settings, entropy: SystemEntropy) -> Store:
    directory = Path(settings.data_dir)
    # Of a deployment that `keystead init` sealed by a passphrase; one that is created here has a key file.
    file = None if settings.passphrase_file is None else Path(settings.passphrase_file)
    return apps.open_or_create(directory, SealOptions(directory, asker(file), entropy=entropy), entropy)


def _require_loopback(settings: Settings) -> None:
    if settings.host == "localhost":
        return
    try:
        address = ipaddress.ip_address(settings.host)
    except ValueError:
        raise errors.SettingsError(f"listen must name an address, not {settings.host!r}") from None
    if not address.is_loopback:
        raise errors.SettingsError(
            f"dev listens on loopback only, not on {settings.host}; use `keystead serve` with TLS for more"
        )


def _announce(settings: Settings, credential: Credential, port: int) -> None:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    url = f"http://{host}:{port}"
    lines = exports(
        AWS_ENDPOINT_URL=url,
        AWS_ACCESS_KEY_ID=credential.access_key_id,
        AWS_SECRET_ACCESS_KEY=credential.secret,
        AWS_REGION=settings.region,
        AWS_DEFAULT_REGION=settings.region,  # the one that version 1 of the aws CLI reads
    )
    print(f"keystead ready on {url}\n{lines}\n# try: aws kms create-key", flush=True)
