"""A narrower key policy, made of what was used of it.

What it proposes is only a proposal: whoever makes one proves with `questions.new_access` that it lets nobody in anew, and
decides all recorded use again.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

import msgspec

from keystead.analysis.questions.duties import MANAGE
from keystead.analysis.replay import Recorded
from keystead.policy.actions import ACTIONS, CONTEXT_OPERATIONS
from keystead.policy.compiled import CompiledPolicy, CompiledStatement
from keystead.policy.document import EVERYONE, PrincipalElement
from keystead.policy.explain import DecidedBy
from keystead.policy.principal import account_of, naming
from keystead.policy.request import Principal

_ON_KEYS: Final = tuple(name for name, row in ACTIONS.items() if "key" in row.targets)
_LOOKING: Final = ("kms:Describe", "kms:Get", "kms:List")
_VIA: Final = "kms:ViaService"
_CONTEXT: Final = "kms:EncryptionContext:"


class Used(msgspec.Struct, frozen=True):
    """One kind of use: how it was asked, the pairs that all its encryption contexts have, and the statement it needs."""

    recorded: Recorded
    common: Mapping[str, str]
    statement: int | None


def needed(policy: CompiledPolicy, use: Recorded, decided_by: DecidedBy) -> int | None:
    """The statement of the key policy that the use rests on; None if that is a grant."""
    if decided_by.policy_type == "resource":
        return decided_by.statement
    if decided_by.policy_type == "grant":
        return None
    naming_it = (one for one in policy.for_action(use.action).allows if one.name(use.caller))
    return next((one.index for one in naming_it), None)


def narrowed(
    written: Mapping[str, Any],
    policy: CompiledPolicy,
    uses: Iterable[Used],
    kept: Collection[int | None] = (),
) -> dict[str, Any]:
    """The policy document (parsed JSON) with Allow statements for what was used only; those in `kept` stay as they are.

    What lets the account itself administer and look at the key stays, so that nobody is locked out.
    """
    by_statement: dict[int, list[Used]] = {}
    for use in uses:
        if use.statement is not None:
            by_statement.setdefault(use.statement, []).append(use)
    statements = written["Statement"] if isinstance(written["Statement"], list) else [written["Statement"]]
    compiled = {one.index: one for one in policy.statements}
    found = []
    for index, statement in enumerate(statements):
        if index in kept or index not in compiled or statement.get("Effect") != "Allow":
            found.append(copy.deepcopy(statement))
            continue
        narrow = _narrow(statement, compiled[index], policy, by_statement.get(index, []))
        if narrow is not None:
            found.append(narrow)
    return {**written, "Statement": found}


def _narrow(
    statement: Mapping[str, Any], compiled: CompiledStatement, policy: CompiledPolicy, uses: list[Used]
) -> dict[str, Any] | None:
    element = policy.document.statements[compiled.index].principal
    used = {use.recorded.action for use in uses}
    administers = _administers(element) and compiled.action("kms:putkeypolicy")
    stays = (
        {name for name in _ON_KEYS if compiled.action(name.lower()) and _stays(name)}
        if administers
        else set()
    )
    if not used | stays:
        return None
    narrow = {name: copy.deepcopy(value) for name, value in statement.items() if name != "NotAction"}
    narrow["Action"] = sorted(used | stays)
    if element is not None and not administers:
        narrow["Principal"] = _principals(statement["Principal"], element, policy, uses)
    if not stays:
        asked_alike(narrow, uses)
    return narrow


def _administers(element: PrincipalElement | None) -> bool:
    """Whether the statement is for the account itself."""
    return element is not None and any(account_of(entry) is not None for entry in element.aws)


def _stays(action: str) -> bool:
    return action in MANAGE or action.startswith(_LOOKING)


def _principals(written: Any, element: PrincipalElement, policy: CompiledPolicy, uses: list[Used]) -> Any:
    """The entries that name somebody who used the key."""
    if not isinstance(written, dict) or EVERYONE in element.aws:
        return copy.deepcopy(written)
    callers = [use.recorded.caller for use in uses]
    aws = [entry for entry in element.aws if _names_one(PrincipalElement(aws=(entry,)), policy, callers)]
    service = [
        entry for entry in element.service if _names_one(PrincipalElement(service=(entry,)), policy, callers)
    ]
    left: dict[str, Any] = {name: value for name, value in (("AWS", aws), ("Service", service)) if value}
    return left or copy.deepcopy(written)


def _names_one(element: PrincipalElement, policy: CompiledPolicy, callers: list[Principal]) -> bool:
    return any(map(naming(element, policy.bound), callers))


def asked_alike(narrow: dict[str, Any], uses: list[Used]) -> dict[str, Any]:
    """The statement, which asks for what all uses have alike: the services that made them, and pairs of encryption context."""
    conditions = narrow.setdefault("Condition", {})
    spoken = {key.lower() for keys in conditions.values() for key in keys}
    wanted: dict[str, Any] = {}
    services = {use.recorded.service for use in uses}
    if "" not in services:
        wanted[_VIA] = sorted(services)
    if all(use.recorded.action.removeprefix("kms:") in CONTEXT_OPERATIONS for use in uses):
        wanted |= {_CONTEXT + name: value for name, value in _common(uses).items() if "${" not in value}
    equals = {key: value for key, value in wanted.items() if key.lower() not in spoken}
    if equals:
        conditions["StringEquals"] = {**conditions.get("StringEquals", {}), **equals}
    if not conditions:
        del narrow["Condition"]
    return narrow


def _common(uses: list[Used]) -> dict[str, str]:
    first, *others = (use.common for use in uses)
    return {name: value for name, value in first.items() if all(one.get(name) == value for one in others)}
