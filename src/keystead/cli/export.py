"""`keystead audit export`: events in the forms that other systems read, or the log for whoever verifies it."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from keystead.audit.export import FORMATS
from keystead.audit.query import Filter, find
from keystead.cli.deployment import data_dir_option, passphrase_option
from keystead.cli.events import current_index, filter_of, filter_options
from keystead.cli.output import Failed
from keystead.cli.prove import open_option, write_bundle


@click.command()
@data_dir_option
@filter_options
@click.option(
    "--format",
    "form",
    type=click.Choice(sorted(FORMATS)),
    help="`jsonl` as recorded (the default), `ocsf` (API Activity, 1.1.0), or `parquet`.",
)
@click.option(
    "-o", "--out", type=click.Path(dir_okay=False, path_type=Path), help="File to write; stdout without it."
)
@click.option(
    "--bundle",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Instead of events, write the whole log to this tar file (`.gz`: compressed) for `keystead-verify`.",
)
@open_option
@passphrase_option
def export(
    *,
    data_dir: Path,
    form: str | None,
    out: Path | None,
    bundle: Path | None,
    wanted: Sequence[str],
    passphrase_file: Path | None,
    **given: Any,
) -> None:
    """Write the events that match all that is given, oldest first; also beside a running server.

    With --bundle write the log itself, of which everything can be verified and which names nobody. Of the events that
    match, what --open says is shown in it. The seal is needed for that.
    """
    asked = filter_of(given)
    if bundle is None:
        if wanted:
            raise click.UsageError("--open needs --bundle")
        _write_events(data_dir, asked, form or "jsonl", out)
        return
    if form is not None or out is not None:
        raise click.UsageError("--bundle excludes --format and --out")
    if asked != Filter() and not wanted:
        raise click.UsageError("a bundle has the whole log: what is asked for only says what --open shows")
    print(write_bundle(data_dir, bundle, asked, wanted, passphrase_file))


def _write_events(directory: Path, asked: Filter, form: str, out: Path | None) -> None:
    events = (found.payload for found in find(current_index(directory), asked, newest_first=False))
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
