"""`keystead audit key`: by which key others verify the log's checkpoints."""

from __future__ import annotations

from pathlib import Path

import click

from keystead.audit.custody import known_log_keys
from keystead.audit.logkeys import LogKeys
from keystead.cli.deployment import data_dir_option, opened, passphrase_option, the_seal
from keystead.cli.output import Failed, output_option, show


@click.command()
@data_dir_option
@passphrase_option
@output_option
def key(*, data_dir: Path, passphrase_file: Path | None, output: str) -> None:
    """Print the log's verifier key, as `keystead-verify` takes it. The signing key never leaves the store."""
    keys = log_keys(data_dir, passphrase_file)
    text = keys.signer(keys.origin(None)).key.text
    if output == "json":
        show({"key": text})
    else:
        print(text)


def log_keys(directory: Path, passphrase_file: Path | None) -> LogKeys:
    """The log's own keys.

    Raises:
        Failed: there are none.
        errors.SealError: the seal does not open the root key.
        errors.StorageError: the store cannot be read.
    """
    with opened(directory, the_seal(directory, passphrase_file)) as store:
        keys = known_log_keys(store)
    if keys is None:
        raise Failed(f"{directory} has no log yet: no server has run on it")
    return keys
