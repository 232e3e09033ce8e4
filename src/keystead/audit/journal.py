"""A worker's append-only journal: durable when `append` returns, checkable by anyone who reads it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Self

import msgspec

from keystead.audit import reader
from keystead.audit.acknowledged import Acknowledged
from keystead.audit.disk import Disk, Lock, OsDisk, SegmentFile, Spare, make_directory, write_through
from keystead.audit.segment import (
    FORMAT_VERSION,
    SECTOR,
    Frame,
    Header,
    Kind,
    Position,
    align,
    count_fitting,
    encode_group,
    encode_header,
    genesis,
    longest_record,
)
from keystead.audit.told import Record
from keystead.errors import JournalError

DEFAULT_SEGMENT_SIZE = 16 << 20
_SPARE_NAME = "spare"
_CLOSED = b'{"note":"closed"}'


class Cut(msgspec.Struct, frozen=True):
    """What a start found torn: `length` bytes at `offset` of `segment`, with their SHA-256 in hex."""

    segment: str
    offset: int
    length: int
    digest: str


class _View(msgspec.Struct, frozen=True):
    """What is durable, replaced as one value so that readers on other threads see no half-made change."""

    segments: tuple[Header, ...]
    at: Position
    anchor: int


class Journal:
    """One writer's journal in `DIR/journal/<worker>/NNNNNNNN.seg`.

    Guarantees: `append` returns only when every record is durable, and records are read back in
    the order they were appended. Concurrency: one thread appends; any thread may read what was
    acknowledged. A failure of any kind leaves the journal *failed*: nothing more is accepted until
    `reopen`. Trust: whoever can write the directory can cut off the newest records unnoticed, but not
    change, drop or add any before a record that somebody remembers; the Merkle log remembers.
    """

    def __init__(self, disk: Disk, directory: Path, worker: str, size: int, *, ahead: bool) -> None:
        self._disk = disk
        self._directory = directory
        self._worker = worker
        self._size = size
        self._spare = Spare(disk, directory / _SPARE_NAME, size, ahead=ahead)
        self._view = _View((), Position(SECTOR, 0, genesis(worker)), 0)
        self._file: SegmentFile | None = None
        self._lock: Lock | None = None
        self._acknowledged: Acknowledged | None = None
        self._newest = ""  # the path of the segment that is written
        self._identity = (0, 0)
        self._failure: str | None = None
        self.recovered: Cut | None = None

    @classmethod
    def open(
        cls,
        directory: Path,
        worker: str,
        *,
        segment_size: int = DEFAULT_SEGMENT_SIZE,
        disk: Disk | None = None,
        prepare_ahead: bool = True,
    ) -> Self:
        """The journal, ready to append after its last whole record.

        A torn tail is left where it is and the journal continues in a new segment whose first
        record is a note of the cut (`recovered` tells too).

        Args:
            directory: the deployment's data directory.
            worker: the worker's name; at most one process opens it at a time.
            segment_size: bytes of a new segment, a multiple of 512.
            disk: the file operations.
            prepare_ahead: let a thread prepare the next segment.

        Raises:
            JournalError: another process writes it, the disk refuses, or the chain is broken before the
                last group (segment and offset are named).
            ValueError: the worker's name or the segment size is unusable.
        """
        if segment_size % SECTOR or segment_size < 2 * SECTOR:
            raise ValueError(f"a segment is a multiple of {SECTOR} bytes and at least two of them")
        path = reader.directory_of(directory, worker)
        journal = cls(disk or OsDisk(), path, worker, segment_size, ahead=prepare_ahead)
        try:
            with journal._failing():
                make_directory(journal._disk, path)
                journal._lock = Lock(path, patience=Lock.patience)
                journal._acknowledged = Acknowledged(path)
                journal._start()
                journal._acknowledged.tell(journal.next_index)
        except BaseException:
            journal.abandon()
            raise
        return journal

    # ------------------------------------------------------------------------- facts

    @property
    def worker(self) -> str:
        """Whose journal this is."""
        return self._worker

    @property
    def next_index(self) -> int:
        """The index that the next record gets; every smaller one is durable."""
        return self._view.at.index

    @property
    def chain(self) -> bytes:
        """The 32-byte chain hash after the last durable record."""
        return self._view.at.chain

    @property
    def anchor(self) -> int:
        """The largest anchor that was appended, also before a restart; 0 without any."""
        return self._view.anchor

    @property
    def failure(self) -> str | None:
        """Why nothing is accepted; None while all is well."""
        return self._failure

    @property
    def longest_record(self) -> int:
        """Bytes of the longest record that fits."""
        return longest_record(self._size)

    # ----------------------------------------------------------------------- writing

    def append(self, records: Sequence[Record], anchor: int = 0) -> None:
        """Nothing, once all of `records` are durable: one write and one sync unless a segment is full.

        `anchor` is a number that only grows and that the journal keeps for its owner: the commit number of the
        store, so that a store which was put back to an older state is noticed at the next start.

        Raises:
            JournalError: the journal is failed, now or since earlier; which of the records persisted is
                unknown and no caller may be answered for any of them.
            ValueError: a record is empty or does not fit in a segment; nothing was written.
        """
        if self._failure is not None:
            raise JournalError(f"journal {self._worker}: {self._failure}")
        self._append(records, Kind.EVENT, max(anchor, self._view.anchor))

    def reopen(self) -> None:
        """Nothing, once the journal accepts records again.

        Checks through fresh descriptors that what was acknowledged is there, then continues in a new
        segment: neither the failed descriptor nor anything written through it after the last good sync
        is used.

        Raises:
            JournalError: it still does not work (the journal stays failed), or it was closed.
        """
        if self._lock is None:
            raise JournalError(f"journal {self._worker}: {self._failure}")
        view = self._view
        with self._failing():
            # A failed roll may have left a segment that holds no record yet; it keeps its place in the sequence.
            segments = reader.headers(self._disk, self._directory, self._worker)
            if not segments:
                raise JournalError("all segments are gone")
            since = view.segments[-1].first_index
            for _ in reader.frames(self._disk, self._directory, segments, view.at, since):
                pass
            self._roll(segments, view.at, view.anchor)
        self._failure = None

    def close(self) -> None:
        """Nothing; a note ends the journal, so that later damage to its last records is told from a crash.

        Raises:
            JournalError: the note cannot be written; what was acknowledged is not in danger.
        """
        try:
            if self._failure is None:
                self._append([_CLOSED], Kind.NOTE, self._view.anchor)
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Nothing; files and lock are let go as by a crash, without a closing note."""
        self._failure = self._failure or "closed"
        self._drop_file()
        self._spare.discard()
        if self._acknowledged is not None:
            self._acknowledged.close()
            self._acknowledged = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    # ----------------------------------------------------------------------- reading

    def frames(self, from_index: int = 0) -> Iterator[Frame]:
        """Every durable record from `from_index` on, notes too.

        Raises:
            JournalError: the chain is broken; the message names segment and offset.
        """
        view = self._view
        if from_index < view.at.index:
            yield from reader.frames(self._disk, self._directory, view.segments, view.at, from_index)

    def read(self, from_index: int = 0) -> Iterator[tuple[int, bytes]]:
        """The durable events from `from_index` on with their indexes (notes leave gaps).

        Raises:
            JournalError: the chain is broken; the message names segment and offset.
        """
        return ((f.index, f.payload) for f in self.frames(from_index) if f.kind is Kind.EVENT)

    def verify(self) -> int:
        """How many records there are, after checking every one of them.

        Raises:
            JournalError: the chain is broken; the message names segment and offset.
        """
        return sum(1 for _ in self.frames())

    # ---------------------------------------------------------------------- starting

    def _start(self) -> None:
        segments = reader.headers(self._disk, self._directory, self._worker)
        if not segments:
            self._roll((), self._view.at, 0)
            return
        # A crash between a segment's renaming and its directory's sync: the name is there, but not durable yet.
        self._disk.sync_names(self._directory)
        tail = reader.tail(self._disk, self._directory, segments[-1])
        self._settle(segments[-1], tail)
        if tail.clean and segments[-1].version != FORMAT_VERSION:
            self._roll(segments, tail.at, tail.anchor)
        elif tail.clean:
            at = msgspec.structs.replace(tail.at, offset=align(tail.at.offset))
            self._view = _View(segments, at, tail.anchor)
            self._spare.prepare()
        else:
            self._cut(segments, tail)

    def _settle(self, newest: Header, tail: reader.Tail) -> None:
        """Write what was read once more, and sync it.

        A process that died after a failed sync may have left pages that the kernel shows but that
        never reached the disk; they would be lost later, after somebody relied on them.
        """
        self._file = self._disk.open(self._directory / newest.name)
        self._write(tail.data, 0)
        self._note_newest(newest)

    def _cut(self, segments: tuple[Header, ...], tail: reader.Tail) -> None:
        """Continue in a new segment; the torn bytes stay where they are for whoever looks."""
        torn = Cut(segments[-1].name, tail.at.offset, len(tail.beyond), sha256(tail.beyond).hexdigest())
        self._roll(segments, tail.at, tail.anchor)
        # A crash here: the next start finds a sound newest segment and writes no note of the cut.
        note = msgspec.json.encode({"note": "cut", **msgspec.structs.asdict(torn)})
        self._append([note], Kind.NOTE, tail.anchor)
        self.recovered = torn

    # ---------------------------------------------------------------------- the disk

    def _append(self, records: Sequence[Record], kind: Kind, anchor: int) -> None:
        sizes = list(map(len, records))
        if sizes and not 0 < min(sizes) <= max(sizes) <= self.longest_record:
            raise ValueError(f"a record has 1 to {self.longest_record} bytes")
        with self._failing():
            while records:
                segments, at = self._view.segments, self._view.at
                fitting = count_fitting(segments[-1].size - at.offset, sizes)
                if fitting:
                    self._write_group(records[:fitting], kind, anchor)
                    records, sizes = records[fitting:], sizes[fitting:]
                else:
                    self._roll(segments, at, anchor)

    def _write_group(self, records: Sequence[Record], kind: Kind, anchor: int) -> None:
        data, after = encode_group(self._view.at, records, anchor, kind)
        # A crash before the sync returns: the next start keeps the whole records that persisted (nobody was
        # answered for them) and cuts the rest.
        self._write(data, self._view.at.offset)
        self._expect_in_place()
        # Durable: a crash from here on loses nothing.
        self._view = _View(self._view.segments, after, anchor)
        if self._acknowledged is not None:
            self._acknowledged.tell(after.index)

    def _roll(self, segments: tuple[Header, ...], at: Position, anchor: int) -> None:
        """Continue after `at` in a new segment."""
        self._drop_file()
        sequence = segments[-1].sequence + 1 if segments else 0
        header = Header(self._worker, sequence, self._size, at.index, anchor, at.chain)
        self._file = self._spare.take()
        self._write(encode_header(header), 0)
        # A crash here: the spare has a header but no name that counts; the next start replaces it.
        self._disk.rename(self._spare.path, self._directory / header.name)
        # A crash here: an empty segment continues from the last record, as it shall.
        self._note_newest(header)
        self._view = _View((*segments, header), header.start, anchor)
        self._spare.prepare()

    def _write(self, data: bytes, offset: int) -> None:
        assert self._file is not None
        write_through(self._file, data, offset)

    def _note_newest(self, header: Header) -> None:
        """Nothing; the segment is the one that is written, and what stands under its name now is it."""
        self._newest = str(self._directory / header.name)
        found = os.stat(self._newest)  # noqa: PTH116  a path as text: after each group, where a Path takes longer than the call
        self._identity = found.st_dev, found.st_ino

    def _expect_in_place(self) -> None:
        """Nothing, if what was just written can be found under the segment's name.

        A file that somebody removed, replaced or cut off still takes writes, which nobody could read later.

        Raises:
            JournalError: it cannot.
            OSError: the disk does not tell.
        """
        newest = self._view.segments[-1]
        try:
            found = os.stat(self._newest)  # noqa: PTH116  as above
        except FileNotFoundError:
            raise JournalError(f"journal segment {newest.name}: was removed while it was written") from None
        if (found.st_dev, found.st_ino, found.st_size) != (*self._identity, newest.size):
            raise JournalError(f"journal segment {newest.name}: was replaced or cut off while it was written")

    def _drop_file(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            # Closing may report the error that made this file untrusted; it was reported already.
            with suppress(OSError):
                file.close()

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """Turns every refusal of the disk into a failed journal."""
        try:
            yield
        except OSError as error:
            self._failure = error.strerror or str(error)
            raise JournalError(f"journal {self._worker}: {self._failure}") from error
        except JournalError as error:
            self._failure = str(error)
            raise
