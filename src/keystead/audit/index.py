"""The index of all events: where in the journals they are, by what queries ask for. Nothing in it is evidence.

`DIR/log/index.db` is an SQLite file of its own, filled from the journals by whoever comes by, and made anew from them
at any time. What is in it stands in `batches`. Texts are numbered; pairs of encryption contexts, of which there are too
many, are hashed.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import msgspec

from keystead.audit.batches import SCHEMA, SIZE, TABLES, VERSION, Batching, Words, drop, forget
from keystead.audit.disk import Disk, OsDisk
from keystead.audit.follow import Cursor, Part, parts
from keystead.audit.pieces import Pieces
from keystead.audit.reader import directory_of, headers
from keystead.audit.turns import turn
from keystead.errors import IndexUnavailable

WORKER_BITS: Final = 40
"""An event's row number is its worker's number, and below it its index in that worker's journal."""

_BUSY_MILLISECONDS: Final = 10_000
_OLDER: Final = ("event",)
"""Tables of older forms."""

Source = Callable[[str, Cursor | None], Iterator[Part]]
"""What came in a worker's journal behind a place, as `follow.parts` has it."""


class Progress(msgspec.Struct, frozen=True):
    """What a call of `catch_up` took in, and whether that was everything there was."""

    events: int
    complete: bool


class Index:
    """The index of one deployment. Each method opens the file for itself, so instances may be shared."""

    def __init__(self, root: Path, disk: Disk | None = None) -> None:
        self.root = root
        self._disk = disk
        self.path = root / "log" / "index.db"

    # ----------------------------------------------------------------------- reading

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A block that sees the index as it is at its first query.

        Raises:
            IndexUnavailable: the file cannot be used.
        """
        with self.connected() as connection:
            connection.execute("BEGIN")
            yield connection

    # ----------------------------------------------------------------------- filling

    def catch_up(self, most: int | None = None) -> Progress:
        """What was taken in of what the journals have by now; about `most` events at a time if given.

        Raises:
            IndexUnavailable: the file cannot be written.
            JournalError: a journal cannot be read.
        """
        with self.connected() as connection:
            return self.take_in(Intake(connection), most)

    def cursors(self) -> dict[str, Cursor]:
        """How far each worker's journal is taken in, after taking in what there is.

        Raises:
            IndexUnavailable: the file cannot be used.
            JournalError: a journal cannot be read.
        """
        self.catch_up()
        return self.positions()

    def positions(self) -> dict[str, Cursor]:
        """How far each worker's journal is taken in by now.

        Raises:
            IndexUnavailable: the file cannot be used.
        """
        with self.reading() as connection:
            rows = connection.execute(
                "SELECT name, sequence, offset, next, chain FROM worker WHERE sequence IS NOT NULL"
            ).fetchall()
        return {name: Cursor(*place) for name, *place in rows}

    def rebuild(self) -> int:
        """How many events the journals hold; all that was there is forgotten first.

        Raises:
            IndexUnavailable: the file cannot be written.
            JournalError: a journal cannot be read.
        """
        try:
            self._empty()
        except (
            IndexUnavailable
        ):  # damaged: whoever has it open goes on with the old file until it opens it again
            _remove(self.path)
        return self.catch_up().events

    def forget_pruned(self) -> int:
        """How many events were dropped because their segments are gone.

        Raises:
            IndexUnavailable: the file cannot be written.
            JournalError: a journal cannot be read.
        """
        dropped = 0
        with self.connected() as connection:
            for number, name in connection.execute("SELECT id, name FROM worker").fetchall():
                first = _oldest(self.root, name, self._disk or OsDisk())
                old = "SELECT id, count FROM batch WHERE worker = ? AND first < ?"
                for batch, count in connection.execute(old, (number, first)).fetchall():
                    with _writing(connection):  # one each, so that nobody who writes waits for long
                        drop(connection, batch)
                    dropped += count
        return dropped

    # ----------------------------------------------------------------------- private

    @contextmanager
    def connected(self) -> Iterator[sqlite3.Connection]:
        """A block with the file, made ready.

        Raises:
            IndexUnavailable: the file cannot be used.
        """
        try:
            if not self.path.exists():
                self._create()
            with _opened(self.path) as connection:
                yield connection
        except (sqlite3.Error, OSError) as error:
            raise IndexUnavailable(f"the index {self.path} cannot be used: {error}") from error

    def _create(self) -> None:
        """None; the file is there, whole from its first moment.

        While one process turns a file to WAL, SQLite lets others not wait but fail.
        """
        self.path.parent.mkdir(mode=0o700, exist_ok=True)
        # A hard link would need no file of its own, but not every file system has them.
        with turn(self.path.with_suffix(".lock"), fcntl.LOCK_EX):
            if self.path.exists():  # another was first
                return
            begun = self.path.with_suffix(".new")
            _remove(begun)
            os.close(os.open(begun, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            with _opened(begun):
                pass
            _remove(self.path)  # of one that was removed SQLite's other files would be taken for this one's
            begun.rename(self.path)

    def take_in(self, intake: Intake, most: int | None, source: Source | None = None) -> Progress:
        """As `catch_up`, over a connection that is open; from the journals, or from what tells of them.

        Raises:
            sqlite3.Error: the file cannot be written.
            JournalError: a journal cannot be read.
        """
        taken = 0
        for worker in sorted(_workers(self.root)):
            # A transaction for each batch or so: what another process took in meanwhile is not taken in twice.
            while (count := intake.take(worker, source or self._parts)) is not None:
                taken += count
                if most is not None and taken >= most:
                    return Progress(taken, complete=False)
        return Progress(taken, complete=True)

    def _parts(self, worker: str, cursor: Cursor | None) -> Iterator[Part]:
        return parts(self.root, worker, cursor, self._disk)

    def _empty(self) -> None:
        with self.connected() as connection, _writing(connection):
            _make(connection)


class Intake:
    """Takes in events over one connection, and remembers what many have alike."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._made = -1
        self._forget()

    def take(self, worker: str, source: Source) -> int | None:
        """How many events the worker's next parts had, a batch of them or so; None if there is no part.

        Raises:
            sqlite3.Error: the file cannot be written.
            JournalError: the journal cannot be read.
        """
        try:
            with _writing(self._connection):
                return self._take(worker, source)
        except BaseException:
            self._forget()  # it may have numbers that nothing has now
            raise

    def _take(self, worker: str, source: Source) -> int | None:
        (made,) = self._connection.execute("PRAGMA schema_version").fetchone()
        if made != self._made:  # by another process, which has numbered words anew
            self._made = made
            self._forget()
        number, cursor = _cursor(self._connection, worker)
        batching = Batching(self._connection, self._pieces, number)
        begun, following = cursor, 0 if cursor is None else cursor.index
        for part in source(worker, cursor):
            if part.gone is not None:
                batching.close()
                forget(self._connection, number, part.gone)
                following = part.gone
            batching.add(part, following)
            cursor, following = part.cursor, part.cursor.index
            if batching.events >= SIZE:
                break
        if cursor is None or cursor == begun:
            return None
        batching.write()
        self._connection.execute(
            "UPDATE worker SET sequence = ?, offset = ?, next = ?, chain = ? WHERE id = ?",
            (cursor.sequence, cursor.offset, cursor.index, cursor.chain, number),
        )
        return batching.events

    def _forget(self) -> None:
        self._pieces = Pieces(Words(self._connection).of)


