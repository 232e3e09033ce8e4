"""Whether a request keeps its model's constraints, said in AWS's own words when it does not.

The words were recorded from AWS services; element constraints name every constraint of the
element, whether broken or not, and a value's own constraints come pattern first, as AWS has them.
Values that the model calls sensitive, and all blobs, are never echoed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from itertools import islice
from typing import Any, Literal, NamedTuple

from keystead.errors import Validation
from keystead.wire.model import Member, Rule, Shape
from keystead.wire.pattern import compiled

Test = Callable[[Any], bool]
Kind = Literal["required", "greatest", "least", "longest", "shortest", "pattern", "enum", "part"]


class Constraint(NamedTuple):
    """One constraint of a value: whether it is kept, its words, and of what kind it is."""

    test: Test
    text: str
    kind: Kind


class Violation(NamedTuple):
    """A constraint that is broken, in AWS's words."""

    kind: Kind
    text: str


# A three-byte `{}` in a list can break several constraints, each worth a hundred bytes of answer:
# more than this many are not told.
MOST_TOLD = 100

_ABSENT = "Value null at '{}' failed to satisfy constraint: Member must not be null"


def validate(value: Shape) -> None:
    """None if `value` keeps every constraint of its shape, nested ones included.

    Raises:
        Validation: naming every constraint that is broken (the first hundred).
    """
    if value.KEPT or _predicate(type(value))(value):
        return
    broken = violations(value)
    noun = "error" if len(broken) == 1 else "errors"
    raise Validation(f"{len(broken)} validation {noun} detected: {'; '.join(one.text for one in broken)}")


def violations(value: Shape) -> list[Violation]:
    """Every constraint of its shape that `value` breaks, the first hundred of them."""
    if value.KEPT or _predicate(type(value))(value):
        return []
    return list(islice(_violations(value, ""), MOST_TOLD))


def broken_members(value: Shape) -> list[Member]:
    """The members of `value` that break a constraint, themselves or in what they hold, or are missing."""
    if value.KEPT or _predicate(type(value))(value):
        return []
    return [member for member in value.MEMBERS if next(_of_member(member, value, ""), None) is not None]


# ------------------------------------------------------------------------ one constraint


def _bounds(rule: Rule) -> Iterator[Constraint]:
    """The limits of a number, or of the length of anything that has one."""
    most, least = rule.maximum, rule.minimum
    if rule.kind in {"integer", "double"}:
        if most is not None:
            yield Constraint(
                lambda value: value <= most,
                f"Member must have value less than or equal to {most}",
                "greatest",
            )
        if least is not None:
            yield Constraint(
                lambda value: value >= least,
                f"Member must have value greater than or equal to {least}",
                "least",
            )
    else:
        if most is not None:
            yield Constraint(
                lambda value: len(value) <= most,
                f"Member must have length less than or equal to {most}",
                "longest",
            )
        if least:
            yield Constraint(
                lambda value: len(value) >= least,
                f"Member must have length greater than or equal to {least}",
                "shortest",
            )


def _forms(rule: Rule) -> Iterator[Constraint]:
    """The strings that are allowed."""
    if rule.pattern is not None:
        matches = compiled(rule.pattern).fullmatch
        yield Constraint(
            lambda value: matches(value) is not None,
            f"Member must satisfy regular expression pattern: {rule.pattern}",
            "pattern",
        )
    if rule.enum:
        allowed = frozenset(rule.enum)
        yield Constraint(
            lambda value: value in allowed,
            f"Member must satisfy enum value set: [{', '.join(rule.enum)}]",
            "enum",
        )


def _parts(rule: Rule) -> Iterator[Constraint]:
    """What every element of a list, every key and every value of a map must keep."""
    if rule.kind == "list" and rule.item is not None and (held := _constraints(rule.item)):
        tests, text = _together(held)
        yield Constraint(
            lambda value: all(test(item) for item in value for test in tests),
            f"Member must satisfy constraint: {text}",
            "part",
        )
    if rule.key is not None and (held := _constraints(rule.key)):
        keys, text = _together(held)
        yield Constraint(
            lambda value: all(test(key) for key in value for test in keys),
            f"Map keys must satisfy constraint: {text}",
            "part",
        )
    if rule.kind == "map" and rule.item is not None and (held := _constraints(rule.item)):
        values, text = _together(held)
        yield Constraint(
            lambda value: all(test(item) for item in value.values() for test in values),
            f"Map value must satisfy constraint: {text}",
            "part",
        )


