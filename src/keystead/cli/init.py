"""`keystead init`: a new deployment and its first root credentials."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click

from keystead import app as apps
from keystead.cli.deployment import asker
from keystead.cli.options import setting_options, settings_from
from keystead.cli.output import exports, output_option, show
from keystead.clock import SystemClock
from keystead.entropy import SystemEntropy
from keystead.identity import Credential
from keystead.identity.account import check_account_id
from keystead.identity.credential import check_credential
from keystead.seal import SealOptions
from keystead.seal.passphrase import PassphraseSeal
from keystead.settings import Settings


@click.command()
@setting_options(
    "data_dir", "account_id", "region", "access_key_id", "secret_access_key", "seal", "passphrase_file"
)
@output_option
def init(*, output: str, **options: Any) -> None:
    """Create a deployment: a data directory with one account and its root credentials.

    The credentials are printed once. What is there already is never overwritten.
    """
    settings = settings_from(options, data_dir="", account_id="")
    _check(settings)
    credential = _create(settings)
    if output == "json":
        show(_described(settings, credential))
        return
    lines = exports(
        AWS_ACCESS_KEY_ID=credential.access_key_id,
        AWS_SECRET_ACCESS_KEY=credential.secret,
        AWS_REGION=settings.region,
        AWS_DEFAULT_REGION=settings.region,  # the one that version 1 of the aws CLI reads
    )
    print(
        f"# {settings.data_dir} is created, sealed by {settings.seal}. Keep these root credentials; they are "
        f"not shown again:\n{lines}\n# next: keystead serve --data-dir {shlex.quote(settings.data_dir)}"
    )


def _check(settings: Settings) -> None:
    """None if nothing stands against creating what the settings say.

    Raises:
        click.UsageError: an option is missing.
        errors.SettingsError: a value cannot be used.
    """
    for name in ("data_dir", "account_id"):
        if not getattr(settings, name):
            raise click.UsageError(f"Missing option '--{name.replace('_', '-')}'.")
    if settings.passphrase_file is not None and settings.seal != PassphraseSeal.name:
        raise click.UsageError("--passphrase-file is for the passphrase seal: give --seal passphrase, too")
    check_account_id(settings.account_id)
    if settings.access_key_id is not None and settings.secret_access_key is not None:
        check_credential(settings.access_key_id, settings.secret_access_key)


def _create(settings: Settings) -> Credential:
    entropy = SystemEntropy()
    directory = Path(settings.data_dir)
    file = None if settings.passphrase_file is None else Path(settings.passphrase_file)
    options = SealOptions(directory, asker(file, "New passphrase", confirm=True), entropy=entropy)
    store = apps.create(directory, options, settings.seal, entropy)
    try:
        return apps.first_credential(store, settings, SystemClock(), entropy)
    finally:
        store.close()


def _described(settings: Settings, credential: Credential) -> dict[str, str]:
    return {
        "data_dir": settings.data_dir,
        "seal": settings.seal,
        "account_id": settings.account_id,
        "region": settings.region,
        "access_key_id": credential.access_key_id,
        "secret_access_key": credential.secret,
    }
