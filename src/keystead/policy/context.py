"""The request context, made of facts: key by key when asked, or whole.

The server asks key by key, so that a policy pays for the conditions it has and no others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from keystead.policy.condition_keys import CONDITION_KEYS, FAMILIES, ConditionKey, KeyFamily, available
from keystead.policy.facts import Facts
from keystead.policy.request import Value


class DerivedContext:
    """The context of one check, derived as it is asked for.

    `facts` is called for the first key that is not `given`: some facts take reading.
    """

    __slots__ = ("_facts", "_given", "_known")

    def __init__(self, given: Mapping[str, Value], facts: Callable[[], Facts]) -> None:
        self._given = given
        self._facts = facts
        self._known: Facts | None = None

    @classmethod
    def of(cls, facts: Facts) -> DerivedContext:
        """The context of facts that are all known."""
        return cls(facts.given, lambda: facts)

    def get(self, key: str, /) -> Value | None:
        """The value of the key (in lower case), or None if it is absent; what is given wins."""
        given = self._given.get(key)
        if given is not None:
            return given
        facts = self._known
        if facts is None:
            facts = self._known = self._facts()
        row = CONDITION_KEYS.get(key)
        return _of_family(facts, key) if row is None else _value(facts, row)


def derive(facts: Facts, names: Mapping[str, str] | None = None) -> dict[str, Value]:
    """The complete context by the keys' usual names; `names` tells how given keys were spelt."""
    context: dict[str, Value] = {}
    for name, value in (*_derived(facts), *facts.given.items()):
        spelt = (names or {}).get(name.lower(), name)
        context[spelt] = value
    return context


def _derived(facts: Facts) -> Iterator[tuple[str, Value]]:
    for row in CONDITION_KEYS.values():
        value = _value(facts, row)
        if value is not None and row.name.lower() not in facts.given:
            yield row.name, value
    for family in FAMILIES:
        for member, text in _members(facts, family).items():
            if (family.prefix + member).lower() not in facts.given:
                yield family.prefix + member, text


def _value(facts: Facts, row: ConditionKey) -> Value | None:
    return row.value(facts) if row.value is not None and available(facts, row) else None


def _of_family(facts: Facts, key: str) -> Value | None:
    for family in FAMILIES:
        prefix = family.prefix.lower()
        if key.startswith(prefix):
            return _folded(_members(facts, family)).get(key.removeprefix(prefix))
    return None


def _members(facts: Facts, family: KeyFamily) -> Mapping[str, str]:
    return family.members(facts) if available(facts, family) else {}


def _folded(members: Mapping[str, str]) -> dict[str, str]:
    """Members by lower-case name: case does not count in tag keys and encryption context names."""
    return {name.lower(): value for name, value in members.items()}
