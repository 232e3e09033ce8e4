"""`keystead account`: accounts of a deployment, and the first access key of each."""

from __future__ import annotations

from pathlib import Path

import click

from keystead.api.accounts import ACCOUNTS, ensure_account, put_root_credential
from keystead.api.dev_clock import clock_of
from keystead.api.directory import root_credentials_of
from keystead.audit.notes import run_noted
from keystead.cli.deployment import data_dir_option, opened, passphrase_option, the_seal
from keystead.cli.output import Failed, exports, output_option, show
from keystead.entropy import SystemEntropy
from keystead.identity.credential import new_access_key
from keystead.storage import Transaction


@click.group()
def account() -> None:
    """Add accounts, and see which there are.

    All subcommands also work beside a running server.
    """


@account.command()
@data_dir_option
@passphrase_option
@click.option("--account-id", required=True, help="The account's 12 digits.")
@click.option("--name", default="", help="A name for people; the account's id if none is given.")
@output_option
def add(*, data_dir: Path, passphrase_file: Path | None, account_id: str, name: str, output: str) -> None:
    """Add an account and print its root's access key, once.

    An account that is there already, of an organization for example, is given an access key if its root has
    none.
    """
    key_id, secret = new_access_key(SystemEntropy())
    now = clock_of(data_dir).now()

    def make(tx: Transaction) -> None:
        ensure_account(tx, account_id, name or account_id, now)
        if root_credentials_of(tx, account_id):
            raise Failed(f"account {account_id} is there, and its root has an access key")
        put_root_credential(tx, account_id, key_id, secret, now)

    with opened(data_dir, the_seal(data_dir, passphrase_file)) as store:
        run_noted(store, make, what="account add", now=now, entropy=SystemEntropy())
    if output == "json":
        show({"account_id": account_id, "access_key_id": key_id, "secret_access_key": secret})
    else:
        print(f"# Keep the root credentials of account {account_id}; they are not shown again:")
        print(exports(AWS_ACCESS_KEY_ID=key_id, AWS_SECRET_ACCESS_KEY=secret))


@account.command(name="list")
@data_dir_option
@passphrase_option
@output_option
def list_accounts(*, data_dir: Path, passphrase_file: Path | None, output: str) -> None:
    """List the accounts: id, name, and the organization that each belongs to."""
    with opened(data_dir, the_seal(data_dir, passphrase_file)) as store:
        found = [account for _, account in store.transaction().scan(ACCOUNTS, "")]
    if output == "json":
        show([{"account_id": a.id, "name": a.name, "organization": a.organization or None} for a in found])
        return
    for each in found:
        print("  ".join(part for part in (each.id, each.name, each.organization) if part))
