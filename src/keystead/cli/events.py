"""What commands about recorded events share, and `audit query` and `audit reindex`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final, TypeVar

import click
import msgspec

from keystead.audit.index import Index
from keystead.audit.query import Filter, find
from keystead.cli.deployment import data_dir_option, workers
from keystead.cli.output import Failed, output_option

F = TypeVar("F", bound=Callable[..., Any])


def moment(text: str) -> float:
    """The epoch seconds of a date or time of ISO 8601, in UTC unless it says otherwise."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is no time such as 2026-03-01 or 2026-03-01T10:30:00Z") from None
    return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).timestamp()


def _pair(text: str) -> tuple[str, str]:
    """Name and value of `NAME=VALUE`."""
    name, equals, value = text.partition("=")
    if not equals:
        raise click.BadParameter(f"{text!r} is not NAME=VALUE")
    return name, value


_OPTIONS: Final = (
    click.option("--key", help="ARN, key id or alias of a KMS key, or the ARN of another resource."),
    click.option("--principal", help="ARN of the caller; a role's finds its sessions too."),
    click.option("--operation", help="Name of the operation, such as Decrypt."),
    click.option("--outcome", help="Error code, `ok`, or `error` for any failure."),
    click.option(
        "--context", type=_pair, multiple=True, help="NAME=VALUE of an encryption context; may be repeated."
    ),
    click.option("--from", "since", type=moment, help="Not before this time (UTC)."),
    click.option("--to", "until", type=moment, help="Not after this time (UTC)."),
    click.option("--account", help="Account that the event belongs to."),
    click.option("--region", help="Region that was called."),
    click.option("--service", "source", help="Such as kms, iam or sts."),
    click.option("--user", help="Name of the user or session."),
    click.option("--access-key-id", help="Access key id of the caller."),
    click.option("--event-id", help="Id of the event."),
)


def filter_options(command: F) -> F:
    """The command with the options that say which events are asked for; `filter_of` reads them."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def filter_of(given: Mapping[str, Any]) -> Filter:
    """What the options ask for."""
    asked = {name: value for name, value in given.items() if value is not None}
    if "source" in asked and "." not in asked["source"]:
        asked["source"] += ".amazonaws.com"
    return Filter(**asked)


def current_index(directory: Path) -> Index:
    """The index of the deployment's events, with all that the journals have by now.

    Raises:
        Failed: there is no journal.
        errors.IndexUnavailable: it cannot be written.
        errors.JournalError: a journal cannot be read.
    """
    if not workers(directory):
        raise Failed(f"{directory} holds no journal")
    index = Index(directory)
    index.catch_up()
    return index


@click.command()
@data_dir_option
@filter_options
@click.option("-n", "--limit", type=click.IntRange(min=1), help="So many at most; all by default.")
@output_option
def query(*, data_dir: Path, limit: int | None, output: str, **given: Any) -> None:
    """Print the events that match all that is given, newest first; with `--output json` each as recorded."""
    index = current_index(data_dir)
    found = find(index, filter_of(given))
    print_events((event.payload for event in islice(found, limit)), output)


@click.command()
@data_dir_option
@output_option
def reindex(*, data_dir: Path, output: str) -> None:
    """Make the index of events anew from the journals, also beside a running server.

    Nothing in the index is evidence: what is in the journals is found again.
    """
    if not workers(data_dir):
        raise Failed(f"{data_dir} holds no journal")
    count = Index(data_dir).rebuild()
    print(msgspec.json.encode({"events": count}).decode() if output == "json" else f"{count} events indexed")


def print_events(events: Iterator[bytes], output: str) -> None:
    """None; the events are on stdout, each as recorded or as a line for people."""
    for event in events:
        print(event.decode() if output == "json" else _line(msgspec.json.decode(event)))
    sys.stdout.flush()


def _line(event: Mapping[str, Any]) -> str:
    """Time, what was called, what became of it, who called, and on what."""
    identity = event.get("userIdentity") or {}
    resources = " ".join(resource.get("ARN", "") for resource in event.get("resources") or ())
    who = identity.get("arn") or identity.get("invokedBy") or identity.get("type", "-")
    result = event.get("errorCode", "ok")
    return " ".join((event["eventTime"], event["eventName"], result, who, resources)).rstrip()
