"""The space of requests that some policies tell apart: its dimensions, and in each the classes of values.

Dimensions are the caller, the action, the resource, and each condition key that a policy names. Of each class one
value stands for all, chosen so that no statement at hand judges any other value of the class differently.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, Generic, TypeVar

import msgspec

from keystead.analysis import actions, condition_keys, principal, resources
from keystead.analysis.budget import Budget
from keystead.analysis.condition import Test, open_variables, values
from keystead.analysis.condition_keys import CALLER_KEYS, absent_for, has_key, kind, of_caller
from keystead.analysis.resources import ResourceTest
from keystead.analysis.solver import Box, Part, part
from keystead.analysis.variables import relaxed, widest_resources
from keystead.policy.compiled import CompiledPolicy, CompiledStatement
from keystead.policy.document import Condition, PrincipalElement, Statement
from keystead.policy.request import Principal, PrincipalType, Value
from keystead.policy.variables import VERSION_WITH_VARIABLES

T = TypeVar("T")
Probe = Callable[[Principal], int]

CALLER: Final = 0
ACTION: Final = 1
RESOURCE: Final = 2


class Universe(msgspec.Struct, frozen=True, kw_only=True):
    """Which requests there are.

    Attributes:
        kms_only: actions and resources of AWS KMS only, as a key policy knows them.
        resource: the one resource that there is, if it is known.
        callers: the callers that there are, if they are known; else anybody, `hints` first.
        known: condition keys whose value is known (None: absent).
        facts: condition keys that every request has besides, which the policies have been settled for.
        types: the types of callers that there are.
        strict: a condition key is absent where the server never gives it, by action.
        described: condition keys that have this value wherever the server gives them (None: it never does); of `strict`.
    """

    kms_only: bool = False
    resource: str | None = None
    callers: tuple[Principal, ...] | None = None
    hints: tuple[Principal, ...] = ()
    known: Mapping[str, Value | None] = {}
    facts: Mapping[str, Value] = {}
    types: tuple[PrincipalType, ...] = condition_keys.CALLER_TYPES
    strict: bool = False
    described: Mapping[str, Value | None] = {}


class Classes(Generic[T]):
    """The classes of one dimension: members of each (the first stands for it), and how each test judges them."""

    __slots__ = ("_judged", "members")

    def __init__(
        self, candidates: Iterable[T], tests: Sequence[Callable[[T], int]], budget: Budget, compared: int = 0
    ) -> None:
        """`compared` is how many values of policies the tests hold."""
        found: dict[tuple[int, ...], list[T]] = {}
        for candidate in candidates:
            budget.spend(1 + len(tests) // 3 + compared // 6)
            found.setdefault(tuple([test(candidate) for test in tests]), []).append(candidate)
        self.members = list(found.values())
        self._judged = list(found)

    @property
    def full(self) -> int:
        """All classes."""
        return (1 << len(self.members)) - 1

    def where(self, test: int, holds: Callable[[int], object] = bool) -> int:
        """The classes of which the test's judgement is such."""
        return sum(1 << index for index, judged in enumerate(self._judged) if holds(judged[test]))


def tests_of(statement: Statement, *, with_variables: bool) -> list[Test]:
    """The conditions of a statement."""
    return [Test(condition, with_variables) for condition in statement.conditions]


def has_variables(policy: CompiledPolicy) -> bool:
    """Whether `${…}` in the policy's values are variables."""
    return policy.document.version == VERSION_WITH_VARIABLES


