"""`keystead audit alarms`: which alarms there are, and whether the receiver takes them."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from keystead import errors
from keystead.api.webhook import Alarming, UndeliveredError, post, read_alarms
from keystead.audit.alarm_rules import ALARMS, AlarmRule
from keystead.audit.alarms import Notice
from keystead.cli.output import Failed, output_option, show
from keystead.clock import SystemClock
from keystead.entropy import SystemEntropy, new_uuid

_file = click.option(
    "--alarms",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    envvar="KEYSTEAD_ALARMS",
    help="The TOML file of alarms.",
)


@click.group()
def alarms() -> None:
    """See which alarms there are, and try the receiver."""


@alarms.command("list")
@_file
@output_option
def list_(*, file: Path | None, output: str) -> None:
    """List the rules: those that count with `--alarms`, else all there are."""
    rules = ALARMS if file is None else _read(file).rules
    if output == "json":
        show([_members(rule) for rule in rules])
        return
    for rule in rules:
        print(f"{rule.name:26}{_when(rule):24}{rule.title}")


def _members(rule: AlarmRule) -> dict[str, object]:
    members = msgspec.structs.asdict(rule)
    return {name: value for name, value in members.items() if name != "matches"}


def _when(rule: AlarmRule) -> str:
    if rule.once:
        return "first of a principal"
    return f"{rule.count} in {rule.window:g} s" if rule.window else "each time"


@alarms.command()
@_file
def test(*, file: Path | None) -> None:
    """Post an alarm that says that it is a test; ends with status 1 if the receiver does not take it."""
    if file is None:
        raise click.UsageError("--alarms names the file that says whom to tell")
    alarming = _read(file)
    if alarming.url is None:
        raise Failed(f"{file} names no webhook")
    clock, unique = SystemClock(), new_uuid(SystemEntropy())
    notice = Notice(
        id=f"test/{unique}",
        rule="test",
        title="This is a test",
        event_id=unique,
        event_time="",
        event_name="",
        event_source="",
        account="",
        region="",
        principal="",
    )
    try:
        post(alarming, notice, int(clock.now()))
    except UndeliveredError as error:
        raise Failed(f"the receiver did not take it: {error}") from None
    print("The receiver took it.")


def _read(file: Path) -> Alarming:
    try:
        return read_alarms(file)
    except errors.SettingsError as error:
        raise Failed(str(error)) from None
