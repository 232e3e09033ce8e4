"""SimulatePrincipalPolicy and SimulateCustomPolicy: what the evaluator that serves requests would decide.

Keys of the caller's account are simulated with their real key policy and grants unless the request brings
a resource policy, which AWS's simulator does not do. Source: IAM API Reference, EvaluationResult.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from keystead import errors
from keystead.api import Call, Target, operation
from keystead.api.operation import always
from keystead.policy import Level, Principal
from keystead.policy.readings import STRICTEST
from keystead.services.iam.matched import MatchedStatement
from keystead.services.iam.paging import page_list
from keystead.services.iam.scenario import Outcome, Scenario, outcome
from keystead.services.iam.simulation import (
    CallerSide,
    boundary_of,
    entity_at,
    input_boundary,
    input_levels,
    input_sources,
    on_source,
    owner_of,
    place,
    principal_of,
    source,
    sources_of,
    without,
)
from keystead.services.iam.targets import on_account
from keystead.wire.models import iam as wire

_EVERYTHING: Final = "*"
_PAGE: Final = 100
"""Actions of one answer where the request does not say (IAM API Reference, MaxItems)."""
_MOST_DECISIONS: Final = 5000
"""In one answer, unless one action alone has more resources."""
_KEY_TEMPLATE: Final = "arn:aws:kms:${Region}:${Account}:key/${KeyId}"
"""Where a result is about several keys."""


# ---------------------------------------------------------------------------------- operations


@operation("SimulatePrincipalPolicy", targets=on_source("SimulatePrincipalPolicy"), slow=always)
def simulate_principal_policy(
    call: Call, request: wire.SimulatePrincipalPolicyRequest, _source: Target
) -> wire.SimulatePolicyResponse:
    """Return what the policies of a user, group or role would decide, with further ones if given."""
    entity = entity_at(call, request.policy_source_arn or "")
    caller = principal_of(call, request.caller_arn or entity.arn)
    boundary = input_boundary(request.permissions_boundary_policy_input_list)
    held = CallerSide(
        principal=caller,
        sources=sources_of(call, entity),
        boundary=boundary or boundary_of(call, entity),
        service_control=place(call, entity.account).service_control,
    )
    side = without(held, request.policy_exclusion_list)
    return _answer(call, request, _with_inputs(side, request.policy_input_list))


@operation("SimulateCustomPolicy", targets=on_account("SimulateCustomPolicy"), slow=always)
def simulate_custom_policy(
    call: Call, request: wire.SimulateCustomPolicyRequest, _account: Target
) -> wire.SimulatePolicyResponse:
    """Return what the given policies would decide."""
    if request.resource_policy is not None and request.caller_arn is None:
        raise errors.InvalidInput("CallerArn is required when a ResourcePolicy is specified.")
    levels = input_levels(request.ordered_organization_policy_input_list)
    side = CallerSide(
        principal=_custom_caller(call, request.caller_arn, levels),
        sources=(),
        boundary=input_boundary(request.permissions_boundary_policy_input_list),
        service_control=levels,
    )
    return _answer(call, request, _with_inputs(side, request.policy_input_list))


def _custom_caller(call: Call, identifier: str | None, levels: Sequence[Level]) -> Principal:
    """The caller by its ARN; given levels bind it even if its account manages the organization."""
    if identifier is None:
        return Principal(type="user", account=call.account)
    caller = principal_of(call, identifier)
    return msgspec.structs.replace(caller, management_account=False) if levels else caller


def _with_inputs(side: CallerSide, texts: Sequence[str] | None) -> CallerSide:
    return msgspec.structs.replace(side, sources=(*side.sources, *input_sources(texts)))


def _answer(call: Call, request: Any, side: CallerSide) -> wire.SimulatePolicyResponse:
    if request.resource_handling_option is not None:
        raise errors.InvalidInput("ResourceHandlingOption is not supported: it is for Amazon EC2 only.")
    given = request.resource_policy
    scenario = Scenario(
        side=side,
        entries=tuple(request.context_entries or ()),
        resource_policy=None if given is None else source("ResourcePolicy", "resource", given),
        owner=owner_of(request.resource_owner) if request.resource_owner is not None else "",
    )
    resources = request.resource_arns or [_EVERYTHING]
    # IAM "might return fewer results, even when there are more results available".
    most = max(1, _MOST_DECISIONS // len(resources))
    asked = msgspec.structs.replace(request, max_items=min(request.max_items or _PAGE, most))
    actions, marker = page_list(call, asked, request.action_names or [])
    return wire.SimulatePolicyResponse(
        evaluation_results=[_evaluated(call, scenario, action, resources) for action in actions],
        is_truncated=marker is not None,
        marker=marker,
    )


# ------------------------------------------------------------------------------------- results


def _evaluated(
    call: Call, scenario: Scenario, action: str, resources: Sequence[str]
) -> wire.EvaluationResult:
    """One action on all resources: the strictest decision, and each resource's own."""
    found = [outcome(call, scenario, action, resource) for resource in resources]
    decision = min((each.decision for each in found), key=STRICTEST.index)
    specific = list(resources) != [_EVERYTHING]
    bounded = [each.bounded for each in found if each.bounded is not None]
    organized = [each.organized for each in found if each.organized is not None]
    return wire.EvaluationResult(
        eval_action_name=action,
        eval_resource_name=_name(action, resources),
        eval_decision=decision,
        matched_statements=_union(each.matched for each in found if each.decision == decision),
        missing_context_values=sorted({key for each in found for key in each.missing}),
        organizations_decision_detail=(
            wire.OrganizationsDecisionDetail(allowed_by_organizations=all(organized)) if organized else None
        ),
        permissions_boundary_decision_detail=_boundary_detail(all(bounded)) if bounded else None,
        eval_decision_details=_summary(found) if specific else None,
        resource_specific_results=[_specific(each) for each in found] if specific else None,
    )


def _name(action: str, resources: Sequence[str]) -> str:
    """The resource's name if there is one, else what stands for all of them."""
    if len(resources) == 1:
        return resources[0]
    return _KEY_TEMPLATE if action.lower().startswith("kms:") else _EVERYTHING


def _specific(found: Outcome) -> wire.ResourceSpecificResult:
    return wire.ResourceSpecificResult(
        eval_resource_name=found.resource,
        eval_resource_decision=found.decision,
        matched_statements=_union([found.matched]),
        missing_context_values=list(found.missing),
        eval_decision_details=dict(found.details) or None,
        permissions_boundary_decision_detail=None
        if found.bounded is None
        else _boundary_detail(found.bounded),
    )


def _boundary_detail(allowed: bool) -> wire.PermissionsBoundaryDecisionDetail:
    return wire.PermissionsBoundaryDecisionDetail(allowed_by_permissions_boundary=allowed)


def _summary(found: Sequence[Outcome]) -> dict[str, str]:
    """The strictest decision of each type of policy across accounts; empty within one."""
    summary: dict[str, str] = {}
    for each in found:
        for kind, decision in each.details.items():
            summary[kind] = min(decision, summary.get(kind, "allowed"), key=STRICTEST.index)
    return summary


def _union(groups: Any) -> list[wire.Statement]:
    statements: dict[MatchedStatement, None] = {each: None for group in groups for each in group}
    return [
        wire.Statement(
            source_policy_id=each.policy,
            source_policy_type=each.type,
            start_position=wire.Position(line=each.start[0], column=each.start[1]),
            end_position=wire.Position(line=each.end[0], column=each.end[1]),
        )
        for each in statements
    ]


OPERATIONS = (simulate_principal_policy, simulate_custom_policy)
