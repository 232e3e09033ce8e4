"""`keystead audit`: reading and verifying the evidence, also beside a running server."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
import msgspec

from keystead import errors
from keystead.audit import read_journal
from keystead.audit.segment import Kind
from keystead.cli import journals
from keystead.cli.alarms import alarms
from keystead.cli.deliver import deliver_now
from keystead.cli.deployment import data_dir_option, opened, passphrase_option, the_seal, workers
from keystead.cli.events import print_events, query, reindex
from keystead.cli.export import export
from keystead.cli.log import key
from keystead.cli.output import Failed, output_option, show
from keystead.storage import Verification

_PAUSE: Final = 0.5
"""Seconds between looks for new events."""

_MOST_SHOWN: Final = 100


@click.group()
def audit() -> None:
    """Read and verify the evidence."""


# -------------------------------------------------------------------------------- tail


@audit.command()
@data_dir_option
@click.option(
    "-n", "--lines", type=click.IntRange(min=0), default=10, show_default=True, help="So many events back."
)
@click.option("-f", "--follow", is_flag=True, help="Go on with new events until interrupted.")
@output_option
def tail(*, data_dir: Path, lines: int, follow: bool, output: str) -> None:
    """Print the newest events: a line for each, or with `--output json` each as recorded."""
    _require_journals(data_dir)
    positions: dict[str, int] = {}
    newest: deque[bytes] = deque(maxlen=lines)
    newest.extend(_new_events(data_dir, positions))
    print_events(iter(newest), output)
    while follow:
        time.sleep(_PAUSE)
        print_events(_new_events(data_dir, positions), output)


def _require_journals(directory: Path) -> None:
    if not workers(directory):
        raise Failed(f"{directory} holds no journal")


def _new_events(directory: Path, positions: dict[str, int]) -> Iterator[bytes]:
    """The events of all workers behind `positions`, which are moved to what was read; each worker's in order."""
    for worker in workers(directory):
        for frame in read_journal(directory, worker, positions.get(worker, 0)):
            positions[worker] = frame.index + 1
            if frame.kind is Kind.EVENT:
                yield frame.payload


# ------------------------------------------------------------------------------ verify


class Verified(msgspec.Struct, frozen=True):
    """What was checked, and a line for each thing that is not as Keystead left it."""

    journals: tuple[journals.Checked, ...]
    commit: int | None
    store: Verification | None
    findings: tuple[str, ...]


@audit.command()
@data_dir_option
@passphrase_option
@click.option("--journals-only", is_flag=True, help="Leave the store out, for which the seal is needed.")
@output_option
def verify(*, data_dir: Path, passphrase_file: Path | None, journals_only: bool, output: str) -> None:
    """Check every event's place in its journal's chain, and every record of the store.

    Exit status 1 means findings. Checked are: that no event before the newest was changed, dropped or added;
    that the store is not older than its evidence; that every stored record is the one last written. Not yet:
    that the newest events were not cut off, which takes a checkpoint kept elsewhere.
    """
    _require_journals(data_dir)
    found = _verified(data_dir, passphrase_file, journals_only=journals_only)
    if output == "json":
        show(found)
    else:
        _report(found)
    if found.findings:
        sys.exit(1)


def _verified(directory: Path, passphrase_file: Path | None, *, journals_only: bool) -> Verified:
    checked, findings = [], []
    for worker in workers(directory):
        try:
            checked.append(journals.check(directory, worker))
        except errors.JournalError as error:
            findings.append(str(error))
    if journals_only:
        return Verified(tuple(checked), None, None, tuple(findings))
    try:
        with opened(directory, the_seal(directory, passphrase_file)) as store:
            store.expect_at_least(max((journal.anchor for journal in checked), default=0))
            verification = store.verify_all()
            return Verified(
                tuple(checked), store.commit_number, verification, (*findings, *verification.findings)
            )
    except errors.StorageTampered as error:
        return Verified(tuple(checked), None, None, (*findings, str(error)))


def _report(found: Verified) -> None:
    for journal in found.journals:
        print(
            f"ok   journal {journal.worker}: {journal.events} events in {journal.segments} segments, chain unbroken"
        )
    if found.store is not None and not found.store.findings:
        print(f"ok   store: commit {found.commit}, {found.store.records} records as they were written")
    for finding in found.findings[:_MOST_SHOWN]:
        print(f"FAIL {finding}")
    if len(found.findings) > _MOST_SHOWN:
        print(f"FAIL and {len(found.findings) - _MOST_SHOWN} more")


for command in (alarms, query, reindex, export, key, deliver_now):
    audit.add_command(command)
