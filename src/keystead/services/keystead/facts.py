"""What is known of keys and of the account around them: from the store, from what services hold, and from the log."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import islice
from typing import Any, Final

import msgspec

from keystead import errors
from keystead.analysis.advisor import (
    AccountFacts,
    Held,
    KeyFacts,
    Rotation,
    Use,
    peopled,
    read_use,
    successful,
)
from keystead.api.authorize import as_grant
from keystead.api.call import Relations
from keystead.api.holdings import Holdings
from keystead.api.people import people
from keystead.api.usage import LAST_USE, UsageTracker
from keystead.audit.index import Index
from keystead.audit.query import Filter, find
from keystead.keys import Key
from keystead.keys.rotation import is_rotating
from keystead.storage import Transaction

_SOURCE: Final = "kms.amazonaws.com"


class Deployment(msgspec.Struct, frozen=True):
    """Where facts are looked up.

    Attributes:
        most_events: so many of each key are looked at, and `most_versions` of all objects.
        whole: whether events that belong to other accounts are looked at, too: an operator may, an account may not.
    """

    tx: Transaction
    relations: Relations
    holdings: tuple[Holdings, ...]
    usage: UsageTracker
    index: Index
    most_events: int
    most_versions: int
    whole: bool = False


class Facts(msgspec.Struct, frozen=True):
    """What was found, and what was not looked at, in words."""

    keys: tuple[KeyFacts, ...]
    account: AccountFacts
    notes: tuple[str, ...]


def facts_of(where: Deployment, account: str, region: str, keys: Collection[Key], now: float) -> Facts:
    """The facts of these keys of the account.

    Raises:
        errors.IndexUnavailable: the index of events cannot be read.
        errors.StorageError: the store cannot be read.
    """
    held, notes = _held(where, account, [key.arn for key in keys])
    found = []
    for key in keys:
        uses, complete = _uses(where, key)
        if not complete:
            notes.append(f"of {key.id} the newest {where.most_events} events were looked at")
        found.append(_key(where, key, uses, held.get(key.arn, ()), complete=complete))
    return Facts(tuple(found), peopled(account, region, people(where.tx, account), now), tuple(notes))


def _held(
    where: Deployment, account: str, arns: Collection[str]
) -> tuple[dict[str, tuple[Held, ...]], list[str]]:
    found: dict[str, tuple[Held, ...]] = {}
    notes: list[str] = []
    for source in where.holdings:
        holding = source.under(where.tx, account, frozenset(arns), where.most_versions)
        for arn, held in holding.held.items():
            found[arn] = (*found.get(arn, ()), *held)
        notes += holding.notes
    return found, notes


def _uses(where: Deployment, key: Key) -> tuple[tuple[Use, ...], bool]:
    """The newest recorded uses of the key, and whether these are all."""
    asked = Filter(key=key.arn, source=_SOURCE, account=None if where.whole else key.account)
    found = (msgspec.json.decode(one.payload) for one in find(where.index, asked))
    events = [*islice(found, where.most_events + 1)]
    uses = tuple(use for event in events[: where.most_events] if (use := _read(event, where)) is not None)
    return uses, len(events) <= where.most_events


def _read(event: Mapping[str, Any], where: Deployment) -> Use | None:
    """The use; of calls from other accounts their own events tell more than those of the key's account."""
    twice = where.whole and (event.get("userIdentity") or {}).get("type") == "AWSAccount"
    return None if twice else read_use(event)


def _key(
    where: Deployment, key: Key, uses: tuple[Use, ...], held: tuple[Held, ...], *, complete: bool
) -> KeyFacts:
    grants = where.relations.grants(where.tx, key)
    known = (where.usage.recent(key.place), where.tx.get(LAST_USE, key.place))
    last = max((use for use in known if use is not None), key=lambda use: use.at, default=None)
    recorded = max((use.at for use in successful(uses)), default=0.0)  # the store is told only now and then
    rotating = key.rotation if is_rotating(key) else None
    return KeyFacts(
        arn=key.arn,
        account=key.account,
        policy=key.policy,
        manager=key.manager,
        state=str(key.state),
        spec=key.spec,
        usage=key.usage,
        origin=key.origin,
        multi_region=key.multi_region is not None,
        description=key.description,
        aliases=tuple(sorted(where.relations.aliases(where.tx, key))),
        tags=key.tags,
        rotation=Rotation(rotating is not None, rotating.period_days if rotating is not None else None),
        grants=tuple(map(as_grant, grants)),
        grants_issued={grant.id: grant.created for grant in grants},
        created=key.created,
        deletion=key.deletion_date,
        last_used=max(recorded, last.at if last is not None else 0.0) or None,
        last_operation=last.operation if last is not None else "",
        uses=uses,
        complete=complete,
        held=held,
    )


def key_named(where: Deployment, account: str, region: str, key_id: str) -> Key:
    """The account's key that a KeyId names.

    Raises:
        errors.NotFound: the account has no such key in the Region.
        errors.InvalidArn: it is the ARN of something else.
    """
    found = where.relations.named(where.tx, account, region, key_id)
    if found is None or found.account != account:
        raise errors.NotFound(f"Key '{key_id}' does not exist")
    return found
