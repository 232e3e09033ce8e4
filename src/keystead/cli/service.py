"""`keystead service`: services that may call with their callers' permissions."""

from __future__ import annotations

from pathlib import Path

import click

from keystead.api.accounts import put_service_credential, service_credentials
from keystead.api.dev_clock import clock_of
from keystead.api.directory import CREDENTIALS
from keystead.audit.notes import run_noted
from keystead.cli.deployment import data_dir_option, opened, passphrase_option, the_seal
from keystead.cli.output import Failed, exports, output_option, show
from keystead.entropy import SystemEntropy
from keystead.identity.credential import new_access_key
from keystead.storage import Transaction


@click.group()
def service() -> None:
    """Register services, which call with the permissions of whoever asked them.

    All subcommands also work beside a running server.
    """


@service.command()
@click.argument("principal")
@data_dir_option
@passphrase_option
@output_option
def register(*, principal: str, data_dir: Path, passphrase_file: Path | None, output: str) -> None:
    """Give the service PRINCIPAL (rds.amazonaws.com) an access key, which is printed once."""
    key_id, secret = new_access_key(SystemEntropy())
    now = clock_of(data_dir).now()
    with opened(data_dir, the_seal(data_dir, passphrase_file)) as store:
        run_noted(
            store,
            lambda tx: put_service_credential(tx, principal, key_id, secret, now),
            what="service register",
            now=now,
            entropy=SystemEntropy(),
        )
    if output == "json":
        show({"service": principal, "access_key_id": key_id, "secret_access_key": secret})
    else:
        print(f"# {principal} is registered; its secret is not shown again:")
        print(exports(AWS_ACCESS_KEY_ID=key_id, AWS_SECRET_ACCESS_KEY=secret))


@service.command(name="list")
@data_dir_option
@passphrase_option
@output_option
def list_services(*, data_dir: Path, passphrase_file: Path | None, output: str) -> None:
    """List the registered services and their access key ids."""
    with opened(data_dir, the_seal(data_dir, passphrase_file)) as store:
        found = service_credentials(store.transaction())
    if output == "json":
        show([{"service": c.service, "access_key_id": c.access_key_id} for c in found])
    for credential in found if output == "text" else ():
        print(f"{credential.service}  {credential.access_key_id}")


@service.command()
@click.argument("access_key_id")
@data_dir_option
@passphrase_option
def revoke(*, access_key_id: str, data_dir: Path, passphrase_file: Path | None) -> None:
    """Delete a service's access key; its next call is refused."""

    def delete(tx: Transaction) -> None:
        known = tx.get(CREDENTIALS, access_key_id)
        if known is None or not known.service:
            raise Failed(f"no service has the access key {access_key_id}")
        tx.delete(CREDENTIALS, access_key_id)

    with opened(data_dir, the_seal(data_dir, passphrase_file)) as store:
        run_noted(store, delete, what="service revoke", now=clock_of(data_dir).now(), entropy=SystemEntropy())
