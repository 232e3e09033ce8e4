"""Does a policy let the public in?

Public: a caller of an account that the policy does not name gets in, though the keys that an outsider cannot choose
(its organization, the network it comes from, the resource a service acts for) have no value that the policy fixes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from keystead.analysis.budget import Budget
from keystead.analysis.compiled import BoxedStatement, boxed, with_callers
from keystead.analysis.condition import Test
from keystead.analysis.condition_keys import kind
from keystead.analysis.decode import confirmed
from keystead.analysis.evaluate import admits, denied
from keystead.analysis.questions.zone import denied_by, denies
from keystead.analysis.solver import Box, Part, remainders
from keystead.analysis.space import Space, Universe, has_variables, tests_of
from keystead.policy import scalars
from keystead.policy.compiled import CompiledPolicy
from keystead.policy.condition import split
from keystead.policy.document import EVERYONE, Condition, PrincipalElement, Statement
from keystead.policy.request import AuthorizationRequest, Principal

_ACCOUNT: Final = re.compile(r"(?<![0-9])[0-9]{12}(?![0-9])", re.ASCII)
_WILD: Final = frozenset("*?")
_ARN_PARTS: Final = 6
_SHORTEST: Final = {4: 8, 6: 32}
"""By address family, from which prefix length on a named network is a fixed one."""
_UNREACHABLE: Final = (
    "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "169.254.0.0/16", "100.64.0.0/10", "fc00::/7",
    "fe80::/10", "::1/128",
)  # fmt: skip
"""Addresses that nobody has on the public network (RFC 1918, RFC 6598, RFC 4193, RFC 4291)."""


class Public(msgspec.Struct, frozen=True):
    """One Allow statement that lets the public in, with a request that shows it."""

    statement: int
    sid: str | None
    witness: AuthorizationRequest


def public_access(
    policy: CompiledPolicy,
    universe: Universe,
    budget: Budget | None = None,
    rcps: tuple[CompiledPolicy, ...] = (),
) -> tuple[Public, ...]:
    """Every statement of a resource policy that lets the public in; none proves that the policy is not public.

    What `rcps` deny counts as denied.

    Raises:
        Undecided: it is neither proven nor refuted.
        AnalysisFault: the evaluator contradicts the analysis.
    """
    work = budget or Budget()
    known = accounts_named(policy)
    probes, naming = [*_probes(policy)], _naming_everybody(policy)
    space = Space(
        [naming, *rcps],
        universe,
        work,
        probes=probes,
        caller_probes=[_outsider(known)],
        elements=[PrincipalElement(aws=tuple(sorted(known)))],
    )
    held = boxed(space, naming)
    fixed = [
        *space.impossible,
        *(_fixed(space, probe) for probe in probes),
        *denied(space, held),
        *denied_by(space, rcps),
    ]
    outside = space.probed(0)
    found = []
    for statement in held.allows:
        boxes = _let_in(statement, outside, fixed, work)
        witness = confirmed(
            space, boxes, lambda request: admits(policy, request) and not denies(rcps, request), work
        )
        if witness is not None:
            found.append(Public(statement.number, statement.statement.sid, witness))
    return tuple(found)


def _naming_everybody(policy: CompiledPolicy) -> CompiledPolicy:
    """The policy without the statements that list whom they name: who is asked about is of no account that it names."""
    written = policy.document.statements
    left = tuple(one for one in policy.statements if _may_name_anybody(written[one.index]))
    return CompiledPolicy(left, policy.name, policy.document, policy.bound)


def _may_name_anybody(statement: Statement) -> bool:
    element = statement.principal
    return statement.not_principal is not None or (element is not None and EVERYONE in element.aws)


def accounts_named(policy: CompiledPolicy) -> frozenset[str]:
    """The accounts that a policy names anywhere."""
    return frozenset(_ACCOUNT.findall(repr(policy.document)))


def _outsider(known: frozenset[str]) -> Callable[[Principal], int]:
    return lambda caller: bool(caller.account) and caller.account not in known and not caller.unique_id


def _let_in(statement: BoxedStatement, outside: int, fixed: list[Part], budget: Budget) -> Iterator[Box]:
    box = with_callers(statement.box, outside)
    if box is not None:
        yield from remainders(box, fixed, budget)


def _fixed(space: Space, probe: Test) -> Part:
    """What has a value that the probe is about: no outsider has it."""
    narrowed = list(space.full)
    space.narrow(narrowed, probe)
    return space.part(tuple(narrowed)) if all(narrowed) else Part(((0, 0),))


# ------------------------------------------------------------------------ fixed values


def _probes(policy: CompiledPolicy) -> Iterator[Test]:
    """Tests for the values that a policy fixes of keys that an outsider cannot choose."""
    flag = has_variables(policy)
    tests = [test for one in policy.document.statements for test in tests_of(one, with_variables=flag)]
    for test in dict.fromkeys(tests):
        parts = split(test.condition.operator)
        if parts is None or test.key not in _FIXES:
            continue
        positive = parts[1].replace("Not", "", 1)
        exact = positive.startswith("StringEquals")
        fixed = [value for value in test.condition.values if _is_fixed(test.key, value, exact=exact)]
        if fixed:
            yield Test(Condition(_any_of(test.key) + positive, test.key, tuple(fixed)), with_variables=False)
    if any(test.key == "aws:sourceip" for test in tests):
        yield Test(Condition("IpAddress", "aws:SourceIp", _UNREACHABLE), with_variables=False)


def _any_of(key: str) -> str:
    return "ForAnyValue:" if kind(key, ()).multi else ""


def _is_fixed(key: str, value: str, *, exact: bool) -> bool:
    if "${" in value:
        return False
    if key == "aws:sourceip":
        network = scalars.network(value)
        return network is not None and network.prefixlen >= _SHORTEST[network.version]
    if exact or not _WILD & set(value):
        return True
    telling = _FIXES[key](value)
    return bool(telling) and not _WILD & set(telling)


def _account_part(value: str) -> str:
    parts = value.split(":", _ARN_PARTS - 1)
    return parts[4] if len(parts) == _ARN_PARTS else ""


_FIXES: Final[dict[str, Callable[[str], str]]] = {
    "aws:principalorgid": lambda _value: "",
    "aws:principalorgpaths": lambda value: value.partition("/")[0] if "/" in value else "",
    "aws:sourcevpc": lambda _value: "",
    "aws:sourcevpce": lambda _value: "",
    "aws:sourceaccount": lambda _value: "",
    "aws:sourcearn": _account_part,
    "aws:sourceorgid": lambda _value: "",
    "aws:sourceorgpaths": lambda value: value.partition("/")[0] if "/" in value else "",
    "aws:userid": lambda value: value.partition(":")[0] if ":" in value else "",
    "aws:sourceip": lambda _value: "",
}
"""Keys that an outsider cannot choose, with the part of a value that is enough to fix one with wild cards."""
