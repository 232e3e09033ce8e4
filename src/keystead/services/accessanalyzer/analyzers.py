"""CreateAnalyzer, GetAnalyzer, ListAnalyzers, UpdateAnalyzer, DeleteAnalyzer."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from keystead import errors
from keystead.api import Call, Target, operation
from keystead.api.directory import ACCOUNTS, ORGANIZATIONS
from keystead.entropy import new_uuid
from keystead.services.accessanalyzer import configuration
from keystead.services.accessanalyzer.access import (
    ANALYZER,
    named,
    on_any,
    on_named,
    page,
    tag_facts,
)
from keystead.services.accessanalyzer.archive_rules import checked_filter
from keystead.services.accessanalyzer.configuration import INTERNAL, UNUSED, terms_of
from keystead.services.accessanalyzer.tables import (
    ANALYZERS,
    FINDINGS,
    LOOKED,
    PREVIEWS,
    RECOMMENDATIONS,
    Analyzer,
    ArchiveRule,
    analyzer_arn,
)
from keystead.services.accessanalyzer.tags import checked_tags
from keystead.storage import Table
from keystead.wire.models import accessanalyzer as wire

ACCOUNT: Final = "ACCOUNT"
ORGANIZATION: Final = "ORGANIZATION"
_MOST: Final = {
    ACCOUNT: 1, ORGANIZATION: 5, "ACCOUNT_UNUSED_ACCESS": 1, "ORGANIZATION_UNUSED_ACCESS": 1,
    "ACCOUNT_INTERNAL_ACCESS": 1, "ORGANIZATION_INTERNAL_ACCESS": 5,
}  # fmt: skip
"""Analyzers of each type in one account and Region (API reference, CreateAnalyzer)."""


@operation(
    "CreateAnalyzer",
    targets=on_named("CreateAnalyzer", lambda request: tag_facts(request.tags)),
    changes=True,
)
def create_analyzer(
    call: Call, request: wire.CreateAnalyzerRequest, _analyzer: Target
) -> wire.CreateAnalyzerResponse:
    """Make an analyzer, which begins at once."""
    name, kind = request.analyzer_name or "", request.type or ""
    _check_type(call, kind)
    terms = terms_of(kind, request.configuration)
    others = [one for _, one in call.tx.scan(ANALYZERS, f"{call.account}/{call.region}/")]
    arn = analyzer_arn(call.account, call.region, name)
    if any(one.name == name for one in others):
        raise errors.AnalyzerConflict(f"An analyzer of the name {name} exists already.", arn, ANALYZER)
    if sum(one.type == kind for one in others) >= _MOST[kind]:
        raise errors.AnalyzerQuotaExceeded(
            f"The account has as many analyzers of the type {kind} in this Region as it may: {_MOST[kind]}.",
            arn,
            ANALYZER,
        )
    analyzer = Analyzer(
        account=call.account,
        region=call.region,
        name=name,
        id=new_uuid(call.entropy),
        type=kind,
        created=call.now,
        tags=checked_tags({}, request.tags or {}),
        rules=tuple(_rule(one, call.now) for one in request.archive_rules or ()),
        age=terms.age,
        exclusions=terms.exclusions,
        spared=terms.spared,
        inclusions=terms.inclusions,
    )
    call.tx.insert(ANALYZERS, analyzer.place, analyzer)
    return wire.CreateAnalyzerResponse(arn=analyzer.arn)


def _rule(given: wire.InlineArchiveRule, now: float) -> ArchiveRule:
    return ArchiveRule(
        name=given.rule_name or "", filter=checked_filter(given.filter or {}), created=now, updated=now
    )


def _check_type(call: Call, kind: str) -> None:
    """None, if the account can have an analyzer of this type.

    Raises:
        errors.Validation: it cannot.
    """
    if kind.startswith(ORGANIZATION) and not _manages(call):
        raise errors.Validation(
            "An analyzer of an organization can be made by the organization's management account only."
        )


def _manages(call: Call) -> bool:
    """Whether the caller's account manages an organization."""
    account = call.tx.get(ACCOUNTS, call.account)
    organization = (
        call.tx.get(ORGANIZATIONS, account.organization) if account and account.organization else None
    )
    return organization is not None and organization.management == call.account


@operation("GetAnalyzer", targets=on_named("GetAnalyzer"))
def get_analyzer(call: Call, request: wire.GetAnalyzerRequest, _analyzer: Target) -> wire.GetAnalyzerResponse:
    """Return one analyzer."""
    return wire.GetAnalyzerResponse(analyzer=_shown(call, named(call, request.analyzer_name)))


@operation("ListAnalyzers", targets=on_any("ListAnalyzers"))
def list_analyzers(
    call: Call, request: wire.ListAnalyzersRequest, _any: Target
) -> wire.ListAnalyzersResponse:
    """Return the account's analyzers of this Region."""
    found = [
        one
        for _, one in call.tx.scan(ANALYZERS, f"{call.account}/{call.region}/")
        if request.type in {None, one.type}
    ]
    shown, more = page(found, request)
    return wire.ListAnalyzersResponse(analyzers=[_shown(call, one) for one in shown], next_token=more)


@operation("UpdateAnalyzer", targets=on_named("UpdateAnalyzer"), changes=True)
def update_analyzer(
    call: Call, request: wire.UpdateAnalyzerRequest, _analyzer: Target
) -> wire.UpdateAnalyzerResponse:
    """Change whom or what an analyzer of unused or internal access looks at; its days stay."""
    found = named(call, request.analyzer_name)
    if found.type not in UNUSED | INTERNAL or request.configuration is None:
        raise errors.Validation(
            f"There is nothing to change of an analyzer of the type {found.type}.", reason="notSupported"
        )
    terms = terms_of(found.type, request.configuration, found.age)
    if terms.age != found.age:
        raise errors.Validation("The unusedAccessAge of an analyzer cannot be changed.")
    changed = msgspec.structs.replace(
        found, exclusions=terms.exclusions, spared=terms.spared, inclusions=terms.inclusions
    )
    call.tx.put(ANALYZERS, found.place, changed)
    return wire.UpdateAnalyzerResponse(configuration=configuration.shown(changed))


@operation("DeleteAnalyzer", targets=on_named("DeleteAnalyzer"), changes=True)
def delete_analyzer(call: Call, request: wire.DeleteAnalyzerRequest, _analyzer: Target) -> None:
    """Remove an analyzer with all that it found."""
    found = named(call, request.analyzer_name)
    call.tx.delete(ANALYZERS, found.place)
    tables: tuple[Table[Any], ...] = (FINDINGS, LOOKED, PREVIEWS, RECOMMENDATIONS)
    for table in tables:
        for place, _ in call.tx.scan(table, f"{found.place}/"):
            call.tx.delete(table, place)


def _shown(call: Call, analyzer: Analyzer) -> wire.AnalyzerSummary:
    looked = [one for _, one in call.tx.scan(LOOKED, f"{analyzer.place}/")]
    last = max(looked, key=lambda one: one.analyzed, default=None)
    return wire.AnalyzerSummary(
        arn=analyzer.arn,
        name=analyzer.name,
        type=analyzer.type,
        created_at=analyzer.created,
        tags=analyzer.tags,
        status="ACTIVE",
        configuration=configuration.shown(analyzer),
        last_resource_analyzed=None if last is None else last.resource,
        last_resource_analyzed_at=None if last is None else last.analyzed,
    )


OPERATIONS = (create_analyzer, get_analyzer, list_analyzers, update_analyzer, delete_analyzer)
