"""REST with JSON (Smithy's restJson1): one object in, one object out, the operation told by method and path."""

from __future__ import annotations

from functools import cache
from typing import Final

import msgspec

from keystead.errors import ApiError, Serialization
from keystead.wire.model import Member, Service, Shape
from keystead.wire.protocols import json
from keystead.wire.protocols.rest_xml import fields_of

CONTENT_TYPE: Final = "application/json"
_REASONS: Final = {"ValidationException": "fieldValidationFailed", "SerializationException": "cannotParse"}
"""What an error that must say a reason says where nobody has said another."""


def operation_at(service: Service, method: str, path: str) -> str | None:
    """The operation with this method and path, None if there is none."""
    return _paths(
        service.name, tuple((one.method, one.path, name) for name, one in service.operations.items())
    ).get((method, path))


@cache
def _paths(_service: str, rows: tuple[tuple[str, str, str], ...]) -> dict[tuple[str, str], str]:
    """Operations by method and path; paths with members in them are of operations that are not offered."""
    return {(method, path): name for method, path, name in rows if "{" not in path}


def decode(service: Service, operation: str, body: bytes, query: str = "") -> Shape:
    """The request of `operation` in `body` and in the query; an empty body is an empty object.

    Raises:
        Serialization: `body` is not JSON in UTF-8, not an object, or has a value of the wrong type.
    """
    request = json.decode(service, operation, body)
    located = [member for member in request.MEMBERS if member.location == "querystring"]
    if not located:
        return request
    fields = fields_of(query)
    return msgspec.structs.replace(
        request, **{one.attribute: _scalar(one, fields.get(one.name)) for one in located}
    )


def _scalar(member: Member, text: str | None) -> str | int | None:
    if text is None or member.rule.kind == "string":
        return text
    try:
        return int(text)
    except ValueError:
        raise Serialization(f"{member.label} is not a number.") from None


def encode(answer: Shape | None) -> bytes:
    """The answer's body."""
    return json.encode(answer) or b"{}"


def encode_error(error: ApiError) -> bytes:
    """The body of an error: its message, and its reason where the error has one."""
    said = {"message": error.message or ""}
    reason = error.reason or _REASONS.get(error.code)
    return msgspec.json.encode(said | ({"reason": reason} if reason else {}))
