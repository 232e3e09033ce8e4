"""`keystead audit retention` and `keystead audit hold`: what of the evidence stays, and what goes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from keystead import errors
from keystead.api.dev_clock import clock_of
from keystead.audit.custody import open_log_keys
from keystead.audit.holds import HOLDS, Hold
from keystead.audit.index import Index
from keystead.audit.logfiles import LogFiles
from keystead.audit.prune import Plan
from keystead.audit.sink import sink_of
from keystead.cli.deployment import data_dir_option, opened, passphrase_option, soon, the_seal
from keystead.cli.events import moment
from keystead.cli.options import setting_options, settings_from
from keystead.cli.output import Failed, output_option, show
from keystead.entropy import SystemEntropy
from keystead.keyring import Keyring
from keystead.services.cloudtrail.delivery import Route, turn
from keystead.services.cloudtrail.retention import archive_of, describe, holds_of, planned, prune, record
from keystead.settings import Settings
from keystead.storage import Store, Transaction

F = TypeVar("F", bound=Callable[..., Any])

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LONGEST_REASON: Final = 1000
_WIDTH: Final = 256


# ---------------------------------------------------------------------------- retention


@click.group()
def retention() -> None:
    """See what is due to be pruned, and archive and prune it now.

    A running server does both by itself, by its settings; give the same here.
    """


def _settings(command: F) -> F:
    names = (
        "retention_days",
        "archive_bucket",
        "trail_directory",
        "trail_s3_endpoint",
        "trail_s3_region",
        "alarms",
    )
    return data_dir_option(passphrase_option(setting_options(*names)(output_option(command))))


@contextmanager
def _route(directory: Path, passphrase_file: Path | None, settings: Settings) -> Iterator[Route]:
    with opened(directory, the_seal(directory, passphrase_file)) as store, turn(directory, wait=True):
        keyring, index = Keyring.open(store, SystemEntropy()), Index(directory)
        index.catch_up()
        yield Route(store, keyring, index, sink_of(settings), directory)


@retention.command(name="show")
@_settings
def show_(*, data_dir: Path, passphrase_file: Path | None, output: str, **given: Any) -> None:
    """Tell what would be pruned now, and what stands in the way of more. Nothing is changed."""
    settings = settings_from(given)
    with _route(data_dir, passphrase_file, settings) as route:
        keys = open_log_keys(route.store, SystemEntropy())
        now = clock_of(data_dir).now()
        _tell(soon(data_dir, lambda: planned(route, settings, keys, now)), output)


@retention.command(name="apply")
@_settings
def apply_(*, data_dir: Path, passphrase_file: Path | None, output: str, **given: Any) -> None:
    """Archive what is complete, if there is an archive, and prune what is old enough, now."""
    settings, entropy = settings_from(given), SystemEntropy()
    if not settings.retention_days:
        raise errors.SettingsError("retention_days is 0: evidence is kept for ever")
    with _route(data_dir, passphrase_file, settings) as route:
        archive = archive_of(route, settings, open_log_keys(route.store, entropy))
        try:
            if archive is not None:
                archive.run()
            now = clock_of(data_dir).now()
            done = soon(data_dir, lambda: prune(route, settings, now, entropy, wait=True))
        except OSError as error:
            raise Failed(f"{data_dir} cannot be written: {error.strerror}") from None
        if done is not None:
            LogFiles(data_dir).tidy(done.size)
        _tell(done, output)


def _tell(plan: Plan | None, output: str) -> None:
    if plan is None:
        raise Failed("there is no log yet: no server has run here")
    bundles = range(*plan.bundles)
    kept = [{"journal": kept.worker, "from": kept.segment, "reason": kept.reason} for kept in plan.kept]
    if output == "json":
        show(
            {
                "entries": {"from": bundles.start * _WIDTH, "to": bundles.stop * _WIDTH},
                "segments": [f"{worker}/{name}" for worker, name in plan.segments],
                "kept": kept,
            }
        )
        return
    print(
        f"pruned: entries {bundles.start * _WIDTH} to {bundles.stop * _WIDTH}"
        if bundles
        else "pruned: no entries"
    )
    for worker, name in plan.segments:
        print(f"pruned: journal {worker}, segment {name}")
    for each in kept:
        print(f"kept:   journal {each['journal']} from {each['from']} on: {each['reason']}")


# -------------------------------------------------------------------------------- holds


@click.group()
def hold() -> None:
    """Keep evidence however old it is. Placing and releasing a hold leaves an event each."""


_setting_options = setting_options("account_id", "region")


@hold.command()
@click.argument("name")
@data_dir_option
@passphrase_option
@click.option("--reason", required=True, help="Why; the event tells it.")
@click.option("--key", "keys", multiple=True, help="ARN of a KMS key whose events stay; may be repeated.")
@click.option(
    "--principal",
    "principals",
    multiple=True,
    help="ARN of a caller whose events stay; a role's covers its sessions. May be repeated.",
)
@click.option("--from", "since", type=moment, help="Events not before this time (UTC) stay.")
@click.option("--to", "until", type=moment, help="Events not after this time (UTC) stay.")
@click.option("--everything", is_flag=True, help="Everything stays.")
@_setting_options
def place(
    *,
    name: str,
    data_dir: Path,
    passphrase_file: Path | None,
    reason: str,
    keys: tuple[str, ...],
    principals: tuple[str, ...],
    since: float | None,
    until: float | None,
    everything: bool,
    **given: Any,
) -> None:
    """Place the hold NAME on what all the options given describe together.

    From the oldest event on that a hold covers nothing of its journal and of the log is pruned. When the command has
    ended, no pruning runs that does not know of the hold.
    """
    now = clock_of(data_dir).now()
    placed = Hold(
        name=name,
        reason=reason,
        placed=now,
        everything=everything,
        keys=keys,
        principals=principals,
        since=since or 0.0,
        until=until or 0.0,
    )
    _check(placed)

    def add(tx: Transaction) -> None:
        if tx.get(HOLDS, name) is not None:
            raise Failed(f"there is a hold {name} already")
        tx.put(HOLDS, name, placed)

    with opened(data_dir, the_seal(data_dir, passphrase_file)) as store, turn(data_dir, wait=True):
        record(store, settings_from(given), "PlaceHold", describe(placed), now, SystemEntropy(), add)
    print(f"the hold {name} is placed")


def _check(placed: Hold) -> None:
    if not _NAME.fullmatch(placed.name):
        raise click.UsageError("a hold's name is 1 to 64 letters, digits, dots, dashes and underscores")
    if not placed.reason.strip() or len(placed.reason) > _LONGEST_REASON:
        raise click.UsageError("--reason says why, in 1 to 1000 characters")
    if placed.everything == placed.limited:
        raise click.UsageError(
            "say what it covers: --everything, or some of --key, --principal, --from and --to"
        )
    for arn in (*placed.keys, *placed.principals):
        if not arn.startswith("arn:"):
            raise click.UsageError(f"{arn} is no ARN")
    if placed.until and placed.until < placed.since:
        raise click.UsageError("--to is before --from")


@hold.command()
@click.argument("name")
@data_dir_option
@passphrase_option
@click.option("--reason", required=True, help="Why; the event tells it.")
@_setting_options
def release(*, name: str, data_dir: Path, passphrase_file: Path | None, reason: str, **given: Any) -> None:
    """Release the hold NAME: what it alone covered may be pruned from now on."""
    with opened(data_dir, the_seal(data_dir, passphrase_file)) as store, turn(data_dir, wait=True):
        _release(store, name, reason, settings_from(given), clock_of(data_dir).now())
    print(f"the hold {name} is released")


def _release(store: Store, name: str, reason: str, settings: Settings, now: float) -> None:
    there = store.transaction().get(HOLDS, name)
    if there is None:
        raise Failed(f"there is no hold {name}")
    details = {"hold": describe(there), "reason": reason}
    record(
        store,
        settings,
        "ReleaseHold",
        details,
        now,
        SystemEntropy(),
        lambda tx: tx.delete(HOLDS, name),
    )


@hold.command(name="list")
@data_dir_option
@passphrase_option
@output_option
def list_(*, data_dir: Path, passphrase_file: Path | None, output: str) -> None:
    """List the holds."""
    with opened(data_dir, the_seal(data_dir, passphrase_file)) as store:
        found = [describe(each) for each in holds_of(store)]
    if output == "json":
        show(found)
        return
    for each in found:
        what = " ".join(
            f"{name}={_text(value)}" for name, value in each.items() if name not in {"name", "reason"}
        )
        print(f"{each['name']}: {each['reason']} ({what})")


def _text(value: Any) -> str:
    return ",".join(value) if isinstance(value, tuple | list) else str(value)
