"""Condition operators as what they tell apart, and the values of a key that matter.

The twin of `policy.condition`. What an operator means is asked of the enforcing one: here stands only which
texts have to be tried, so that no other text could be judged differently.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, Literal

import msgspec

from keystead import arn
from keystead.analysis import pattern, scalars
from keystead.analysis.budget import Budget
from keystead.analysis.condition_keys import Kind
from keystead.analysis.pattern import Glob
from keystead.errors import Undecided
from keystead.policy import variables
from keystead.policy.condition import Check, compile_condition, split
from keystead.policy.document import Condition
from keystead.policy.pattern import Tokens
from keystead.policy.request import Value
from keystead.policy.scalars import date, number

Family = Literal["text", "number", "date", "bool", "binary", "ip"]


class Test(msgspec.Struct, frozen=True):
    """One condition of a statement, and whether `${…}` in it are variables."""

    condition: Condition
    with_variables: bool

    @property
    def key(self) -> str:
        """The condition key in lower case."""
        return self.condition.key.lower()

    @property
    def check(self) -> Check:
        """What the enforcing evaluator asks of a context."""
        return compile_condition(self.condition, with_variables=self.with_variables)


class Told(msgspec.Struct, frozen=True):
    """What a test tells apart: texts by themselves, patterns, or the values of a family."""

    known: tuple[str, ...] = ()
    globs: tuple[Glob, ...] = ()


class Twin(msgspec.Struct, frozen=True):
    """How one operator tells values apart."""

    family: Family
    tells: Callable[[Tokens], Told] = lambda _tokens: Told()
    wild: bool = False


def _exactly(tokens: Tokens) -> Told:
    return Told(known=("".join(map(str, tokens)),))


def _ignoring_case(tokens: Tokens) -> Told:
    return Told(globs=(pattern.folded("".join(map(str, tokens))),))


def _like(tokens: Tokens) -> Told:
    return _exactly(tokens) if _is_text(tokens) else Told(globs=(pattern.glob(tokens),))


def _arn_like(tokens: Tokens) -> Told:
    if _is_text(tokens):
        return _exactly(tokens)
    found = pattern.arn(tokens)
    return Told() if found is None else Told(globs=(found,))


def _is_text(tokens: Tokens) -> bool:
    return all(isinstance(token, str) for token in tokens)


_SCALARS: Final[tuple[tuple[str, Family], ...]] = (("Numeric", "number"), ("Date", "date"))
_EXACT: Final = Twin("text", _exactly)
_CASELESS: Final = Twin("text", _ignoring_case)
_LIKE: Final = Twin("text", _like, wild=True)
_ARN: Final = Twin("text", _arn_like, wild=True)
_IP: Final = Twin("ip")

OPERATORS: Final[dict[str, Twin]] = {
    "StringEquals": _EXACT,
    "StringNotEquals": _EXACT,
    "StringEqualsIgnoreCase": _CASELESS,
    "StringNotEqualsIgnoreCase": _CASELESS,
    "StringLike": _LIKE,
    "StringNotLike": _LIKE,
    "ArnEquals": _ARN,
    "ArnLike": _ARN,
    "ArnNotEquals": _ARN,
    "ArnNotLike": _ARN,
    "Bool": Twin("bool"),
    "BinaryEquals": Twin("binary"),
    "IpAddress": _IP,
    "NotIpAddress": _IP,
} | {
    f"{name}{relation}": Twin(family)
    for name, family in _SCALARS
    for relation in (
        "Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals",
    )
}  # fmt: skip
"""Every operator but `Null`, as in `policy.condition`."""


def open_variables(test: Test) -> bool:
    """Whether a value of the test holds a variable, so that it tells more than one key."""
    parts = split(test.condition.operator)
    if not test.with_variables or parts is None or OPERATORS[parts[1]].family != "text":
        return False
    return any(
        variables.tokens_without_variables(variables.parse(value, wild=True)) is None
        for value in test.condition.values
    )


def tells(test: Test) -> tuple[Family | None, Told]:
    """The family of the test's operator (None for `Null` and unknown ones), and what it tells apart."""
    parts = split(test.condition.operator)
    if parts is None:
        return None, Told()
    twin = OPERATORS[parts[1]]
    if twin.family != "text":
        return twin.family, Told()
    told = [twin.tells(_tokens(value, test.with_variables, twin.wild)) for value in test.condition.values]
    return "text", Told(
        tuple(known for one in told for known in one.known), tuple(glob for one in told for glob in one.globs)
    )


def _tokens(value: str, with_variables: bool, wild: bool) -> Tokens:
    if not with_variables:
        return variables.plain(value, wild=wild)
    tokens = variables.tokens_without_variables(variables.parse(value, wild=wild))
    assert tokens is not None  # tests with variables are not asked
    return tokens


