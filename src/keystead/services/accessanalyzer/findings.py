"""ListFindings, GetFinding, ListFindingsV2, GetFindingV2, UpdateFindings, ApplyArchiveRule."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from keystead import errors
from keystead.api import Call, Target, operation
from keystead.services.accessanalyzer.access import absent, existing, of_external_access, on_analyzer, page
from keystead.services.accessanalyzer.archive_rules import rule_of
from keystead.services.accessanalyzer.filters import IN_LISTS, checked, matches
from keystead.services.accessanalyzer.settle import (
    ACTIVE,
    ARCHIVED,
    EXTERNAL_ACCESS,
    RESOLVED,
    held,
    values_of,
)
from keystead.services.accessanalyzer.tables import FINDINGS, Analyzer, Finding, Insider, Unused
from keystead.services.accessanalyzer.unused import ACCESS_KEY, PERMISSION, ROLE
from keystead.wire.models import accessanalyzer as wire

FINDING: Final = "AWS::AccessAnalyzer::Finding"

_ORDERS: Final[dict[str, Callable[[Finding], Any]]] = {
    "analyzedAt": lambda one: one.analyzed,
    "createdAt": lambda one: one.created,
    "id": lambda one: one.id,
    "resource": lambda one: one.resource,
    "resourceOwnerAccount": lambda one: one.owner,
    "resourceType": lambda one: one.resource_type,
    "status": lambda one: one.status,
    "updatedAt": lambda one: one.updated,
}
"""What lists can be sorted by; without a wish it is the time of the last change."""


# ------------------------------------------------------------------------------- lists


@operation("ListFindings", targets=on_analyzer("ListFindings"))
def list_findings(
    call: Call, request: wire.ListFindingsRequest, _analyzer: Target
) -> wire.ListFindingsResponse:
    """Return findings with all that they say."""
    of_external_access(call, request.analyzer_arn)
    found, more = page(_wanted(call, request), request)
    return wire.ListFindingsResponse(
        findings=[wire.FindingSummary(**_described(one)) for one in found], next_token=more
    )


@operation("ListFindingsV2", targets=on_analyzer("ListFindings"))
def list_findings_v2(
    call: Call, request: wire.ListFindingsV2Request, _analyzer: Target
) -> wire.ListFindingsV2Response:
    """Return findings of any type, without what only one type has."""
    found, more = page(_wanted(call, request), request)
    return wire.ListFindingsV2Response(
        findings=[
            wire.FindingSummaryV2(**_common(one), resource=one.resource, finding_type=one.type)
            for one in found
        ],
        next_token=more,
    )


def _wanted(call: Call, request: Any) -> list[Finding]:
    """The findings that the request asks for, in the order that it asks for."""
    analyzer, asked = existing(call, request.analyzer_arn), checked(request.filter or {}, IN_LISTS)
    found = [one for one in findings(call, analyzer) if matches(asked, values_of(one))]
    sort = request.sort or wire.SortCriteria()
    order = _ORDERS.get(sort.attribute_name or "updatedAt")
    if order is None:
        raise errors.Validation(f"Findings cannot be sorted by {sort.attribute_name}.")
    return sorted(found, key=order, reverse=sort.order_by == "DESC")


def findings(call: Call, analyzer: Analyzer) -> list[Finding]:
    """All findings of an analyzer."""
    return [one for _, one in call.tx.scan(FINDINGS, f"{analyzer.place}/")]


# ----------------------------------------------------------------------------- details


@operation("GetFinding", targets=on_analyzer("GetFinding"))
def get_finding(call: Call, request: wire.GetFindingRequest, _analyzer: Target) -> wire.GetFindingResponse:
    """Return one finding."""
    found = _existing(call, of_external_access(call, request.analyzer_arn), request.id)
    return wire.GetFindingResponse(finding=wire.Finding(**_described(found)))


@operation("GetFindingV2", targets=on_analyzer("GetFinding"))
def get_finding_v2(
    call: Call, request: wire.GetFindingV2Request, _analyzer: Target
) -> wire.GetFindingV2Response:
    """Return one finding with its details, which are of its type."""
    found = _existing(call, existing(call, request.analyzer_arn), request.id)
    told, more = page([] if found.error else [*_details(found)], request)
    return wire.GetFindingV2Response(
        **_common(found),
        resource=found.resource,
        finding_type=found.type,
        finding_details=told,
        next_token=more,
    )


def _existing(call: Call, analyzer: Analyzer, finding: str | None) -> Finding:
    """The analyzer's finding with this id.

    Raises:
        errors.AnalyzerResourceNotFound: it has none.
    """
    found = call.tx.get(FINDINGS, f"{analyzer.place}/{finding}") if "\0" not in (finding or "") else None
    if found is None:
        raise absent("finding", finding or "", FINDING)
    return found


def _details(found: Finding) -> Iterator[wire.FindingDetails]:
    if found.insider is not None:
        yield _internal(found, found.insider)
        return
    if found.type != EXTERNAL_ACCESS:
        yield from (_UNUSED[found.type](one) for one in found.unused)
        return
    yield wire.FindingDetails(
        external_access_details=wire.ExternalAccessDetails(
            action=[*found.actions],
            condition=found.condition,
            is_public=found.public,
            principal=found.principal,
            sources=sources(found),
            resource_control_policy_restriction=found.restriction,
        )
    )


def _internal(found: Finding, insider: Insider) -> wire.FindingDetails:
    told = wire.InternalAccessDetails(
        action=[*found.actions],
        condition=found.condition,
        principal=found.principal,
        principal_owner_account=insider.account,
        access_type=insider.access,
        principal_type=insider.kind,
        sources=sources(found),
        resource_control_policy_restriction=found.restriction,
        service_control_policy_restriction=insider.restriction,
    )
    return wire.FindingDetails(internal_access_details=told)


def _role(unused: Unused) -> wire.FindingDetails:
    return wire.FindingDetails(
        unused_iam_role_details=wire.UnusedIamRoleDetails(last_accessed=unused.last or None)
    )


def _access_key(unused: Unused) -> wire.FindingDetails:
    told = wire.UnusedIamUserAccessKeyDetails(
        access_key_id=unused.access_key, last_accessed=unused.last or None
    )
    return wire.FindingDetails(unused_iam_user_access_key_details=told)


def _permission(unused: Unused) -> wire.FindingDetails:
    actions = [
        wire.UnusedAction(action=name.partition(":")[2], last_accessed=last or None)
        for name, last in sorted(unused.actions.items())
    ]
    told = wire.UnusedPermissionDetails(
        actions=actions or None, service_namespace=unused.service, last_accessed=unused.last or None
    )
    return wire.FindingDetails(unused_permission_details=told)


_UNUSED: Final[dict[str, Callable[[Unused], wire.FindingDetails]]] = {
    ROLE: _role, ACCESS_KEY: _access_key, PERMISSION: _permission,
}  # fmt: skip


def _common(found: Finding) -> dict[str, Any]:
    """The members that every description of a finding has."""
    return {
        "id": found.id,
        "resource_type": found.resource_type,
        "resource_owner_account": found.owner,
        "status": found.status,
        "created_at": found.created,
        "analyzed_at": found.analyzed,
        "updated_at": found.updated,
        "error": found.error or None,
    }


def _described(found: Finding) -> dict[str, Any]:
    """The members of a finding of external access."""
    return {
        **_common(found),
        "principal": found.principal or None,
        "action": [*found.actions],
        "resource": found.resource,
        "is_public": found.public,
        "condition": found.condition,
        "sources": sources(found),
        "resource_control_policy_restriction": found.restriction,
    }


def sources(found: Finding) -> list[wire.FindingSource] | None:
    """How the access is granted, as answers say it: of buckets only."""
    return [wire.FindingSource(type=one) for one in found.sources] or None


# ----------------------------------------------------------------------------- changes


@operation("UpdateFindings", targets=on_analyzer("UpdateFindings"), changes=True)
def update_findings(call: Call, request: wire.UpdateFindingsRequest, _analyzer: Target) -> None:
    """Archive findings, or make archived ones active again; what is resolved stays so."""
    analyzer, status = existing(call, request.analyzer_arn), request.status or ""
    if bool(request.ids) == bool(request.resource_arn):
        raise errors.Validation("Either ids or a resourceArn must be given.")
    if request.ids:
        chosen = [_existing(call, analyzer, one) for one in request.ids]
    else:
        chosen = held(call.tx, analyzer, request.resource_arn or "")
    for one in chosen:
        if one.status not in {status, RESOLVED}:
            _put(call, analyzer, one, status)


@operation("ApplyArchiveRule", targets=on_analyzer("ApplyArchiveRule"), changes=True)
def apply_archive_rule(call: Call, request: wire.ApplyArchiveRuleRequest, _analyzer: Target) -> None:
    """Archive the active findings that a rule is about."""
    analyzer = existing(call, request.analyzer_arn)
    rule = rule_of(analyzer, request.rule_name)
    for one in findings(call, analyzer):
        if one.status == ACTIVE and matches(rule.filter, values_of(one)):
            _put(call, analyzer, one, ARCHIVED)


def _put(call: Call, analyzer: Analyzer, finding: Finding, status: str) -> None:
    place = f"{analyzer.place}/{finding.id}"
    if call.tx.get(FINDINGS, place) is not None:
        changed = msgspec.structs.replace(finding, status=status, updated=call.now)
        call.tx.put(FINDINGS, place, changed)


OPERATIONS = (
    list_findings,
    list_findings_v2,
    get_finding,
    get_finding_v2,
    update_findings,
    apply_archive_rule,
)
