"""The sequencer: merges the journals of all workers into one Merkle log.

Only whole groups that were synced are taken up. Tiles and bundles are durable before the head tells of them, the head
before its public copy does; the first head, of no entries, is there before any tile. Each run begins from the head, so
going on and recovering are the same: a crash anywhere loses nothing, for the journals hold the evidence, and what was
written beyond the head is written again.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Final

from keystead.audit.change import Change, decode_writes
from keystead.audit.disk import Disk
from keystead.audit.follow import Cursor, Part, parts
from keystead.audit.groups import Records
from keystead.audit.journal import Journal
from keystead.audit.logfiles import Head, LogFiles
from keystead.audit.logkeys import LogKeys
from keystead.audit.published import Published
from keystead.audit.segment import Frame, Kind
from keystead.errors import JournalError, LogError
from keystead.tlog import (
    Checkpoint,
    Salts,
    Tile,
    append,
    consistency,
    event_leaf,
    event_leaves,
    hash_reader,
    note_leaf,
    open_checkpoint,
    root_of,
)
from keystead.tlog.checkpoint import sign_checkpoint
from keystead.tlog.entry import VERSION
from keystead.tlog.merkle import EMPTY_ROOT
from keystead.tlog.tile import WIDTH

if TYPE_CHECKING:
    from keystead.audit.witnessing import Witnesses  # with HTTP, which most deployments do not need

MOST: Final = 8192
"""Records that one checkpoint adds at most: more than half a second brings, so that a run at full load takes one."""


def leaf_of(frame: Frame, worker: str, salts: Salts, version: int = VERSION) -> bytes:
    """The leaf of a journal's record; that of an event in the version that is told."""
    return _leaf(frame.kind, frame.payload, frame.change, worker, frame.index, salts, version)


def _leaf(
    kind: Kind,
    payload: bytes,
    change: Change | None,
    worker: str,
    index: int,
    salts: Salts,
    version: int = VERSION,
) -> bytes:
    writes, commit = _written(change)
    if kind is Kind.EVENT:
        return event_leaf(payload, worker, index, salts, writes, commit, version)
    return note_leaf(payload, worker, index, writes, commit)


def leaves_of(records: Records, worker: str, start: int, end: int, salts: Salts) -> list[bytes]:
    """The leaves of the records from place `start` to before `end` in the row."""
    leaves, at = list[bytes](), start
    for odd in (*(place for place in records.odd if start <= place < end), end):
        between = [
            records.texts[begin:stop] if stretch is None else records.alike(stretch, begin, stop, at)
            for begin, stop, stretch in records.stretches(at, odd)
        ]
        leaves += event_leaves(between, worker, records.first + at, salts)
        if odd < end:
            payload, change = records.parts(odd)
            leaves.append(_leaf(records.odd[odd], payload, change, worker, records.first + odd, salts))
        at = odd + 1
    return leaves


def _due(records: Records, worker: str, following: int, limit: int | None) -> tuple[int, int]:
    """From which to before which place in the row records are to be taken up: from number `following` to before `limit`."""
    first, count = records.first, len(records.texts)
    if count and following < first:
        raise LogError(f"journal {worker}: record {following} is missing")
    start = min(following - first, count)
    return start, count if limit is None else min(count, max(start, limit - first))


def _written(change: Change | None) -> tuple[list[tuple[bytes, bytes]], dict[str, int]]:
    if change is None:
        return [], {}
    name = "commit" if change.exact else "commitUpTo"
    return list(decode_writes(change.writes)), {name: change.commit}


