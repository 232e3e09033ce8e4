"""What becomes of evidence as it ages: archived when it is complete, pruned when it is old and nobody needs it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from keystead.api.accounts import ACCOUNTS
from keystead.api.usage import USES_UP_TO
from keystead.audit.archive import Archive
from keystead.audit.custody import open_log_keys
from keystead.audit.disk import OsDisk
from keystead.audit.event import event_time, operator_event
from keystead.audit.followers import Follower, alarms_follower, index_follower, outbox_follower
from keystead.audit.holds import HOLDS, Hold
from keystead.audit.logfiles import LogFiles
from keystead.audit.logkeys import LogKeys
from keystead.audit.notes import add_event, run_dated
from keystead.audit.prune import Plan, Rules, carry_out, plan
from keystead.audit.pruned import known_pruned
from keystead.audit.turns import pruning
from keystead.entropy import Entropy, new_uuid
from keystead.errors import SettingsError
from keystead.services.cloudtrail.delivery import Route, trails_of
from keystead.services.cloudtrail.tables import DELIVERIES, Delivery
from keystead.settings import Settings
from keystead.storage import Store, Transaction
from keystead.tlog import sign_pruned

_DAY: Final = 86_400.0
_WIDTH: Final = 256


def archive_of(route: Route, settings: Settings, keys: LogKeys) -> Archive | None:
    """The archive that the settings name, None without one."""
    if settings.archive_bucket is None or route.sink is None:
        return None
    prefix = f"keystead/{keys.deployment}"
    place = settings.trail_directory or settings.trail_s3_endpoint
    return Archive(
        route.directory,
        route.sink,
        settings.archive_bucket,
        prefix,
        f"{place} {settings.archive_bucket}/{prefix}",
    )


def holds_of(store: Store) -> tuple[Hold, ...]:
    """All holds, by name."""
    return tuple(hold for _, hold in store.transaction().scan(HOLDS, ""))


def planned(route: Route, settings: Settings, keys: LogKeys, now: float) -> Plan | None:
    """What may be pruned at `now`, and why not more; None if there is no log yet.

    Raises:
        SettingsError: evidence is kept for ever.
        errors.OperatorError: something that has to be read cannot be, or is damaged.
    """
    if not settings.retention_days:
        raise SettingsError("retention_days is 0: evidence is kept for ever")
    files, archive = LogFiles(route.directory), archive_of(route, settings, keys)
    if files.head() is None:
        return None
    rules = Rules(
        before=now - settings.retention_days * _DAY,
        holds=holds_of(route.store),
        followers=_followers(route, settings),
        archived=None if archive is None else archive.position(),
    )
    return plan(route.directory, files, OsDisk(), known_pruned(files, keys), rules, now)


def prune(
    route: Route, settings: Settings, now: float, entropy: Entropy, *, wait: bool = False
) -> Plan | None:
    """What was pruned; as `planned`. The caller has the turn.

    None also while somebody checks the evidence, who would take for missing what goes; with `wait` that is waited for.

    Raises:
        as `planned`.
        OSError: the disk refuses; the next run goes on.
    """
    with pruning(route.directory, wait=wait) as mine:
        return _prune(route, settings, now, entropy) if mine else None


def _prune(route: Route, settings: Settings, now: float, entropy: Entropy) -> Plan | None:
    keys = open_log_keys(route.store, entropy)
    doing = planned(route, settings, keys, now)
    if doing is None:
        return None
    files, origin = LogFiles(route.directory), keys.origin(None)
    if doing.news:
        record(route.store, settings, "PruneEvidence", _told(doing, settings), now, entropy)
        # A crash here: the event tells of what is still there, and the next run tells it again.
        files.publish_pruned(sign_pruned(doing.pruned, origin, keys.signer(origin)))
        # A crash here: all is there, the note tells that it need not be; the next run goes on.
    carry_out(route.directory, files, OsDisk(), doing)
    route.index.forget_pruned()
    return doing


def _told(doing: Plan, settings: Settings) -> dict[str, Any]:
    return {
        "retentionDays": settings.retention_days,
        "entries": {"from": doing.known.bundles * _WIDTH, "to": doing.pruned.bundles * _WIDTH},
        "journals": {worker: start.index for worker, start in doing.pruned.journals.items()},
        "archive": settings.archive_bucket or "",
    }


def record(
    store: Store,
    settings: Settings,
    name: str,
    details: dict[str, Any],
    now: float,
    entropy: Entropy,
    change: Callable[[Transaction], None] = lambda _: None,
) -> None:
    """None, once an event of what is done to the evidence is durable, with what `change` writes.

    It belongs to the first account; whoever leads journals it within a second, or at the next start.

    Raises:
        errors.StorageError: the store cannot be read or written.
        What `change` raises.
    """
    digests = open_log_keys(store, entropy).digests
    accounts = [account for account, _ in store.transaction().scan(ACCOUNTS, "")]
    account = settings.account_id if settings.account_id in accounts else accounts[0]
    event = operator_event(
        event_id=new_uuid(entropy),
        time=now,
        region=settings.region,
        account=account,
        name=name,
        details=details,
    )

    def noted(tx: Transaction) -> None:
        change(tx)
        add_event(tx, digests, event, entropy)

    run_dated(store, noted)


def describe(hold: Hold) -> dict[str, Any]:
    """The hold as events and commands show it; what is not given is left out."""
    shown = msgspec.structs.asdict(hold)
    shown |= {name: event_time(int(shown[name])) for name in ("placed", "since", "until") if shown[name]}
    return {name: value for name, value in shown.items() if value}


# ---------------------------------------------------------------------------- followers


def _followers(route: Route, settings: Settings) -> tuple[Follower, ...]:
    """All who read the journals for themselves, and how far each is."""
    workers = sorted(entry.name for entry in (route.directory / "journal").iterdir() if entry.is_dir())
    alarms = alarms_follower(route.directory, configured=settings.alarms is not None)
    return (
        outbox_follower(route.store, workers),
        _uses_follower(route.store, workers),
        index_follower(route.index),
        *((alarms,) if alarms is not None else ()),
        *_trail_followers(route.store),
    )


def _uses_follower(store: Store, workers: list[str]) -> Follower:
    tx = store.transaction()
    places = {worker: tx.get(USES_UP_TO, worker) for worker in workers}
    positions = {worker: place.index for worker, place in places.items() if place is not None}
    return Follower(name="the table of last uses", positions=positions)


def _trail_followers(store: Store) -> list[Follower]:
    """Each trail that has something to deliver, from the start of the first period that it has not."""
    tx = store.transaction()
    return [
        Follower(
            name=f"the trail {trail.arn}",
            positions={worker: cursor.index for worker, cursor in state.cursors.items()},
            since=float(int(trail.periods[0][0])),
        )
        for trail in trails_of(store)
        for state in [tx.get(DELIVERIES, trail.place) or Delivery()]
    ]
