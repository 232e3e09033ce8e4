"""`keystead advise`: default keys or custom ones, and what to change about custom keys.

It asks a server as a client like any other. A migration is written as files that tools apply; nothing is changed here.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from keystead.analysis.advisor import (
    NEEDS,
    Ability,
    AccountFacts,
    Advice,
    KeyFacts,
    Migration,
    Need,
    Recommendation,
    Total,
    files,
    hygiene,
    needs,
    recommend,
    told_abilities,
    told_migration,
    totals,
)
from keystead.audit.query import Filter, find
from keystead.cli.events import current_index
from keystead.cli.gather import Clients, Events, account_facts, keys, recorded, with_uses
from keystead.cli.gather_objects import held_under
from keystead.cli.output import Failed, output_option, show

_USES_SHOWN: Final = 8


class AdviceOnDefault(msgspec.Struct, frozen=True, kw_only=True):
    """All that is said of a default key."""

    key: str
    aliases: tuple[str, ...]
    last_used: float | None
    objects: list[dict[str, Any]]
    uses: tuple[Total, ...]
    complete: bool
    abilities: tuple[Ability, ...]
    needs: tuple[Need, ...]
    recommendation: Recommendation
    migration: Migration | None = None


class AdviceOnCustom(msgspec.Struct, frozen=True, kw_only=True):
    """All that is said of a custom key."""

    key: str
    aliases: tuple[str, ...]
    state: str
    last_used: float | None
    uses: tuple[Total, ...]
    advice: tuple[Advice, ...]


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
              help="So many of the newest events of each key.")  # fmt: skip
@click.option("--objects", "most_objects", default=10_000, show_default=True, type=click.IntRange(min=0),
              help="So many versions of objects of each bucket.")  # fmt: skip
@click.option("--data-dir", type=click.Path(exists=True, file_okay=False, path_type=Path),
              help="Read the events of all time from this deployment's log, not by LookupEvents.")  # fmt: skip
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
    target: Path | None,
    output: str,
) -> None:
    """Say of each default key whether it is enough, and of each custom key what to change.

    For a default key: what lies under it, what cannot be done with it, which needs of a custom key are seen, and the
    migration, its proof included. All KEYs of the Region unless some are named.
    """
    clients = Clients(region)
    with clients.told():
        account = account_facts(clients, time.time())
        events = recorded(clients) if data_dir is None else _logged(data_dir)
        limit = most_events if data_dir is None else 1 << 62
        held = held_under(clients, account.account, most_objects)
        facts = [
            msgspec.structs.replace(with_uses(clients, key, events, limit), held=held.get(key.arn, ()))
            for key in keys(clients, key_ids)
        ]
    wanted = admin or f"arn:aws:iam::{account.account}:role/KeyAdmin"
    defaults = [_on_default(key, account, frozenset(stated), wanted, users) for key in facts if key.default]
    customs = [_on_custom(key, account, days) for key in facts if not key.default]
    written = [] if target is None else list(_written(target, defaults))
    _tell(account, defaults, customs, clients.notes, written, output)


def _logged(data_dir: Path) -> Events:
    """Events from the log of the deployment there."""
    index = current_index(data_dir)

    def of(arn: str) -> Iterator[Mapping[str, Any]]:
        for found in find(index, Filter(key=arn, source="kms.amazonaws.com")):
            yield msgspec.json.decode(found.payload)

    return of


# ------------------------------------------------------------------------------- judged


def _on_default(
    key: KeyFacts, account: AccountFacts, stated: frozenset[str], admin: str, users: tuple[str, ...]
) -> AdviceOnDefault:
    judged = needs(key, account, stated)
    recommended = recommend(key, judged)
    plan = None
    if recommended.verdict == "custom":
        alias = (
            f"alias/{key.aliases[0].removeprefix('alias/aws/')}-data"
            if key.aliases
            else f"alias/from-{key.id}"
        )
        missing = account.people is not None and admin not in account.people
        plan = told_migration(key, alias=alias, admin=admin, creates_admin=missing, users=users)
    return AdviceOnDefault(
        key=key.arn,
        aliases=key.aliases,
        last_used=key.last_used,
        objects=[msgspec.to_builtins(held) for held in key.held],
        uses=totals(key.uses),
        complete=key.complete,
        abilities=told_abilities(key),
        needs=judged,
        recommendation=recommended,
        migration=plan,
    )


def _on_custom(key: KeyFacts, account: AccountFacts, days: int) -> AdviceOnCustom:
    return AdviceOnCustom(
        key=key.arn,
        aliases=key.aliases,
        state=key.state,
        last_used=key.last_used,
        uses=totals(key.uses),
        advice=hygiene(key, account, days),
    )


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


def _tell(
    account: AccountFacts, defaults: list[AdviceOnDefault], customs: list[AdviceOnCustom], notes: list[str],
    written: list[str], output: str,
) -> None:  # fmt: skip
    if output == "json":
        show({
            "account": account.account, "region": account.region, "default": defaults, "custom": customs,
            "notSeen": notes, "written": written,
        })  # fmt: skip
        return
    lines = [line for one in defaults for line in _default_lines(one)]
    lines += [line for one in customs for line in _custom_lines(one)]
    lines += [f"note: {note}" for note in notes] + [f"wrote {name}" for name in written]
    print("\n".join(lines or ["there is no key"]))


def _default_lines(one: AdviceOnDefault) -> Iterator[str]:
    yield f"{', '.join(one.aliases) or one.key}: {_VERDICTS[one.recommendation.verdict]}"
    yield from (f"  because {reason}" for reason in one.recommendation.reasons)
    for held in one.objects:
        yield f"  under it: {held['versions']} versions of objects ({held['size']} bytes) in bucket {held['bucket']}"
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