def _workers(root: Path) -> list[str]:
    try:
        return [entry.name for entry in (root / "journal").iterdir() if entry.is_dir()]
    except FileNotFoundError:
        return []


def _oldest(root: Path, worker: str, disk: Disk) -> int:
    """The number of the first record that the worker's journal still has."""
    segments = headers(disk, directory_of(root, worker), worker)
    return segments[0].first_index if segments else 0


def _remove(path: Path) -> None:
    """None; neither the file is there nor those that SQLite has beside it."""
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for pragma in (
            f"busy_timeout = {_BUSY_MILLISECONDS}",
            "journal_mode = WAL",
            "synchronous = NORMAL",  # after a power cut it is older, and catches up
            "cache_size = -32768",
            "temp_store = MEMORY",
        ):
            connection.execute(f"PRAGMA {pragma}")
        _prepare(connection)
        yield connection


@contextmanager
def _writing(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _prepare(connection: sqlite3.Connection) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == VERSION:
        return
    with _writing(connection):
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version != VERSION:  # else another process was first
            _make(connection)


def _make(connection: sqlite3.Connection) -> None:
    """None; the index is empty, in the form of today."""
    for table in (*TABLES, *_OLDER):
        connection.execute(f"DROP TABLE IF EXISTS {table}")
    for statement in SCHEMA:
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {VERSION}")


def _cursor(connection: sqlite3.Connection, worker: str) -> tuple[int, Cursor | None]:
    row = connection.execute(
        "SELECT id, sequence, offset, next, chain FROM worker WHERE name = ?", (worker,)
    ).fetchone()
    if row is not None:
        return row[0], None if row[1] is None else Cursor(*row[1:])
    number = connection.execute("INSERT INTO worker (name) VALUES (?)", (worker,)).lastrowid
    assert number is not None
    return number, None
