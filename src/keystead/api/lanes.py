"""Who is next where many wait: lanes take turns, and when all is full, the longest gives way.

Deficit round robin with a quantum of one (Shreedhar and Varghese, "Efficient Fair Queuing Using Deficit
Round-Robin", 1995): requests cost about the same, so a count does. What comes into a lane that had no turn left
goes first (RFC 8290 section 4.2, new and old queues): who asks little waits for nobody's backlog. An emptied lane
keeps its place until its turn has come or nothing waits, so that nobody is first again and again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Lanes(Generic[T]):
    """Things that wait, at most `most` of them; not safe for several threads at once."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._lanes: dict[str, deque[T]] = {}  # those that have a turn, some of them emptied meanwhile
        self._fresh: deque[str] = deque()
        self._turns: deque[str] = deque()
        self._waiting = 0
        self._busy = 0

    def __len__(self) -> int:
        return self._waiting

    @property
    def count(self) -> int:
        """How many lanes have something in them."""
        return self._busy

    @property
    def fresh(self) -> int:
        """How many of the next come from lanes that had no turn left."""
        return len(self._fresh)

    def put(self, lane: str, item: T) -> T | None:
        """What is given up instead, None if there was room: the newest of the longest lane, maybe `item` itself."""
        given_up = None
        if self._waiting >= self.most:
            longest = self._longest(lane)
            if longest == lane:
                return item
            given_up = self._lanes[longest].pop()
            self._waiting -= 1
            # The lane keeps its turn: it is the longest of several, so something is left in it.
        waiting = self._lanes.get(lane) or self._begin(lane)
        waiting.append(item)
        self._waiting += 1
        return given_up

    def take(self, most: int) -> list[T]:
        """What is next, one from each lane whose turn it is, `most` altogether."""
        if len(self._lanes) == 1:  # nobody to take turns with
            return self._take_from_one(most)
        taken: list[T] = []
        while len(taken) < most and self._waiting:
            lane = (self._fresh or self._turns).popleft()
            if self._lanes[lane]:
                taken.append(self._take(lane))
            else:
                del self._lanes[lane]
        return taken

    def take_from(self, may: Callable[[str], bool]) -> tuple[str, T] | None:
        """What is next of the lanes that `may` have their turn now, and its lane; None if there is nothing."""
        for turns in (self._fresh, self._turns):
            for _ in range(len(turns)):
                lane = turns.popleft()
                if not self._lanes[lane]:
                    del self._lanes[lane]
                elif may(lane):
                    return lane, self._take(lane)
                else:
                    turns.append(lane)
        return None

    def _begin(self, lane: str) -> deque[T]:
        """The empty lane, which has something in it from now on."""
        if lane not in self._lanes:
            self._lanes[lane] = deque()
            self._fresh.append(lane)
        self._busy += 1
        return self._lanes[lane]

    def _take_from_one(self, most: int) -> list[T]:
        """The next of the only lane there is, `most` altogether."""
        ((lane, waiting),) = self._lanes.items()
        taken = [waiting.popleft() for _ in range(min(most, len(waiting)))]
        self._waiting -= len(taken)
        self._fresh.clear()
        self._turns.clear()
        if waiting:
            self._turns.append(lane)
        else:
            self._lanes.clear()
            self._busy = 0
        return taken

    def _take(self, lane: str) -> T:
        waiting = self._lanes[lane]
        item = waiting.popleft()
        self._waiting -= 1
        self._busy -= not waiting
        if self._waiting:
            self._turns.append(lane)
        else:  # every turn has come
            self._lanes.clear()
            self._turns.clear()
        return item

    def _longest(self, newcomer: str) -> str:
        """The lane that gives way: the newcomer's own as soon as it has its share, so that this stays cheap."""
        own = len(self._lanes.get(newcomer, ()))
        if own * self._busy >= self.most:
            return newcomer
        longest = max(self._lanes, key=lambda lane: len(self._lanes[lane]))
        return longest if len(self._lanes[longest]) > own + 1 else newcomer
