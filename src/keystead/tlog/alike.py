"""Events in a row that are alike, told by what differs: what the log and the index take in so, they look at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

ID: Final = len("xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx")
"""Bytes of an id of a request or an event."""

REQUEST: Final = b',"requestID":"'
BETWEEN: Final = b'","eventID":"'
"""What is before and between both ids in an event."""

TWO_IDS: Final = 2 * ID + len(BETWEEN)
"""Bytes of both, with what is between."""


class Alike(NamedTuple):
    """Events in a row that are like an earlier one but for their middles.

    That one is number `like` of all events; `before` and `behind` are what all have alike, `own` is its own middle.
    """

    like: int
    before: bytes
    own: bytes
    behind: bytes
    middles: Sequence[bytes]

    def events(self) -> list[bytes]:
        """All of each."""
        return [self.before + middle + self.behind for middle in self.middles]

    def differ_in_ids(self) -> bool:
        """Whether nothing but ids of requests and events differs."""
        size = len(self.own)
        return (
            self.before.endswith(REQUEST)
            and size == TWO_IDS
            and {middle[ID:-ID] for middle in (self.own, *self.middles)} == {BETWEEN}
        )


Stretch = Sequence[bytes] | Alike
"""Events in a row."""


def events_of(stretch: Stretch) -> Sequence[bytes]:
    """All of each of them."""
    return stretch.events() if isinstance(stretch, Alike) else stretch
