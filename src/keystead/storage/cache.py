"""Bounded memory of recently used values."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recent(Generic[K, V]):
    """A map that forgets what was not used for a while: at most `2 * most` entries.

    Two dictionaries instead of a linked list: when `hot` is full it becomes the old one, and what is found
    there moves back. A hit in `hot` and `peek` write nothing and need no lock. All else writes: where
    values are dropped, a `get` without a lock could bring back what was dropped meanwhile.
    """

    __slots__ = ("_most", "_old", "hot")

    def __init__(self, most: int) -> None:
        self._most = most
        self.hot: dict[K, V] = {}
        self._old: dict[K, V] = {}

    def get(self, key: K) -> V | None:
        """The value, or None if it is not (or no longer) known."""
        value = self.hot.get(key)
        if value is None:
            value = self._old.get(key)
            if value is not None:
                self.put(key, value)
        return value

    def peek(self, key: K) -> V | None:
        """The value, or None; its age stays as it is, so nothing is written."""
        value = self.hot.get(key)
        return self._old.get(key) if value is None else value

    def put(self, key: K, value: V) -> None:
        """None; the value is known and the most recent one."""
        if len(self.hot) >= self._most:
            self._old, self.hot = self.hot, {}
        self.hot[key] = value

    def drop(self, key: K) -> None:
        """None; the key is not known."""
        self.hot.pop(key, None)
        self._old.pop(key, None)
