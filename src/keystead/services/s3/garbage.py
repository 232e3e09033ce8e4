"""Blobs and inline streams that no version names any more: noted in the batch that drops the version, deleted a while later.

The while lets answers that are being sent from a blob come to their end. A crash loses nothing: the note is
durable with the change, and deleting twice does no harm.
"""

from __future__ import annotations

from concurrent.futures import Executor, Future
from typing import Final

import msgspec
import structlog

from keystead import errors
from keystead.clock import Clock
from keystead.objects import Blobs
from keystead.services.s3.tables import INLINE, Change, Piece, Version
from keystead.storage import Store, Table

log = structlog.get_logger("keystead.objects")

GRACE: Final = 600
"""Seconds."""
_DIGITS: Final = 12
_BATCH: Final = 200


class Garbage(msgspec.Struct, frozen=True):
    """A blob that is to be deleted, or with `inline` a record."""

    blob: str
    inline: bool = False


GARBAGE: Table[Garbage] = Table("s3_garbage", Garbage, evident=False)  # a note of work to do
"""when it is due in epoch seconds (12 digits)/blob"""


def discard(call: Change, version: Version) -> None:
    """Have the version's blobs deleted, once the call is durable."""
    discard_pieces(call, version.pieces)


def discard_pieces(call: Change, pieces: tuple[Piece, ...]) -> None:
    """The same for the pieces of an object that never was."""
    due = int(call.now) + GRACE
    for piece in pieces:
        call.tx.put(GARBAGE, f"{due:0{_DIGITS}d}/{piece.blob}", Garbage(piece.blob, piece.inline))


def is_due(place: str, now: float) -> bool:
    """Whether the blob with this record may be deleted."""
    return int(place[:_DIGITS]) <= now


def collect(store: Store, blobs: Blobs, now: float) -> int:
    """How many blobs were deleted, of those that are due; a batch at most.

    Raises:
        errors.BlobsUnavailable: one could not be deleted; all notes stay.
        errors.StorageError: the notes could not be read or dropped.
    """
    tx = store.transaction()
    due = [(place, note) for place, note in tx.scan(GARBAGE, "", limit=_BATCH) if is_due(place, now)]
    for place, note in due:
        if note.inline:
            tx.delete(INLINE, note.blob)
        else:
            blobs.delete(note.blob)
        tx.delete(GARBAGE, place)
    if due:
        store.commit([tx])
    return len(due)


class Collector:
    """Deletes what is due, in a thread, as often as `tick` is called and the last time has ended."""

    def __init__(self, store: Store, blobs: Blobs, clock: Clock) -> None:
        self._store = store
        self._blobs = blobs
        self._clock = clock
        self._running: Future[None] | None = None

    def tick(self, executor: Executor) -> None:
        """None; the work is under way, unless it is already or nothing is due."""
        if self._running is not None and not self._running.done():
            return
        first = self._store.transaction().scan(GARBAGE, "", limit=1)
        if first and is_due(first[0][0], self._clock.now()):
            self._running = executor.submit(self._run)

    def _run(self) -> None:
        try:
            while collect(self._store, self._blobs, self._clock.now()):
                pass
        except errors.OperatorError as error:
            log.error("deleting blobs waits", reason=str(error))

    def wait(self) -> None:
        """None, once nothing runs; `tick` must not be called any more."""
        if self._running is not None:
            self._running.exception()
