"""What becomes of findings when a resource was analyzed: new ones, changed ones, and those whose access is gone.

Source: IAM User Guide, "Findings": access that is gone makes a finding RESOLVED; if it comes back, the finding is ACTIVE
again. Archive rules are asked when a finding is new or comes back. An ARCHIVED finding stays so while its access stays.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

import msgspec

from keystead.analysis.questions.outside import Opening
from keystead.api.analyzed import BUCKET, Analyzed
from keystead.policy.document import Condition
from keystead.services.accessanalyzer.configuration import INTERNAL
from keystead.services.accessanalyzer.examine import condition_of
from keystead.services.accessanalyzer.filters import matches
from keystead.services.accessanalyzer.insiders import Within
from keystead.services.accessanalyzer.tables import (
    ANALYZERS,
    FINDINGS,
    LOOKED,
    Analyzer,
    ArchiveRule,
    Finding,
    Looked,
)
from keystead.storage import Transaction

ACTIVE: Final = "ACTIVE"
ARCHIVED: Final = "ARCHIVED"
RESOLVED: Final = "RESOLVED"
ERROR: Final = "INTERNAL_ERROR"
KEPT: Final = 90 * 86_400.0
"""Seconds for which a resolved finding stays (IAM User Guide, "Findings")."""
EXTERNAL_ACCESS: Final = "ExternalAccess"
INTERNAL_ACCESS: Final = "InternalAccess"
SPACE: Final = uuid.UUID("6b1b36cb-6c1a-4a33-9d47-0d5b9bb2c7d5")
"""Where the ids of findings are worked out from what they are about."""


class Outcome(msgspec.Struct, frozen=True):
    """What was found of a resource, from outside or `within`, and whether RCPs bind it (`restriction`).

    With `error`, nothing else is known.
    """

    digest: bytes
    found: tuple[Opening, ...] = ()
    within: tuple[Within, ...] = ()
    restriction: str = ""
    error: str = ""


def settle(tx: Transaction, analyzer: Analyzer, resource: Analyzed, outcome: Outcome, now: float) -> None:
    """None; the resource's findings are what was found of it, if the analyzer is still there."""
    current = _as_it_is(tx, analyzer)
    if current is None:
        return
    analyzer = current
    place = f"{analyzer.place}/{resource.arn}"
    known = tx.get(LOOKED, place)
    changed = _put(tx, analyzer, settled(analyzer, resource, outcome, held(tx, analyzer, resource.arn), now))
    looked = Looked(
        resource=resource.arn,
        type=resource.type,
        owner=resource.account,
        digest=outcome.digest,
        created=now if known is None else known.created,
        analyzed=now,
        updated=now if known is None or changed else known.updated,
        error=outcome.error,
    )
    tx.put(LOOKED, place, looked)


def forget(tx: Transaction, analyzer: Analyzer, arn: str, now: float) -> None:
    """None; the resource is there no more, and what was found of it is resolved."""
    if _as_it_is(tx, analyzer) is None:
        return
    for finding in held(tx, analyzer, arn):
        if finding.status != RESOLVED:
            tx.put(FINDINGS, f"{analyzer.place}/{finding.id}", _with_status(finding, RESOLVED, now))
    tx.delete(LOOKED, f"{analyzer.place}/{arn}")


def held(tx: Transaction, analyzer: Analyzer, arn: str) -> list[Finding]:
    """The findings of one resource, as they are stored."""
    places = tx.find(FINDINGS, "resource", f"{analyzer.place}/{arn}")
    found = (tx.get(FINDINGS, place) for place in places)
    return [one for one in found if one is not None]


def _as_it_is(tx: Transaction, analyzer: Analyzer) -> Analyzer | None:
    """The analyzer with the archive rules that it has by now, None if it is gone."""
    stored = tx.get(ANALYZERS, analyzer.place)
    return stored if stored is not None and stored.id == analyzer.id else None


def keep(tx: Transaction, analyzer: Analyzer, arn: str, found: Iterable[Finding], now: float) -> None:
    """None; these are all the findings of the resource, if the analyzer is still there."""
    current = _as_it_is(tx, analyzer)
    if current is not None:
        _put(tx, current, _beside(current, found, held(tx, analyzer, arn), now, gone=lambda _old: True))


def _put(tx: Transaction, analyzer: Analyzer, pairs: Iterable[tuple[Finding, Finding | None]]) -> bool:
    """Whether a finding is another than before; all are stored."""
    changed = False
    for finding, before in pairs:
        changed |= before is None or before.updated != finding.updated
        tx.put(FINDINGS, f"{analyzer.place}/{finding.id}", finding)
    return changed