class Sequencer:
    """One at a time for a data directory: whoever leads. Belongs to one thread.

    `acknowledged` tells of a journal below which index its records are known to stay; None: all that are there do.
    `begun` says that there has been a log, whatever is there now. `hand` takes each part of a journal that was read.
    """

    def __init__(
        self,
        directory: Path,
        keys: LogKeys,
        acknowledged: Callable[[str], int | None],
        *,
        disk: Disk | None = None,
        witnesses: Witnesses | None = None,
        begun: bool = False,
        hand: Callable[[str, Part], None] | None = None,
    ) -> None:
        self._directory = directory
        self._hand = hand
        self._files = LogFiles(directory, disk)
        self._disk = disk
        self._origin = keys.origin(None)
        self._signer = keys.signer(self._origin)
        self._salts = keys.salts
        self._acknowledged = acknowledged
        self._witnesses = witnesses
        self._head: Head | None = None
        self._size = 0
        self._begun = begun
        self._witnessed = 0
        self._showing = Lock()
        self._cursors: dict[str, Cursor] = {}

    def run(self) -> int:
        """How many records were added to the log: all that were durable when it began.

        Raises:
            as `step`.
        """
        added = 0
        # What comes meanwhile is left for the next run: each checkpoint costs as much as a hundred entries.
        while (count := self.step()) >= MOST:
            added += count
        return added + count

    def step(self) -> int:
        """How many records one checkpoint added to the log: up to `MOST` of those that were durable when it began.

        Raises:
            OperatorError: a journal or the log is damaged; it is named.
            OSError: the log cannot be written or read.
        """
        try:
            if self._head is None:
                self._resume()
            else:
                self._expect_in_place()
            return self._add()
        except BaseException:
            self._head, self._cursors = None, {}  # the next run begins from what is on the disk
            raise

    def _resume(self) -> None:
        """Begin from the head on disk; a log that does not fit it is not continued."""
        head = self._files.head() or self._begin()
        checkpoint = open_checkpoint(head.checkpoint, [self._signer.key])
        if checkpoint.size < self._size:
            raise LogError(
                f"log/head is of {checkpoint.size} entries, {self._size} were published: it was put back"
            )
        if root_of(checkpoint.size, self._files.read) != checkpoint.root:
            raise LogError("the tiles at the log's edge are not those of log/head")
        self._files.repair(head)
        self._head, self._size, self._begun = head, checkpoint.size, True

    def _expect_in_place(self) -> None:
        """Nothing, if what was published last still stands there; else nobody else could go on from it, or prove by it.

        Raises:
            LogError: it does not; the next run goes on if it was put back.
        """
        if self._files.head() != self._head:
            raise LogError("log/head was removed or changed beside the server")

    def _begin(self) -> Head:
        """The head of the log without entries: it is told of before the first tile is written.

        So tiles without a head are never what a crash left: the head was removed.
        """
        if self._begun or self._files.written:
            raise LogError("log/head is gone; the log is not begun anew")
        head = Head(self._sign(0, EMPTY_ROOT), {})
        self._files.publish(head)
        return head

    def _sign(self, size: int, root: bytes) -> str:
        return sign_checkpoint(Checkpoint(self._origin, size, root), self._signer)

    def _add(self) -> int:
        assert self._head is not None
        journals, cursors = dict(self._head.journals), dict(self._cursors)
        leaves: list[bytes] = []
        there = {entry.name for entry in (self._directory / "journal").iterdir()}
        added = 0
        for worker in sorted(there | journals.keys()):
            added += self._gather(worker, journals, cursors, leaves, MOST - added)
        if leaves:
            self._publish(leaves, journals)
        self._cursors = cursors
        return added

    def _gather(
        self,
        worker: str,
        journals: dict[str, int],
        cursors: dict[str, Cursor],
        leaves: list[bytes],
        room: int,
    ) -> int:
        """How many records of the worker were added to `leaves`, `room` of them at most."""
        limit, added = self._acknowledged(worker), 0
        for part in parts(self._directory, worker, cursors.get(worker), self._disk, limit or 0):
            following = journals.get(worker, 0)
            if part.gone is not None and part.gone < following:
                raise LogError(f"journal {worker}: record {part.gone} was in the log and is gone")
            if part.records is not None:
                start, end = _due(part.records, worker, following, limit)
                end = min(end, start + room - added)
                if end > start:
                    leaves += leaves_of(part.records, worker, start, end, self._salts)
                    journals[worker] = part.records.first + end
                    added += end - start
                if end < len(part.records.texts):
                    return added  # this part is read again the next time
            cursors[worker] = part.cursor
            if self._hand is not None:
                self._hand(worker, part)
        read = cursors[worker].index if worker in cursors else 0
        if read < journals.get(worker, 0):
            raise LogError(f"journal {worker}: record {read} was in the log and is gone")
        return added

    def _publish(self, leaves: list[bytes], journals: dict[str, int]) -> None:
        growth = append(self._size, self._files.read, leaves)
        self._files.write(growth.writes)
        # A crash here: nobody was told of these tiles; the next run writes the same again.
        head = Head(self._sign(growth.size, growth.root), journals)
        with self._showing:
            self._files.publish(head)
            old, self._head, self._size, self._begun = self._size, head, growth.size, True
        for tile, _ in growth.writes:
            self._drop_narrower(tile, old)

    def witness(self) -> None:
        """Nothing; the newest checkpoint was kept with the signatures of its witnesses, and shows them if it still is.

        May run beside `run`, on one other thread: witnesses take their time, and the log does not wait for them.

        Raises:
            OSError: it cannot be written.
        """
        with self._showing:
            head, size = self._head, self._size
        if self._witnesses is None or head is None or size == self._witnessed:
            return
        self._witnessed = size
        published = Published(self._files, head)  # the log goes on meanwhile
        lines = self._witnesses.cosign(
            head.checkpoint, lambda old: consistency(old, size, hash_reader(size, published.read))
        )
        if not lines:
            return
        note = head.checkpoint + "".join(lines)
        with self._showing:
            self._files.keep_witnessed(note)
            if self._head is head:
                self._files.show(note)

    def _drop_narrower(self, tile: Tile, size: int) -> None:
        """The partial tile of a tree of `size`, of which this one is the continuation."""
        width = (size >> 8 * max(tile.level, 0)) - tile.index * WIDTH
        if 0 < width < tile.width:
            self._files.drop(Tile(tile.level, tile.index, width))


def expect_logged(directory: Path, journal: Journal) -> None:
    """Nothing, if the journal that was just opened has every record of it that the log has.

    A journal that was deleted or cut off would use its numbers again, for other records. It is abandoned.

    Raises:
        JournalError: it has not.
    """
    try:
        head = LogFiles(directory).head()
    except LogError:
        return  # the log itself is damaged: the sequencer tells
    known = 0 if head is None else head.journals.get(journal.worker, 0)
    if journal.next_index < known:
        journal.abandon()
        raise JournalError(
            f"journal {journal.worker}: the log has {known} records of it, {journal.next_index} are there:"
            " it was deleted, cut off or put back"
        )
