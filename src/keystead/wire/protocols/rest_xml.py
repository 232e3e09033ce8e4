"""REST with XML (Smithy's restXml): members in path, query, headers and body. S3 speaks it."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import formatdate, parsedate_to_datetime
from functools import cache
from operator import attrgetter
from typing import Any, Final, NamedTuple

from keystead.errors import InvalidS3Argument, Serialization
from keystead.wire.model import Member, OperationShape, Rule, Shape
from keystead.wire.protocols.query import character_data
from keystead.wire.xml import Element, parse

CONTENT_TYPE: Final = "application/xml"
DECLARATION: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'
_INTEGER: Final = re.compile(r"-?\d{1,40}", re.ASCII)
_INT32: Final = 1 << 31
_CONDITION: Final = re.compile(r"(x-amz-copy-source-)?if-(un)?modified-since$", re.ASCII | re.IGNORECASE)
_NO_INTEGER: Final = {"partNumber": "Part number must be an integer between 1 and 10000, inclusive"}
"""What is said of a parameter that is no integer, where it is not what is said of most."""
_NO_VALUE: Final = {
    "x-amz-object-lock-retain-until-date": "The retain until date must be provided in ISO 8601 format"
}
"""What is said of a header whose value is not of its type, likewise."""
_NO_SUCH_DOCUMENT: Final = "The document is not the one that is described."
_XSI: Final = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'


# ------------------------------------------------------------------------------- reading


class _Plan(NamedTuple):
    """Where a request's members are, so that a request costs what it brings and not what it might."""

    headers: dict[str, Member]
    prefixes: tuple[Member, ...]
    fields: dict[str, Member]
    labels: tuple[Member, ...]
    body: tuple[Member, ...]


@cache
def _plan(shape: type[Shape]) -> _Plan:
    def of(*locations: str) -> tuple[Member, ...]:
        return tuple(member for member in shape.MEMBERS if member.location in locations)

    return _Plan(
        {member.name.lower(): member for member in of("header")},
        of("headers"),
        {member.name: member for member in of("querystring")},
        of("uri"),
        of("", "payload"),
    )


def decode(
    shape: OperationShape,
    headers: Mapping[str, str],
    labels: Mapping[str, str],
    fields: Mapping[str, str],
    body: bytes,
) -> Shape:
    """The request struct; `labels` are the path's members, `fields` the query's, `body` is empty where it is a stream.

    Raises:
        InvalidS3Argument: a header or a parameter is not of its member's type.
        Serialization: an element is not, or the body is not the document that the operation takes.
    """
    plan = _plan(shape.input)
    given: dict[str, Any] = {
        member.attribute: labels[member.name] for member in plan.labels if member.name in labels
    }
    for name, text in headers.items():
        if name in plan.headers:
            member = plan.headers[name]
            given[member.attribute] = _header(member, text)
    for name, text in fields.items():
        if name in plan.fields:
            member = plan.fields[name]
            given[member.attribute] = _field(member, text)
    for member in plan.prefixes:
        given[member.attribute] = _prefixed(member, headers)
    if body:
        given |= _of_body(plan.body, body)
    return shape.input(**given)


def _prefixed(member: Member, headers: Mapping[str, str]) -> dict[str, str] | None:
    """The headers that begin with the member's name, by what follows it; None without any."""
    prefix = member.name.lower()
    found = {
        name[len(prefix) :]: _utf8_header(text) for name, text in headers.items() if name.startswith(prefix)
    }
    return found or None


def _of_body(members: tuple[Member, ...], body: bytes) -> dict[str, Any]:
    root: Element | None = None
    given: dict[str, Any] = {}
    for member in members:
        if member.rule.kind == "blob":
            given[member.attribute] = body
        elif member.location == "payload" and member.rule.kind == "string":
            given[member.attribute] = _utf8(body)
        else:
            root = root or parse(body)
            given[member.attribute] = (
                _document_of(member, root) if member.location == "payload" else _child(member, root)
            )
    return given


def _document_of(member: Member, root: Element) -> Any:
    """The document: another one that says nothing of what this one does would unset it."""
    if root.name != member.name:
        raise Serialization(_NO_SUCH_DOCUMENT)
    return _value(member.rule, root)


