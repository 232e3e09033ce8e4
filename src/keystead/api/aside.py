"""Slow checksums of long bodies, made beside the thread that seals and writes them, so that a PUT waits for the longer of both."""

from __future__ import annotations

import os
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Final

from keystead.api.pool import step_back
from keystead.crypto.checksum import Hash, new_hash
from keystead.crypto.frames import Buffer

_SLOW: Final = frozenset({"MD5", "SHA1", "SHA256", "SHA512"})
"""Algorithms that take several times as long as sealing does. A change of threads costs more than the others do."""
_LEAST: Final = 128 * 1024
"""Bytes of a piece that are worth a change of threads."""
_MOST: Final = 4
"""Pieces that wait; with more of them whoever brings them takes a hand, so that memory is bounded and nobody waits idly."""
_NICENESS: Final = 5
"""How far these threads step back: behind the event loop, and before those that write, or the system leaves both on one core."""


class Aside:
    """A `Hash` whose long pieces another thread takes. They must not be changed as long as anything looks at them.

    Concurrency: one thread brings pieces and asks for the digest.
    """

    def __init__(self, made: Hash) -> None:
        self._hash = made
        self._pieces: deque[Buffer] = deque()
        self._turn = threading.Lock()  # who has it takes the first piece, so that they come in their order
        self._used = False
        self._called = False

    def update(self, data: Buffer, /) -> None:
        if not self._used and len(data) < _LEAST:
            self._hash.update(data)
            return
        self._used = True
        self._pieces.append(data)
        if len(self._pieces) > _MOST:
            self._take_one()
        if not self._called:
            self._called = True
            _threads().submit(self._take_all)

    def digest(self) -> bytes:
        while self._take_one():
            pass
        return self._hash.digest()

    def _take_all(self) -> None:
        self._called = False  # for a piece that is brought from now on another thread is called
        while self._take_one():
            pass

    def _take_one(self) -> bool:
        """Whether there was a piece."""
        with self._turn:
            if not self._pieces:
                return False
            self._hash.update(self._pieces.popleft())
            return True


def hash_beside(name: str) -> Hash:
    """A new checksum of this algorithm (or `MD5`), of which long pieces are taken aside if it is slow."""
    return Aside(new_hash(name)) if name in _SLOW else new_hash(name)


@cache
def _threads() -> ThreadPoolExecutor:
    """A thread for each core; they step back behind the event loop."""
    return ThreadPoolExecutor(os.cpu_count(), "keystead-hash", step_back, (_NICENESS,))
