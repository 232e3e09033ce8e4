"""`keystead audit begin-anew`: evidence that is lost for good is told of, and new evidence follows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec

from keystead.api.dev_clock import clock_of
from keystead.api.usage import USES_UP_TO
from keystead.audit.alarms import read_from_the_start
from keystead.audit.custody import renew_log_keys
from keystead.audit.logfiles import LogFiles
from keystead.cli.deployment import data_dir_option, opened, passphrase_option, quiet, the_seal
from keystead.cli.options import setting_options, settings_from
from keystead.cli.output import Failed, output_option, show
from keystead.cli.verify import evidence_missing
from keystead.entropy import SystemEntropy
from keystead.services.cloudtrail.retention import record
from keystead.services.cloudtrail.tables import DELIVERIES
from keystead.storage import Transaction


@click.command("begin-anew")
@data_dir_option
@passphrase_option
@click.option("--reason", required=True, help="Why; the event tells it.")
@setting_options("account_id", "region")
@output_option
def begin_anew(
    *, data_dir: Path, passphrase_file: Path | None, reason: str, output: str, **given: Any
) -> None:
    """Let evidence begin anew where journals or log are lost for good.

    A server does not start, or write a log, while evidence is missing that the store knows of. Put it back if anybody has it.
    After this command the next start begins a new log, which has another name and key, so that nobody takes it for the one
    before; journals that are there go into it. The first event tells what was missing, and why. What the store holds already is
    not compared by `audit verify --state` any more until it changes.
    """
    entropy, settings = SystemEntropy(), settings_from(given)
    with opened(data_dir, the_seal(data_dir, passphrase_file)) as store, quiet(data_dir, "this"):
        gone = evidence_missing(data_dir, store)
        if not gone:
            raise Failed("no evidence is missing that the store knows of; see `keystead audit verify`")
        if (files := LogFiles(data_dir)).begun or files.written:
            raise Failed(f"move {files.root} away first, and keep it: it cannot be the log of other journals")
        read_from_the_start(data_dir)
        details = {"missing": list(gone), "reason": reason, "commit": store.commit_number}
        now = clock_of(data_dir).now()
        record(store, settings, "BeginEvidenceAnew", details, now, entropy, lambda tx: _begin(tx, entropy))
    if output == "json":
        show({"missing": gone})
        return
    for line in gone:
        print(f"lost: {line}")
    print("The next start begins a new log: give its key (`keystead audit key`) to whoever verifies it.")


def _begin(tx: Transaction, entropy: SystemEntropy) -> None:
    renew_log_keys(tx, entropy)
    for worker, _ in tx.scan(USES_UP_TO, ""):
        tx.delete(USES_UP_TO, worker)
    for place, state in tx.scan(DELIVERIES, ""):
        tx.put(DELIVERIES, place, msgspec.structs.replace(state, cursors={}))
