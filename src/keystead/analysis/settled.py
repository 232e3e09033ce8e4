"""Policies where some condition keys have known values: what that decides of them is decided, once per policy.

A condition that always holds goes, a statement with one that never holds goes, and a variable becomes its value. So both
sides of a change of tags can be compared as two policies. What the evaluator says of a request stays with the policies
as they are written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

import msgspec

from keystead.analysis.space import has_variables
from keystead.analysis.variables import literal
from keystead.policy import variables
from keystead.policy.compiled import CompiledPolicy, compile_policy, split_resource
from keystead.policy.condition import compile_condition, split
from keystead.policy.document import Condition, Statement
from keystead.policy.request import Principal, Value

_RESOURCE: Final = "aws:resourcetag/"
_CALLER: Final = "aws:principaltag/"
_TEXTS: Final = ("String", "Arn")
_EQUAL: Final = {
    "StringEquals": "StringEquals", "StringLike": "StringEquals",
    "StringNotEquals": "StringNotEquals", "StringNotLike": "StringNotEquals",
}  # fmt: skip
"""What says of two texts, none a pattern, what an operator says of a text and a variable's value."""
_MOST_SETTLED: Final = 4096


class Known(msgspec.Struct, frozen=True):
    """Families of condition keys of which all is known: keys in `values`, by lower-case name, are there, no others."""

    families: tuple[str, ...] = ()
    values: tuple[tuple[str, str], ...] = ()

    def get(self, key: str, /) -> Value | None:
        """The value of a key."""
        return dict(self.values).get(key)

    def speaks_of(self, key: str) -> bool:
        """Whether the value of a key is known, or that it is absent."""
        return key.startswith(self.families)


def known_tags(resource: Mapping[str, str] | None, caller: Principal | None = None) -> Known:
    """What tags tell: those of the resource, None if they are not known, and those of a caller whose tags are."""
    families, values = list[str](), dict[str, str]()
    if resource is not None:
        families.append(_RESOURCE)
        values |= {_RESOURCE + key.lower(): value for key, value in resource.items()}
    if caller is not None:
        families.append(_CALLER)
        values |= {_CALLER + key.lower(): value for key, value in caller.tags.items()}
    return Known(tuple(families), tuple(sorted(values.items())))


@lru_cache(_MOST_SETTLED)
def settled(policy: CompiledPolicy, known: Known) -> CompiledPolicy:
    """The policy with what is known decided; itself where it speaks of nothing that is known."""
    if not any(map(known.speaks_of, mentioned(policy))):
        return policy
    flag = has_variables(policy)
    written = policy.document.statements
    found = [_statement(one, known, with_variables=flag) for one in written]
    statements = tuple(old if new is None else new for new, old in zip(found, written, strict=True))
    made = compile_policy(
        msgspec.structs.replace(policy.document, statements=statements), policy.name, policy.bound
    )
    left = tuple(one for one in made.statements if found[one.index] is not None)
    return CompiledPolicy(left, made.name, made.document, made.bound)


def asked_for(policies: Iterable[CompiledPolicy], known: Known) -> dict[str, Value | None]:
    """The keys of which all is known that the policies speak of, with their values, None for those that are absent."""
    keys = frozenset[str]().union(*map(mentioned, policies))
    return {key: known.get(key) for key in sorted(keys) if known.speaks_of(key)}


@lru_cache(_MOST_SETTLED)
def mentioned(policy: CompiledPolicy) -> frozenset[str]:
    """The condition keys that the policy speaks of, by lower-case name."""
    written = policy.document.statements
    conditions = [one for statement in written for one in statement.conditions]
    texts = [value for one in conditions for value in one.values]
    texts += [entry for one in written for entry in (*(one.resources or ()), *(one.not_resources or ()))]
    named = (variable.key for text in texts for variable in _variables(text))
    return frozenset((*(one.key.lower() for one in conditions), *named))


# -------------------------------------------------------------------------- statements


def _statement(statement: Statement, known: Known, *, with_variables: bool) -> Statement | None:
    """The statement where this is known, None if it never matches."""
    conditions = list[Condition]()
    for one in statement.conditions:
        told = _turned(_substituted(one, known), known) if with_variables else one
        holds = _decided(told, known, with_variables=with_variables)
        if holds is False:
            return None
        if holds is None:
            conditions.append(told)
    resources = _resources(statement.resources, known) if with_variables else statement.resources
    return msgspec.structs.replace(statement, conditions=tuple(conditions), resources=resources)


def _decided(condition: Condition, known: Known, *, with_variables: bool) -> bool | None:
    """Whether the condition holds; None if more must be known for that."""
    if not known.speaks_of(condition.key.lower()):
        return None
    there = known.get(condition.key.lower()) is not None
    if there and with_variables and _is_text(condition) and any(map(_variables, condition.values)):
        return None
    return compile_condition(condition, with_variables=with_variables)(known)


def _substituted(condition: Condition, known: Known) -> Condition:
    """The condition with values in place of variables; a value with one that has none is like no text."""
    if not _is_text(condition):
        return condition
    wild = "Equals" not in condition.operator or "Arn" in condition.operator
    told = (_told(value, known, wild=wild) for value in condition.values)
    return msgspec.structs.replace(condition, values=tuple(value for value in told if value is not None))


def _turned(condition: Condition, known: Known) -> Condition:
    """A known value that is to equal a variable's, as the variable's key that is to equal the value."""
    value, parts = known.get(condition.key.lower()), split(condition.operator)
    if value is None or parts is None or parts[0] or parts[1] not in _EQUAL or len(condition.values) != 1:
        return condition
    template = variables.parse(condition.values[0], wild=True)
    (only, *others) = template or ("",)
    if others or not isinstance(only, variables.Variable) or only.default is not None:
        return condition
    return Condition(_EQUAL[parts[1]], only.key, (literal(str(value)),))


def _is_text(condition: Condition) -> bool:
    parts = split(condition.operator)
    return parts is not None and parts[1].startswith(_TEXTS)


def _resources(entries: tuple[str, ...] | None, known: Known) -> tuple[str, ...] | None:
    if entries is None or not any(map(_variables, entries)):
        return entries
    parts = (split_resource(entry) for entry in entries)
    told = ((head, _told(tail, known, wild=True)) for head, tail in parts)
    return tuple(head + tail for head, tail in told if tail is not None)


def _told(text: str, known: Known, *, wild: bool) -> str | None:
    """The text with known variables replaced, None if one of them has no value."""
    if not any(known.speaks_of(one.key) for one in _variables(text)):
        return text
    parts = [_part(part, known) for part in variables.parse(text, wild=wild)]
    return None if None in parts else "".join(filter(None, parts))


def _part(part: str | int | variables.Variable, known: Known) -> str | None:
    if not isinstance(part, variables.Variable):
        return literal(part)
    if not known.speaks_of(part.key):
        return variables.written(part)
    value = variables.resolve(part, known)
    return None if value is None else literal(value)


def _variables(text: str) -> list[variables.Variable]:
    parts = variables.parse(text, wild=True) if "${" in text else ()
    return [part for part in parts if isinstance(part, variables.Variable)]