def settled(
    analyzer: Analyzer, resource: Analyzed, outcome: Outcome, before: Sequence[Finding], now: float
) -> Iterator[tuple[Finding, Finding | None]]:
    """The findings as they are from now on, each with what it was; what is not known to be gone is not told to be."""
    found = findings_of(analyzer, resource, outcome, now)
    return _beside(analyzer, found, before, now, gone=lambda old: bool(old.error) or not outcome.error)


def _beside(
    analyzer: Analyzer,
    found: Iterable[Finding],
    before: Sequence[Finding],
    now: float,
    gone: Callable[[Finding], bool],
) -> Iterator[tuple[Finding, Finding | None]]:
    known = {one.id: one for one in before}
    for finding in found:
        old = known.pop(finding.id, None)
        yield _renewed(finding, old, analyzer.rules, now), old
    for old in known.values():
        if old.status != RESOLVED and gone(old):
            yield _with_status(msgspec.structs.replace(old, analyzed=now), RESOLVED, now), old


def findings_of(analyzer: Analyzer, resource: Analyzed, outcome: Outcome, now: float) -> Iterator[Finding]:
    """What was found as findings that are new; the id is that of the same access at any time."""
    sources = ("POLICY",) if resource.type == BUCKET else ()
    if outcome.error:
        yield Finding(
            id=id_of(analyzer, resource.arn, ("error",)), type=_type(analyzer), resource=resource.arn,
            resource_type=resource.type, owner=resource.account, created=now, analyzed=now, updated=now,
            error=outcome.error,
        )  # fmt: skip
    for one in outcome.found:
        yield Finding(
            id=id_of(analyzer, resource.arn, (one.kind, one.principal, *_told(one.conditions))),
            resource=resource.arn, resource_type=resource.type, owner=resource.account, created=now, analyzed=now,
            updated=now, principal={one.kind: one.principal}, actions=one.actions,
            condition=condition_of(one.conditions), public=one.public, sources=sources,
            restriction=outcome.restriction,
        )  # fmt: skip
    for inside in outcome.within:
        yield Finding(
            id=id_of(analyzer, resource.arn, ("AWS", inside.principal, *_told(inside.conditions))),
            type=INTERNAL_ACCESS, resource=resource.arn, resource_type=resource.type, owner=resource.account,
            created=now, analyzed=now, updated=now, principal={"AWS": inside.principal}, actions=inside.actions,
            condition=condition_of(inside.conditions), restriction=outcome.restriction, insider=inside.insider,
        )  # fmt: skip


def _told(conditions: Iterable[Condition]) -> Iterator[tuple[str, ...]]:
    """Conditions as ids of findings take them."""
    return ((one.operator, one.key.lower(), *one.values) for one in conditions)


def _type(analyzer: Analyzer) -> str:
    return INTERNAL_ACCESS if analyzer.type in INTERNAL else EXTERNAL_ACCESS


def id_of(analyzer: Analyzer, arn: str, told: Iterable[object]) -> str:
    """The id of the analyzer's finding about this, at any time."""
    text = msgspec.json.encode((analyzer.id, arn, tuple(told))).decode()
    return str(uuid.uuid5(SPACE, text))


def _renewed(finding: Finding, old: Finding | None, rules: Iterable[ArchiveRule], now: float) -> Finding:
    """The finding with what it keeps from before: when it was made, and its status while its access stays."""
    if old is None or old.status == RESOLVED:
        status = status_of(finding, rules)
        return msgspec.structs.replace(finding, status=status, created=now if old is None else old.created)
    kept = msgspec.structs.replace(finding, status=old.status, created=old.created, updated=old.updated)
    same = kept == msgspec.structs.replace(old, analyzed=now)
    return kept if same else msgspec.structs.replace(kept, updated=now)


def status_of(finding: Finding, rules: Iterable[ArchiveRule]) -> str:
    """What a finding that is new is: archived if a rule says so."""
    told = values_of(finding)
    return ARCHIVED if any(matches(rule.filter, told) for rule in rules) else ACTIVE


def values_of(finding: Finding) -> dict[str, str]:
    """What a finding says, by filter key."""
    told = {
        "id": finding.id, "resource": finding.resource, "resourceType": finding.resource_type,
        "resourceOwnerAccount": finding.owner, "status": finding.status, "findingType": finding.type,
        "isPublic": str(finding.public).lower(), "resourceControlPolicyRestriction": finding.restriction,
    }  # fmt: skip
    if finding.error:
        told["error"] = finding.error
    if finding.insider is not None:
        told |= {
            "principalOwnerAccount": finding.insider.account, "principalType": finding.insider.kind,
            "accessType": finding.insider.access,
            "serviceControlPolicyRestriction": finding.insider.restriction,
        }  # fmt: skip
    told |= {f"principal.{kind}": who for kind, who in finding.principal.items()}
    return told | {f"condition.{key}": value for key, value in finding.condition.items()}


def _with_status(finding: Finding, status: str, now: float) -> Finding:
    return msgspec.structs.replace(finding, status=status, updated=now)
