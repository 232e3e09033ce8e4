"""When the writer begins with what the event loop has handed in: large groups cost less each, and nobody waits for long.

A clock has no part in it. While one group is written the next one gathers. When the writer rests, it is woken as soon as
all are there (`Company`) and no request waits to be handled. Among several clients nobody waits for what another sends.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

ENOUGH: Final = 32
"""Calls with which the writer goes on by itself: more together do not cost less each."""


class Company:
    """Whether all wait who are to be expected: as many as last time, which with the same clients are all that there are."""

    def __init__(self) -> None:
        self._expected = 0
        self._seen = 0  # how many waited a turn of the loop before

    def all_there(self, waiting: int) -> bool:
        """Whether to begin with the `waiting`, since all came or a turn has brought nobody; asked once a turn."""
        if waiting >= self._expected or waiting == self._seen:
            return True
        self._seen = waiting
        return False

    def begin(self, count: int) -> None:
        """None; so many go together, and the next ones gather."""
        self._expected, self._seen = count, 0


class Gathering:
    """Wakes the writer; everything is called on the loop's thread."""

    def __init__(
        self,
        wake: Callable[[], None],
        waiting: Callable[[], int],
        next_turn: Callable[[Callable[[], None]], object],
        coming: Callable[[], bool | None],
    ) -> None:
        """A gathering of nobody.

        Args:
            wake: has the writer take all that waits; `written` is called when it has, also if nothing was left to take.
            waiting: how many calls wait.
            next_turn: runs a callable when the loop has gone through what is ready (`loop.call_soon`).
            coming: whether requests are about to be handled, whose calls will be handed in within few turns; None
                among several clients.
        """
        self._wake = wake
        self._waiting = waiting
        self._next_turn = next_turn
        self._coming = coming
        self._looking = self._writing = False
        self._company = Company()

    def handed_in(self) -> None:
        """None; a call waits, for which the writer is woken soon unless that is under way."""
        if not (self._looking or self._writing):
            self._begin()

    def written(self) -> None:
        """None; the writer has what waited behind it, and rests unless more is enough."""
        self._writing = False
        if self._waiting() and not self._looking:
            self._begin()

    def _begin(self) -> None:
        self._looking = True
        self._next_turn(self._look)

    def _look(self) -> None:
        waiting, coming = self._waiting(), self._coming()
        all_there = self._company.all_there(waiting) and not coming
        if all_there or coming is None or waiting >= ENOUGH:
            self._company.begin(min(waiting, ENOUGH))
            self._looking, self._writing = False, True
            self._wake()
        else:
            self._next_turn(self._look)
