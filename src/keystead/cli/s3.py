"""`keystead s3`: what an operator does about the objects of a deployment."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click
import msgspec

from keystead.api.dev_clock import clock_of
from keystead.audit.notes import run_noted
from keystead.cli.deployment import data_dir_option, opened, passphrase_option, the_seal
from keystead.cli.options import setting_options, settings_from
from keystead.cli.output import Failed, output_option, show
from keystead.cli.reencrypt import reencrypt
from keystead.clock import SystemClock
from keystead.entropy import SystemEntropy
from keystead.keyring import Keyring
from keystead.objects import Blobs, Findings, compare, open_blobs
from keystead.services.s3.inventory import named_blobs
from keystead.services.s3.ownkey import make
from keystead.storage import Store

STORE_SETTINGS: Final = (
    "object_store",
    "object_store_endpoint",
    "object_store_region",
    "object_store_credentials",
)
_DAY: Final = 86_400
_LEAST_GRACE: Final = 600


@click.group()
def s3() -> None:
    """Look after the objects that S3 keeps."""


s3.add_command(reencrypt)


@s3.command()
@data_dir_option
@passphrase_option
def rotate_key(*, data_dir: Path, passphrase_file: Path | None) -> None:
    """Make a new own key of S3, under which objects go from now on, also beside a running server.

    One is made every year by itself. Objects stay under the key that they were put under, and readable.
    """
    entropy = SystemEntropy()
    with opened(data_dir, the_seal(data_dir, passphrase_file)) as store:
        keyring, now = Keyring.open(store, entropy), clock_of(data_dir).now()
        run_noted(store, lambda tx: make(tx, keyring, now), what="s3 rotate-key", now=now, entropy=entropy)
    print(f"S3 in {data_dir} has a new own key; what is put from now on is under it.")


@s3.command()
@data_dir_option
@passphrase_option
@setting_options(*STORE_SETTINGS)
@click.option(
    "--grace",
    type=click.IntRange(min=_LEAST_GRACE),
    default=_DAY,
    show_default=True,
    help="Seconds: what is younger may belong to an upload that is under way.",
)
@click.option("--delete", is_flag=True, help="Delete what is left over, unless something is lost.")
@output_option
@click.pass_context
def scrub(
    ctx: click.Context,
    /,
    *,
    data_dir: Path,
    passphrase_file: Path | None,
    grace: int,
    delete: bool,
    output: str,
    **given: Any,
) -> None:
    """Compare the store of objects with the records, also beside a running server.

    It tells of blobs that no record names (orphans), of uploads that were broken off, and of blobs that are missing or have
    another size than they were sealed with. Exit status 1 means that something is lost. The store is that of the
    settings, which must be the server's.
    """
    settings = settings_from(given, data_dir=str(data_dir))
    if settings.object_store.startswith("memory:"):
        raise Failed("object_store is memory: there is nothing to look at")
    blobs = open_blobs(settings, data_dir)
    try:
        with opened(data_dir, the_seal(data_dir, passphrase_file)) as store:
            found = examine(store, blobs, SystemClock().now() - grace)

        deleted = _clean(blobs, found) if delete else 0
    finally:
        blobs.close()
    _tell(found, deleted, output)
    if found.is_damaged:
        ctx.exit(1)


def examine(store: Store, blobs: Blobs, before: float) -> Findings:
    """What does not agree between the records and the blobs, while both may change.

    Raises:
        errors.StorageError: the records cannot be read.
        errors.BlobsUnavailable: the store of objects cannot be.
    """
    found = compare(blobs.stored(), named_blobs(store), before)
    # What was put or dropped while the listing went on has changed its record by now.
    store.refresh()
    now = named_blobs(store)
    return msgspec.structs.replace(
        found,
        orphans=tuple(entry for entry in found.orphans if entry.name not in now),
        missing=tuple(name for name in found.missing if now.get(name) is not None),
        resized=tuple(entry for entry in found.resized if now.get(entry.name) is not None),
    )


def _clean(blobs: Blobs, found: Findings) -> int:
    """How many leftovers were deleted.

    Raises:
        Failed: something is lost, or nothing that is there is named: the records may be those of another store.
        errors.BlobsUnavailable: the store of objects failed.
    """
    if found.is_damaged:
        raise Failed(
            f"{len(found.missing)} blobs are missing and {len(found.resized)} have another size: nothing is deleted "
            "while it is not known why"
        )
    if found.orphans and len(found.orphans) + found.recent >= found.blobs:
        raise Failed("no record names any blob that is there: is this the right store?")
    for entry in found.unfinished:
        blobs.sweep(entry.name)
    for entry in found.orphans:
        blobs.delete(entry.name)
    return len(found.unfinished) + len(found.orphans)


def _tell(found: Findings, deleted: int, output: str) -> None:
    if output == "json":
        show({**msgspec.to_builtins(found), "deleted": deleted})
        return
    print(f"{found.blobs} blobs, {found.size} bytes")
    for name in found.missing:
        print(f"FAIL missing    {name}")
    for entry in found.resized:
        print(f"FAIL resized    {entry.name} has {entry.size} bytes")
    for entry in found.orphans:
        print(f"warn orphan     {entry.name} {entry.size} bytes")
    for entry in found.unfinished:
        print(f"warn unfinished {entry.name} {entry.size} bytes")
    if found.recent:
        print(f"ok   {found.recent} are too young to tell")
    if deleted:
        print(f"{deleted} deleted")
