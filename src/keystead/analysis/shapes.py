"""What texts there are at all: any, names, account ids, all but some that are known."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

_READABLE: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.@+=,"
_NAMES: Final = frozenset(_READABLE)
_DIGITS: Final = "9876543210"
_ACCOUNT_DIGITS: Final = 12


class Shape(msgspec.Struct, frozen=True):
    """What texts there are at all, as a small automaton beside the patterns.

    `step` gives the next state, or None where no text goes on like this. `telling` lists characters that matter in
    a state; `plain` those that stand for all others, the nicest first; with `foreign`, any other does too.
    """

    start: object
    step: Callable[[Any, str], object]
    accepts: Callable[[Any], bool]
    telling: Callable[[Any], Iterable[str]]
    plain: str = _READABLE
    foreign: bool = True


ANY_TEXT: Final = Shape(0, lambda _state, _letter: 0, lambda _state: True, lambda _state: ())


def _name_step(within: object, letter: str) -> object:
    if letter == "/":
        return False if within else None
    return True if letter in _NAMES else None


PATH_AND_NAME: Final = Shape(
    False, _name_step, lambda within: within is True, lambda _state: "/", foreign=False
)
"""The name of a user or role with its path: names with slashes between them."""
NAME: Final = Shape(
    False,
    lambda _state, letter: True if letter in _NAMES else None,
    lambda within: within is True,
    lambda _state: (),
    foreign=False,
)


def account_ids(known: frozenset[str]) -> Shape:
    """Twelve digits; each known account has a state of its own."""
    following = _following(known)

    def step(state: Any, letter: str) -> object:
        length, prefix = state
        if letter not in _DIGITS or length == _ACCOUNT_DIGITS:
            return None
        longer = f"{prefix}{letter}" if prefix is not None else None
        return length + 1, longer if longer in following else None

    return Shape(
        (0, ""),
        step,
        lambda state: state[0] == _ACCOUNT_DIGITS,
        lambda state: following.get(state[1], ()),
        plain=_DIGITS,
        foreign=False,
    )


def other_than(known: frozenset[str]) -> Shape:
    """Every text but the known ones."""
    following = _following(known)
    aside = None, "aside"

    def step(prefix: Any, letter: str) -> object:
        longer = prefix + letter if prefix is not aside else ""
        return longer if longer in following and prefix is not aside else aside

    return Shape("", step, lambda prefix: prefix not in known, lambda prefix: following.get(prefix, ()))


def both(one: Shape, other: Shape) -> Shape:
    """The texts of two shapes."""

    def step(state: Any, letter: str) -> object:
        mine, theirs = one.step(state[0], letter), other.step(state[1], letter)
        return None if mine is None or theirs is None else (mine, theirs)

    return Shape(
        (one.start, other.start),
        step,
        lambda state: one.accepts(state[0]) and other.accepts(state[1]),
        lambda state: {*one.telling(state[0]), *other.telling(state[1])},
        plain=one.plain,
        foreign=one.foreign and other.foreign,
    )


def _following(known: Iterable[str]) -> dict[object, set[str]]:
    """The beginnings of the known texts, each with the characters that follow it in one."""
    following: dict[object, set[str]] = {"": set()}
    for text in known:
        for end, letter in enumerate(text):
            following.setdefault(text[:end], set()).add(letter)
        following.setdefault(text, set())
    return following
