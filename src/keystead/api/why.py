"""A refusal explained to somebody, who sees of it what belongs to its account."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from keystead.api.decisions import Refusal
from keystead.policy.record import recorded_policies, recorded_request
from keystead.policy.why import Change, Considered, Explanation, explain_decision, label

_OF_THE_RESOURCE = frozenset({"resource", "rcp", "grant"})


class Explained(msgspec.Struct, frozen=True):
    """In plain words, as data, and the statements that decided."""

    text: str
    details: dict[str, Any]
    statements: list[dict[str, Any]]


def explained(refusal: Refusal, *, viewer: str | None) -> Explained:
    """Why a request was refused, for the account `viewer`, or for the operator (None), who sees all."""
    kept = refusal.refused.request
    request = recorded_request(kept)
    explanation = explain_decision(request, recorded_policies(refusal.refused.policies))
    hidden = _hidden(refusal, viewer)
    considered = [row for row in explanation.considered if row.policy_type not in hidden]
    changes = [_masked(change) if change.policy_type in hidden else change for change in explanation.changes]
    text = "\n".join(_lines(refusal, considered, changes, decided=_decider(explanation, hidden)))
    details = {
        "decision": refusal.refused.decision.effect,
        "action": kept.action,
        "resource": kept.resource,
        "principal": kept.principal.arn or kept.principal.service,
        "considered": msgspec.to_builtins(considered),
        "changes": msgspec.to_builtins(changes),
    }
    return Explained(text, details, [msgspec.to_builtins(row) for row in considered if not row.unmet])


def _hidden(refusal: Refusal, viewer: str | None) -> frozenset[str]:
    """The types of policies of which the viewer's account must not learn."""
    asked = refusal.refused.request
    if viewer is None or asked.account == asked.principal.account:
        return frozenset()
    if viewer == asked.account:
        return frozenset({"identity", "group", "permissionsBoundary", "session", "scp"})
    return _OF_THE_RESOURCE


def _masked(change: Change) -> Change:
    if change.policy_type in _OF_THE_RESOURCE:
        return Change(change.policy_type, "the account that owns the resource would have to allow it")
    return Change(change.policy_type, "the caller's account would have to allow it")


def _decider(explanation: Explanation, hidden: frozenset[str]) -> str:
    by = explanation.decided_by
    if by.policy_type in hidden:
        return "Decided by the other account."
    if explanation.effect == "explicitDeny":
        return f"Denied by {label(by.policy_type, by.policy, by.statement, by.sid)}."
    kind = label(by.policy_type, None, None, None).removeprefix("the ")
    return f"No {kind} allows it."


def _lines(
    refusal: Refusal,
    considered: list[Considered],
    changes: list[Change],
    *,
    decided: str,
) -> list[str]:
    asked = refusal.refused.request
    who = asked.principal.arn or asked.principal.service
    lines = [f"{who} asked for {asked.action} on {asked.resource}.", decided]
    for row in considered:
        lines += _row(row)
    if not changes:
        lines.append(
            "Nothing that was tried, neither a change of policies nor of the request, would allow it."
        )
        return lines
    lines.append(
        "The smallest change that would allow it:" if len(changes) == 1 else "All of this would allow it:"
    )
    for change in changes:
        added = f": {json.dumps(change.statement)}" if change.statement else ""
        lines.append(f"  - {change.text}{added}")
    return lines


def _row(row: Considered) -> list[str]:
    name = label(row.policy_type, row.policy, row.statement, row.sid)
    if not row.unmet:
        return [f"{name[0].upper()}{name[1:]} ({row.effect}) applies."]
    lines = [f"{name[0].upper()}{name[1:]} would allow it, but:"]
    return lines + [f"  - {u.element} wants {u.wanted or 'nothing'}; it is {u.seen}" for u in row.unmet]
