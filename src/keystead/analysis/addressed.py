"""Which statements of a policy can name a caller, found by the caller's names instead of by asking each statement.

A policy of hundreds of statements is asked about hundreds of people. What a statement makes of a caller is still asked of
the enforcing code: here stands only whom it is worth asking.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final

from keystead.policy.compiled import CompiledPolicy, CompiledStatement
from keystead.policy.document import EVERYONE
from keystead.policy.principal import Bound, account_of
from keystead.policy.request import Principal

_MOST_INDEXED: Final = 1024


class Addressed:
    """Some statements of policies, by the names in their principal elements."""

    __slots__ = ("_always", "_by_name")

    def __init__(self, statements: Iterable[tuple[CompiledPolicy, CompiledStatement]]) -> None:
        self._always: list[CompiledStatement] = []
        self._by_name: dict[str, list[CompiledStatement]] = {}
        for policy, one in statements:
            element = policy.document.statements[one.index].principal
            if one.not_principal or (element is not None and EVERYONE in element.aws):
                self._always.append(one)
            elif element is not None:
                entries = (*element.aws, *element.service, *element.federated)
                for name in dict.fromkeys(_names(entries, policy.bound)):
                    self._by_name.setdefault(name, []).append(one)

    def of(self, caller: Principal) -> list[CompiledStatement]:
        """The statements that can name the caller, or that do not exempt it; in no order."""
        found = list(self._always)
        for name in dict.fromkeys(_own(caller)):
            found += self._by_name.get(name, ())
        return list({id(one): one for one in found}.values())


@lru_cache(_MOST_INDEXED)
def addressed(policy: CompiledPolicy) -> Addressed:
    """All statements of a policy."""
    return Addressed((policy, one) for one in policy.statements)


def about(policy: CompiledPolicy, caller: Principal) -> CompiledPolicy:
    """The policy without the statements that have nothing to say about the caller: they would only make more work."""
    found = [one for one in addressed(policy).of(caller) if one.not_principal or one.name(caller)]
    speaking = tuple(sorted(found, key=lambda one: one.index))
    return CompiledPolicy(speaking, policy.name, policy.document, policy.bound)


def _names(entries: Iterable[str], bound: Bound) -> Iterator[str]:
    """What an entry may be like of a caller: its text, the id that it is tied to, or an account."""
    for entry in entries:
        yield account_of(entry) or entry
        yield bound.get(entry, entry)


def _own(caller: Principal) -> Iterator[str]:
    names = (
        caller.arn, caller.role_arn, caller.issuer_arn, caller.unique_id, caller.issuer_id, caller.service,
        caller.provider, caller.account,
    )  # fmt: skip
    return filter(None, names)
