"""REST with JSON (Smithy's restJson1): one object in, one object out, the operation told by method and path.

Members of the path stand between its slashes and are decoded once; times are texts (RFC 3339).
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

from keystead.errors import ApiError, Serialization
from keystead.wire.model import Member, Rule, Service, Shape
from keystead.wire.protocols import json
from keystead.wire.uri import MOST_FIELDS, path_label

CONTENT_TYPE: Final = "application/json"
_REASONS: Final = {"ValidationException": "fieldValidationFailed", "SerializationException": "cannotParse"}
"""What an error that must say a reason says where nobody has said another."""
_BOOLEANS: Final = {"true": True, "false": False}


# ------------------------------------------------------------------------------- routing


def operation_at(service: Service, method: str, path: str) -> str | None:
    """The operation with this method and path, None if there is none; a path without members goes before others."""
    rows = _rows(
        service.name, tuple((one.method, one.path, name) for name, one in service.operations.items())
    )
    parts = path.split("/")
    return next(
        (name for asked, template, name in rows if asked == method and _labels(template, parts) is not None),
        None,
    )


@cache
def _rows(
    _service: str, rows: tuple[tuple[str, str, str], ...]
) -> tuple[tuple[str, tuple[str, ...], str], ...]:
    """Method, parts of the path and operation, those without members first."""
    split = ((method, tuple(path.split("/")), name) for method, path, name in rows)
    return tuple(sorted(split, key=lambda row: sum(map(_is_label, row[1]))))


def _is_label(part: str) -> bool:
    return part.startswith("{")


def _labels(template: tuple[str, ...], parts: list[str]) -> dict[str, str] | None:
    """What the path says for the template's members, not decoded; None if it is another path."""
    if len(template) != len(parts):
        return None
    found: dict[str, str] = {}
    for wanted, part in zip(template, parts, strict=True):
        if not _is_label(wanted):
            if wanted != part:
                return None
        elif part:
            found[wanted.strip("{}")] = part
        else:
            return None
    return found


# ------------------------------------------------------------------------------- reading


def decode(service: Service, operation: str, body: bytes, query: str = "", path: str = "") -> Shape:
    """The request of `operation` in `body`, the path and the query; an empty body is an empty object.

    Raises:
        Serialization: `body` is not JSON in UTF-8, not an object, or has a value of the wrong type.
    """
    shape = service.operations.get(operation)
    if shape is not None and body and _has_times(shape.input):
        body = _with_seconds(shape.input, body)
    request = json.decode(service, operation, body)
    located = [member for member in request.MEMBERS if member.location in {"querystring", "uri"}]
    if not located:
        return request
    labels = _labels(tuple(service.operations[operation].path.split("/")), path.split("/")) or {}
    fields = _fields(query)
    given: dict[str, Any] = {}
    for one in located:
        if one.location == "uri":
            given[one.attribute] = path_label(labels[one.name]) if one.name in labels else None
        else:
            given[one.attribute] = _value(one, fields.get(one.name, []))
    return msgspec.structs.replace(request, **given)


def _with_seconds(shape: type[Shape], body: bytes) -> bytes:
    """The body with its times as epoch seconds; what is no JSON stays as it is, and is told of by who reads it next.

    Raises:
        Serialization: a time is none.
    """
    try:
        given = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return body
    return msgspec.json.encode(_counted(Rule("structure", shape=shape), given))


def _counted(rule: Rule, value: Any) -> Any:
    """The value with times as seconds, where it is what the rule says; else as it came."""
    if rule.kind == "timestamp" and isinstance(value, str):
        return _seconds(value)
    if rule.shape is not None and isinstance(value, dict):
        rules = {member.name: member.rule for member in rule.shape.MEMBERS}
        return {name: _counted(rules[name], one) if name in rules else one for name, one in value.items()}
    if rule.kind == "list" and rule.item is not None and isinstance(value, list):
        return [_counted(rule.item, one) for one in value]
    if rule.kind == "map" and rule.item is not None and isinstance(value, dict):
        return {name: _counted(rule.item, one) for name, one in value.items()}
    return value


def _seconds(text: str) -> float:
    """The epoch seconds of a time (RFC 3339; without an offset it is UTC).

    Raises:
        Serialization: it is none.
    """
    try:
        time = datetime.fromisoformat(text)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise Serialization("A value is not a valid timestamp.") from None


def _fields(query: str) -> dict[str, list[str]]:
    """The query's parameters with all their values, decoded.

    Raises:
        Serialization: too many, or not UTF-8.
    """
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
    except ValueError:
        raise Serialization("The query is not well-formed.") from None
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    return fields


def _value(member: Member, texts: list[str]) -> str | int | bool | list[str] | None:
    if not texts:
        return None
    if member.rule.kind == "list":
        return texts
    text = texts[0]
    if member.rule.kind == "boolean":
        if text not in _BOOLEANS:
            raise Serialization(f"{member.label} is neither true nor false.")
        return _BOOLEANS[text]
    if member.rule.kind == "string":
        return text
    try:
        return int(text)
    except ValueError:
        raise Serialization(f"{member.label} is not a number.") from None


# ------------------------------------------------------------------------------- writing


def encode(answer: Shape | None) -> bytes:
    """The answer's body."""
    if answer is None:
        return b"{}"
    return json.encode(answer) if not _has_times(type(answer)) else msgspec.json.encode(_plain(answer))


@cache
def _has_times(shape: type[Shape]) -> bool:
    """Whether a value of the shape can hold a time."""
    return any(_holds_time(member.rule) for member in shape.MEMBERS)


def _holds_time(rule: Rule) -> bool:
    if rule.kind == "timestamp":
        return True
    if rule.shape is not None:
        return _has_times(rule.shape)
    return rule.item is not None and _holds_time(rule.item)


def _plain(value: Shape) -> dict[str, Any]:
    """The structure as an object, its times as texts, absent members left out."""
    given = ((member, getattr(value, member.attribute)) for member in value.MEMBERS)
    return {member.name: _encoded(member.rule, one) for member, one in given if one is not None}


def _encoded(rule: Rule, value: Any) -> Any:
    if rule.kind == "timestamp":
        return instant(value)
    if rule.kind == "structure":
        return _plain(value)
    if rule.kind == "list" and rule.item is not None:
        return [_encoded(rule.item, one) for one in value]
    if rule.kind == "map" and rule.item is not None:
        return {key: _encoded(rule.item, one) for key, one in value.items()}
    return value


def instant(seconds: float) -> str:
    """Epoch seconds as these protocols write times, in UTC, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def encode_error(error: ApiError) -> bytes:
    """The body of an error: its message, its reason where the error has one, and what it is about."""
    said = {"message": error.message or ""}
    reason = error.reason or _REASONS.get(error.code)
    return msgspec.json.encode({**said, **({"reason": reason} if reason else {}), **error.about})
