"""Delivering: log files of what has happened since the last time, and digests that are signed and chained.

How far a trail is stands in the store and moves only after its files were taken. A crash or a dead store outside
repeats a delivery, and never loses an event.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import msgspec

from keystead.audit import turns
from keystead.audit.follow import Cursor, parts
from keystead.audit.index import Index
from keystead.audit.sink import Sink
from keystead.audit.terms import Event, read_event
from keystead.errors import SinkFailed
from keystead.keyring import Keyring
from keystead.services.cloudtrail import files
from keystead.services.cloudtrail.selectors import selects
from keystead.services.cloudtrail.signing import sign, signing_key
from keystead.services.cloudtrail.tables import (
    DELIVERIES,
    TRAILS,
    Chain,
    Delivery,
    LogFile,
    Outgoing,
    Trail,
)
from keystead.storage import Store, Transaction

_LARGEST: Final = 8 << 20
"""Bytes of events that are delivered together."""
_GLOBAL: Final = frozenset({"iam.amazonaws.com", "organizations.amazonaws.com"})


class Route(msgspec.Struct, frozen=True):
    """What a delivery goes from and to."""

    store: Store
    keyring: Keyring
    index: Index
    sink: Sink | None
    directory: Path


@contextmanager
def turn(directory: Path, *, wait: bool) -> Iterator[bool]:
    """A block in which nobody else delivers for this deployment; False if somebody does and `wait` is not set."""
    (directory / "log").mkdir(mode=0o700, exist_ok=True)
    how = fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB)
    with turns.turn(directory / "log" / "delivering", how) as mine:
        yield mine


def trails_of(store: Store) -> list[Trail]:
    """Every trail that logs or has something left to deliver, with the periods that count."""
    tx = store.transaction()
    trails = (_left(trail, tx.get(DELIVERIES, place) or Delivery()) for place, trail in tx.scan(TRAILS, ""))
    return [trail for trail in trails if trail.periods]


def _left(trail: Trail, state: Delivery) -> Trail:
    left = tuple(period for period in trail.periods if not period[1] or period[1] > state.done)
    return msgspec.structs.replace(trail, periods=left)


def deliver(route: Route, trail: Trail, now: float, *, digest_every: float) -> Delivery:
    """How far the trail is, after delivering log files and, if the last is so many seconds old, digests.

    Raises:
        errors.JournalError: a journal cannot be read.
        errors.StorageError: the store cannot be read or written.
        SinkFailed: not everything was taken; the next call goes on with it.
    """
    _note(route, trail, attempted=now)
    try:
        _send_outgoing(route, trail, now)
        _logs(route, trail, now)
    except SinkFailed as failure:
        _note(route, trail, error=str(failure))
        raise
    _note(route, trail, error="", delivered=now)
    state = _state(route, trail)
    due = now - max(state.digested, trail.periods[0][0]) >= digest_every
    if trail.validation and (due or _over(trail)):
        _digests(route, trail, now)
    if _over(trail):
        _end(route, trail)
    return _state(route, trail)


def _sink(route: Route) -> Sink:
    if route.sink is None:
        raise SinkFailed("no store for trails is configured")
    return route.sink


def _over(trail: Trail) -> bool:
    return not trail.logging


def _state(route: Route, trail: Trail) -> Delivery:
    return route.store.transaction().get(DELIVERIES, trail.place) or Delivery()


def _note(route: Route, trail: Trail, **changes: Any) -> None:
    """Change how far the trail is, unless it was deleted meanwhile."""

    def change(tx: Transaction) -> None:
        if tx.get(TRAILS, trail.place) is not None:
            state = tx.get(DELIVERIES, trail.place) or Delivery()
            tx.put(DELIVERIES, trail.place, msgspec.structs.replace(state, **changes))

    route.store.run(change)


# ------------------------------------------------------------------------------- log files


def _logs(route: Route, trail: Trail, now: float) -> None:
    while True:
        state = _state(route, trail)
        cursors, events = _gather(route, trail, state.cursors)
        if cursors == state.cursors:
            return
        pending = dict(state.pending)
        for region, found in sorted(events.items()):
            pending[region] = (*pending.get(region, ()), _log(route, trail, region, found, now))
        # A crash here: the files are there and the next delivery writes what they hold again.
        _note(route, trail, cursors=cursors, pending=pending)


def _gather(
    route: Route, trail: Trail, cursors: dict[str, Cursor]
) -> tuple[dict[str, Cursor], dict[str, list[tuple[str, bytes]]]]:
    """Where reading goes on, and the trail's events up to there, by Region, with their times."""
    moved, found, size = dict(cursors), dict[str, list[tuple[str, bytes]]](), 0
    for worker in sorted(entry.name for entry in (route.directory / "journal").iterdir() if entry.is_dir()):
        for part in parts(route.directory, worker, moved.get(worker)):
            moved[worker] = part.cursor
            for located in part.events:
                event = _readable(located.payload)
                if event is not None and _wanted(trail, event):
                    found.setdefault(event.awsRegion, []).append((event.eventTime, located.payload))
                    size += len(located.payload)
            if size >= _LARGEST:
                return moved, found
    return moved, found


