"""Wrong codes of second factors, counted in memory: a refused call changes nothing that is stored."""

from __future__ import annotations

from typing import Final

_FREE: Final = 5
"""Wrong codes in a row before a device closes."""
_FIRST: Final = 30.0
_LONGEST: Final = 3600.0
"""Seconds for which a device closes at first, and at most."""
_MOST_DOUBLINGS: Final = 7
_MOST_REMEMBERED: Final = 10_000


class Refusals:
    """Wrong codes in a row, by device, and until when that closes it. Times are epoch seconds."""

    def __init__(self) -> None:
        self._wrong: dict[str, tuple[int, float]] = {}

    def closed(self, serial: str, now: float) -> bool:
        """Whether codes of this device are not even looked at now."""
        count, until = self._wrong.get(serial, (0, 0.0))
        return count >= _FREE and now < until

    def wrong(self, serial: str, now: float) -> None:
        """None; one more wrong code was given."""
        count = self._wrong.pop(serial, (0, 0.0))[0] + 1
        if len(self._wrong) >= _MOST_REMEMBERED:
            self._wrong.pop(next(iter(self._wrong)))
        doublings = min(max(0, count - _FREE), _MOST_DOUBLINGS)
        self._wrong[serial] = count, now + min(_LONGEST, _FIRST * 2**doublings)

    def right(self, serial: str) -> None:
        """None; a right code was given."""
        self._wrong.pop(serial, None)
