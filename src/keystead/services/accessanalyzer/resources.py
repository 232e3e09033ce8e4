"""StartResourceScan, GetAnalyzedResource, ListAnalyzedResources, GetFindingsStatistics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from keystead import errors
from keystead.api import Call, Target, operation
from keystead.api.analyzed import Analyzed, find
from keystead.api.operation import always
from keystead.arn import account_in
from keystead.services.accessanalyzer.access import absent, existing, of_external_access, on_analyzer, page
from keystead.services.accessanalyzer.configuration import INTERNAL, UNUSED
from keystead.services.accessanalyzer.examine import control_of, zone_of
from keystead.services.accessanalyzer.findings import findings
from keystead.services.accessanalyzer.scan import outcome_of
from keystead.services.accessanalyzer.settle import ACTIVE, ARCHIVED, RESOLVED, forget, held, settle
from keystead.services.accessanalyzer.tables import LOOKED, Analyzer, Finding, Looked
from keystead.services.accessanalyzer.unused import ACCESS_KEY, PASSWORD, PERMISSION, ROLE
from keystead.wire.models import accessanalyzer as wire

RESOURCE: Final = "AWS::AccessAnalyzer::AnalyzedResource"


@operation("StartResourceScan", targets=on_analyzer("StartResourceScan"), changes=True, slow=always)
def start_resource_scan(call: Call, request: wire.StartResourceScanRequest, _analyzer: Target) -> None:
    """Analyze a resource now; when the answer comes, its findings are what it is."""
    analyzer, arn = of_external_access(call, request.analyzer_arn), request.resource_arn or ""
    resource = _resource(call, analyzer, arn, request.resource_owner_account)
    if resource is not None:
        outcome = outcome_of(resource, zone_of(call.tx, analyzer), control_of(call.tx, resource.account))
        settle(call.tx, analyzer, resource, outcome, call.now)
    elif call.tx.get(LOOKED, f"{analyzer.place}/{arn}") is not None:
        forget(call.tx, analyzer, arn, call.now)
    else:
        raise absent("resource", arn, RESOURCE)


def _resource(call: Call, analyzer: Analyzer, arn: str, owner: str | None) -> Analyzed | None:
    """The resource, if it is one that the analyzer is about.

    Raises:
        errors.Validation: the ARN cannot be one.
    """
    if "\0" in arn:
        raise errors.Validation(f"{arn!r} is not an ARN.")
    accounts = sorted(
        zone_of(call.tx, analyzer).accounts & ({owner} if owner else {account_in(arn), analyzer.account})
    )
    found = (find(call.analyzed, call.tx, account, analyzer.region, arn) for account in accounts)
    return next((one for one in found if one is not None), None)


@operation("GetAnalyzedResource", targets=on_analyzer("GetAnalyzedResource"))
def get_analyzed_resource(
    call: Call, request: wire.GetAnalyzedResourceRequest, _analyzer: Target
) -> wire.GetAnalyzedResourceResponse:
    """Return what an analyzer knows of one resource."""
    analyzer, arn = of_external_access(call, request.analyzer_arn), request.resource_arn or ""
    looked = None if "\0" in arn else call.tx.get(LOOKED, f"{analyzer.place}/{arn}")
    if looked is None:
        raise absent("resource", arn, RESOURCE)
    return wire.GetAnalyzedResourceResponse(resource=_shown(looked, held(call.tx, analyzer, arn)))


def _shown(looked: Looked, found: list[Finding]) -> wire.AnalyzedResource:
    there = [one for one in found if one.status != RESOLVED]
    states = [status for status in (ACTIVE, ARCHIVED, RESOLVED) if any(one.status == status for one in found)]
    return wire.AnalyzedResource(
        resource_arn=looked.resource,
        resource_type=looked.type,
        resource_owner_account=looked.owner,
        created_at=looked.created,
        analyzed_at=looked.analyzed,
        updated_at=looked.updated,
        is_public=any(one.public for one in there),
        actions=sorted({action for one in there for action in one.actions}) or None,
        shared_via=sorted({source for one in there for source in one.sources}) or None,
        status=states[0] if states else None,
        error=looked.error or None,
    )


@operation("ListAnalyzedResources", targets=on_analyzer("ListAnalyzedResources"))
def list_analyzed_resources(
    call: Call, request: wire.ListAnalyzedResourcesRequest, _analyzer: Target
) -> wire.ListAnalyzedResourcesResponse:
    """Return the resources that were analyzed."""
    analyzer = existing(call, request.analyzer_arn)
    looked = [one for _, one in call.tx.scan(LOOKED, f"{analyzer.place}/")]
    found, more = page([one for one in looked if request.resource_type in {None, one.type}], request)
    return wire.ListAnalyzedResourcesResponse(
        analyzed_resources=[
            wire.AnalyzedResourceSummary(
                resource_arn=one.resource, resource_type=one.type, resource_owner_account=one.owner
            )
            for one in found
        ],
        next_token=more,
    )


@operation("GetFindingsStatistics", targets=on_analyzer("GetFindingsStatistics"))
def get_findings_statistics(
    call: Call, request: wire.GetFindingsStatisticsRequest, _analyzer: Target
) -> wire.GetFindingsStatisticsResponse:
    """Return how many findings there are, as they are now."""
    analyzer = existing(call, request.analyzer_arn)
    tell = next((tell for kinds, tell in _STATISTICS if analyzer.type in kinds), _of_external)
    found = findings(call, analyzer)
    told = tell(found, _totals(found))
    return wire.GetFindingsStatisticsResponse(findings_statistics=[told], last_updated_at=call.now)


def _totals(found: list[Finding]) -> dict[str, Any]:
    return {
        f"total_{status.lower()}_findings": sum(one.status == status for one in found)
        for status in (ACTIVE, ARCHIVED, RESOLVED)
    }


def _of_external(found: list[Finding], totals: dict[str, Any]) -> wire.FindingsStatistics:
    return wire.FindingsStatistics(
        external_access_findings_statistics=wire.ExternalAccessFindingsStatistics(
            resource_type_statistics=_counted(_by_type(found)), **totals
        )
    )


def _of_internal(found: list[Finding], totals: dict[str, Any]) -> wire.FindingsStatistics:
    counted = {
        kind: wire.InternalAccessResourceTypeDetails(**_totals(own)) for kind, own in _by_type(found).items()
    }
    return wire.FindingsStatistics(
        internal_access_findings_statistics=wire.InternalAccessFindingsStatistics(
            resource_type_statistics=counted, **totals
        )
    )


def _by_type(found: list[Finding]) -> dict[str, list[Finding]]:
    by_type: dict[str, list[Finding]] = {}
    for one in found:
        by_type.setdefault(one.resource_type, []).append(one)
    return by_type


def _of_unused(found: list[Finding], totals: dict[str, Any]) -> wire.FindingsStatistics:
    active = Counter(one.type for one in found if one.status == ACTIVE)
    by_type = [
        wire.UnusedAccessTypeStatistics(unused_access_type=kind, total=active[kind])
        for kind in (ROLE, ACCESS_KEY, PASSWORD, PERMISSION)
    ]
    return wire.FindingsStatistics(
        unused_access_findings_statistics=wire.UnusedAccessFindingsStatistics(
            unused_access_type_statistics=by_type, **totals
        )
    )


_STATISTICS: Final = ((UNUSED, _of_unused), (INTERNAL, _of_internal))
"""How the statistics of analyzers of these types are told; those of external access otherwise."""


def _counted(by_type: Mapping[str, list[Finding]]) -> dict[str, wire.ResourceTypeDetails]:
    active = {kind: [one for one in found if one.status == ACTIVE] for kind, found in by_type.items()}
    return {
        kind: wire.ResourceTypeDetails(
            total_active_public=sum(one.public for one in found),
            total_active_cross_account=sum(not one.public and not one.error for one in found),
            total_active_errors=sum(bool(one.error) for one in found),
        )
        for kind, found in active.items()
    }


OPERATIONS = (
    start_resource_scan,
    get_analyzed_resource,
    list_analyzed_resources,
    get_findings_statistics,
)
