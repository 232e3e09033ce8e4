"""A refusal explained to somebody, who sees of it what belongs to its account."""

from __future__ import annotations

import json
from typing import Any, Final

import msgspec

from keystead.api.decisions import Refusal, Refused
from keystead.policy import ResourceDescription, decide, parse
from keystead.policy.record import (
    RecordedPolicy,
    RecordedRequest,
    recorded_policies,
    recorded_request,
)
from keystead.policy.why import Change, Considered, Explanation, explain_decision, label

_OF_THE_RESOURCE: Final = frozenset({"resource", "rcp", "grant"})
_HIDING: Final = _OF_THE_RESOURCE | {"service"}
"""What decides where the message hides even if the key exists."""
_OF_KEYS: Final = ("aws:resource", "kms:customermasterkey", "kms:key", "kms:multiregion", "kms:resource")
_OF_GRANTS: Final = ("kms:encryptioncontext", "kms:grantconstraint")
_ANY_KEY: Final = ResourceDescription(trust="keyPolicy")
_OPEN: Final = RecordedPolicy(
    None,
    parse({"Statement": {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}}),
)


class Explained(msgspec.Struct, frozen=True):
    """In plain words, as data, and the statements that decided."""

    text: str
    details: dict[str, Any]
    statements: list[dict[str, Any]]


def seen(refusal: Refusal, *, viewer: str | None) -> Refusal:
    """The refusal as the account `viewer` may know it; the operator (None) may know all.

    Whom a key of another account refuses is not told if there is such a key, what its policies say, nor what it is
    like: the refusal is decided again without all that, and looks the same if there is none.
    """
    if _hidden(refusal, viewer) is not _OF_THE_RESOURCE:
        return refusal
    asked, policies = refusal.refused.request, refusal.refused.policies
    decision = refusal.refused.decision
    told = decision.decided_by.policy_type not in _HIDING
    # Where the caller's own side is what lacks, the message has told that the other one allows.
    opened = told and decision.effect == "implicitDeny"
    policies = msgspec.structs.replace(
        policies, resource=_OPEN if opened else None, resource_control=(), grants=()
    )
    context = asked.context if told else _of_the_call(asked)
    asked = msgspec.structs.replace(asked, resource=_as_named(asked), context=context, description=_ANY_KEY)
    decision = decide(recorded_request(asked), recorded_policies(policies))
    return msgspec.structs.replace(refusal, refused=Refused(asked, policies, decision))


def _of_the_call(asked: RecordedRequest) -> dict[str, str | tuple[str, ...]]:
    """The condition keys that say nothing of the key, nor of the grant that is to be retired."""
    dropped = _OF_KEYS + (_OF_GRANTS if asked.action == "kms:RetireGrant" else ())
    kept = {name: value for name, value in asked.context.items() if not name.startswith(dropped)}
    return {**kept, "kms:calleraccount": asked.principal.account}


def _as_named(asked: RecordedRequest) -> str:
    """The key by the name that the caller gave: an alias does not tell which key it stands for."""
    alias = asked.context.get("kms:requestalias")
    return asked.resource if not isinstance(alias, str) else ":".join([*asked.resource.split(":")[:5], alias])


def explained(refusal: Refusal, *, viewer: str | None) -> Explained:
    """Why a request was refused, for the account `viewer`, or for the operator (None), who sees all."""
    refusal = seen(refusal, viewer=viewer)
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
