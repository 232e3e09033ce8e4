"""`keystead init`: a new deployment and its first root credentials."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from keystead import app as apps
from keystead.cli.deployment import asker
from keystead.cli.options import setting_options, settings_from
from keystead.cli.output import output_option, show
from keystead.clock import SystemClock
from keystead.entropy import SystemEntropy
from keystead.identity import Credential
from keystead.identity.account import check_account_id
from keystead.identity.credential import check_credential
from keystead.seal import SealOptions
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
    print(
        f"# {settings.data_dir} is created, sealed by {settings.seal}. Keep these root credentials; they are "
        f"not shown again:\n"
        f"export AWS_ACCESS_KEY_ID={credential.access_key_id}\n"
        f"export AWS_SECRET_ACCESS_KEY={credential.secret}\n"
        f"export AWS_REGION={settings.region}\n"
        f"export AWS_DEFAULT_REGION={settings.region}\n"  # the one that version 1 of the aws CLI reads
        f"# next: keystead serve --data-dir {settings.data_dir}"
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
