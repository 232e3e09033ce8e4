"""Policy variables: what a value with a variable can become at most.

The twin of `policy.variables`. A condition or resource with a variable counts as free (true or false as it may be),
but for one thing that is certain: what matches it also matches it with a star in place of each variable.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from keystead.policy import variables
from keystead.policy.compiled import split_resource
from keystead.policy.condition import split
from keystead.policy.document import Condition
from keystead.policy.pattern import ANY, ONE

_LITERAL: Final = str.maketrans({"$": "${$}", "*": "${*}", "?": "${?}"})
_WILD: Final = {ANY: "*", ONE: "?"}
_FOLDING: Final = "IgnoreCase"


def widest(value: str, *, wild: bool) -> str:
    """The value with a star in place of each variable; `wild`: other wild cards in it act."""
    return "".join(map(_part, variables.parse(value, wild=wild)))


def _part(part: str | int | variables.Variable) -> str:
    return "*" if isinstance(part, variables.Variable) else literal(part)


def literal(part: str | int) -> str:
    """A part of a template that is no variable, as a policy that has variables would spell it."""
    return part.translate(_LITERAL) if isinstance(part, str) else _WILD[part]


def relaxed(condition: Condition) -> tuple[Condition, bool] | None:
    """A condition without variables that holds for all values that match, and what the other says where it does not.

    None for conditions on lists, and for those that ignore case.
    """
    parts = split(condition.operator)
    if parts is None or parts[0] or _FOLDING in parts[1]:
        return None
    wild = "Equals" not in parts[1] or parts[1].startswith("Arn")
    values = tuple(widest(value, wild=wild) for value in condition.values)
    return Condition("StringLike", condition.key, values), "Not" in parts[1]


def widest_resources(entries: Iterable[str]) -> tuple[str, ...]:
    """Resource entries with a star in place of each variable."""
    return tuple(_widest_resource(entry) for entry in entries)


def _widest_resource(entry: str) -> str:
    head, tail = split_resource(entry)
    return head + widest(tail, wild=True)
