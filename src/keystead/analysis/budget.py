"""How much work one question may take. It is counted, not timed, so that an answer never depends on the machine."""

from __future__ import annotations

from typing import Final

from keystead.errors import Undecided

WORK: Final = 800_000
"""Units of a microsecond or two each: no question may take two seconds of a busy machine."""
MEMORY: Final = 64 << 20
"""Bytes that the states of one automaton may take."""


class Budget:
    """What is left of the work that a question may take."""

    __slots__ = ("left",)

    def __init__(self, work: int = WORK) -> None:
        self.left = work

    def spend(self, units: int) -> None:
        """None; that much less is left.

        Raises:
            Undecided: nothing is left.
        """
        self.left -= units
        if self.left < 0:
            raise Undecided("The policies are too complex to analyze: the limit of work was reached.")
