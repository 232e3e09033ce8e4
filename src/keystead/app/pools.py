"""The threads of a server, by what they do."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from keystead.api.pool import FairPool
from keystead.settings import Settings

BODIES: Final = 64
"""Threads that wait for bodies of requests; most of the time they do just that."""
BODIES_EACH: Final = 48
"""Of these, at most so many for one caller: slow uploads of one must not keep out the others."""
FORMS: Final = 16
"""Threads that wait for the fields of forms."""
FORMS_EACH: Final = 8
"""Of these, at most so many for one address."""
_STREAMING: Final = 5
"""How far threads that make answers step back: they let go of the interpreter most of the time, and their clients wait."""


class Pools:
    """One pool for each kind of work, so that none keeps another waiting."""

    def __init__(self, settings: Settings) -> None:
        most = settings.max_waiting
        self.calls = FairPool(settings.threads, most)
        self.bodies = FairPool(BODIES, most, each=BODIES_EACH)
        self.forms = FairPool(FORMS, most, each=FORMS_EACH)
        self.answers = FairPool(settings.threads, most, niceness=_STREAMING)
        # Not of those for calls, whose threads go on as long as clients have work for them.
        self.upkeep = ThreadPoolExecutor(2, "keystead-upkeep")

    async def close(self) -> None:
        """None, once all work is done; who hands on work ends before who does it."""
        loop = asyncio.get_running_loop()
        for pool in (self.forms, self.bodies, self.answers, self.calls):
            await loop.run_in_executor(None, pool.close)
        await loop.run_in_executor(None, self.upkeep.shutdown)
