"""All that is said of one key: of a default key whether it is enough, of a custom key what to change."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from keystead.analysis.advisor.abilities import Ability, told_abilities
from keystead.analysis.advisor.facts import AccountFacts, Held, KeyFacts
from keystead.analysis.advisor.hygiene import Advice, hygiene
from keystead.analysis.advisor.migration import Migration, told_migration
from keystead.analysis.advisor.needs import Need, Recommendation, needs, recommend
from keystead.analysis.advisor.uses import Total, totals


class Wishes(msgspec.Struct, frozen=True, kw_only=True):
    """What no fact shows, so that somebody has to say it.

    Attributes:
        needs: names of needs that apply whatever the facts show.
        admin: the ARN of the role that is to administer a custom key; empty for `role/KeyAdmin` of the account.
        users: ARNs of users and roles that are to use a custom key besides those recorded.
        days: what nobody used for so long counts as unused.
    """

    needs: frozenset[str] = frozenset()
    admin: str = ""
    users: tuple[str, ...] = ()
    days: int = 90


class AdviceOnDefault(msgspec.Struct, frozen=True, kw_only=True):
    """All that is said of a default key; `complete`: the uses are all that were recorded."""

    key: str
    aliases: tuple[str, ...]
    last_used: float | None
    objects: tuple[Held, ...]
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


class Advised(msgspec.Struct, frozen=True, kw_only=True):
    """The advice on some keys of an account in one Region; `not_seen` is what could not be looked at, in words."""

    account: str
    region: str
    default: tuple[AdviceOnDefault, ...] = ()
    custom: tuple[AdviceOnCustom, ...] = ()
    not_seen: tuple[str, ...] = msgspec.field(default=(), name="notSeen")


def advised(
    keys: Iterable[KeyFacts], account: AccountFacts, wishes: Wishes, not_seen: tuple[str, ...] = ()
) -> Advised:
    """The advice on these keys."""
    found = tuple(keys)
    return Advised(
        account=account.account,
        region=account.region,
        default=tuple(_on_default(key, account, wishes) for key in found if key.default),
        custom=tuple(_on_custom(key, account, wishes.days) for key in found if not key.default),
        not_seen=not_seen,
    )


def _on_default(key: KeyFacts, account: AccountFacts, wishes: Wishes) -> AdviceOnDefault:
    judged = needs(key, account, wishes.needs)
    recommended = recommend(key, judged)
    plan = _migration(key, account, wishes) if recommended.verdict == "custom" else None
    return AdviceOnDefault(
        key=key.arn,
        aliases=key.aliases,
        last_used=key.last_used,
        objects=key.held,
        uses=totals(key.uses),
        complete=key.complete,
        abilities=told_abilities(key),
        needs=judged,
        recommendation=recommended,
        migration=plan,
    )


def _migration(key: KeyFacts, account: AccountFacts, wishes: Wishes) -> Migration | None:
    named = key.aliases[0].removeprefix("alias/aws/") if key.aliases else ""
    admin = wishes.admin or f"arn:aws:iam::{account.account}:role/KeyAdmin"
    return told_migration(
        key,
        alias=f"alias/{named}-data" if named else f"alias/from-{key.id}",
        admin=admin,
        creates_admin=account.people is not None and admin not in account.people,
        users=wishes.users,
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
