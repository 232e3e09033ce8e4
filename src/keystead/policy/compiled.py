"""Policy documents compiled, once per version, to functions of an authorization request.

What a statement means stands here; how policies combine stands in `evaluate`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final

import msgspec

from keystead.policy import pattern, variables
from keystead.policy.condition import compile_condition
from keystead.policy.document import NOTHING, Document, Effect, Statement
from keystead.policy.explain import DecidedBy, Decision, PolicyType
from keystead.policy.principal import DIRECT, UNBOUND, UNNAMED, Bound, Naming, exempting, naming
from keystead.policy.request import AuthorizationRequest, Principal

Matches = Callable[[AuthorizationRequest], bool]

_GRANTING: Final[tuple[PolicyType, ...]] = ("resource", "identity", "group")
_MOST_ACTIONS: Final = 2048
"""Entries whose tests are kept: policies repeat the same few."""
_MEMO_SIZE: Final = 512  # actions remembered per policy; KMS has some 60, a simulated case may ask anything


class CompiledStatement(msgspec.Struct, frozen=True, gc=False):
    """One statement, its action element aside (see `CompiledPolicy.for_action`).

    `name` tells how its principal element names a caller (without one, as a statement of a resource policy
    it names nobody); `matches` is None if resource and conditions always match.
    `allowed` holds the decision it makes as an Allow in each type of policy that can grant.
    """

    index: int
    sid: str | None
    effect: Effect
    action: Callable[[str], bool]
    name: Naming
    matches: Matches | None
    not_principal: bool = False
    allowed: Mapping[PolicyType, Decision] = {}

    def applies(self, request: AuthorizationRequest) -> bool:
        """Whether resource and conditions match; action and principal are the caller's business."""
        return self.matches is None or self.matches(request)


class Candidates(msgspec.Struct, frozen=True, gc=False):
    """The statements of one policy whose action element matches an action."""

    denies: tuple[CompiledStatement, ...]
    allows: tuple[CompiledStatement, ...]


class CompiledPolicy:
    """A policy document ready for evaluation; `name` is only ever echoed."""

    __slots__ = ("_by_action", "bound", "document", "name", "statements")

    def __init__(
        self,
        statements: tuple[CompiledStatement, ...],
        name: str | None,
        document: Document = NOTHING,
        bound: Bound = UNBOUND,
    ) -> None:
        self.statements = statements
        self.name = name
        self.document = document
        self.bound = bound
        self._by_action: dict[str, Candidates] = {}

    def for_action(self, action: str) -> Candidates:
        """The statements that speak of the action, remembered for the next request."""
        found = self._by_action.get(action)
        return found if found is not None else self._select(action)

    def _select(self, action: str) -> Candidates:
        folded = action.lower()
        speaking = [statement for statement in self.statements if statement.action(folded)]
        found = Candidates(
            denies=tuple(statement for statement in speaking if statement.effect == "Deny"),
            allows=tuple(statement for statement in speaking if statement.effect == "Allow"),
        )
        if len(self._by_action) < _MEMO_SIZE:
            self._by_action[action] = found
        return found


def compile_policy(document: Document, name: str | None = None, bound: Bound = UNBOUND) -> CompiledPolicy:
    """The document compiled; what it means depends on no kind of policy but on how `evaluate` uses it.

    `bound` ties principals that it names to the unique ids they had when it was written.
    """
    with_variables = document.version == variables.VERSION_WITH_VARIABLES
    statements = (
        _statement(index, statement, with_variables, name, _naming(statement, bound))
        for index, statement in enumerate(document.statements)
        if statement.readable
    )
    return CompiledPolicy(tuple(statements), name, document, bound)


def _statement(
    index: int, statement: Statement, with_variables: bool, policy: str | None, name: Naming
) -> CompiledStatement:
    checks = [*resource_matches(statement, with_variables), *_condition_matches(statement, with_variables)]
    return CompiledStatement(
        index=index,
        sid=statement.sid,
        effect=statement.effect,
        action=_action(statement),
        name=name,
        matches=_all(checks),
        not_principal=statement.not_principal is not None,
        allowed={
            policy_type: Decision("allowed", DecidedBy(policy_type, policy, index, statement.sid))
            for policy_type in _GRANTING
        },
    )


def _all(checks: Sequence[Matches]) -> Matches | None:
    if len(checks) < 2:  # noqa: PLR2004 - none or a single one need no loop
        return checks[0] if checks else None
    every = tuple(checks)

    def match(request: AuthorizationRequest) -> bool:
        for check in every:  # noqa: SIM110 - all() over a generator takes twice as long, on every request
            if not check(request):
                return False
        return True

    return match


# ---------------------------------------------------------------------------- elements


def _action(statement: Statement) -> Callable[[str], bool]:
    """A test of an action name in lower case; without any action element nothing matches."""
    if statement.actions is not None:
        return _any_action(statement.actions)
    if statement.not_actions is None:
        return lambda _action: False
    excluded = _any_action(statement.not_actions)
    return lambda action: not excluded(action)