def _utf8(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise Serialization("The body is not UTF-8.") from None


def _utf8_header(text: str) -> str:
    """A header's text: the door reads Latin-1, clients mean UTF-8 where it is."""
    try:
        return text.encode("latin-1").decode()
    except UnicodeDecodeError:
        return text


def _header(member: Member, text: str) -> Any:
    try:
        return _of_header(member, text)
    except Serialization:
        said = _no_integer(member) if member.rule.kind == "integer" else _NO_VALUE.get(member.name.lower())
        raise InvalidS3Argument(said, _named(member, text)) from None


def _of_header(member: Member, text: str) -> Any:
    rule = member.rule
    if rule.kind == "list" and rule.item is not None:
        return [_scalar(rule.item, part.strip()) for part in text.rstrip(",").split(",")]
    if rule.kind == "timestamp":
        # A condition whose date is none counts for nothing (RFC 9110 sections 13.1.3 and 13.1.4).
        return _lenient(text) if _CONDITION.match(member.name) else _moment(text)
    return _scalar(rule, _utf8_header(text))


def _field(member: Member, text: str) -> Any:
    """A value of the query; a number that is left empty is not said, unless there must be one.

    Raises:
        InvalidS3Argument: it is not of its type.
    """
    if member.rule.kind == "integer" and not text and member.name not in _NO_INTEGER:
        return None
    if member.rule.kind == "integer" and not (_INTEGER.fullmatch(text) and -_INT32 <= int(text) < _INT32):
        raise InvalidS3Argument(_no_integer(member), _named(member, text))
    try:
        return _scalar(member.rule, text)
    except Serialization:
        raise InvalidS3Argument(about=_named(member, text)) from None


def _no_integer(member: Member) -> str:
    return _NO_INTEGER.get(member.name, f"Provided {member.name} not an integer or within integer range")


def _named(member: Member, text: str) -> dict[str, str]:
    """What an error tells of a header or a parameter; of those that hold keys, the name."""
    value = {} if member.rule.sensitive else {"ArgumentValue": text}
    return {"ArgumentName": member.name, **value}


def _child(member: Member, parent: Element) -> Any:
    rule = member.rule
    if member.location == "attribute":
        return parent.attributes.get(member.name.rpartition(":")[2])
    if rule.flattened and rule.item is not None:
        return [_value(rule.item, child) for child in parent.children if child.name == member.name] or None
    found = [child for child in parent.children if child.name == member.name]
    if len(found) > 1:
        raise Serialization(_NO_SUCH_DOCUMENT)
    return _value(rule, found[0]) if found else None


def _value(rule: Rule, element: Element) -> Any:
    if rule.kind == "structure" and rule.shape is not None:
        if not _elements_of(rule.shape).issuperset(child.name for child in element.children):
            raise Serialization(_NO_SUCH_DOCUMENT)
        given = {member.attribute: _child(member, element) for member in rule.shape.MEMBERS}
        return rule.shape(**given)
    if rule.kind == "list" and rule.item is not None:
        if any(child.name != rule.item_name for child in element.children):
            raise Serialization(_NO_SUCH_DOCUMENT)
        return [_value(rule.item, child) for child in element.children]
    return _scalar(rule, element.text)


@cache
def _elements_of(shape: type[Shape]) -> frozenset[str]:
    """What such an element may hold: an element passed over is a setting that was not made."""
    return frozenset(member.name for member in shape.MEMBERS if not member.location)


def _scalar(rule: Rule, text: str) -> Any:
    try:
        return _READ[rule.kind](text)
    except (ValueError, KeyError, OverflowError):
        raise Serialization(f"A value is not a valid {rule.kind}.") from None


def _integer(text: str) -> int:
    if not text.strip().lstrip("-").isascii() or len(text) > 20:  # noqa: PLR2004  digits of 64 bits
        raise ValueError
    return int(text)


def _double(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError
    return value


def _seconds(text: str) -> float:
    time = datetime.fromisoformat(text.strip())
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


def _http_date(text: str) -> float:
    return parsedate_to_datetime(text).timestamp()


def _moment(text: str) -> float:
    """Epoch seconds of a header's date (RFC 9110 section 5.6.7), or of an ISO 8601 one."""
    for read in (_http_date, _seconds):
        try:
            return read(text)
        except (ValueError, OverflowError):
            continue
    raise Serialization("A value is not a valid timestamp.")


def _lenient(text: str) -> float | None:
    try:
        return _moment(text)
    except Serialization:
        return None


_READ: Final[dict[str, Callable[[str], Any]]] = {
    "string": str,
    "integer": _integer,
    "double": _double,
    "boolean": lambda text: {"true": True, "false": False}[text.strip().lower()],
    "blob": lambda text: base64.b64decode(text, validate=True),
    "timestamp": _seconds,
}


# ------------------------------------------------------------------------------- writing


class _Told(NamedTuple):
    """The members of an answer that headers tell, and what reads them all at once."""

    members: tuple[Member, ...]
    read: Callable[[Shape], tuple[Any, ...]]


@cache
def _told(answer: type[Shape]) -> _Told:
    members = tuple(member for member in answer.MEMBERS if member.location in {"header", "headers"})
    names = tuple(member.attribute for member in members)
    if len(names) > 1:
        return _Told(members, attrgetter(*names))
    return _Told(members, lambda given: tuple(getattr(given, name) for name in names))


def headers_of(answer: Shape) -> list[tuple[str, str]]:
    """The headers that an answer's members make."""
    members, read = _told(type(answer))
    headers: list[tuple[str, str]] = []
    for member, value in zip(members, read(answer), strict=True):
        if value is None:
            continue
        if member.location == "header":
            headers.append((member.name, _as_header(member.rule, value)))
        else:
            headers += [(member.name + name, _as_header_text(text)) for name, text in value.items()]
    return headers


def _as_header(rule: Rule, value: Any) -> str:
    if rule.kind == "timestamp":
        return formatdate(int(value), usegmt=True)
    if rule.kind == "list" and rule.item is not None:
        return ", ".join(_as_header(rule.item, item) for item in value)
    return _as_header_text(_WRITTEN[rule.kind](value))


def _as_header_text(text: str) -> str:
    """The text as the door writes it: bytes of UTF-8, each as a Latin-1 character."""
    return text.encode().decode("latin-1")


def body_of(shape: OperationShape, answer: Shape | None, namespace: str) -> bytes:
    """The body of an answer; empty where it has none, or is a stream."""
    if answer is None:
        return b""
    payload = next((member for member in answer.MEMBERS if member.location == "payload"), None)
    if payload is not None:
        return _payload(payload, getattr(answer, payload.attribute), namespace)
    inside = [member for member in answer.MEMBERS if not member.location]
    if shape.result and [member.name for member in inside] == [shape.result]:
        # GetBucketLocation: the root is the member
        return _document(shape.result, character_data(getattr(answer, inside[0].attribute) or ""), namespace)
    return _document(shape.result, "".join(_elements(answer)), namespace) if shape.result else b""


def _payload(member: Member, value: Any, namespace: str) -> bytes:
    if value is None or member.rule.kind == "blob":
        return b""
    if member.rule.kind == "string":
        return str(value).encode()
    return _document(member.name, "".join(_elements(value)), namespace)


def _document(root: str, inner: str, namespace: str) -> bytes:
    return f'{DECLARATION}<{root} xmlns="{namespace}">{inner}</{root}>'.encode()


def _elements(value: Shape) -> Iterator[str]:
    for member in value.MEMBERS:
        given = getattr(value, member.attribute)
        if given is not None and not member.location:
            yield _element(member.name, member.rule, given)


def _element(name: str, rule: Rule, value: Any) -> str:
    if rule.item is not None:
        each = name if rule.flattened else rule.item_name
        items = "".join(_element(each, rule.item, item) for item in value)
        return items if rule.flattened else f"<{name}>{items}</{name}>"
    if rule.kind == "structure":
        return f"<{name}{_attributes(value)}>{''.join(_elements(value))}</{name}>"
    return f"<{name}>{character_data(_WRITTEN[rule.kind](value))}</{name}>"


def _attributes(value: Shape) -> str:
    found = [
        f' {_XSI} {member.name}="{character_data(str(given))}"'
        for member in value.MEMBERS
        if member.location == "attribute" and (given := getattr(value, member.attribute)) is not None
    ]
    return "".join(found)


def instant(value: float) -> str:
    """Epoch seconds as S3's XML writes them (ISO 8601 in milliseconds, UTC)."""
    return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


_WRITTEN: Final[dict[str, Callable[[Any], str]]] = {
    "string": str,
    "integer": str,
    "double": repr,
    "boolean": lambda value: "true" if value else "false",
    "blob": lambda value: base64.b64encode(value).decode(),
    "timestamp": instant,
}
