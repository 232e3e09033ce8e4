"""Condition operators: one row each, compiled to a function of the request context.

All conditions of a statement must hold. Values of one key are alternatives for a positive operator; a
negated one asks that the request's value differ from all of them. Source: IAM User Guide, "IAM JSON
policy elements: Condition operators" and "Set operators for multivalued context keys".
"""

from __future__ import annotations

import operator as compare
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from keystead.policy import pattern, scalars, variables
from keystead.policy.document import Condition
from keystead.policy.request import Context, Value

Check = Callable[[Context], bool]
Test = Callable[[str, Context], bool]
"""Whether one value of the request satisfies an operator and its policy values."""
Build = Callable[[Sequence[str], bool], Test]
"""Makes a test from policy values; the flag tells whether `${…}` in them are variables."""


class Operator(msgspec.Struct, frozen=True):
    """How an operator tests one value, and whether it holds when the key is absent."""

    build: Build
    negated: bool = False


def compile_condition(condition: Condition, *, with_variables: bool) -> Check:
    """A function that tells whether the condition holds in a context."""
    key = condition.key.lower()
    if condition.operator == "Null":
        return _null(key, condition.values)
    parts = split(condition.operator)
    if parts is None:
        return _never
    quantifier, name, if_exists = parts
    row = OPERATORS[name]
    test = row.build(condition.values, with_variables)
    return _QUANTIFIERS[quantifier](key, test, if_exists, row.negated)


def split(operator: str) -> tuple[str, str, bool] | None:
    """The set operator (or ""), the base operator and whether `IfExists` follows; None if unknown.

    `Null` is not among them: it takes neither prefix nor suffix.
    """
    quantifier, colon, name = operator.rpartition(":")
    base = name.removesuffix("IfExists")
    if base not in OPERATORS or quantifier not in _QUANTIFIERS or (colon and not quantifier):
        return None
    return quantifier, base, base != name


# ------------------------------------------------------------------------ set operators


def _never(_context: Context) -> bool:
    return False


def _single(key: str, test: Test, if_exists: bool, negated: bool) -> Check:
    absent = if_exists or negated

    def check(context: Context) -> bool:
        value = context.get(key)
        if value is None:
            return absent
        # A multi-valued key without a set operator satisfies nothing, negated operators included.
        return isinstance(value, str) and test(value, context)

    return check


def _for_all(key: str, test: Test, _if_exists: bool, _negated: bool) -> Check:
    def check(context: Context) -> bool:
        return all(test(value, context) for value in _members(context.get(key)))

    return check


def _for_any(key: str, test: Test, if_exists: bool, _negated: bool) -> Check:
    def check(context: Context) -> bool:
        value = context.get(key)
        if value is None:
            return if_exists
        return any(test(member, context) for member in _members(value))

    return check


def _members(value: Value | None) -> Sequence[str]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else value


_QUANTIFIERS: Final[dict[str, Callable[[str, Test, bool, bool], Check]]] = {
    "": _single,
    "ForAllValues": _for_all,
    "ForAnyValue": _for_any,
}


def _null(key: str, values: Sequence[str]) -> Check:
    """`"true"` asks that the key be absent, `"false"` that it be present (an empty list is)."""
    wanted = {value.lower() for value in values}

    def check(context: Context) -> bool:
        return ("true" if context.get(key) is None else "false") in wanted

    return check


# --------------------------------------------------------------- text and ARN operators


def _exactly(values: Sequence[str], with_variables: bool) -> Test:
    return _equal(values, with_variables, str)


def _ignoring_case(values: Sequence[str], with_variables: bool) -> Test:
    return _equal(values, with_variables, str.lower)


def _equal(values: Sequence[str], with_variables: bool, fold: Callable[[str], str]) -> Test:
    fixed, templates = _parted(values, with_variables, wild=False)
    known = frozenset(fold("".join(map(str, tokens))) for tokens in fixed)
    if not templates:
        return lambda value, _context: fold(value) in known

    def test(value: str, context: Context) -> bool:
        folded = fold(value)
        expanded = (variables.expand(template, context) for template in templates)
        return folded in known or any(
            tokens is not None and fold("".join(map(str, tokens))) == folded for tokens in expanded
        )

    return test


