"""Permissions that were found before, for requests that are alike in everything that was asked of them.

What is decided follows from the caller with its policies, the resource's and its account's policies, the action
and the condition keys that the evaluator asked for on its way, with their values. A request that agrees in all of
these goes the same way, so a permission that was found once need not be found again. Each of them is a value that
a change replaces whole: it is compared by identity, so that what is changed counts at once. Refusals are never
kept. Thousands of keys may have one policy: what was found for one of them is where another one begins.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final

import msgspec

from keystead.api.call import Call, Target
from keystead.api.guardrails import Place
from keystead.api.standing import Standing
from keystead.keys import Key
from keystead.keys.grant import Grant
from keystead.policy import Context, Value

_MOST_SLOTS: Final = 4096
_MOST_WAYS: Final = 4
_MOST_VALUES: Final = 32

Asked = dict[str, Value | None]
"""Condition keys by lower-case name, in the order in which they were asked for; None: absent."""
Grants = tuple[Grant, ...]
Read = Callable[[Call, Target], tuple[Value | None, ...]]
"""Reads the values of certain condition keys from a request; which keys, whoever made it knows."""


class Way(msgspec.Struct, frozen=True, gc=False):
    """Requests whose operation says certain facts (`said`, by name), of which the evaluator asked certain keys.

    `read` finds the values of these, and `values` are those that were let through.
    """

    said: tuple[str, ...]
    read: Read
    values: frozenset[tuple[object, ...]]


_Ways = Mapping[tuple[tuple[str, ...], tuple[str, ...]], Way]
"""By what was said and what was asked. Replaced whole: calls within the process are decided in threads of their own,
which may read one meanwhile."""


class Noting:
    """A context that remembers what was asked of it."""

    __slots__ = ("_context", "asked")

    def __init__(self, context: Context) -> None:
        self._context = context
        self.asked: Asked = {}

    def get(self, key: str, /) -> Value | None:
        """The value of the key, None if it is absent."""
        value = self.asked[key] = self._context.get(key)
        return value


class Verdicts(msgspec.Struct, gc=False):
    """Permissions of one caller on one key that hold as long as these very values are the current ones.

    `ways` are by policies alone. `grants` are those that the permissions in `by_grant` rest on, whose values end with
    the encryption context, which grants can constrain.
    """

    key: Key | None = None
    place: Place | None = None
    ways: _Ways = {}
    grants: Grants | None = None
    by_grant: _Ways = {}

    def hold(self, key: Key, place: Place) -> bool:
        """Whether they speak of the key and its account as they are now."""
        return self.key is key and self.place is place

    def allow(self, call: Call, target: Target, key: Key, place: Place) -> bool:
        """Whether this request for the key, as it and its account are now, is let through."""
        if self.key is not key or self.place is not place:
            return False
        names = tuple(target.facts) if target.facts else ()
        for way in self.ways.values():
            if way.said == names and way.read(call, target) in way.values:
                return True
        return bool(self.by_grant) and self._allow_by(
            call.around.relations.grants(call.tx, key), names, call, target
        )

    def _allow_by(self, grants: Grants, names: tuple[str, ...], call: Call, target: Target) -> bool:
        """Whether it is let through by these grants."""
        if self.grants is not grants:
            return False
        pairs = pairs_of(target)
        for way in self.by_grant.values():
            if way.said == names and way.read(call, target) + pairs in way.values:
                return True
        return False


def said(target: Target) -> tuple[str, ...]:
    """The names of the facts that the operation says of its parameters."""
    return tuple(target.facts) if target.facts else ()


def pairs_of(target: Target) -> tuple[tuple[str, str], ...]:
    """The pairs of the encryption context."""
    return tuple(target.context.items()) if target.context else ()


class Slot:
    """Where the permissions of one caller for one action on one resource are kept."""

    __slots__ = ("verdicts",)

    def __init__(self) -> None:
        self.verdicts = Verdicts()


@lru_cache(_MOST_SLOTS)
def slot(standing: Standing, action: str, resource: str) -> Slot:  # noqa: ARG001 - they are the cache's key
    """Where the permissions of this caller for this action on this resource are kept."""
    return Slot()


def keep(
    slot: Slot, key: Key, place: Place, target: Target, asked: Asked, read: Read, *, grants: Grants | None
) -> None:
    """None; a request that was asked this, and was let through, is let through again. `grants`: if they were needed.

    `read` finds the values of the keys in `asked` in requests that say what this one says.
    """
    verdicts = slot.verdicts
    if not verdicts.hold(key, place) or (grants is not None and verdicts.grants is not grants):
        verdicts = slot.verdicts = Verdicts(key, place, {}, grants, {})
    names, values = (said(target), tuple(asked)), tuple(asked.values())
    if grants is None:
        verdicts.ways = _with(verdicts.ways, names, read, values)
    else:
        verdicts.by_grant = _with(verdicts.by_grant, names, read, (*values, *pairs_of(target)))


def _with(
    ways: _Ways, names: tuple[tuple[str, ...], tuple[str, ...]], read: Read, values: tuple[object, ...]
) -> _Ways:
    """The ways and one more; where there is no room, without what was kept before."""
    known = ways[names].values if names in ways else frozenset()
    if len(known) >= _MOST_VALUES:
        known = frozenset()
    room = names in ways or len(ways) < _MOST_WAYS
    return {**(ways if room else {}), names: Way(names[0], read, known | {values})}


class Alike:
    """Permissions by policies alone, of one caller for one action on keys of one policy, account and manager.

    `tests` are what the policies ask of a key's ARN, None if that cannot be told. Of keys that agree in these, and in the values
    of the condition keys that were asked for, what was found for one holds for all.
    """

    __slots__ = ("_tests", "_ways")

    def __init__(self, tests: tuple[Callable[[str], bool], ...] | None) -> None:
        self._tests = tests
        self._ways: dict[tuple[bool, ...], _Ways] = {}

    def first(self, key: Key, place: Place, resource: str) -> Verdicts:
        """The permissions to begin with on a key that nobody has asked for yet, or that has changed."""
        return Verdicts(key, place, self._ways.get(self._answers(resource), {}), None, {})

    def learn(self, resource: str, verdicts: Verdicts) -> None:
        """None; what was found for the key with this ARN holds for those like it."""
        if self._tests is not None:
            self._ways[self._answers(resource)] = verdicts.ways

    def _answers(self, resource: str) -> tuple[bool, ...]:
        return tuple([test(resource) for test in self._tests or ()])


__all__ = ["Alike", "Noting", "Read", "Slot", "Verdicts", "Way", "keep", "said", "slot"]
