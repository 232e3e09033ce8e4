"""`keystead audit export`: events in the forms that other systems read."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Any

import click

from keystead.audit.export import FORMATS
from keystead.audit.query import find
from keystead.cli.deployment import data_dir_option
from keystead.cli.events import current_index, filter_of, filter_options
from keystead.cli.output import Failed


@click.command()
@data_dir_option
@filter_options
@click.option(
    "--format",
    "form",
    type=click.Choice(sorted(FORMATS)),
    default="jsonl",
    show_default=True,
    help="`jsonl` as recorded, `ocsf` (API Activity, 1.1.0), or `parquet`.",
)
@click.option(
    "-o", "--out", type=click.Path(dir_okay=False, path_type=Path), help="File to write; stdout without it."
)
def export(*, data_dir: Path, form: str, out: Path | None, **given: Any) -> None:
    """Write the events that match all that is given, oldest first."""
    events = (found.payload for found in find(current_index(data_dir), filter_of(given), newest_first=False))
    try:
        with contextlib.nullcontext(sys.stdout.buffer) if out is None else out.open("wb") as file:
            count = FORMATS[form](events, file)
            file.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise Failed(f"{out or 'stdout'} cannot be written: {error.strerror}") from None
    if out is not None:
        print(f"{count} events in {out}")
