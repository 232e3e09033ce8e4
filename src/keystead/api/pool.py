"""Threads for operations that take milliseconds; callers take turns for them.

The threads yield to the event loop where both want a core (nice(2) counts for each thread on Linux): a key
that is generated for one client may take a little longer, the short operations of all others may not.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final

import msgspec

from keystead.api.lanes import Lanes

_NICENESS: Final = 19


class Work(msgspec.Struct, frozen=True, gc=False):
    """What is to be done, and what to do instead if there is no room; each reports its own failures."""

    do: Callable[[], None]
    refuse: Callable[[], None]


class FairPool:
    """At most `threads` pieces of work at a time; of what waits, each lane's next is taken in turn.

    With `each`, one lane has at most so many threads, so that work which waits long leaves some to others.

    They step back behind the loop by `niceness` where both want a core.

    Concurrency: any thread may submit.
    """

    def __init__(self, threads: int, most: int, each: int | None = None, niceness: int = _NICENESS) -> None:
        self.executor = ThreadPoolExecutor(threads, "keystead-slow", step_back, (niceness,))
        self._free = threads
        self._each = threads if each is None else each
        self._running: dict[str, int] = {}
        self._lanes: Lanes[Work] = Lanes(most)
        self._lock = threading.Lock()

    def submit(self, lane: str, work: Work) -> None:
        """None; a thread does `work` when it is its turn, or this one refuses what gives way to it."""
        with self._lock:
            given_up = self._lanes.put(lane, work)
            start = self._free > 0
            self._free -= start
        if start:
            self.executor.submit(self._run)
        if given_up is not None:
            given_up.refuse()

    def again(self, lane: str, work: Work) -> None:
        """None; as `submit`, for work that goes on: only from a thread of the pool, as the last that it does for now.

        It takes up this or what is before it as soon as it returns, so no other thread is woken.
        """
        with self._lock:
            given_up = self._lanes.put(lane, work)
        if given_up is not None:
            given_up.refuse()

    def close(self) -> None:
        """None, once all that was submitted is done."""
        self.executor.shutdown()

    def _run(self) -> None:
        lane: str | None = None
        while True:
            with self._lock:
                if lane is not None:
                    self._end(lane)
                found = self._lanes.take_from(self._may)
                if found is None:
                    self._free += 1
                    return
                lane, work = found
                self._running[lane] = self._running.get(lane, 0) + 1
            work.do()

    def _may(self, lane: str) -> bool:
        return self._running.get(lane, 0) < self._each

    def _end(self, lane: str) -> None:
        left = self._running[lane] - 1
        if left:
            self._running[lane] = left
        else:
            del self._running[lane]


def step_back(niceness: int) -> None:
    """None; this thread gives way to others by so much. On Linux nice(2) counts for each thread."""
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), niceness)
