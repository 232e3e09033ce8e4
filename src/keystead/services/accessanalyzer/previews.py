"""CreateAccessPreview, GetAccessPreview, ListAccessPreviews, ListAccessPreviewFindings.

A preview is made before its creation is answered. What it finds is what findings would be after the change.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Final

from keystead import errors
from keystead.api import Call, Target, operation
from keystead.api.analyzed import Analyzed, find
from keystead.api.operation import always
from keystead.entropy import new_uuid
from keystead.services.accessanalyzer.access import absent, existing, on_analyzer, page
from keystead.services.accessanalyzer.analyzers import ACCOUNT
from keystead.services.accessanalyzer.examine import control_of, zone_of
from keystead.services.accessanalyzer.filters import IN_LISTS, checked, matches
from keystead.services.accessanalyzer.findings import sources
from keystead.services.accessanalyzer.proposed import (
    InvalidConfigurationError,
    decoded,
    encoded,
    proposed,
)
from keystead.services.accessanalyzer.scan import outcome_of
from keystead.services.accessanalyzer.settle import (
    RESOLVED,
    SPACE,
    findings_of,
    held,
    settled,
    status_of,
    values_of,
)
from keystead.services.accessanalyzer.tables import PREVIEWS, Analyzer, Finding, Foreseen, Preview
from keystead.wire.models import accessanalyzer as wire

PREVIEW: Final = "AWS::AccessAnalyzer::AccessPreview"
COMPLETED: Final = "COMPLETED"
FAILED: Final = "FAILED"
_KEYS: Final = IN_LISTS | {"changeType", "existingFindingId", "existingFindingStatus"}


@operation("CreateAccessPreview", targets=on_analyzer("CreateAccessPreview"), changes=True, slow=always)
def create_access_preview(
    call: Call, request: wire.CreateAccessPreviewRequest, _analyzer: Target
) -> wire.CreateAccessPreviewResponse:
    """Find what would be found if a resource were as it is proposed."""
    analyzer, given = existing(call, request.analyzer_arn), request.configurations or {}
    if analyzer.type != ACCOUNT:
        raise errors.Validation("Previews are made by analyzers of the type ACCOUNT.")
    if len(given) != 1:
        raise errors.Validation("A preview is of exactly one configuration.")
    ((arn, asked),) = given.items()
    present = None if "\0" in arn else find(call.analyzed, call.tx, analyzer.account, analyzer.region, arn)
    try:
        resource = proposed(call, analyzer, arn, asked, present)
        status, foreseen = COMPLETED, tuple(_foreseen(call, analyzer, resource, present))
    except InvalidConfigurationError:
        status, foreseen = FAILED, ()
    preview = Preview(
        id=new_uuid(call.entropy),
        created=call.now,
        configurations=encoded(given),
        status=status,
        foreseen=foreseen,
    )
    call.tx.insert(PREVIEWS, f"{analyzer.place}/{preview.id}", preview)
    return wire.CreateAccessPreviewResponse(id=preview.id)


def _foreseen(
    call: Call, analyzer: Analyzer, resource: Analyzed, present: Analyzed | None
) -> Iterator[Foreseen]:
    """Each finding that there would be, or would be no more, beside what there is now."""
    before = {one.id: one for one in _now(call, analyzer, resource.arn, present)}
    zone, control = zone_of(call.tx, analyzer), control_of(call.tx, resource.account)
    for one in findings_of(analyzer, resource, outcome_of(resource, zone, control), call.now):
        old = before.pop(one.id, None)
        kept = old is not None and old.status != RESOLVED
        status = old.status if old is not None and kept else status_of(one, analyzer.rules)
        yield _compared(one, status, old)
    for old in before.values():
        if old.status != RESOLVED:
            yield _compared(old, RESOLVED, old)


def _now(call: Call, analyzer: Analyzer, arn: str, present: Analyzed | None) -> list[Finding]:
    """The findings of the resource as it is now, whether or not they are stored already."""
    stored = held(call.tx, analyzer, arn)
    if present is None:
        return stored
    outcome = outcome_of(present, zone_of(call.tx, analyzer), control_of(call.tx, present.account))
    renewed = {one.id: one for one, _ in settled(analyzer, present, outcome, stored, call.now)}
    return [*({one.id: one for one in stored} | renewed).values()]


def _compared(found: Finding, status: str, old: Finding | None) -> Foreseen:
    same = old is not None and (old.status, old.actions, old.public) == (status, found.actions, found.public)
    return Foreseen(
        finding=found,
        status=status,
        change="NEW" if old is None else "UNCHANGED" if same else "CHANGED",
        existing="" if old is None else old.id,
        existing_status="" if old is None else old.status,
    )


# ------------------------------------------------------------------------------- shown


@operation("GetAccessPreview", targets=on_analyzer("GetAccessPreview"))
def get_access_preview(
    call: Call, request: wire.GetAccessPreviewRequest, _analyzer: Target
) -> wire.GetAccessPreviewResponse:
    """Return one preview with what was proposed."""
    analyzer = existing(call, request.analyzer_arn)
    preview = _existing(call, analyzer, request.access_preview_id)
    return wire.GetAccessPreviewResponse(
        access_preview=wire.AccessPreview(
            id=preview.id,
            analyzer_arn=analyzer.arn,
            configurations=decoded(preview.configurations),
            created_at=preview.created,
            status=preview.status,
            status_reason=_reason(preview),
        )
    )


@operation("ListAccessPreviews", targets=on_analyzer("ListAccessPreviews"))
def list_access_previews(
    call: Call, request: wire.ListAccessPreviewsRequest, _analyzer: Target
) -> wire.ListAccessPreviewsResponse:
    """Return the analyzer's previews, oldest first."""
    analyzer = existing(call, request.analyzer_arn)
    there = (one for _, one in call.tx.scan(PREVIEWS, f"{analyzer.place}/"))
    shown, more = page(sorted(there, key=lambda one: (one.created, one.id)), request)
    return wire.ListAccessPreviewsResponse(
        access_previews=[
            wire.AccessPreviewSummary(
                id=one.id,
                analyzer_arn=analyzer.arn,
                created_at=one.created,
                status=one.status,
                status_reason=_reason(one),
            )
            for one in shown
        ],
        next_token=more,
    )


