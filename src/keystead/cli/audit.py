"""`keystead audit`: reading and verifying the evidence, also beside a running server."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click

from keystead.audit.reader import read_journal
from keystead.audit.segment import Kind
from keystead.cli.alarms import alarms
from keystead.cli.anew import begin_anew
from keystead.cli.deliver import deliver_now
from keystead.cli.deployment import data_dir_option, workers
from keystead.cli.events import print_events, query, reindex
from keystead.cli.export import export
from keystead.cli.log import key
from keystead.cli.output import Failed, output_option
from keystead.cli.prove import prove
from keystead.cli.retention import hold, retention
from keystead.cli.verify import verify

_PAUSE: Final = 0.5
"""Seconds between looks for new events."""


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


for command in (alarms, begin_anew, query, reindex, export, prove, key, deliver_now, verify, retention, hold):
    audit.add_command(command)
