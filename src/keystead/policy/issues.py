"""What IAM Access Analyzer's ValidatePolicy tells of a policy, by its own issue codes, with the place of each.

Source: IAM User Guide, "IAM Access Analyzer policy check reference". What needs a catalogue of every AWS service
is told of AWS KMS only.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal

import msgspec

from keystead.policy import condition_issues, pattern, variables
from keystead.policy.actions import ACTIONS
from keystead.policy.document import DEFAULT_VERSION, EVERYONE, decode
from keystead.policy.spans import Path, Position, Span, spans

IssueType = Literal["ERROR", "SECURITY_WARNING", "WARNING", "SUGGESTION"]
Kind = Literal["IDENTITY_POLICY", "RESOURCE_POLICY", "SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY"]

_WITH_PRINCIPALS: Final = frozenset({"RESOURCE_POLICY", "RESOURCE_CONTROL_POLICY"})
_VERSIONS: Final = frozenset({variables.VERSION_WITH_VARIABLES, DEFAULT_VERSION})
_TOP: Final = frozenset({"Version", "Id", "Statement"})
_STATEMENT: Final = frozenset({
    "Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition",
})  # fmt: skip
_SOURCES: Final = frozenset({
    "aws:sourcearn", "aws:sourceaccount", "aws:sourceorgid", "aws:sourceorgpaths", "aws:principalorgid",
})  # fmt: skip
_MOST_CHARACTERS: Final = {
    "IDENTITY_POLICY": 6144,
    "SERVICE_CONTROL_POLICY": 5120,
    "RESOURCE_CONTROL_POLICY": 5120,
}
_QUOTAS: Final = {
    "IDENTITY_POLICY": "IDENTITY_POLICY", "SERVICE_CONTROL_POLICY": "SCP_POLICY", "RESOURCE_CONTROL_POLICY": "RCP_POLICY",
}  # fmt: skip

Found = Iterator[tuple[str, IssueType, Path, str]]
"""Code, type, place and what to say."""


class Issue(msgspec.Struct, frozen=True):
    """One finding: its code and type, what it says, where it is."""

    code: str
    type: IssueType
    details: str
    path: Path
    span: Span


def issues(text: str, kind: Kind) -> tuple[Issue, ...]:
    """Every issue of a policy of that kind, in the order of its text."""
    try:
        policy, places = decode(text), spans(text)
    except ValueError as error:
        return (Issue("JSON_SYNTAX_ERROR", "ERROR", "Fix the JSON syntax.", (), _at(text, error)),)
    found = [
        Issue(code, level, details, path, places.get(path) or places[()])
        for code, level, path, details in _on_document(policy, text, kind)
    ]
    return tuple(sorted(found, key=lambda one: one.span.start.offset))


def _at(text: str, error: ValueError) -> Span:
    """Where a text stops being JSON; its whole, where that is not known."""
    start = error.pos if isinstance(error, json.JSONDecodeError) else 0
    line = text.count("\n", 0, start)
    begin = Position(line + 1, start - (text.rfind("\n", 0, start) + 1), start)
    return Span(begin, msgspec.structs.replace(begin, column=begin.column + 1, offset=start + 1))


def _on_document(policy: Any, text: str, kind: Kind) -> Found:
    if not isinstance(policy, Mapping):
        yield "DATA_TYPE_MISMATCH", "ERROR", (), "A policy is a JSON object."
        return
    for name in policy:
        if name not in _TOP:
            yield "INVALID_POLICY_ELEMENT", "ERROR", (name,), f"The policy element {name} is not valid."
    if "Version" not in policy:
        yield "MISSING_VERSION", "WARNING", (), "Add the Version element, with the value 2012-10-17."
    elif policy["Version"] not in _VERSIONS:
        yield "INVALID_VERSION", "ERROR", ("Version",), "The version must be 2012-10-17 or 2008-10-17."
    most = _MOST_CHARACTERS.get(kind)
    if most is not None and len("".join(text.split())) > most:
        code = f"POLICY_SIZE_EXCEEDS_{_QUOTAS[kind]}_QUOTA"
        yield code, "ERROR", (), f"The policy is longer than {most} characters."
    yield from _on_statements(policy, kind)


def _on_statements(policy: Mapping[str, Any], kind: Kind) -> Found:
    if "Statement" not in policy:
        yield "MISSING_STATEMENT", "ERROR", (), "Add the Statement element."
        return
    given = policy["Statement"]
    listed = isinstance(given, list)
    seen: set[str] = set()
    for index, statement in enumerate(given if listed else [given]):
        path: Path = ("Statement", index) if listed else ("Statement",)
        if not isinstance(statement, Mapping):
            yield "DATA_TYPE_MISMATCH", "ERROR", path, "A statement is a JSON object."
            continue
        yield from _on_statement(statement, path, kind)
        sid = statement.get("Sid")
        if isinstance(sid, str) and sid in seen:
            named: tuple[str, IssueType] = ("UNIQUE_SIDS_REQUIRED", "ERROR")
            if kind == "RESOURCE_POLICY":
                named = ("UNIQUE_SIDS_RECOMMENDED", "WARNING")
            yield *named, (*path, "Sid"), f"The Sid {sid} is there more than once."
        seen.add(sid if isinstance(sid, str) else "")


def _on_statement(statement: Mapping[str, Any], path: Path, kind: Kind) -> Found:
    for name in statement:
        if name not in _STATEMENT:
            yield "INVALID_POLICY_ELEMENT", "ERROR", (*path, name), f"The policy element {name} is not valid."
    if statement.get("Sid") == "":
        yield "EMPTY_SID_VALUE", "SUGGESTION", (*path, "Sid"), "Give the Sid a value, or leave it out."
    yield from _on_effect(statement, path)
    for name, code in (("Action", "ACTION"), ("Resource", "RESOURCE")):
        yield from _on_list(statement, path, name, code)
    yield from _on_principal(statement, path, kind)
    for name in ("Action", "NotAction"):
        yield from _on_actions(statement, (*path, name), name)
    yield from condition_issues.on_conditions(statement, path)


def _on_effect(statement: Mapping[str, Any], path: Path) -> Found:
    if "Effect" not in statement:
        yield "MISSING_EFFECT", "ERROR", path, "Add the Effect element, with the value Allow or Deny."
    elif statement["Effect"] not in ("Allow", "Deny"):
        yield "INVALID_EFFECT", "ERROR", (*path, "Effect"), "The effect must be Allow or Deny."


def _on_list(statement: Mapping[str, Any], path: Path, name: str, code: str) -> Found:
    """Action and NotAction, or Resource and NotResource: one of both, a text or texts."""
    given = [each for each in (name, f"Not{name}") if each in statement]
    if not given:
        yield f"MISSING_{code}", "ERROR", path, f"Add a {name} or Not{name} element."
    elif len(given) > 1:
        yield (
            "UNSUPPORTED_ELEMENT_COMBINATION",
            "ERROR",
            (*path, given[1]),
            f"{given[0]} and {given[1]} exclude each other.",
        )
    for each in given:
        entries = _listed(statement[each])
        if not entries:
            yield f"EMPTY_ARRAY_{code}", "SUGGESTION", (*path, each), f"{each} lists nothing."
        if not all(type(entry) is str for entry in entries):
            yield "DATA_TYPE_MISMATCH", "ERROR", (*path, each), f"{each} is a text or a list of texts."


def _on_principal(statement: Mapping[str, Any], path: Path, kind: Kind) -> Found:
    given = [each for each in ("Principal", "NotPrincipal") if each in statement]
    if kind not in _WITH_PRINCIPALS:
        for each in given:
            yield "UNSUPPORTED_PRINCIPAL", "ERROR", (*path, each), f"Policies of this type have no {each}."
        return
    if not given:
        yield "MISSING_PRINCIPAL", "ERROR", path, "Add a Principal element."
    elif len(given) > 1:
        yield (
            "UNSUPPORTED_ELEMENT_COMBINATION",
            "ERROR",
            (*path, given[1]),
            "Principal and NotPrincipal exclude each other.",
        )
    for each in given:
        if statement[each] == {}:
            yield "EMPTY_OBJECT_PRINCIPAL", "SUGGESTION", (*path, each), f"{each} names nobody."
    if "NotPrincipal" in statement and statement.get("Effect") == "Allow":
        said = "Allow with NotPrincipal lets in everybody else, also without authentication; name who may instead."
        yield "ALLOW_WITH_NOT_PRINCIPAL", "SECURITY_WARNING", (*path, "NotPrincipal"), said
    yield from _on_services(statement, path)


def _on_services(statement: Mapping[str, Any], path: Path) -> Found:
    """An AWS service that is let in for whatever account or resource: the confused deputy."""
    principal = statement.get("Principal")
    named = isinstance(principal, Mapping) and principal.get("Service")
    if not named or statement.get("Effect") != "Allow":
        return
    blocks = statement.get("Condition")
    held = blocks.values() if isinstance(blocks, Mapping) else ()
    keys = {key.lower() for block in held if isinstance(block, Mapping) for key in block}
    if not keys & _SOURCES:
        said = "Limit for which resource, account or organization the service may act: aws:SourceArn, aws:SourceAccount, aws:SourceOrgID."
        yield (
            "RESTRICT_ACCESS_TO_SERVICE_PRINCIPAL",
            "SECURITY_WARNING",
            (*path, "Principal", "Service"),
            said,
        )


# ----------------------------------------------------------------------------- actions


def _on_actions(statement: Mapping[str, Any], path: Path, name: str) -> Found:
    given = statement.get(name)
    entries = [
        (path if isinstance(given, str) else (*path, index), entry)
        for index, entry in enumerate(_listed(given))
    ]
    texts = [(place, entry) for place, entry in entries if type(entry) is str]
    for place, entry in texts:
        service, colon, action = entry.partition(":")
        if entry == EVERYONE:
            continue
        if not colon or not action:
            yield "INVALID_ACTION", "ERROR", place, f"{entry} is not of the form service:action."
        elif "*" in service or "?" in service:
            yield (
                "WILDCARD_IN_SERVICE_NAME",
                "SUGGESTION",
                place,
                "Wild cards have no effect in the name of a service.",
            )
        elif service.lower() == "kms" and not any(_like(entry)(known.lower()) for known in ACTIONS):
            yield "INVALID_ACTION", "ERROR", place, f"{entry} is no action of AWS KMS."
    yield from _redundant(texts)


def _redundant(texts: Sequence[tuple[Path, str]]) -> Found:
    """An action that another entry of the same list covers."""
    for index, (place, entry) in enumerate(texts):
        others = [other for at, (_, other) in enumerate(texts) if at != index]
        earlier = [other for _, other in texts[:index]]
        covering = (other for other in others if other.lower() != entry.lower() and _covers(other, entry))
        wider = next(covering, None) or next((one for one in earlier if one.lower() == entry.lower()), None)
        if wider is not None:
            yield "REDUNDANT_ACTION", "SUGGESTION", place, f"{entry} is covered by {wider}."


def _covers(wide: str, narrow: str) -> bool:
    """Whether one entry matches all that another does, by its pattern: wild cards of the other are plain characters."""
    if wide == EVERYONE:
        return True
    same_service = wide.partition(":")[0].lower() == narrow.partition(":")[0].lower()
    return same_service and "?" not in narrow and _like(wide)(narrow.lower())


def _like(entry: str) -> Callable[[str], bool]:
    return pattern.glob(entry.lower())


def _listed(element: Any) -> list[Any]:
    return element if isinstance(element, list) else [] if element is None else [element]
