"""`keystead audit deliver`: what trails would deliver later, now."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from keystead import errors
from keystead.api.dev_clock import clock_of
from keystead.audit.index import Index
from keystead.audit.sink import sink_of
from keystead.cli.deployment import data_dir_option, opened, passphrase_option, the_seal
from keystead.cli.options import setting_options, settings_from
from keystead.cli.output import output_option, show
from keystead.entropy import SystemEntropy
from keystead.keyring import Keyring
from keystead.services.cloudtrail.delivery import Route, deliver, trails_of, turn


@click.command(name="deliver")
@data_dir_option
@passphrase_option
@setting_options("trail_directory", "trail_s3_endpoint", "trail_s3_region")
@output_option
@click.pass_context
def deliver_now(
    ctx: click.Context, /, *, data_dir: Path, passphrase_file: Path | None, output: str, **given: Any
) -> None:
    """Write the trails' log files and a digest now, also beside a running server.

    The store outside is that of the settings, which must be the server's. Exit status 1 means that a trail could
    not deliver; nothing is lost, the next delivery goes on.
    """
    sink = sink_of(settings_from(given))
    told: list[dict[str, str]] = []
    with opened(data_dir, the_seal(data_dir, passphrase_file)) as store, turn(data_dir, wait=True):
        route = Route(store, Keyring.open(store, SystemEntropy()), Index(data_dir), sink, data_dir)
        for trail in trails_of(store):
            try:
                deliver(route, trail, clock_of(data_dir).now(), digest_every=0)
                told.append({"trail": trail.arn, "error": ""})
            except errors.SinkFailed as failure:
                told.append({"trail": trail.arn, "error": str(failure)})
    if output == "json":
        show(told)
    else:
        for each in told:
            print(f"FAIL {each['trail']}: {each['error']}" if each["error"] else f"ok   {each['trail']}")
    if any(each["error"] for each in told):
        ctx.exit(1)