class Space:
    """The dimensions for some policies.

    A question adds `probes` (tests), `caller_probes`, `elements` that name callers, and actions to tell from others
    (`acting`, in lower case).
    """

    def __init__(
        self,
        policies: Sequence[CompiledPolicy],
        universe: Universe,
        budget: Budget,
        *,
        probes: Sequence[Test] = (),
        caller_probes: Sequence[Probe] = (),
        elements: Sequence[PrincipalElement] = (),
        acting: frozenset[str] = frozenset(),
    ) -> None:
        self.universe = universe
        self._budget = budget
        rows = [(policy, one) for policy in policies for one in policy.statements]
        written = [(policy.document.statements[one.index], has_variables(policy)) for policy, one in rows]
        found = [test for statement, flag in written for test in tests_of(statement, with_variables=flag)]
        tests = list(dict.fromkeys([*found, *probes]))
        self.open_tests = [test for test in tests if open_variables(test)]
        self._relaxed = self._bounds(tests)
        bounds = [Test(wider, with_variables=True) for wider, _ in self._relaxed.values()]
        closed = list(dict.fromkeys([*(test for test in tests if not open_variables(test)), *bounds]))
        self._keys(closed)
        self._callers(rows, [test for test in closed if test.key in CALLER_KEYS], caller_probes, elements)
        self._actions(rows, acting)
        self._resources(written)
        self.names = [*self.keys, *self.open_tests, *self.open_resources]
        self.place = {name: index for index, name in enumerate(self.names, RESOURCE + 1)}
        self.full: Box = (
            self.callers.full, self.actions.full, self.resources.full,
            *(classes.full for classes in self.keys.values()),
            *(0b11 for _ in (*self.open_tests, *self.open_resources)),
        )  # fmt: skip
        self.impossible = [
            *self._absent_by_caller(),
            *self._absent_by_action(),
            *self._absent_open(),
            *self._bounded(),
        ]

    # ------------------------------------------------------------------- dimensions

    def _keys(self, tests: Sequence[Test]) -> None:
        """A dimension for each key, those that only open tests name included."""
        by_key: dict[str, list[Test]] = {test.key: [] for test in (*tests, *self.open_tests)}
        for test in tests:
            by_key[test.key].append(test)
        self.keys: dict[str, Classes[Value | None]] = {}
        self._key_tests: dict[Test, int] = {}
        for key, own in by_key.items():
            if key in CALLER_KEYS:
                continue
            self._key_tests |= {test: index for index, test in enumerate(own)}
            checks = [_on_value(test) for test in own]
            self.keys[key] = Classes(
                self._values(key, own),
                [*checks, lambda value: value is None],
                self._budget,
                sum(map(_compared, own)) // 3,  # quicker than what tells callers apart
            )

    def _values(self, key: str, own: Sequence[Test]) -> list[Value | None]:
        if key in self.universe.known:
            return [self.universe.known[key]]
        if key in self.universe.described:
            return [*dict.fromkeys((self.universe.described[key], None))]
        operators = [test.condition.operator for test in own]
        return values(kind(key, operators), own, self._budget, condition_keys.examples(key))

    def _callers(
        self,
        rows: Sequence[tuple[CompiledPolicy, CompiledStatement]],
        tests: Sequence[Test],
        probes: Sequence[Probe],
        elements: Sequence[PrincipalElement],
    ) -> None:
        written = [policy.document.statements[one.index] for policy, one in rows]
        named = [element for one in written for element in (one.principal, one.not_principal) if element]
        given = self.universe.callers
        candidates: Sequence[Principal] = given if given is not None else principal.callers(
            principal.named([*named, *elements]), tests, self._budget, self.universe.hints
        )  # fmt: skip
        candidates = [one for one in candidates if one.type in self.universe.types or one.type == "role"]
        checks = [test.check for test in tests]
        self._caller_tests = {test: index for index, test in enumerate(tests)}
        offset = len(tests)
        self._namings = {id(one): offset + index for index, (_, one) in enumerate(rows)}
        offset += len(rows)
        self.caller_probes = range(offset, offset + len(probes))
        self._types = offset + len(probes)
        judges: list[Probe] = [
            *(_on_caller(check) for check in checks), *(one.name for _, one in rows), *probes, _type_number,
        ]  # fmt: skip
        self.callers = Classes(candidates, judges, self._budget, sum(map(_compared, tests)))

    def _actions(
        self, rows: Sequence[tuple[CompiledPolicy, CompiledStatement]], acting: frozenset[str]
    ) -> None:
        written = [policy.document.statements[one.index] for policy, one in rows]
        found = actions.actions(written, self._budget, kms_only=self.universe.kms_only)
        self._action_tests = {id(one): index for index, (_, one) in enumerate(rows)}
        strict = [key for key in self.keys if self.universe.strict]
        place = self.universe.resource or resources.EXAMPLE
        self._having = {key: len(rows) + index for index, key in enumerate(strict)}
        judges: list[Callable[[str], int]] = [one.action for _, one in rows]
        judges += [_can_have(key, place) for key in strict]
        judges.append(lambda action: action in acting)
        judges.append(lambda action: action.startswith("kms:"))
        self.actions = Classes(dict.fromkeys(found), judges, self._budget)
        self.acting = self.actions.where(len(judges) - 2)
        self.of_kms = self.actions.where(len(judges) - 1)

    def _resources(self, written: Sequence[tuple[Statement, bool]]) -> None:
        tests = list(
            dict.fromkeys(ResourceTest(one.resources, one.not_resources, flag) for one, flag in written)
        )
        self.open_resources = [test for test in tests if test.has_open_variables]
        self._wider = {
            test: ResourceTest(widest_resources(test.listed), None, with_variables=True)
            for test in self.open_resources
            if test.listed is not None and test.not_listed is None
        }
        closed = [test for test in tests if not test.has_open_variables]
        closed = list(dict.fromkeys([*closed, *self._wider.values()]))
        only = self.universe.resource
        found = [only] if only else resources.resources(closed, self._budget, kms_only=self.universe.kms_only)
        self._resource_tests = {test: index for index, test in enumerate(closed)}
        self.resources = Classes(found, [test.matches for test in closed], self._budget)

    # ------------------------------------------------------------ what cannot be

    def _absent_by_caller(self) -> Iterator[Part]:
        for key in self.keys:
            types = absent_for(key)
            if types:
                callers = self.callers.where(self._types, _one_of(types))
                yield from _possible({CALLER: callers, self.place[key]: self.present(key)})

    def _absent_by_action(self) -> Iterator[Part]:
        for key, test in self._having.items():
            lacking = self.actions.where(test, lambda has: not has)
            yield from _possible({ACTION: lacking, self.place[key]: self.present(key)})
            if self.universe.described.get(key) is not None:
                absent = self.keys[key].full & ~self.present(key)
                yield from _possible({ACTION: self.actions.where(test), self.place[key]: absent})

    def _absent_open(self) -> Iterator[Part]:
        """A test with variables of a key that is absent is judged all the same."""
        for test in self.open_tests:
            if test.key in self.keys:
                absent = self.keys[test.key].full & ~self.present(test.key)
                other = 0b01 if test.check({}) else 0b10
                yield from _possible({self.place[test.key]: absent, self.place[test]: other})

    def _bounds(self, tests: Sequence[Test]) -> dict[Test, tuple[Condition, bool]]:
        """The open tests of keys that hold one text, with what bounds each."""
        bounds: dict[Test, tuple[Condition, bool]] = {}
        for test in self.open_tests:
            held = kind(test.key, [other.condition.operator for other in tests if other.key == test.key])
            wider = relaxed(test.condition) if held.type in _TEXTS and not held.multi else None
            if wider is not None:
                bounds[test] = wider
        return bounds

    def _bounded(self) -> Iterator[Part]:
        """What matches a value with variables also matches it with a star in place of each."""
        for test, (wider, negated) in self._relaxed.items():
            narrowed = list(self.full)
            self.narrow(narrowed, Test(wider, with_variables=True))
            index = CALLER if test.key in CALLER_KEYS else self.place[test.key]
            there = self._callers_with(test.key) if index == CALLER else self.present(test.key)
            beyond = there & ~narrowed[index]
            yield from _possible({index: beyond, self.place[test]: 0b01 if negated else 0b10})
        for entries, wide in self._wider.items():
            beyond = self.full[RESOURCE] & ~self.resources.where(self._resource_tests[wide])
            yield from _possible({RESOURCE: beyond, self.place[entries]: 0b10})

    def _callers_with(self, key: str) -> int:
        """The callers who have a key."""
        members = self.callers.members
        return sum(1 << index for index, alike in enumerate(members) if key in of_caller(alike[0]))

    def present(self, key: str) -> int:
        """The classes of a key's values in which it is not absent."""
        classes = self.keys[key]
        return sum(1 << index for index, members in enumerate(classes.members) if members[0] is not None)

    # ------------------------------------------------------------------- statements

    def naming(self, statement: CompiledStatement, ways: int) -> int:
        """The callers whom a statement names in one of these ways (bits of `policy.principal`)."""
        return self.callers.where(self._namings[id(statement)], lambda bits: bits & ways)

    def probed(self, number: int) -> int:
        """The callers of whom a question's own probe holds."""
        return self.callers.where(self.caller_probes[number])

    def box(self, policy: CompiledPolicy, statement: CompiledStatement) -> Box | None:
        """The requests that a statement's action, resource and conditions match, whoever calls."""
        written = policy.document.statements[statement.index]
        narrowed = list(self.full)
        narrowed[ACTION] &= self.actions.where(self._action_tests[id(statement)])
        if written.resources is None and written.not_resources is None:
            unnamed = written.principal is None and written.not_principal is None
            narrowed[ACTION] &= 0 if unnamed else ~self.of_kms  # as in `policy.compiled`
        else:
            self._narrow_resource(
                narrowed, ResourceTest(written.resources, written.not_resources, has_variables(policy))
            )
        for test in tests_of(written, with_variables=has_variables(policy)):
            self.narrow(narrowed, test)
        return tuple(narrowed) if all(narrowed) else None

    def _narrow_resource(self, narrowed: list[int], test: ResourceTest) -> None:
        if test in self._resource_tests:
            narrowed[RESOURCE] &= self.resources.where(self._resource_tests[test])
        else:
            narrowed[self.place[test]] &= 0b10

    def narrow(self, narrowed: list[int], test: Test) -> None:
        """None; `narrowed` takes only what the test holds for."""
        if test in self._caller_tests:
            narrowed[CALLER] &= self.callers.where(self._caller_tests[test])
        elif test in self._key_tests:
            narrowed[self.place[test.key]] &= self.keys[test.key].where(self._key_tests[test])
        else:
            narrowed[self.place[test]] &= 0b10

    def part(self, box: Box) -> Part:
        """The box, by what it narrows."""
        return part(box, self.full)


_TEXTS: Final = frozenset({"string", "arn", None})
_TYPES: Final[tuple[PrincipalType, ...]] = condition_keys.CALLER_TYPES


def _possible(narrowed: Mapping[int, int]) -> Iterator[Part]:
    """The part, if it holds anything."""
    if all(narrowed.values()):
        yield Part(tuple(narrowed.items()))


def _one_of(types: frozenset[PrincipalType]) -> Callable[[int], bool]:
    return lambda number: _TYPES[number] in types


def _type_number(caller: Principal) -> int:
    return _TYPES.index("assumedRole" if caller.type == "role" else caller.type)


def _compared(test: Test) -> int:
    """How many values a test compares one with, one after the other; equal texts are found at once."""
    return 0 if "StringEquals" in test.condition.operator else len(test.condition.values)


def _on_caller(check: Callable[..., bool]) -> Probe:
    return lambda caller: check(of_caller(caller))


def _on_value(test: Test) -> Callable[[Value | None], int]:
    check, key = test.check, test.key
    return lambda value: check({} if value is None else {key: value})


def _can_have(key: str, resource: str) -> Callable[[str], int]:
    return lambda action: has_key(action, resource, key)
