"""How `replay` and `unused` tell of recorded uses."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

from keystead.analysis.replay import Verdict
from keystead.analysis.report import Finding, who
from keystead.api.recorded import Uses
from keystead.policy.explain import DecidedBy
from keystead.policy.request import Principal

_MOST_NAMED: Final = 8


def details_of(uses: Uses) -> dict[str, Any]:
    """The uses for programs."""
    use = uses.recorded
    return {
        "principal": name_of(use.caller),
        "operation": use.action,
        "key": use.key,
        "service": use.service,
        "count": uses.count,
        "first": uses.first,
        "last": uses.last,
        "eventId": uses.event_id,
    }


def name_of(caller: Principal) -> str:
    """The role behind a session; else the caller."""
    return caller.role_arn or caller.arn or caller.service


def is_refused(verdict: Verdict | None) -> bool:
    """Whether the use is known to be refused."""
    return verdict is not None and verdict.outcome == "refused"


def broken(uses: Uses, verdict: Verdict, name: str, deciding: Callable[[DecidedBy], bool]) -> Finding:
    """The finding that uses are not allowed by the policy `name`; `deciding` tells whether it is what decided."""
    use = uses.recorded
    times = f"{uses.count} times, last {uses.last}" if uses.count > 1 else f"once, {uses.last}"
    said = f"{who(use.caller)} did {use.action} {times}"
    through = f" through {use.service}" if use.service else ""
    if verdict.outcome == "unknown":
        why = f"whether it still may depends on {', '.join(verdict.untold)}, which events do not tell"
        return Finding(
            rule="use-not-known", level="warning", message=f"{said}{through}: {why}", policy=name,
            details=details_of(uses),
        )  # fmt: skip
    by = verdict.decided_by
    why = "a Deny refuses that" if by.statement is not None else "nothing would allow that any more"
    return Finding(
        rule="use-refused",
        level="error",
        message=f"{said}{through}: {why}",
        policy=name,
        statement=by.statement if deciding(by) else None,
        sid=by.sid if deciding(by) else None,
        details=details_of(uses),
    )


def never_used(
    caller: Principal, never: Sequence[str], used: Mapping[str, Collection[Uses]], name: str
) -> Finding:
    """The finding that a caller may do what it never did."""
    said = ", ".join(sorted(used)) or "nothing"
    shown = ", ".join(never[:_MOST_NAMED]) + (
        f" and {len(never) - _MOST_NAMED} more" if never[_MOST_NAMED:] else ""
    )
    return Finding(
        rule="unused-access",
        level="note" if caller.type == "root" else "warning",
        message=f"{who(caller) if caller.type == 'service' else name_of(caller)} used {said}, and never {shown}",
        policy=name,
        details={
            "principal": name_of(caller),
            "unused": list(never),
            "used": {action: [_use(one) for one in uses] for action, uses in sorted(used.items())},
        },
    )


def _use(uses: Uses) -> dict[str, Any]:
    return {**details_of(uses), "encryptionContexts": uses.contexts, "commonPairs": uses.common or {}}


def narrower(policy: Mapping[str, Any], kinds: int, name: str, where: str) -> Finding:
    """The finding that a narrower policy is enough; `where` it was written, if it was."""
    return Finding(
        rule="narrower-policy",
        level="note",
        message=f"a narrower policy{where} is enough: it is proven to let in nobody anew, and allows all "
        f"recorded use ({kinds} kinds)",
        policy=name,
        details={"policy": policy},
    )
