"""Resources of which no statement at hand tells any other apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from keystead.analysis import pattern
from keystead.analysis.budget import Budget
from keystead.analysis.pattern import Glob
from keystead.policy import pattern as concrete
from keystead.policy import variables
from keystead.policy.compiled import Matches, resource_matches, split_resource
from keystead.policy.document import EVERYONE, Statement
from keystead.policy.request import AuthorizationRequest, Principal

EXAMPLE: Final = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
_ARN: Final = pattern.arn(concrete.tokens("arn:*:*:*:*:*"))
_KEY: Final = pattern.arn(concrete.tokens("arn:*:kms:*:*:key/?*"))
_ARN_PARTS: Final = 6


class ResourceTest(msgspec.Struct, frozen=True):
    """The Resource and NotResource of a statement, and whether `${…}` in them are variables."""

    listed: tuple[str, ...] | None
    not_listed: tuple[str, ...] | None
    with_variables: bool

    @property
    def entries(self) -> tuple[str, ...]:
        """All entries of both."""
        return (*(self.listed or ()), *(self.not_listed or ()))

    @property
    def has_open_variables(self) -> bool:
        """Whether an entry holds a variable."""
        return self.with_variables and any(
            variables.tokens_without_variables(variables.parse(split_resource(entry)[1], wild=True)) is None
            for entry in self.entries
        )

    @property
    def matches(self) -> _Matches:
        """What the enforcing evaluator makes of it for a resource."""
        if self.listed is None and self.not_listed is None:
            return _Matches([])
        statement = Statement(effect="Allow", resources=self.listed, not_resources=self.not_listed)
        return _Matches(resource_matches(statement, self.with_variables))


class _Matches:
    """A test of a resource, by the tests of requests."""

    __slots__ = ("_checks",)

    def __init__(self, checks: list[Matches]) -> None:
        self._checks = checks

    def __call__(self, resource: str) -> bool:
        request = AuthorizationRequest(
            principal=_NOBODY, action="", resource=resource, account="", context={}
        )
        return all(check(request) for check in self._checks)


_NOBODY: Final = Principal(type="root")


def resources(tests: Sequence[ResourceTest], budget: Budget, *, kms_only: bool) -> list[str]:
    """Resources of which no test tells any other apart; with `kms_only`, KMS keys.

    Raises:
        Undecided: there are too many.
    """
    known, globs = set[str](), list[Glob]()
    for entry, flag in dict.fromkeys(
        (entry, test.with_variables) for test in tests for entry in test.entries
    ):
        tokens = _tokens(entry, flag)
        if len(tokens) == 1 and isinstance(tokens[0], str):
            known.add(tokens[0])
        elif entry != EVERYONE and (one := pattern.arn(tokens)) is not None:
            globs.append(one)
    within = _KEY if kms_only else _ARN
    assert within is not None  # both are ARN patterns
    is_one = concrete.arn_matcher(concrete.tokens("arn:*:kms:*:*:key/?*" if kms_only else "arn:*:*:*:*:*"))
    found = pattern.texts([[one] for one in globs], filter(is_one, known), budget, within=[within])
    return [EXAMPLE, *found] if kms_only else [EXAMPLE, *found, EVERYONE]


def _tokens(entry: str, with_variables: bool) -> concrete.Tokens:
    """The entry's tokens, as `policy.compiled` reads it."""
    head, tail = split_resource(entry)
    if not with_variables:
        return concrete.joined((*concrete.tokens(head), *variables.plain(tail, wild=True)))
    fixed = variables.tokens_without_variables(variables.parse(tail, wild=True))
    assert fixed is not None  # entries with variables are not asked
    return concrete.joined((*concrete.tokens(head), *fixed))
