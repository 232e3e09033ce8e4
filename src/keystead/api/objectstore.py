"""Where the bytes of objects are kept, and how they are read while an answer is sent."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final

import msgspec
import structlog

from keystead import errors
from keystead.api.held import HeldSecrets
from keystead.api.pool import FairPool, Work
from keystead.api.waiting import Home
from keystead.crypto.frames import Buffer
from keystead.objects import Blobs

log = structlog.get_logger("keystead.objects")

PIECE: Final = 1024 * 1024
"""Bytes of an answer that are made at once: a few frames, so that turns between threads do not count."""

MOST_HELD: Final = 1024
"""Bucket keys that are held at a time."""

Soon = Callable[[Callable[[], None]], object]
Made = Sequence[Buffer] | None
Take = Callable[[Made], None]


class Brake(msgspec.Struct, frozen=True):
    """How many objects of a bucket one caller may delete or re-encrypt in so many seconds; 0 objects: as many as it likes."""

    objects: int = 0
    seconds: int = 3600


class ObjectStore:
    """Blobs, the threads that read them for answers (none waits for a slow client), and keys that are held a while."""

    def __init__(self, blobs: Blobs, pool: FairPool, soon: Soon, inline: int, brake: Brake) -> None:
        """With what runs a callable on the loop's thread, from any other; made on that thread.

        Objects of at most `inline` bytes are kept by records instead of blobs.
        """
        self.inline = inline
        self.brake = brake
        self._blobs = blobs
        self._home = Home()
        self.secrets = HeldSecrets(MOST_HELD)
        self._pool = pool
        self._soon = soon

    @property
    def blobs(self) -> Blobs:
        """Where bytes are kept that are not kept by records.

        Raises:
            WouldWaitError: this is the event loop's thread.
        """
        self._home.leave()
        return self._blobs

    def source(self, chunks: Iterator[Buffer], lane: str) -> Pieces:
        """An answer's body from `chunks`, which are made in threads; `lane` is who waits for them."""
        return Pieces(chunks, self._pool, self._soon, lane)


class Pieces:
    """A `wire.http.Source` over an iterator that may block. While one piece is sent the next one is made, and no more."""

    def __init__(self, chunks: Iterator[Buffer], pool: FairPool, soon: Soon, lane: str) -> None:
        self._chunks = chunks
        self._pool = pool
        self._soon = soon
        self._lane = lane
        self._lock = threading.Lock()  # guards the next three
        self._made: deque[Made] = deque()
        self._taker: Take | None = None
        self._making = False

    def pull(self, take: Take) -> None:
        with self._lock:
            if self._made:
                self._soon(partial(take, self._made.popleft()))
            else:
                self._taker = take
            start, self._making = not self._making, True
        if start:
            self._pool.submit(self._lane, Work(self._make, self._give_up))

    def close(self) -> None:
        self._chunks = iter(())

    def _make(self) -> None:
        self._hand_over(self._next())

    def _give_up(self) -> None:
        self._hand_over(None)

    def _hand_over(self, piece: Made) -> None:
        """None; whoever waits has the piece, or whoever asks next, and then the one after it is made."""
        with self._lock:
            taker, self._taker = self._taker, None
            self._making = taker is not None and bool(piece)
            if taker is None:
                self._made.append(piece)
        if taker is None:
            return
        with contextlib.suppress(RuntimeError):  # the server has stopped
            if piece:
                self._pool.submit(self._lane, Work(self._make, self._give_up))
            self._soon(partial(taker, piece))

    def _next(self) -> Made:
        """What is sent next; None if it cannot be made, which the log has."""
        gathered: list[Buffer] = []
        size = 0
        try:
            for chunk in self._chunks:
                gathered.append(chunk)
                size += len(chunk)
                if size >= PIECE:
                    break
        except Exception as error:  # noqa: BLE001  whatever it is, the client must not take the rest for whole
            log.error("answer broken off", kind=type(error).__name__, where=errors.places(error))
            return None
        return gathered
