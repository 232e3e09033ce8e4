"""A request's body on its way from the event loop to the thread that reads it, and never much of it at a time."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from keystead import errors
from keystead.wire.http import Buffer

MOST_HELD: Final = 1024 * 1024
"""Bytes that wait for the reader; beyond it the connection is not read."""
PIECE: Final = 256 * 1024
"""Bytes that are worth a turn of the reader; shorter pieces are put together."""


class Inflow:
    """A `wire.http.Body`: the loop's thread feeds it, one other thread reads.

    `soon` runs a callable on the loop's thread: `wanted` when the body is first asked for, and `drained` when there
    is room again after `full` was true.

    Attributes:
        length: what Content-Length says.
        kept: see `wire.http.Body`.
        received: bytes so far.
        failed: nothing more will come, though the body is not complete.
    """

    def __init__(
        self,
        length: int | None,
        soon: Callable[[Callable[[], None]], object],
        wanted: Callable[[], None],
        drained: Callable[[], None],
    ) -> None:
        self._soon = soon
        self.length = length
        self.kept: Any = None
        self.received = 0
        self._wanted = wanted
        self._drained = drained
        self._asked = False
        self._pieces: deque[Buffer] = deque()
        self._held = 0
        self._full = False
        self._over = False
        self.failed = False
        self._news = threading.Condition()

    # ------------------------------------------------------------ on the loop's thread

    @property
    def full(self) -> bool:
        """Whether no more should be read from the connection; `drained` tells when that changes."""
        with self._news:
            self._full = self._held >= MOST_HELD
            return self._full

    def feed(self, piece: Buffer) -> None:
        """None; the piece can be read. It is not changed while anything looks at it."""
        with self._news:
            self.received += len(piece)
            self._held += len(piece)
            self._pieces.append(piece)
            self._news.notify()

    def finish(self) -> None:
        """None; all has been fed."""
        with self._news:
            self._over = True
            self._news.notify()

    def fail(self) -> None:
        """None; nothing more will come, though the body is not complete."""
        with self._news:
            self.failed = not self._over
            self._news.notify()

    # ------------------------------------------------------------ in the reader's thread

    def read(self) -> Buffer:
        """The next piece, empty at the end.

        Raises:
            errors.RequestTimeout: the rest did not come.
        """
        if not self._asked:
            self._asked = True
            self._tell(self._wanted)
        with self._news:
            while not self._pieces and not self._over and not self.failed:
                self._news.wait()
            if self.failed:
                raise errors.RequestTimeout("The request body did not arrive.")
            if not self._pieces:
                return b""
            piece = self._next()
            self._held -= len(piece)
            resume = self._full and self._held <= MOST_HELD // 2
            self._full = self._full and not resume
        if resume:
            self._tell(self._drained)
        return piece

    def _next(self) -> Buffer:
        """The first piece; of short ones all that wait: fewer turns between the threads, larger pieces to work on."""
        if len(self._pieces) == 1 or len(self._pieces[0]) >= PIECE:
            return self._pieces.popleft()
        piece = b"".join(self._pieces)
        self._pieces.clear()
        return piece

    def _tell(self, do: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._soon(do)
