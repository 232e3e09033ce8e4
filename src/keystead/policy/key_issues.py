"""ValidatePolicy's issues of condition keys together with the statement around them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from keystead.policy.actions import ACTIONS, find
from keystead.policy.condition_keys import CONDITION_KEYS, FAMILIES, actions_of
from keystead.policy.principal_issues import condition_keys_of, names_anybody, names_services_only
from keystead.policy.spans import Path

Found = Iterator[tuple[str, Path, str]]

_ABOUT_CALLERS: Final = frozenset({
    "kms:calleraccount", "aws:principalaccount", "aws:principalarn", "aws:principalorgid", "aws:principalorgpaths",
    "aws:sourceaccount", "aws:sourcearn", "aws:sourceorgid", "aws:sourceorgpaths", "aws:sourcevpc", "aws:sourcevpce",
    "aws:userid", "aws:username",
})  # fmt: skip


_OF_PEOPLE: Final = frozenset({
    "aws:principalorgid", "aws:principalorgpaths", "aws:principalaccount", "aws:userid", "aws:username",
})  # fmt: skip
"""Keys about users and roles; a service that calls with its own identity is neither (IAM User Guide, "AWS global
condition context keys", "Properties of the principal")."""


def on_keys(statement: Mapping[str, Any], path: Path, resource: str | None) -> Found:
    """What is wrong with the condition keys of a statement for its actions and principals."""
    keys = condition_keys_of(statement)
    let_in = statement.get("Effect") == "Allow" and names_anybody(statement)
    if let_in and "kms:viaservice" in keys and not keys & _ABOUT_CALLERS:
        said = "Anybody of any account may come through the service; limit who, by kms:CallerAccount or aws:PrincipalOrgID."
        yield "MISSING_PAIRED_CONDITION_KEYS", (*path, "Condition"), said
    foreign = sorted(key for key in keys if key in _OF_PEOPLE or key.startswith("aws:principaltag/"))
    if foreign and names_services_only(statement):
        said = f"A service that calls for itself never has {', '.join(foreign)}."
        yield "UNSUPPORTED_CONDITION_KEY_FOR_SERVICE_PRINCIPAL", (*path, "Condition"), said
    blocks = statement["Condition"]
    for operator, block in blocks.items():
        for key in block if isinstance(block, Mapping) else ():
            place = (*path, "Condition", operator, key)
            if resource == "AWS::KMS::Key" and key.partition(":")[0].lower() not in ("aws", "kms"):
                said = f"No request for a key has {key}."
                yield "IRRELEVANT_CONDITION_KEY_IN_POLICY", place, said
            yield from _on_actions(statement, key, place)


def _on_actions(statement: Mapping[str, Any], key: str, place: Path) -> Found:
    """Actions that are named without wild cards, and for which AWS KMS never gives the key a value."""
    available = _available(key.lower())
    given = statement.get("Action")
    if available is None:
        return
    rows = [find(one) for one in (given if isinstance(given, list) else [given]) if isinstance(one, str)]
    without = [row.name for row in rows if row is not None and row.name not in available]
    if without:
        said = f"{key} is never there for {', '.join(without)}: move them to a statement without it."
        yield "UNSUPPORTED_ACTION_FOR_CONDITION_KEY", place, said


def _available(folded: str) -> frozenset[str] | None:
    """The actions that a condition key of AWS KMS is there for; None of another key."""
    if not folded.startswith("kms:"):
        return None
    row = CONDITION_KEYS.get(folded)
    if row is not None:
        return actions_of(row) or frozenset(ACTIONS)
    families = (one for one in FAMILIES if folded.startswith(one.prefix.lower()))
    family = next(families, None)
    return None if family is None else actions_of(family)