# ------------------------------------------------------------------------------ values


def values(
    kind: Kind, tests: Sequence[Test], budget: Budget, hints: Iterable[str] = ()
) -> list[Value | None]:
    """The values of one key that matter for the tests, the absent one (None) first.

    Raises:
        Undecided: they cannot be told, or are too many.
    """
    singles = [*hints, *_singles(kind, tests, budget)]
    found: list[Value | None] = [None]
    if kind.single:
        found += singles
    if kind.multi:
        found += _sets(singles, tests, budget)
    return found


def _singles(kind: Kind, tests: Sequence[Test], budget: Budget) -> list[str]:
    """The texts that matter."""
    told = [tells(test) for test in tests]
    families = {family for family, _ in told if family is not None}
    known = frozenset(text for _, one in told for text in one.known)
    globs = tuple(dict.fromkeys(one.globs for _, one in told if one.globs))
    given = [value for test in tests for value in test.condition.values]
    if kind.type in ("string", "arn", None):
        return _texts(kind, families, known, globs, given, budget)
    if kind.type == "bool":
        return [*scalars.BOOLEANS]
    if globs:
        raise Undecided(
            f"{kind.name} holds {_TYPES[kind.type]}, and a policy compares it with a text pattern."
        )
    return _TYPED[kind.type](kind, given, known)


_TYPES: Final = {"number": "a number", "date": "a date", "ip": "an address"}


def _numbers(_kind: Kind, given: Sequence[str], known: frozenset[str]) -> list[str]:
    return [*(text for text in known if number(text) is not None), *scalars.numbers(given, known)]


def _dates(kind: Kind, given: Sequence[str], known: frozenset[str]) -> list[str]:
    own = [text for text in known if date(text) is not None]
    return [*own, *(scalars.epochs if kind.name == "aws:EpochTime" else scalars.dates)(given, known)]


def _addresses(_kind: Kind, given: Sequence[str], _known: frozenset[str]) -> list[str]:
    return scalars.addresses(given)


_TYPED: Final[dict[str, Callable[[Kind, Sequence[str], frozenset[str]], list[str]]]] = {
    "number": _numbers,
    "date": _dates,
    "ip": _addresses,
}


def _texts(
    kind: Kind,
    families: set[Family],
    known: frozenset[str],
    globs: tuple[tuple[Glob, ...], ...],
    given: Sequence[str],
    budget: Budget,
) -> list[str]:
    """For keys that hold text, or of which nobody knows what they hold."""
    others = families - {"text"}
    if others and (globs or len(others) > 1):
        raise Undecided(f"Policies compare {kind.name} both as text and as another type of value.")
    found = pattern.texts(globs, _arns(known) if kind.type == "arn" else known, budget, within=kind.within)
    if kind.type != "arn":
        found += [text for family in others for text in _of_family(family, given, known)]
    return found


def _arns(known: Iterable[str]) -> frozenset[str]:
    return frozenset(text for text in known if arn.split(text) is not None)


def _of_family(family: Family, given: Sequence[str], known: frozenset[str]) -> list[str]:
    rest = _OF_FAMILY[family](given, known)
    return [*rest, scalars.NO_SCALAR]


_OF_FAMILY: Final[dict[Family, Callable[[Sequence[str], frozenset[str]], Sequence[str]]]] = {
    "number": scalars.numbers,
    "date": scalars.epochs,
    "bool": lambda _given, _known: scalars.BOOLEANS,
    "binary": lambda given, _known: given,
    "ip": lambda given, _known: scalars.addresses(given),
}


# -------------------------------------------------------------------------------- sets


def _sets(members: Sequence[str], tests: Sequence[Test], budget: Budget) -> list[Value | None]:
    """Lists of values, one for each way in which the tests' set operators can judge a list.

    A list is judged by which tests some member passes and which all do; both are known when a member is added.
    """
    checks = [test.check for test in tests]
    atoms: dict[int, str] = {}
    for member in members:
        budget.spend(len(checks))
        judged = sum(
            check({test.key: (member,)}) << bit
            for bit, (test, check) in enumerate(zip(tests, checks, strict=True))
        )
        atoms.setdefault(judged, member)
    found: dict[tuple[int, int], tuple[str, ...]] = {
        (bits, bits): (member,) for bits, member in atoms.items()
    }
    order = list(found)
    for some, every in order:  # the list grows while it is walked
        budget.spend(len(atoms))
        for bits, member in atoms.items():
            after = (some | bits, every & bits)
            if after not in found:
                found[after] = (*found[some, every], member)
                order.append(after)
    return list(found.values())