def _patterned(compile_tokens: Callable[[pattern.Tokens], pattern.Match]) -> Build:
    def build(values: Sequence[str], with_variables: bool) -> Test:
        fixed, templates = _parted(values, with_variables, wild=True)
        matches = tuple(map(compile_tokens, fixed))
        if not templates:
            return _any_of(matches)

        def test(value: str, context: Context) -> bool:
            expanded = (variables.expand(template, context) for template in templates)
            return any(match(value) for match in matches) or any(
                tokens is not None and compile_tokens(tokens)(value) for tokens in expanded
            )

        return test

    return build


def _any_of(matches: tuple[pattern.Match, ...]) -> Test:
    if len(matches) == 1:
        only = matches[0]
        return lambda value, _context: only(value)
    return lambda value, _context: any(match(value) for match in matches)


def _parted(
    values: Sequence[str], with_variables: bool, *, wild: bool
) -> tuple[list[pattern.Tokens], list[variables.Template]]:
    """The values without variables as tokens, and the others as templates."""
    if not with_variables:
        return [variables.plain(value, wild=wild) for value in values], []
    templates = [variables.parse(value, wild=wild) for value in values]
    fixed = [variables.tokens_without_variables(template) for template in templates]
    open_ones = [template for template, tokens in zip(templates, fixed, strict=True) if tokens is None]
    return [tokens for tokens in fixed if tokens is not None], open_ones


def _differing(build: Build) -> Build:
    """The negation: a value that cannot be resolved or compared counts as different."""

    def build_negated(values: Sequence[str], with_variables: bool) -> Test:
        test = build(values, with_variables)
        return lambda value, context: not test(value, context)

    return build_negated


# --------------------------------------------------------------------- other operators


def _ordered(parse: Callable[[str], Any], holds: Callable[[Any, Any], bool]) -> Build:
    """Request value, relation, policy value; what cannot be parsed satisfies nothing."""
    together = all if holds is compare.ne else any

    def build(values: Sequence[str], _with_variables: bool) -> Test:
        limits = tuple(map(parse, values))

        def test(value: str, _context: Context) -> bool:
            parsed = parse(value)
            return parsed is not None and together(
                limit is not None and holds(parsed, limit) for limit in limits
            )

        return test

    return build


def _in_network(values: Sequence[str], _with_variables: bool) -> Test:
    networks = [network for network in map(scalars.network, values) if network is not None]

    def test(value: str, _context: Context) -> bool:
        address = scalars.address(value)
        return address is not None and any(address in network for network in networks)

    return test


_RELATIONS: Final = {
    "Equals": compare.eq,
    "NotEquals": compare.ne,
    "LessThan": compare.lt,
    "LessThanEquals": compare.le,
    "GreaterThan": compare.gt,
    "GreaterThanEquals": compare.ge,
}
_LIKE: Final = _patterned(pattern.matcher)
_ARN: Final = _patterned(pattern.arn_matcher)

OPERATORS: Final[dict[str, Operator]] = {
    "StringEquals": Operator(_exactly),
    "StringNotEquals": Operator(_differing(_exactly), negated=True),
    "StringEqualsIgnoreCase": Operator(_ignoring_case),
    "StringNotEqualsIgnoreCase": Operator(_differing(_ignoring_case), negated=True),
    "StringLike": Operator(_LIKE),
    "StringNotLike": Operator(_differing(_LIKE), negated=True),
    "ArnEquals": Operator(_ARN),
    "ArnLike": Operator(_ARN),
    "ArnNotEquals": Operator(_differing(_ARN), negated=True),
    "ArnNotLike": Operator(_differing(_ARN), negated=True),
    "Bool": Operator(_ordered(scalars.boolean, compare.eq)),
    "BinaryEquals": Operator(_ordered(scalars.binary, compare.eq)),
    "IpAddress": Operator(_in_network),
    "NotIpAddress": Operator(_differing(_in_network), negated=True),
} | {
    family + relation: Operator(_ordered(parse, holds), negated=relation == "NotEquals")
    for family, parse in (("Numeric", scalars.number), ("Date", scalars.date))
    for relation, holds in _RELATIONS.items()
}
"""Every operator but `Null`, by its name without set operator and `IfExists`."""
