"""`keystead advise`: default keys or custom ones, and what to change about custom keys.

It asks a server, or reads a data directory. A migration is written as files that tools apply; nothing is changed here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import click
import msgspec

from keystead.analysis.advisor import (
    NEEDS,
    AdviceOnCustom,
    AdviceOnDefault,
    Advised,
    Migration,
    Total,
    Wishes,
    files,
)
from keystead.cli.advice import Asked, from_directory, from_server
from keystead.cli.deployment import passphrase_option
from keystead.cli.gather import Clients
from keystead.cli.output import Failed, output_option, show

_USES_SHOWN: Final = 8


@click.command()
@click.argument("key_ids", metavar="[KEY]...", nargs=-1)
@click.option("--region", help="Region of the server; by default that of the environment.")
@click.option("--need", "stated", type=click.Choice(list(NEEDS)), multiple=True,
              help="A need that no log shows; repeatable.")  # fmt: skip
@click.option("--admin", help="ARN of the role that is to administer a custom key; default: role/KeyAdmin.")
@click.option(
    "--user", "users", multiple=True, help="ARN of one more user or role to use a custom key; repeatable."
)
@click.option(
    "--days", default=90, show_default=True, type=click.IntRange(min=1), help="Unused for so long is unused."
)
@click.option("--events", "most_events", default=10_000, show_default=True, type=click.IntRange(min=0),
              help="Look at so many of the newest events of each key.")  # fmt: skip
@click.option("--objects", "most_objects", default=10_000, show_default=True, type=click.IntRange(min=0),
              help="Look at so many versions of objects.")  # fmt: skip
@click.option("--data-dir", type=click.Path(exists=True, file_okay=False, path_type=Path),
              help="Read all of it from this deployment, and ask no server.")  # fmt: skip
@click.option("--account", help="With --data-dir: the account, if there are several.")
@passphrase_option
@click.option("--write", "target", type=click.Path(file_okay=False, path_type=Path),
              help="Write each migration's files below this directory.")  # fmt: skip
@output_option
def advise(
    *,
    key_ids: tuple[str, ...],
    region: str | None,
    stated: tuple[str, ...],
    admin: str | None,
    users: tuple[str, ...],
    days: int,
    most_events: int,
    most_objects: int,
    data_dir: Path | None,
    account: str | None,
    passphrase_file: Path | None,
    target: Path | None,
    output: str,
) -> None:
    """Say of each default key whether it is enough, and of each custom key what to change.

    For a default key: what lies under it, what cannot be done with it, which needs of a custom key are seen, and the
    migration, its proof included. All KEYs of the Region unless some are named. The server is asked (AWS_ENDPOINT_URL), which
    takes the permission keystead:GetAdvice; without that, what the caller may see is what counts.
    """
    wishes = Wishes(needs=frozenset(stated), admin=admin or "", users=users, days=days)
    asked = Asked(keys=key_ids, wishes=wishes, events=most_events, versions=most_objects)
    if data_dir is not None:
        told = from_directory(data_dir, passphrase_file, account, region, asked)
    else:
        told = from_server(Clients(region), asked)
    written = [] if target is None else list(_written(target, told.default))
    _tell(told, written, output)


def _written(target: Path, defaults: Iterable[AdviceOnDefault]) -> Iterator[str]:
    """The files that were written."""
    for one in defaults:
        if one.migration is None:
            continue
        directory = target / one.migration.alias.removeprefix("alias/").replace("/", "-")
        for name, text in files(one.migration).items():
            try:
                directory.mkdir(parents=True, exist_ok=True)
                (directory / name).write_text(text, "utf-8")
            except OSError as error:
                raise Failed(f"{directory / name} cannot be written: {error.strerror}") from None
            yield str(directory / name)


# --------------------------------------------------------------------------------- told


def _tell(told: Advised, written: list[str], output: str) -> None:
    if output == "json":
        show({**msgspec.to_builtins(told), "written": written})
        return
    lines = [line for one in told.default for line in _default_lines(one)]
    lines += [line for one in told.custom for line in _custom_lines(one)]
    lines += [f"note: {note}" for note in told.not_seen] + [f"wrote {name}" for name in written]
    print("\n".join(lines or ["there is no key"]))


def _default_lines(one: AdviceOnDefault) -> Iterator[str]:
    yield f"{', '.join(one.aliases) or one.key}: {_VERDICTS[one.recommendation.verdict]}"
    yield from (f"  because {reason}" for reason in one.recommendation.reasons)
    for held in one.objects:
        yield f"  under it: {held.versions} versions of objects ({held.size} bytes) in bucket {held.bucket}"
    yield from _use_lines(one.uses)
    yield from (f"  it cannot: {each.about} ({each.shown})" for each in one.abilities if not each.possible)
    if one.migration is not None:
        yield from _migration_lines(one.migration)
    elif one.recommendation.verdict == "custom":
        yield "  no policy is proposed: its proof is not decided"
    yield ""


_VERDICTS: Final = {
    "custom": "a custom key is recommended",
    "default-is-enough": "the default key is enough",
    "not-in-use": "not in use",
}


def _use_lines(uses: tuple[Total, ...]) -> Iterator[str]:
    for use in uses[:_USES_SHOWN]:
        context = ", ".join(
            name if value is None else f"{name}={value}" for name, value in use.contexts.items()
        )
        via = f" through {use.service}" if use.service else ""
        yield f"  used: {use.count} {use.operation} by {use.principal}{via}{f' for {context}' if context else ''}"
    if len(uses) > _USES_SHOWN:
        yield f"  used: in {len(uses) - _USES_SHOWN} more ways (--output json)"


def _migration_lines(plan: Migration) -> Iterator[str]:
    yield f"  proposed: {plan.alias}, administered by {plan.admin}{' (to be made)' if plan.creates_admin else ''}"
    for one in plan.proof:
        yield f"  {'proven' if one.holds else 'REFUTED'}: {one.claim}{f': {one.shown}' if one.shown else ''}"
    for number, step in enumerate(plan.steps, 1):
        yield f"  step {number}: {step.about}"
        yield from (f"    {command}" for command in step.commands)


def _custom_lines(one: AdviceOnCustom) -> Iterator[str]:
    yield f"{', '.join(one.aliases) or one.key}: {len(one.advice) or 'nothing'} to change"
    for each in one.advice:
        yield f"  {each.level}: {each.message} [{each.rule}]"
        yield f"    {each.change}"
    yield ""
