"""Time as a value that is passed in: epoch seconds (UTC, with fractions)."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Tells the time; never goes back within one process unless the host's clock does."""

    def now(self) -> float:
        """Seconds since 1970-01-01T00:00:00Z."""
        ...


class SystemClock:
    """The host's clock."""

    now = staticmethod(time.time)  # as it is: each request asks


class ManualClock:
    """The host's clock plus an offset that only ever grows: what `--manual-clock` offers.

    With `start` it stands still at that time until it is advanced, which is what tests use.
    """

    def __init__(self, start: float | None = None) -> None:
        self._start = start
        self._offset = 0.0

    def now(self) -> float:
        base = time.time() if self._start is None else self._start
        return base + self._offset

    def advance(self, seconds: float) -> None:
        """Move time forward.

        Raises:
            ValueError: `seconds` is negative.
        """
        if seconds < 0:
            raise ValueError("time does not go back")
        self._offset += seconds
