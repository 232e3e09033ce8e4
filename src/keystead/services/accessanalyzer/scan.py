"""Scans: every resource that an analyzer is about, looked at where something has changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final, Protocol

import structlog

from keystead import errors
from keystead.api.analyzed import Analyzed, Sources, find
from keystead.policy import Level
from keystead.services.accessanalyzer.configuration import INTERNAL, covers
from keystead.services.accessanalyzer.examine import (
    Zone,
    control_of,
    digest,
    examine,
    restriction_of,
    zone_of,
)
from keystead.services.accessanalyzer.insiders import Insiders
from keystead.services.accessanalyzer.settle import ERROR, KEPT, RESOLVED, Outcome, forget, keep, settle
from keystead.services.accessanalyzer.tables import ANALYZERS, FINDINGS, LOOKED, PREVIEWS, Analyzer, Looked
from keystead.services.accessanalyzer.unused import Look
from keystead.services.accessanalyzer.used import Evidence
from keystead.storage import Store, Transaction

log = structlog.get_logger("keystead.analyzer")

PREVIEWS_KEPT: Final = 86_400.0
"""Seconds for which a preview stays."""

Stop = Callable[[], bool]


class View(Protocol):
    """How an analyzer looks at resources of an account that these RCPs bind."""

    def digest(self, resource: Analyzed, control: tuple[Level, ...]) -> bytes:
        """What changes whenever something else may be found."""
        ...

    def outcome(self, resource: Analyzed, control: tuple[Level, ...]) -> Outcome:
        """What is found of a resource; what cannot be decided is an error, never nothing."""
        ...


class _FromOutside:
    def __init__(self, zone: Zone) -> None:
        self._zone = zone

    def digest(self, resource: Analyzed, control: tuple[Level, ...]) -> bytes:
        return digest(resource, self._zone, control)

    def outcome(self, resource: Analyzed, control: tuple[Level, ...]) -> Outcome:
        return outcome_of(resource, self._zone, control)


class _FromInside:
    def __init__(self, insiders: Insiders) -> None:
        self._insiders = insiders

    def digest(self, resource: Analyzed, control: tuple[Level, ...]) -> bytes:
        return self._insiders.digest(resource, control)

    def outcome(self, resource: Analyzed, control: tuple[Level, ...]) -> Outcome:
        mark = self.digest(resource, control)

        def found() -> Outcome:
            within, whole = self._insiders.found(resource, control)
            restriction = restriction_of(control)
            return Outcome(mark, within=within, restriction=restriction, error="" if whole else ERROR)

        return _judged(resource, mark, found)


def view_of(tx: Transaction, analyzer: Analyzer) -> View:
    """How the analyzer looks at resources, by what is stored now."""
    if analyzer.type in INTERNAL:
        return _FromInside(Insiders(tx, analyzer))
    return _FromOutside(zone_of(tx, analyzer))


def outcome_of(resource: Analyzed, zone: Zone, control: tuple[Level, ...]) -> Outcome:
    """What is found of access from outside; what cannot be decided is an error, never nothing."""
    mark = digest(resource, zone, control)
    return _judged(
        resource,
        mark,
        lambda: Outcome(mark, examine(resource, zone, control), restriction=restriction_of(control)),
    )


def _judged(resource: Analyzed, mark: bytes, found: Callable[[], Outcome]) -> Outcome:
    try:
        return found()
    except (errors.Undecided, errors.MalformedPolicyDocument):
        return Outcome(mark, error=ERROR)
    except errors.AnalysisFault as fault:
        log.error("the evaluator contradicts the analysis", resource=resource.arn, where=errors.places(fault))
        return Outcome(mark, error=ERROR)


def analyzers(store: Store) -> list[Analyzer]:
    """Every analyzer there is."""
    return [one for _, one in store.transaction().scan(ANALYZERS, "")]


def scan(store: Store, sources: Sources, analyzer: Analyzer, now: float, stop: Stop) -> int:
    """How many resources were looked at, of those of which something has changed.

    Raises:
        errors.StorageError: the store could not be read or written.
    """
    tx = store.transaction()
    view, known = (
        view_of(tx, analyzer),
        {one.resource: one for _, one in tx.scan(LOOKED, f"{analyzer.place}/")},
    )
    done = 0
    for resource, control in _resources(tx, sources, analyzer, zone_of(tx, analyzer)):
        if stop():
            return done
        looked = known.pop(resource.arn, None)
        if looked is None or looked.digest != view.digest(resource, control):
            note(store, sources, analyzer, resource, view.outcome(resource, control), now)
            done += 1
    for looked in known.values():
        store.run(partial(_forget, sources=sources, analyzer=analyzer, looked=looked, now=now))
    _drop_old(store, analyzer, now)
    return done + len(known)


def scan_unused(store: Store, evidence: Evidence, analyzer: Analyzer, now: float, stop: Stop) -> None:
    """None; the findings of an analyzer of unused access are what the evidence says.

    Raises:
        errors.StorageError: the store could not be read or written.
        errors.IndexUnavailable: the index of the events could not be read.
    """
    evidence.catch_up()
    tx = store.transaction()
    look = Look(tx, analyzer, evidence, now)
    gone = {one.resource for _, one in tx.scan(FINDINGS, f"{analyzer.place}/") if one.status != RESOLVED}
    for holder in look.holders():
        if stop():
            return
        gone.discard(holder.arn)
        found = look.found(holder)
        store.run(partial(keep, analyzer=analyzer, arn=holder.arn, found=found, now=now))
    for arn in gone:
        store.run(partial(keep, analyzer=analyzer, arn=arn, found=(), now=now))
    _drop_old(store, analyzer, now)


def note(
    store: Store, sources: Sources, analyzer: Analyzer, resource: Analyzed, outcome: Outcome, now: float
) -> None:
    """None; the resource's findings are the outcome, unless the resource is another by now: then a later scan is right."""

    def settled(tx: Transaction) -> None:
        if find(sources, tx, resource.account, analyzer.region, resource.arn) == resource:
            settle(tx, analyzer, resource, outcome, now)

    store.run(settled)


def _forget(tx: Transaction, sources: Sources, analyzer: Analyzer, looked: Looked, now: float) -> None:
    there = looked.owner in zone_of(tx, analyzer).accounts
    found = find(sources, tx, looked.owner, analyzer.region, looked.resource) if there else None
    if found is None or not covers(analyzer, found):
        forget(tx, analyzer, looked.resource, now)


def _resources(
    tx: Transaction, sources: Sources, analyzer: Analyzer, zone: Zone
) -> Iterator[tuple[Analyzed, tuple[Level, ...]]]:
    for account in sorted(zone.accounts):
        control = control_of(tx, account)
        for source in sources:
            for resource in source.all(tx, account, analyzer.region):
                if covers(analyzer, resource):
                    yield resource, control


def _drop_old(store: Store, analyzer: Analyzer, now: float) -> None:
    """None; findings that were resolved long ago are gone, and old previews."""
    tx, prefix = store.transaction(), f"{analyzer.place}/"
    for place, one in tx.scan(FINDINGS, prefix):
        if one.status == RESOLVED and one.updated < now - KEPT:
            tx.get(FINDINGS, place)
            tx.delete(FINDINGS, place)
    for place, preview in tx.scan(PREVIEWS, prefix):
        if preview.created < now - PREVIEWS_KEPT:
            tx.delete(PREVIEWS, place)
    if tx.writes:
        store.commit([tx])