def _together(constraints: tuple[Constraint, ...]) -> tuple[list[Test], str]:
    """The tests, and their texts as one."""
    return [one.test for one in constraints], f"[{', '.join(one.text for one in constraints)}]"


@cache
def _constraints(rule: Rule) -> tuple[Constraint, ...]:
    """A value's constraints, those of a structure within it aside."""
    return (*_bounds(rule), *_forms(rule), *_parts(rule))


def allowed(rule: Rule) -> tuple[str, ...]:
    """The strings that an enumeration allows, those aside that its other constraints do not."""
    return tuple(each for each in rule.enum if all(one.test(each) for one in _constraints(rule)))


# ----------------------------------------------------------------------- the whole shape


def _structures(rule: Rule) -> Test | None:
    """A test of the structures that a value is or holds; None if it holds none with constraints."""
    if rule.shape is not None:
        return _predicate(rule.shape) if _rows(rule.shape) else None
    inner = _structures(rule.item) if rule.item is not None else None
    if inner is None:
        return None
    if rule.kind == "map":
        return lambda value: all(map(inner, value.values()))
    return lambda value: all(map(inner, value))


@cache
def _rows(shape: type[Shape]) -> tuple[tuple[str, bool, tuple[Test, ...]], ...]:
    """Each member that can be wrong: attribute, whether it is required, tests of its value."""
    rows = []
    for member in shape.MEMBERS:
        tests = [one.test for one in _constraints(member.rule)]
        deeper = _structures(member.rule)
        tests += [deeper] if deeper is not None else []
        if tests or member.required:
            rows.append((member.attribute, member.required, tuple(tests)))
    return tuple(rows)


@cache
def _predicate(shape: type[Shape]) -> Test:
    """A quick test of a whole structure: every call that is in order takes this way only."""
    rows = _rows(shape)

    def valid(value: Shape) -> bool:
        for attribute, required, tests in rows:
            member = getattr(value, attribute)
            if member is None:
                if required:
                    return False
            else:
                for test in tests:
                    if not test(member):
                        return False
        return True

    return valid


def _violations(value: Shape, path: str) -> Iterator[Violation]:
    """What is broken in `value`, which stands at `path` (empty, or ending in a full stop)."""
    for member in value.MEMBERS:
        yield from _of_member(member, value, path)


def _of_member(member: Member, value: Shape, path: str) -> Iterator[Violation]:
    given = getattr(value, member.attribute)
    if given is not None:
        yield from _broken(member.rule, given, path + member.label)
    elif member.required:
        yield Violation("required", _ABSENT.format(path + member.label))


def _broken(rule: Rule, given: Any, where: str) -> Iterator[Violation]:
    for test, text, kind in reversed(_constraints(rule)):
        if not test(given):
            said = f"Value{_echo(rule, given)} at '{where}' failed to satisfy constraint: {text}"
            yield Violation(kind, said)
    if _structures(rule) is not None:
        yield from _within(rule, given, where)


def _within(rule: Rule, given: Any, where: str) -> Iterator[Violation]:
    """What is broken in the structures that `given` is or holds."""
    if rule.shape is not None:
        yield from _violations(given, f"{where}.")
    elif rule.item is not None:
        items = given.items() if rule.kind == "map" else enumerate(given, 1)
        for place, item in items:
            yield from _within(rule.item, item, f"{where}.{place}.member")


def _echo(rule: Rule, given: Any) -> str:
    """The value in quotes after a space, as Java prints it; nothing where it must not be seen."""
    shown = _shown(rule, given)
    return "" if shown is None else f" '{shown}'"


def _shown(rule: Rule, given: Any) -> str | None:
    if rule.sensitive or rule.kind in {"blob", "structure"}:
        return None
    if rule.item is None:
        return str(given)
    values = given.values() if rule.kind == "map" else given
    items = [_shown(rule.item, item) for item in values]
    if None in items or (rule.key is not None and rule.key.sensitive):
        return None
    if rule.kind == "map":
        return "{" + ", ".join(f"{key}={item}" for key, item in zip(given, items, strict=True)) + "}"
    return f"[{', '.join(map(str, items))}]"