def _any_action(entries: Iterable[str]) -> Callable[[str], bool]:
    matches = tuple(_action_match(entry) for entry in entries)
    return lambda action: any(match(action) for match in matches)


@lru_cache(_MOST_ACTIONS)
def _action_match(entry: str) -> pattern.Match:
    """Match `*` or `service:name`; wild cards act in the name only, and case never counts.

    An entry that is no action at all (no service part, white space, a comma) matches nothing. Nor does one
    outside ASCII: no action has such a name, and folding its case could make it look like one.
    """
    if entry == "*":
        return lambda _action: True
    service, colon, name = entry.lower().partition(":")
    if not colon or not entry.isascii() or "," in entry or any(map(str.isspace, entry)):
        return lambda _action: False
    return pattern.matcher(pattern.joined((f"{service}:", *pattern.tokens(name))))


def _naming(statement: Statement, bound: Bound) -> Naming:
    """How the statement names a caller; with both elements a caller must pass both."""
    if statement.not_principal is None:
        return _nobody if statement.principal is None else naming(statement.principal, bound)
    exempt = exempting(statement.not_principal, bound)
    if statement.principal is None:
        return lambda principal: UNNAMED if exempt(principal) else DIRECT
    listed = naming(statement.principal, bound)

    def name(principal: Principal) -> int:
        return UNNAMED if exempt(principal) else listed(principal)

    return name


def _nobody(_principal: Principal) -> int:
    return UNNAMED


def _condition_matches(statement: Statement, with_variables: bool) -> list[Matches]:
    return [
        _on_context(compile_condition(condition, with_variables=with_variables))
        for condition in statement.conditions
    ]


def _on_context(check: Callable[..., bool]) -> Matches:
    return lambda request: check(request.context)


def resource_matches(statement: Statement, with_variables: bool) -> list[Matches]:
    """The tests of a request's resource: all must hold."""
    checks: list[Matches] = []
    if statement.resources is not None and "*" not in statement.resources:
        checks.append(_listed(statement.resources, with_variables))
    if statement.not_resources is not None:
        checks.append(_not_listed(statement.not_resources, with_variables))
    if statement.resources is None and statement.not_resources is None:
        checks.append(_without_resource(statement))
    return checks


def _without_resource(statement: Statement) -> Matches:
    """AWS KMS keeps a key policy statement without Resource but gives it no effect; other services do."""
    if statement.principal is None and statement.not_principal is None:
        return lambda _request: False
    return lambda request: not request.action.lower().startswith("kms:")


# --------------------------------------------------------------------------- resources

_Resource = Callable[[AuthorizationRequest], bool | None]
"""Whether a request's resource is like an entry; None if a variable in the entry cannot be resolved."""


def _listed(entries: Sequence[str], with_variables: bool) -> Matches:
    matches = tuple(_resource(entry, with_variables) for entry in entries)
    if len(matches) == 1:
        only = matches[0]
        return lambda request: only(request) is True
    return lambda request: any(match(request) for match in matches)


def _not_listed(entries: Sequence[str], with_variables: bool) -> Matches:
    if "*" in entries:
        return lambda _request: False
    matches = tuple(_resource(entry, with_variables) for entry in entries)
    return lambda request: all(match(request) is False for match in matches)


def _resource(entry: str, with_variables: bool) -> _Resource:
    """Match an ARN part by part; variables act after its fifth colon only.

    The request resource `*` has no parts: only the entry `*` matches it.
    """
    match = fixed_match(entry, with_variables)
    if match is not None:
        return lambda request: match(request.resource)
    head, tail = split_resource(entry)
    template = _tail(tail, with_variables)

    def expanded(request: AuthorizationRequest) -> bool | None:
        tokens = variables.expand(template, request.context)
        if tokens is None:
            return None
        return pattern.arn_matcher(pattern.joined((*pattern.tokens(head), *tokens)))(request.resource)

    return expanded


def fixed_match(entry: str, with_variables: bool) -> pattern.Match | None:
    """What tells whether a resource is like the entry, None if that depends on the request (on a variable)."""
    head, tail = split_resource(entry)
    fixed = variables.tokens_without_variables(_tail(tail, with_variables))
    return None if fixed is None else pattern.arn_matcher(pattern.joined((*pattern.tokens(head), *fixed)))


def _tail(tail: str, with_variables: bool) -> variables.Template:
    return variables.parse(tail, wild=True) if with_variables else variables.plain(tail, wild=True)


def split_resource(entry: str) -> tuple[str, str]:
    """The entry up to and with its fifth colon, and the rest; without five colons, all is head."""
    parts = entry.split(":", 5)
    return (entry, "") if len(parts) < 6 else (":".join(parts[:5]) + ":", parts[5])  # noqa: PLR2004 - ARN parts