def _readable(payload: bytes) -> Event | None:
    with suppress(msgspec.MsgspecError):
        return read_event(payload)
    return None


def _wanted(trail: Trail, event: Event) -> bool:
    """Whether the event is one of those that the trail delivers."""
    return (
        event.recipientAccountId == trail.account
        and (trail.multi_region or event.awsRegion == trail.region)
        and (trail.global_events or event.eventSource not in _GLOBAL)
        and any(selects(selector, event) for selector in trail.selected)
        and any(int(start) <= event.time and (not end or event.time <= end) for start, end in trail.periods)
    )


def _log(route: Route, trail: Trail, region: str, events: list[tuple[str, bytes]], now: float) -> LogFile:
    content = files.log_content(payload for _, payload in events)
    key = files.log_key(trail, region, now, content)
    _sink(route).put(trail.bucket, key, files.compressed(content), {})
    times = [time for time, _ in events]
    return LogFile(key, trail.bucket, sha256(content).hexdigest(), min(times), max(times))


# --------------------------------------------------------------------------------- digests


def _digests(route: Route, trail: Trail, now: float) -> None:
    """Make the next digest of every Region durable, then have it taken."""
    key = signing_key(route.store, route.keyring, trail.account, now)
    state, start = _state(route, trail), float(int(trail.periods[0][0]))
    regions = {trail.region, *state.chains, *state.pending}
    chains, outgoing = dict(state.chains), {}
    for region in sorted(regions):
        chain = chains.get(region) or Chain(start)
        end = max(float(int(now)), chain.end + 1)  # two digests never have one name
        name = files.digest_key(trail, region, end)
        content = files.digest_content(
            trail, name, key.fingerprint, chain, end, state.pending.get(region, ())
        )
        text = files.signed_text(trail.bucket, name, content, chain, end)
        signature = sign(route.keyring, trail.account, key, text)
        outgoing[region] = Outgoing(trail.bucket, name, files.compressed(content), signature)
        chains[region] = Chain(end, trail.bucket, name, sha256(content).hexdigest(), signature)
    # A crash from here on: the digests are put again as they are.
    _note(route, trail, chains=chains, outgoing=outgoing, pending={})
    try:
        _send_outgoing(route, trail, now)
    except SinkFailed as failure:
        _note(route, trail, digest_error=str(failure))
        raise


def _send_outgoing(route: Route, trail: Trail, now: float) -> None:
    waiting = _state(route, trail).outgoing
    for each in waiting.values():
        metadata = {"signature": each.signature, "signature-algorithm": "SHA256withRSA"}
        _sink(route).put(each.bucket, each.key, each.body, metadata)
    if waiting:
        _note(route, trail, outgoing={}, digested=now, digest_error="")


def _end(route: Route, trail: Trail) -> None:
    """Forget the periods that are delivered; the next one begins a chain of its own."""
    _note(route, trail, chains={}, digested=0.0, done=trail.periods[-1][1])
