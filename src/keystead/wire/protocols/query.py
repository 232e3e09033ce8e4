"""AWS Query (Smithy's awsQuery): form parameters in, XML out. STS speaks it, and IAM.

Nested values are dotted names: `Tags.member.2.Key=x`, and without `member` where the model says
that a list is flattened.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from keystead import errors
from keystead.errors import ApiError, Serialization
from keystead.wire.http import Request
from keystead.wire.model import Member, OperationShape, Rule, Service, Shape

CONTENT_TYPE = "text/xml"

# Far above what any operation takes; parsing is linear, but each field costs an object.
MOST_FIELDS = 2000
DEEPEST_NAME = 16

# Errors that any operation may answer have other codes here than in the JSON protocol, and 403 where a
# caller is not who it says or may not do what it asks (IAM API Reference, "Common Errors").
COMMON: dict[type[errors.ApiError], tuple[str, int]] = {
    errors.AccessDenied: ("AccessDenied", 403),
    errors.ExpiredToken: ("ExpiredToken", 403),
    errors.IncompleteSignature: ("IncompleteSignature", 400),
    errors.InvalidSignature: ("SignatureDoesNotMatch", 403),
    errors.MissingAuthenticationToken: ("MissingAuthenticationToken", 403),
    errors.Serialization: ("MalformedInput", 400),
    errors.Throttling: ("Throttling", 400),
    errors.UnknownOperation: ("InvalidAction", 400),
    errors.UnrecognizedClient: ("InvalidClientTokenId", 403),
    errors.UnsupportedOperation: ("UnsupportedOperation", 400),
    errors.Validation: ("ValidationError", 400),
}

Node = dict[str, Any]  # a parameter name's parts, down to text
_WHOLE = re.compile(r"[+-]?[0-9]{1,19}", re.ASCII)
# XML 1.0 section 2.2: these cannot stand in a document, not even as references.
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def parameters(request: Request) -> dict[str, str]:
    """The request's form fields: of its body, or of its query where it has none; the last of a name counts.

    Raises:
        Serialization: too many fields, or not UTF-8.
    """
    try:
        text = request.body.decode() if request.body else request.query
        return dict(parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS))
    except ValueError:
        pass
    raise Serialization("The request's parameters are not a valid form")


def decode(service: Service, operation: str, fields: Mapping[str, str]) -> Shape:
    """The request of `operation` in form fields; those that it does not know are ignored.

    Raises:
        errors.UnknownOperation: the service has no such operation.
        Serialization: a value is not of its member's type.
    """
    shape = service.operations.get(operation)
    if shape is None:
        raise unknown(operation, service.version)
    return _structure(shape.input, _tree(fields))


def unknown(operation: str, version: str) -> errors.UnknownOperation:
    """The refusal of an operation that a service does not have in this version of its API."""
    return errors.UnknownOperation(f"Could not find operation {operation} for version {version}")


def encode(service: Service, operation: str, answer: Shape | None, request_id: str) -> bytes:
    """The answer's body."""
    shape: OperationShape = service.operations[operation]
    inner = "" if answer is None else "".join(_elements(answer))
    result = f"<{shape.result}>{inner}</{shape.result}>" if shape.result else inner
    return (
        f'<{operation}Response xmlns="{service.namespace}">{result}'
        f"<ResponseMetadata><RequestId>{character_data(request_id)}</RequestId></ResponseMetadata>"
        f"</{operation}Response>\n"
    ).encode()


def encode_error(service: Service, error: ApiError, request_id: str) -> bytes:
    """The body of an error."""
    code, status = code_and_status(service, error)
    fault = "Receiver" if status >= 500 else "Sender"  # noqa: PLR2004 -- HTTP's server errors
    said = "" if error.message is None else f"<Message>{character_data(error.message)}</Message>"
    return (
        f'<ErrorResponse xmlns="{service.namespace}"><Error><Type>{fault}</Type><Code>{code}</Code>{said}</Error>'
        f"<RequestId>{character_data(request_id)}</RequestId></ErrorResponse>\n"
    ).encode()


def code_and_status(service: Service, error: ApiError) -> tuple[str, int]:
    """What this protocol calls an error of a service, and its HTTP status."""
    return COMMON.get(type(error)) or service.errors.get(error.code, (error.code, error.status))


# ------------------------------------------------------------------------------- reading


def _tree(fields: Mapping[str, str]) -> Node:
    """Dotted names as nested dictionaries; a name that is both a value and a prefix is refused."""
    root: Node = {}
    for name, text in fields.items():
        *path, last = name.split(".", DEEPEST_NAME)
        node = root
        for part in path:
            node = node.setdefault(part, {})
            if not isinstance(node, dict):
                raise Serialization("A parameter is both a value and a structure")
        if node.setdefault(last, text) is not text:
            raise Serialization("A parameter is both a value and a structure")
    return root


