"""GenerateFindingRecommendation, GetFindingRecommendation: what to do about permissions that nobody uses.

A policy of the user or role that allows what is not used is replaced by one that does not, or detached if nothing is left.
What a recommended policy allows is proven to be no more than the existing one does. Policies of groups are not touched:
others have them, too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from keystead import errors
from keystead.analysis import Universe, new_access
from keystead.api import Call, Target, operation
from keystead.api.directory import document_of, role_named, user_named
from keystead.api.operation import always
from keystead.identity import Role, User
from keystead.policy import compile_policy, parse
from keystead.policy.pattern import glob
from keystead.services.accessanalyzer.access import absent, existing, on_analyzer, page
from keystead.services.accessanalyzer.findings import FINDING
from keystead.services.accessanalyzer.tables import (
    FINDINGS,
    RECOMMENDATIONS,
    Analyzer,
    Finding,
    Recommendation,
    Step,
)
from keystead.services.accessanalyzer.unused import PERMISSION
from keystead.services.accessanalyzer.used import SERVICES, permissions_of
from keystead.wire.models import accessanalyzer as wire

_TYPE: Final = "UnusedPermissionRecommendation"


@operation(
    "GenerateFindingRecommendation",
    targets=on_analyzer("GenerateFindingRecommendation"),
    changes=True,
    slow=always,
)
def generate_finding_recommendation(
    call: Call, request: wire.GenerateFindingRecommendationRequest, _analyzer: Target
) -> None:
    """Work out what to do about a finding; the recommendation is there when this answers."""
    analyzer = existing(call, request.analyzer_arn)
    finding = _finding(call, analyzer, request.id)
    holder = _holder(call, finding)
    if holder is None:
        made = Recommendation(call.now, finding.resource, (), "RESOURCE_NOT_FOUND")
    else:
        made = Recommendation(call.now, finding.resource, tuple(_steps(call, holder, _unused(finding))))
    call.tx.put(RECOMMENDATIONS, f"{analyzer.place}/{finding.id}", made)


def _finding(call: Call, analyzer: Analyzer, finding: str | None) -> Finding:
    """The finding, of unused permissions.

    Raises:
        errors.Validation: there is none, or it is of another type: the model of these operations has no other error.
    """
    found = None if "\0" in (finding or "") else call.tx.get(FINDINGS, f"{analyzer.place}/{finding}")
    if found is None:
        raise errors.Validation(f"The finding {finding} does not exist.")
    if found.type != PERMISSION:
        raise errors.Validation("Recommendations are made for findings of unused permissions.")
    return found


def _holder(call: Call, finding: Finding) -> User | Role | None:
    name = finding.resource.rpartition("/")[2]
    find = role_named if finding.resource_type == "AWS::IAM::Role" else user_named
    found = find(call.tx, finding.owner, name)
    return found if found is not None and found.arn == finding.resource else None


def _unused(finding: Finding) -> frozenset[str]:
    """The permissions that are not used, in lower case."""
    return frozenset(
        name.lower() for one in finding.unused for name in one.actions or permissions_of(one.service)
    )


def _steps(call: Call, holder: User | Role, unused: frozenset[str]) -> Iterator[Step]:
    attached = ((arn, document_of(call.tx, arn)) for arn in holder.attached)
    for name, text in (*sorted(holder.inline.items()), *attached):
        if text is None:
            continue
        written = json.loads(text)
        narrow = narrowed(written, unused)
        if narrow is None:
            yield Step(name)
        elif narrow != written:
            recommended = json.dumps(narrow)
            _prove(text, recommended)
            yield Step(name, recommended)


def _prove(old: str, new: str) -> None:
    """None, if the new policy allows no more than the old one.

    Raises:
        errors.Validation: that is not proven, so nothing is recommended.
    """
    universe = Universe(types=("user", "assumedRole", "federatedUser"))
    try:
        wider = new_access(compile_policy(parse(old)), compile_policy(parse(new)), universe, naming=False)
    except errors.Undecided as error:
        raise errors.Validation(f"No narrower policy can be proven: {error}") from None
    if wider:
        raise errors.Validation("No narrower policy was found.")


def narrowed(written: Mapping[str, Any], unused: frozenset[str]) -> dict[str, Any] | None:
    """The policy without actions (in lower case) that are not used; None if it would allow nothing."""
    statements = written["Statement"] if isinstance(written["Statement"], list) else [written["Statement"]]
    found = [one for one in (_narrow(statement, unused) for statement in statements) if one is not None]
    if not any(one.get("Effect") == "Allow" for one in found):
        return None
    return dict(written) if found == statements else {**written, "Statement": found}


def _narrow(statement: dict[str, Any], unused: frozenset[str]) -> dict[str, Any] | None:
    if statement.get("Effect") != "Allow" or "Action" not in statement:
        return statement
    entries = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
    left = [action for entry in entries for action in _left(entry, unused)]
    if left == entries:
        return statement
    return {**statement, "Action": left} if left else None


def _left(entry: str, unused: frozenset[str]) -> list[str]:
    """What is left of an entry: itself, if nothing that it matches is unused."""
    matches = glob(entry.lower())
    matched = [name for name in _KNOWN if matches(name.lower())]
    if not any(name.lower() in unused for name in matched):
        return [entry]
    return [name for name in matched if name.lower() not in unused]


_KNOWN: Final = tuple(name for service in SERVICES for name in permissions_of(service))


# ------------------------------------------------------------------------------- shown


@operation("GetFindingRecommendation", targets=on_analyzer("GetFindingRecommendation"))
def get_finding_recommendation(
    call: Call, request: wire.GetFindingRecommendationRequest, _analyzer: Target
) -> wire.GetFindingRecommendationResponse:
    """Return what was worked out: for each policy another one in its place, and that the old one be detached."""
    analyzer = existing(call, request.analyzer_arn)
    finding = _finding(call, analyzer, request.id)
    made = call.tx.get(RECOMMENDATIONS, f"{analyzer.place}/{finding.id}")
    if made is None:
        raise absent("recommendation", finding.id, FINDING)
    steps, more = page([step for one in made.steps for step in _shown(one)], request)
    wrong = wire.RecommendationError(code=made.error, message="The user or role is gone.")
    return wire.GetFindingRecommendationResponse(
        started_at=made.asked,
        completed_at=made.asked,
        resource_arn=made.resource,
        recommendation_type=_TYPE,
        status="FAILED" if made.error else "SUCCEEDED",
        error=wrong if made.error else None,
        recommended_steps=steps or None,
        next_token=more,
    )


def _shown(step: Step) -> Iterator[wire.RecommendedStep]:
    if step.policy:
        yield _step("CREATE_POLICY", step)
    yield _step("DETACH_POLICY", step)


def _step(action: str, step: Step) -> wire.RecommendedStep:
    policy = step.policy if action == "CREATE_POLICY" else ""
    return wire.RecommendedStep(
        unused_permissions_recommended_step=wire.UnusedPermissionsRecommendedStep(
            recommended_action=action, recommended_policy=policy or None, existing_policy_id=step.existing
        )
    )


OPERATIONS = (generate_finding_recommendation, get_finding_recommendation)
