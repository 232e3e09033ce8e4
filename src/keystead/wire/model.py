"""The vocabulary of the generated shapes: what a service, an operation and a member are.

`tools/generate_wire.py` writes one module for each service under `models`, in these terms. The
validator, the encodings and redaction read them; none of them knows an operation by name.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import msgspec

Kind = Literal["string", "blob", "integer", "double", "boolean", "timestamp", "list", "map", "structure"]
Protocol = Literal["json", "query", "rest-json", "rest-xml"]
Location = Literal["", "header", "headers", "uri", "querystring", "payload", "attribute"]


class Shape(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A request, an answer or a structure within one; None is an absent member.

    No shape holds a cycle, so the collector need not look at them. A member whose values hold their own
    kind is a field without a row in MEMBERS: answers of the JSON protocol carry it, nothing else sees it.
    """

    MEMBERS: ClassVar[tuple[Member, ...]] = ()
    KEPT: ClassVar[bool] = False
    """Whether every value of this very class keeps the constraints of its members: only a decoder makes such."""

    def __repr__(self) -> str:
        """The shape's name only: members hold plaintext and secrets."""
        return f"<{type(self).__name__}>"


class Empty(Shape, frozen=True):
    """What an operation without an input shape takes."""


class Rule(msgspec.Struct, frozen=True):
    """A type with its constraints.

    Attributes:
        kind: the model's type, with `long` and `float` folded into `integer` and `double`.
        minimum: least value of a number; least length of a string (code points), blob (bytes),
            list or map (items).
        maximum: the greatest, likewise.
        pattern: a regular expression that the whole string must match.
        enum: the only strings allowed, in the model's order.
        sensitive: never to be echoed, logged or shown.
        item: a list's elements, a map's values.
        key: a map's keys.
        shape: a structure's members.
        item_name: what the Query protocol calls one element.
        flattened: the Query protocol writes elements without a list around them.
    """

    kind: Kind
    minimum: int | None = None
    maximum: int | None = None
    pattern: str | None = None
    enum: tuple[str, ...] = ()
    sensitive: bool = False
    item: Rule | None = None
    key: Rule | None = None
    shape: type[Shape] | None = None
    item_name: str = "member"
    flattened: bool = False


class Member(msgspec.Struct, frozen=True):
    """A structure's member.

    Attributes:
        attribute: its name in Python.
        name: its name on the wire.
        label: its name in validation messages and events, e.g. `keyId`.
        rule: its type.
        required: whether AWS refuses a request without it.
        location: where the REST protocols carry it; empty for an element of the body, `headers` for all
            headers whose names begin with `name`, `payload` for what is the body itself.
    """

    attribute: str
    name: str
    label: str
    rule: Rule
    required: bool = False
    location: Location = ""


class OperationShape(msgspec.Struct, frozen=True):
    """An operation: its shapes, and the names of the errors that its model lists.

    Attributes:
        result: the element around the answer in the protocols that write XML.
        method: the HTTP method (REST protocols), as everything below.
        path: the path with its members in braces, e.g. `/{Bucket}/{Key+}`.
        query: what else tells the operation apart: query parameters, e.g. `list-type=2`.
        status: the HTTP status of a success.
    """

    name: str
    input: type[Shape]
    output: type[Shape] | None
    errors: tuple[str, ...]
    result: str = ""
    method: str = ""
    path: str = ""
    query: str = ""
    status: int = 200


class Service(msgspec.Struct, frozen=True):
    """A service's operations and how they are told apart.

    Attributes:
        name: as it stands in a signature's scope and in action names, e.g. `kms`.
        protocol: the protocol that its clients speak.
        version: the API's date.
        target_prefix: what stands before the operation in X-Amz-Target (json).
        namespace: the XML namespace of its answers (query).
        operations: by name.
        errors: by name, the code and the HTTP status of errors where these are not the name and 400.
        message: what errors call their message (json).
    """

    name: str
    protocol: Protocol
    version: str
    target_prefix: str
    namespace: str
    operations: dict[str, OperationShape]
    errors: dict[str, tuple[str, int]] = {}
    message: str = "message"
