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
from keystead.wire.http import Send, Take

log = structlog.get_logger("keystead.objects")

PIECE: Final = 1024 * 1024
"""Bytes of an answer that are made at once: a few frames, so that turns between threads do not count."""

MOST_HELD: Final = 1024
"""Bucket keys that are held at a time."""

Soon = Callable[[Callable[[], None]], object]
Made = Sequence[Buffer] | None


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
    """A `wire.http.Source` over an iterator that may block. When a piece is refused the next one is made, and no more.

    The thread that has made a piece sends it, too, and goes on with the next: a change of threads for each piece costs more
    than the sending.
    """

    def __init__(self, chunks: Iterator[Buffer], pool: FairPool, soon: Soon, lane: str) -> None:
        self._chunks = chunks
        self._pool = pool
        self._soon = soon
        self._lane = lane
        self._work = Work(self._make, self._give_up)
        self._lock = threading.Lock()  # guards the next three
        self._made: deque[Made] = deque()  # what nobody has asked for yet: one piece at most
        self._asking: tuple[Take, Send] | None = None
        self._making = False

    def pull(self, take: Take, send: Send) -> None:
        with self._lock:
            made = list(self._made)
            self._made.clear()
            self._asking = None if made else (take, send)
            start, self._making = not self._making, True
        if made:
            self._pass_on(made[0], take, send, self._pool.submit)
        elif start:
            self._pool.submit(self._lane, self._work)

    def close(self) -> None:
        self._chunks = iter(())

    def _make(self) -> None:
        piece = self._next()
        with self._lock:
            asking = self._asking
            if asking is None:
                self._made.append(piece)
                self._making = False
        if asking is not None:
            self._pass_on(piece, *asking, self._pool.again)

    def _pass_on(self, piece: Made, take: Take, send: Send, submit: Callable[[str, Work], None]) -> None:
        """None; the piece is sent, or else the loop has it, and the next one is made."""
        sent = send(piece)
        with self._lock:
            self._asking = (take, send) if sent else None
        with contextlib.suppress(RuntimeError):  # the server has stopped
            if not sent:
                self._soon(partial(take, piece))
            if piece:
                submit(self._lane, self._work)

    def _give_up(self) -> None:
        """None; the pool has no room for the next piece, so the answer is cut here."""
        with self._lock:
            asking, self._asking = self._asking, None
            if asking is None:
                self._made.append(None)
        if asking is not None:
            with contextlib.suppress(RuntimeError):  # as above
                self._soon(partial(asking[0], None))

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