@operation("ListAccessPreviewFindings", targets=on_analyzer("ListAccessPreviewFindings"))
def list_access_preview_findings(
    call: Call, request: wire.ListAccessPreviewFindingsRequest, _analyzer: Target
) -> wire.ListAccessPreviewFindingsResponse:
    """Return what a preview found."""
    analyzer, asked = existing(call, request.analyzer_arn), checked(request.filter or {}, _KEYS)
    preview = _existing(call, analyzer, request.access_preview_id)
    if preview.status != COMPLETED:
        raise errors.AnalyzerConflict(f"The access preview {preview.id} failed.", preview.id, PREVIEW)
    found, more = page([one for one in preview.foreseen if matches(asked, _values(one))], request)
    return wire.ListAccessPreviewFindingsResponse(
        findings=[_shown(preview, one) for one in found], next_token=more
    )


def _existing(call: Call, analyzer: Analyzer, preview: str | None) -> Preview:
    """The analyzer's preview with this id.

    Raises:
        errors.AnalyzerResourceNotFound: it has none.
    """
    found = call.tx.get(PREVIEWS, f"{analyzer.place}/{preview}")
    if found is None:
        raise absent("access preview", preview or "", PREVIEW)
    return found


def _reason(preview: Preview) -> wire.AccessPreviewStatusReason | None:
    return wire.AccessPreviewStatusReason(code="INVALID_CONFIGURATION") if preview.status == FAILED else None


def _values(one: Foreseen) -> dict[str, str]:
    """What a filter can ask for."""
    told = values_of(one.finding) | {"status": one.status, "changeType": one.change}
    if one.existing:
        told |= {"existingFindingId": one.existing, "existingFindingStatus": one.existing_status}
    return told


def _shown(preview: Preview, one: Foreseen) -> wire.AccessPreviewFinding:
    found = one.finding
    return wire.AccessPreviewFinding(
        id=str(uuid.uuid5(SPACE, f"{preview.id}/{found.id}")),
        existing_finding_id=one.existing or None,
        existing_finding_status=one.existing_status or None,
        principal=found.principal or None,
        action=[*found.actions],
        condition=found.condition,
        resource=found.resource,
        is_public=found.public,
        resource_type=found.resource_type,
        created_at=preview.created,
        change_type=one.change,
        status=one.status,
        resource_owner_account=found.owner,
        error=found.error or None,
        sources=sources(found),
        resource_control_policy_restriction=found.restriction,
    )


OPERATIONS = (
    create_access_preview,
    get_access_preview,
    list_access_previews,
    list_access_preview_findings,
)
