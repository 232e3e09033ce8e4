"""A narrower identity policy, made of what was used of its access to KMS keys.

Nothing is known here of the use of other services, and of permissions that are asked on no key: that stays. What is proposed is
only a proposal, as in `narrow`.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final

from keystead.analysis.narrow import Used, asked_alike
from keystead.policy.actions import ACTIONS
from keystead.policy.compiled import CompiledPolicy, CompiledStatement

_TAGS: Final = "kms:TagResource"
"""Asked on a key, and of who makes one with tags."""
ON_KEYS: Final = tuple(name for name, row in ACTIONS.items() if set(row.targets) == {"key"})
_OTHERS: Final = tuple(name for name in ACTIONS if name not in ON_KEYS or name == _TAGS)
"""Asked on aliases or on nothing, too."""


def narrowed_identity(
    written: Mapping[str, Any],
    policy: CompiledPolicy,
    uses: Iterable[Used],
    kept: Collection[int | None] = (),
) -> dict[str, Any]:
    """The policy document (parsed JSON) that allows of KMS keys what was used only; statements in `kept` stay as they are."""
    by_statement: dict[int, list[Used]] = {}
    for use in uses:
        if use.statement is not None:
            by_statement.setdefault(use.statement, []).append(use)
    found: list[dict[str, Any]] = []
    for index, statement, compiled in _statements(written, policy):
        if index in kept or compiled is None or statement.get("Effect") != "Allow":
            found.append(copy.deepcopy(statement))
        else:
            found += _narrow(statement, compiled, by_statement.get(index, []))
    return {**written, "Statement": found}


def spelt_out(written: Mapping[str, Any], policy: CompiledPolicy) -> dict[str, Any]:
    """The policy document (parsed JSON) with permissions of KMS by their names, so that there are no others."""
    found: list[dict[str, Any]] = []
    for _, statement, compiled in _statements(written, policy):
        patterns, others, wide = _patterns(statement)
        if compiled is None or not _can_be_split(statement, wide) or others == patterns:
            found.append(copy.deepcopy(statement))
            continue
        found += _elsewhere(statement, others, wide)
        names = [name for name in ACTIONS if compiled.action(name.lower())]
        found += [_part(statement, "Kms", Action=names)] if names else []
    return {**written, "Statement": found}


def _statements(
    written: Mapping[str, Any], policy: CompiledPolicy
) -> Iterator[tuple[int, dict[str, Any], CompiledStatement | None]]:
    statements = written["Statement"] if isinstance(written["Statement"], list) else [written["Statement"]]
    compiled = {one.index: one for one in policy.statements}
    for index, statement in enumerate(statements):
        yield index, statement, compiled.get(index)


def _patterns(statement: Mapping[str, Any]) -> tuple[list[str], list[str], list[str]]:
    """A statement's actions: all; those of other services; those that name no service and may be of KMS."""
    listed = statement.get("Action", [])
    patterns = [listed] if isinstance(listed, str) else list(listed)
    others = [one for one in patterns if not _may_be_kms(one)]
    return (
        patterns,
        others,
        [one for one in patterns if not one.lower().startswith("kms:") and one not in others],
    )


def _can_be_split(statement: Mapping[str, Any], wide: list[str]) -> bool:
    return "NotAction" not in statement and "NotResource" not in statement and all(one == "*" for one in wide)


def _elsewhere(statement: Mapping[str, Any], others: list[str], wide: list[str]) -> Iterator[dict[str, Any]]:
    """What a statement says of other services."""
    if wide:
        yield _part(statement, "", NotAction="kms:*")
    elif others:
        yield _part(statement, "", Action=others)


def _narrow(
    statement: Mapping[str, Any], compiled: CompiledStatement, uses: list[Used]
) -> Iterator[dict[str, Any]]:
    """What is left of a statement: of other services, of KMS where no key is named, and of keys."""
    patterns, others, wide = _patterns(statement)
    if not _can_be_split(statement, wide) or others == patterns:
        yield copy.deepcopy(dict(statement))
        return
    yield from _elsewhere(statement, others, wide)
    elsewhere = [name for name in _OTHERS if compiled.action(name.lower())]
    if elsewhere != [_TAGS] and elsewhere:
        yield _part(statement, "Kms" if others or wide else "", Action=elsewhere)
    if uses:
        yield _of_keys(statement, uses, "Keys" if others or wide or elsewhere else "")


def _may_be_kms(pattern: str) -> bool:
    """Whether an action's pattern may match permissions of KMS."""
    service = pattern.lower().partition(":")[0]
    if "*" not in service and "?" not in service:
        return service == "kms"
    start = service.partition("*")[0].partition("?")[0]
    return "kms:".startswith(start)


def _part(statement: Mapping[str, Any], suffix: str, **members: Any) -> dict[str, Any]:
    """The statement with other actions; its Sid must be its own."""
    found = {
        name: copy.deepcopy(value) for name, value in statement.items() if name not in ("Action", "NotAction")
    }
    if suffix and "Sid" in found:
        found["Sid"] = f"{found['Sid']}{suffix}"
    return {**found, **members}


def _of_keys(statement: Mapping[str, Any], uses: list[Used], suffix: str) -> dict[str, Any]:
    actions = sorted({use.recorded.action for use in uses})
    keys = sorted({use.recorded.key for use in uses})
    found = _part(statement, suffix, Action=actions, Resource=keys)
    return asked_alike(found, uses)
