"""Shapes whose constraints the decoder keeps while it reads, so that a request in order is not looked at twice.

What a rule means stands in `validate`; here the same rules are said in msgspec's terms. What breaks one is read again as
the plain shape, and `validate` finds the words for it.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Annotated, Any, Final, Literal

import msgspec

from keystead.wire.model import Member, Rule, Shape
from keystead.wire.pattern import compiled
from keystead.wire.validate import allowed

_SCALARS: Final[dict[str, Any]] = {
    "string": str,
    "blob": bytes,
    "integer": int,
    "double": float,
    "boolean": bool,
    "timestamp": float,
}
_FLAGS: Final = re.compile(r"((?:\(\?[a-z]+\))?)(.*)", re.DOTALL)
"""Flags of an expression stand before everything, and the rest of it."""


@cache
def kept(shape: type[Shape]) -> type[Shape]:
    """The shape as its values are when they keep every constraint, nested ones included."""
    made: type[Any] = msgspec.defstruct(
        shape.__name__,
        [_field(member) for member in shape.MEMBERS],
        bases=(shape,),
        namespace={"KEPT": True},
        module=shape.__module__,
        frozen=True,
        kw_only=True,
    )
    return made


def _field(member: Member) -> tuple[str, Any, Any]:
    """The member's name in Python, the type of its values, and how it is read."""
    kind = _kept_type(member.rule)
    if member.required:
        return member.attribute, kind, msgspec.field(name=member.name)
    return member.attribute, kind | None, msgspec.field(default=None, name=member.name)


def _kept_type(rule: Rule) -> Any:
    """The type whose values keep the rule."""
    if rule.enum:
        return Literal[allowed(rule)]
    limits = _limits(rule)
    return Annotated[_base(rule), limits] if limits is not None else _base(rule)


def _base(rule: Rule) -> Any:
    """The type without the value's own limits."""
    if rule.shape is not None:
        return kept(rule.shape)
    if rule.kind == "list":
        assert rule.item is not None
        return list[_kept_type(rule.item)]  # type: ignore[misc]  # a type that is made here
    if rule.kind == "map":
        assert rule.key is not None
        assert rule.item is not None
        return dict[_kept_type(rule.key), _kept_type(rule.item)]  # type: ignore[misc]  # the same
    return _SCALARS[rule.kind]


def _limits(rule: Rule) -> msgspec.Meta | None:
    """The value's own limits, None if it has none."""
    least, most = rule.minimum, rule.maximum
    if rule.kind in {"integer", "double"}:
        return msgspec.Meta(ge=least, le=most) if (least, most) != (None, None) else None
    if (least, most, rule.pattern) == (None, None, None):
        return None
    return msgspec.Meta(min_length=least, max_length=most, pattern=_whole(rule.pattern))


def _whole(pattern: str | None) -> str | None:
    """The model's expression for msgspec, which looks for it anywhere."""
    if pattern is None:
        return None
    expression = compiled(pattern)
    ascii_only = "(?a)" if expression.flags & re.ASCII else ""
    flags, text = _FLAGS.fullmatch(expression.pattern).groups()  # type: ignore[union-attr]  # it matches every text
    return rf"{ascii_only}{flags}\A(?:{text})\Z"