def _structure(shape: type[Shape], node: Node) -> Shape:
    given = {member.attribute: _value(member.rule, node[member.name]) for member in _present(shape, node)}
    return shape(**given)


def _present(shape: type[Shape], node: Node) -> Iterator[Member]:
    return (member for member in shape.MEMBERS if member.name in node)


def _value(rule: Rule, node: Any) -> Any:
    if rule.kind not in _SCALARS:
        if isinstance(node, dict):
            return _NESTED[rule.kind](rule, node)
        if node == "" and rule.kind == "list":  # how an empty list is written
            return []
    elif isinstance(node, str):
        try:
            return _SCALARS[rule.kind](node)
        except (ValueError, KeyError, OverflowError):
            pass
    raise Serialization(f"A parameter is not a valid {rule.kind}")


def _numbered(rule: Rule, node: Node) -> list[Any]:
    """The elements under `1`, `2`, … in their order, however they were sent."""
    elements = node if rule.flattened else node.get(_each(rule), {})
    if not isinstance(elements, dict) or not all(_WHOLE.fullmatch(place) for place in elements):
        raise Serialization("A list's elements must be numbered")
    return [elements[place] for place in sorted(elements, key=int)]


def _each(rule: Rule) -> str:
    """What one element of a list or map is called."""
    return "entry" if rule.kind == "map" else rule.item_name


def _list(rule: Rule, node: Node) -> list[Any]:
    assert rule.item is not None
    return [_value(rule.item, element) for element in _numbered(rule, node)]


def _map(rule: Rule, node: Node) -> dict[str, Any]:
    assert rule.key is not None
    assert rule.item is not None
    result = {}
    for entry in _numbered(rule, node):
        if not isinstance(entry, dict) or not {"key", "value"} <= entry.keys():
            raise Serialization("A map's entries need a key and a value")
        result[_value(rule.key, entry["key"])] = _value(rule.item, entry["value"])
    return result


def _nested_structure(rule: Rule, node: Node) -> Shape:
    assert rule.shape is not None
    return _structure(rule.shape, node)


def _integer(text: str) -> int:
    if not _WHOLE.fullmatch(text):
        raise ValueError
    return int(text)


def _double(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError
    return value


def _seconds(text: str) -> float:
    """Epoch seconds of an ISO 8601 time, which is in UTC unless it says otherwise."""
    time = datetime.fromisoformat(text)
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


_NESTED: dict[str, Callable[[Rule, Node], Any]] = {
    "list": _list,
    "map": _map,
    "structure": _nested_structure,
}
_SCALARS: dict[str, Callable[[str], Any]] = {
    "string": str,
    "integer": _integer,
    "double": _double,
    "boolean": lambda text: {"true": True, "false": False}[text.lower()],
    "blob": lambda text: base64.b64decode(text, validate=True),
    "timestamp": _seconds,
}


# ------------------------------------------------------------------------------- writing


def character_data(value: str) -> str:
    """`value` as character data; what XML cannot hold becomes U+FFFD, and no line end is lost."""
    return escape(_NOT_XML.sub("\ufffd", value), {"\r": "&#xD;"})


def _elements(value: Shape) -> Iterator[str]:
    for member in value.MEMBERS:
        given = getattr(value, member.attribute)
        if given is not None:
            yield _element(member.name, member.rule, given)


def _element(name: str, rule: Rule, value: Any) -> str:
    if rule.item is None:
        inner = (
            "".join(_elements(value))
            if rule.kind == "structure"
            else character_data(_WRITTEN[rule.kind](value))
        )
        return f"<{name}>{inner}</{name}>"
    parts = _entries(rule, value) if rule.kind == "map" else ((rule.item, item) for item in value)
    each = name if rule.flattened else _each(rule)
    items = [f"<{each}>{part}</{each}>" if isinstance(part, str) else _element(each, *part) for part in parts]
    return "".join(items) if rule.flattened else f"<{name}>{''.join(items)}</{name}>"


def _entries(rule: Rule, value: Mapping[str, Any]) -> Iterator[str]:
    assert rule.item is not None
    for key, item in value.items():
        yield f"<key>{character_data(key)}</key>{_element('value', rule.item, item)}"


def _instant(value: float) -> str:
    """Epoch seconds as AWS's XML writes them (ISO 8601, whole seconds, UTC)."""
    return datetime.fromtimestamp(int(value), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


_WRITTEN: dict[str, Callable[[Any], str]] = {
    "string": str,
    "integer": str,
    "double": repr,
    "boolean": lambda value: "true" if value else "false",
    "blob": lambda value: base64.b64encode(value).decode(),
    "timestamp": _instant,
}
