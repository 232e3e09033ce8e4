"""Policy documents as frozen values.

Reading is lenient: it takes what a validator (`keypolicy`) would refuse, and only fails where a document
cannot be read at all. What is read but makes no sense never matches. Grammar: IAM User Guide,
"Grammar of the IAM JSON policy language".
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from keystead import errors

Effect = Literal["Allow", "Deny"]
EVERYONE = "*"
DEFAULT_VERSION = "2008-10-17"


class PrincipalElement(msgspec.Struct, frozen=True):
    """The entries of a Principal or NotPrincipal; other kinds (CanonicalUser, …) match no one here."""

    aws: tuple[str, ...] = ()
    service: tuple[str, ...] = ()
    federated: tuple[str, ...] = ()


class Condition(msgspec.Struct, frozen=True):
    """One key of one operator block; `operator` and `key` as written, values in their text form."""

    operator: str
    key: str
    values: tuple[str, ...]


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """One statement; an element that is absent is None.

    `readable` is False when an element has a wrong shape: such a statement never matches.
    """

    effect: Effect
    sid: str | None = None
    principal: PrincipalElement | None = None
    not_principal: PrincipalElement | None = None
    actions: tuple[str, ...] | None = None
    not_actions: tuple[str, ...] | None = None
    resources: tuple[str, ...] | None = None
    not_resources: tuple[str, ...] | None = None
    conditions: tuple[Condition, ...] = ()
    readable: bool = True


class Document(msgspec.Struct, frozen=True):
    """One policy document."""

    statements: tuple[Statement, ...]
    version: str = DEFAULT_VERSION
    id: str | None = None


NOTHING = Document(statements=())
"""A document that allows and denies nothing."""


class NumberText(str):
    """A JSON number as it was written: conditions compare numbers by their text."""

    __slots__ = ()


class _Unreadable(Exception):  # noqa: N818 - a signal inside this module, not an error of the program
    """An element has a shape that has no meaning."""


def parse(source: str | bytes | Mapping[str, Any], *, action_required: bool = True) -> Document:
    """The document that a JSON text or a decoded JSON object holds.

    `action_required=False` reads a statement with neither Action nor NotAction as one that never
    matches, which is what AWS KMS makes of it in a stored key policy.

    Raises:
        errors.MalformedPolicyDocument: not JSON, not an object, no Statement, an Effect that is neither
            Allow nor Deny, or neither or both of Action and NotAction.
    """
    members = source if isinstance(source, Mapping) else _json(source)
    if not isinstance(members, Mapping):
        raise errors.MalformedPolicyDocument("The policy is not a JSON object.")
    statements = members.get("Statement")
    if isinstance(statements, Mapping):
        statements = [statements]
    if not isinstance(statements, list):
        raise errors.MalformedPolicyDocument("The policy has no Statement.")
    return Document(
        statements=tuple(_statement(statement, action_required) for statement in statements),
        version=_text(members.get("Version")) or DEFAULT_VERSION,
        id=_text(members.get("Id")),
    )


def decode(text: str | bytes, *, unique: bool = False) -> Any:
    """The value of a JSON text; numbers keep their text (`NumberText`).

    Raises:
        ValueError: not JSON, nested too deep, or (`unique`) an object that names a member twice.
    """
    try:
        return (_UNIQUE if unique else _DECODER).decode(text if isinstance(text, str) else text.decode())
    except RecursionError:
        raise ValueError("nested too deep") from None


def _json(source: str | bytes) -> Any:
    try:
        return decode(source)
    except ValueError:
        raise errors.MalformedPolicyDocument("The policy is not valid JSON.") from None


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")  # RFC 8259 section 6: no NaN, no infinities


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("duplicate member")
    return members


_DECODER = json.JSONDecoder(parse_int=NumberText, parse_float=NumberText, parse_constant=_no_constant)
_UNIQUE = json.JSONDecoder(
    parse_int=NumberText, parse_float=NumberText, parse_constant=_no_constant, object_pairs_hook=_unique
)


def _statement(members: Any, action_required: bool) -> Statement:
    if not isinstance(members, Mapping):
        raise errors.MalformedPolicyDocument("A statement is not a JSON object.")
    effect = members.get("Effect")
    if effect not in ("Allow", "Deny"):
        raise errors.MalformedPolicyDocument("A statement's Effect must be Allow or Deny.")
    given = [name for name in ("Action", "NotAction") if members.get(name) is not None]
    if len(given) > 1 or (action_required and not given):
        raise errors.MalformedPolicyDocument("A statement must have either Action or NotAction.")
    sid = _text(members.get("Sid"))
    try:
        return Statement(effect=effect, sid=sid, **_elements(members))
    except _Unreadable:
        return Statement(effect=effect, sid=sid, readable=False)


def _elements(members: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "principal": _principal(members.get("Principal")),
        "not_principal": _principal(members.get("NotPrincipal")),
        "actions": _texts(members.get("Action")),
        "not_actions": _texts(members.get("NotAction")),
        "resources": _texts(members.get("Resource")),
        "not_resources": _texts(members.get("NotResource")),
        "conditions": _conditions(members.get("Condition")),
    }


def _principal(element: Any) -> PrincipalElement | None:
    if element is None:
        return None
    if isinstance(element, str):
        return PrincipalElement(aws=(element,))
    if not isinstance(element, Mapping):
        raise _Unreadable
    return PrincipalElement(
        aws=_texts(element.get("AWS")) or (),
        service=_texts(element.get("Service")) or (),
        federated=_texts(element.get("Federated")) or (),
    )


def _conditions(element: Any) -> tuple[Condition, ...]:
    return tuple(
        Condition(operator=operator, key=key, values=_values(values))
        for operator, keys in _members(element)
        for key, values in _members(keys)
    )


def _members(element: Any) -> Sequence[tuple[str, Any]]:
    if element is None:
        return ()
    if not isinstance(element, Mapping):
        raise _Unreadable
    return tuple(element.items())


def _values(element: Any) -> tuple[str, ...]:
    """Condition values in text form: `true` for JSON true, a number as it is written."""
    items = element if isinstance(element, list) else [element]
    return tuple(_scalar(item) for item in items if item is not None)


def _scalar(item: Any) -> str:
    if isinstance(item, bool):
        return "true" if item else "false"
    if isinstance(item, str | int | float):
        return str(item)
    raise _Unreadable


def _texts(element: Any) -> tuple[str, ...] | None:
    if element is None:
        return None
    items = element if isinstance(element, list) else [element]
    if not all(isinstance(item, str) for item in items):
        raise _Unreadable
    return tuple(items)


def _text(element: Any) -> str | None:
    return str(element) if isinstance(element, str) else None
