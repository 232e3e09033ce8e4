"""What IAM Access Analyzer's ValidatePolicy tells of a policy, by its own issue codes, with the place of each.

Source: IAM User Guide, "IAM Access Analyzer policy check reference". What needs a catalogue of every AWS service
is told of AWS KMS only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final, Literal

import msgspec

from keystead.policy import (
    condition_issues,
    pattern,
    principal_issues,
    resource_issues,
    variable_issues,
    variables,
)
from keystead.policy.actions import ACTIONS
from keystead.policy.document import DEFAULT_VERSION, EVERYONE, decode
from keystead.policy.issue_codes import ISSUE_TYPES, OF_NAMES, IssueType
from keystead.policy.lint import LONGEST
from keystead.policy.principal import account_of
from keystead.policy.spans import Path, Position, Span, names, spans

Kind = Literal["IDENTITY_POLICY", "RESOURCE_POLICY", "SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY"]

_VERSIONS: Final = frozenset({variables.VERSION_WITH_VARIABLES, DEFAULT_VERSION})
_TOP: Final = frozenset({"Version", "Id", "Statement"})
_STATEMENT: Final = frozenset({
    "Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition",
})  # fmt: skip
_SID: Final = re.compile(r"[A-Za-z0-9]*", re.ASCII)
_PREFIX: Final = re.compile(r"[a-z0-9-]+", re.ASCII)
_MISSPELT: Final = frozenset({"ksm", "mks", "skm", "kmss", "kkms", "km", "awskms", "aws-kms"})
_MOST_CHARACTERS: Final = {
    "IDENTITY_POLICY": 6144,
    "SERVICE_CONTROL_POLICY": 5120,
    "RESOURCE_CONTROL_POLICY": 5120,
}
_QUOTAS: Final = {
    "IDENTITY_POLICY": "IDENTITY_POLICY", "SERVICE_CONTROL_POLICY": "SCP", "RESOURCE_CONTROL_POLICY": "RCP",
}  # fmt: skip

Found = Iterator[tuple[str, Path, str]]
"""Code, place and what to say."""


class Issue(msgspec.Struct, frozen=True):
    """One finding: its code and type, what it says, where it is; `of_name`: at the name of the member, not at its value."""

    code: str
    type: IssueType
    details: str
    path: Path
    span: Span
    of_name: bool = False


def issues(text: str, kind: Kind, resource: str | None = None) -> tuple[Issue, ...]:
    """Every issue of a policy of that kind, in the order of its text.

    `resource` is the type of the resource that a resource policy is of, as CloudFormation names it, if it is known.
    """
    try:
        policy, places, named = decode(text), spans(text), names(text)
    except ValueError as error:
        return (Issue("JSON_SYNTAX_ERROR", "ERROR", "Fix the JSON syntax.", (), _at(text, error)),)
    found = [
        Issue(code, ISSUE_TYPES[code], details, path, named[path], of_name=True)
        if code in OF_NAMES and path in named
        else Issue(code, ISSUE_TYPES[code], details, path, places.get(path) or places[()])
        for code, path, details in _on_document(policy, text, kind, resource)
    ]
    return tuple(sorted(found, key=lambda one: one.span.start.offset))


def _at(text: str, error: ValueError) -> Span:
    """Where a text stops being JSON; its whole, where that is not known."""
    start = error.pos if isinstance(error, json.JSONDecodeError) else 0
    line = text.count("\n", 0, start)
    begin = Position(line + 1, start - (text.rfind("\n", 0, start) + 1), start)
    return Span(begin, msgspec.structs.replace(begin, column=begin.column + 1, offset=start + 1))


def _on_document(policy: Any, text: str, kind: Kind, resource: str | None) -> Found:
    if not isinstance(policy, Mapping):
        yield "DATA_TYPE_MISMATCH", (), "A policy is a JSON object."
        return
    for name in policy:
        if name not in _TOP:
            yield "INVALID_POLICY_ELEMENT", (name,), f"The policy element {name} is not valid."
    if "Version" not in policy:
        yield "MISSING_VERSION", (), "Add the Version element, with the value 2012-10-17."
    elif policy["Version"] not in _VERSIONS:
        yield "INVALID_VERSION", ("Version",), "The version must be 2012-10-17 or 2008-10-17."
    most = _MOST_CHARACTERS.get(kind)
    if most is not None and len("".join(text.split())) > most:
        code = f"POLICY_SIZE_EXCEEDS_{_QUOTAS[kind]}_QUOTA"
        yield code, (), f"The policy is longer than {most} characters."
    if resource == _KEY and len(text.encode("utf-8", "surrogatepass")) > LONGEST:
        yield "POLICY_SIZE_EXCEEDS_RESOURCE_POLICY_QUOTA", (), f"The policy is longer than {LONGEST} bytes."
    yield from _on_statements(policy, kind, resource)


_KEY: Final = "AWS::KMS::Key"


def _on_statements(policy: Mapping[str, Any], kind: Kind, resource: str | None) -> Found:
    if "Statement" not in policy:
        yield "MISSING_STATEMENT", (), "Add the Statement element."
        return
    given = policy["Statement"]
    listed = isinstance(given, list)
    seen: set[str] = set()
    for index, statement in enumerate(given if listed else [given]):
        path: Path = ("Statement", index) if listed else ("Statement",)
        if not isinstance(statement, Mapping):
            yield "DATA_TYPE_MISMATCH", path, "A statement is a JSON object."
            continue
        yield from _on_statement(statement, path, kind, resource)
        yield from variable_issues.on_variables(statement, path, policy.get("Version"))
        sid = statement.get("Sid")
        if isinstance(sid, str) and sid in seen:
            wanted = "RECOMMENDED" if kind == "RESOURCE_POLICY" else "REQUIRED"
            yield f"UNIQUE_SIDS_{wanted}", (*path, "Sid"), f"The Sid {sid} is there more than once."
        seen.add(sid if isinstance(sid, str) else "")


def _on_statement(statement: Mapping[str, Any], path: Path, kind: Kind, resource: str | None) -> Found:
    for name in statement:
        if name not in _STATEMENT:
            yield "INVALID_POLICY_ELEMENT", (*path, name), f"The policy element {name} is not valid."
    yield from _on_sid(statement, path, kind)
    yield from _on_effect(statement, path)
    yield from _on_list(statement, path, "Action", "ACTION")
    if resource != principal_issues.TRUST:
        yield from _on_list(statement, path, "Resource", "RESOURCE")
    yield from principal_issues.on_principal(statement, path, kind, resource)
    for name in ("Action", "NotAction"):
        yield from _on_actions(statement, (*path, name), name, resource)
    yield from _on_lending(statement, path)
    yield from resource_issues.on_resources(statement, path, resource)
    yield from condition_issues.on_conditions(statement, path, resource)


def _on_sid(statement: Mapping[str, Any], path: Path, kind: Kind) -> Found:
    """Key policies take other characters, too: the default one has spaces."""
    sid = statement.get("Sid")
    if sid == "":
        yield "EMPTY_SID_VALUE", (*path, "Sid"), "Give the Sid a value, or leave it out."
    elif isinstance(sid, str) and kind != "RESOURCE_POLICY" and not _SID.fullmatch(sid):
        yield "UNSUPPORTED_SID", (*path, "Sid"), "A Sid has letters and digits only."
    elif sid is not None and not isinstance(sid, str):
        yield "DATA_TYPE_MISMATCH", (*path, "Sid"), "Sid is a text."


def _on_effect(statement: Mapping[str, Any], path: Path) -> Found:
    if "Effect" not in statement:
        yield "MISSING_EFFECT", path, "Add the Effect element, with the value Allow or Deny."
    elif statement["Effect"] not in ("Allow", "Deny"):
        yield "INVALID_EFFECT", (*path, "Effect"), "The effect must be Allow or Deny."


def _on_list(statement: Mapping[str, Any], path: Path, name: str, code: str) -> Found:
    """Action and NotAction, or Resource and NotResource: one of both, a text or texts."""
    given = [each for each in (name, f"Not{name}") if each in statement]
    if not given:
        yield f"MISSING_{code}", path, f"Add a {name} or Not{name} element."
    elif len(given) > 1:
        yield (
            "UNSUPPORTED_ELEMENT_COMBINATION",
            (*path, given[1]),
            f"{given[0]} and {given[1]} exclude each other.",
        )
    for each in given:
        entries = _listed(statement[each])
        if not entries:
            yield f"EMPTY_ARRAY_{code}", (*path, each), f"{each} lists nothing."
        if not all(type(entry) is str for entry in entries):
            yield "DATA_TYPE_MISMATCH", (*path, each), f"{each} is a text or a list of texts."


# ----------------------------------------------------------------------------- actions


def _on_actions(statement: Mapping[str, Any], path: Path, name: str, resource: str | None) -> Found:
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
            yield "INVALID_ACTION", place, f"{entry} is not of the form service:action."
        elif "*" in service or "?" in service:
            yield "WILDCARD_IN_SERVICE_NAME", place, "Wild cards have no effect in the name of a service."
        elif not _PREFIX.fullmatch(service.lower()) or service.lower() in _MISSPELT:
            yield "INVALID_SERVICE_IN_ACTION", place, f"There is no service {service}. Did you mean kms?"
        else:
            yield from _on_action(entry, service.lower(), place, resource)
    yield from _redundant(texts)


def _on_action(entry: str, service: str, place: Path, resource: str | None) -> Found:
    if service == "kms" and not any(_like(entry)(known.lower()) for known in ACTIONS):
        near = get_close_matches(entry, ACTIONS, 1)
        hint = f" Did you mean {near[0]}?" if near else ""
        yield "INVALID_ACTION", place, f"{entry} is no action of AWS KMS.{hint}"
    wanted = resource_issues.SERVICE_OF.get(resource or "")
    if wanted is not None and service != wanted:
        yield "UNSUPPORTED_ACTION_IN_POLICY", place, f"A policy of {resource} has no say about {entry}."


def _on_lending(statement: Mapping[str, Any], path: Path) -> Found:
    """CreateGrant by name for others than accounts, and not for AWS services only."""
    actions = [one for one in _listed(statement.get("Action")) if isinstance(one, str)]
    principal = statement.get("Principal")
    named = principal.get("AWS") if isinstance(principal, Mapping) else None
    people = [one for one in _listed(named) if isinstance(one, str) and account_of(one) is None]
    lending = statement.get("Effect") == "Allow" and any(one.lower() == "kms:creategrant" for one in actions)
    limited = "kms:grantisforawsresource" in principal_issues.condition_keys_of(statement)
    if lending and people and not limited:
        said = "Whoever may CreateGrant may lend the key to whomever it wants; kms:GrantIsForAWSResource limits that to AWS services."
        yield "KEYSTEAD_GRANT_FOR_ANYBODY", (*path, "Action"), said


def _redundant(texts: Sequence[tuple[Path, str]]) -> Found:
    """An action that another entry of the same list covers."""
    for index, (place, entry) in enumerate(texts):
        others = [other for at, (_, other) in enumerate(texts) if at != index]
        earlier = [other for _, other in texts[:index]]
        covering = (other for other in others if other.lower() != entry.lower() and _covers(other, entry))
        wider = next(covering, None) or next((one for one in earlier if one.lower() == entry.lower()), None)
        if wider is not None:
            yield "REDUNDANT_ACTION", place, f"{entry} is covered by {wider}."


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
