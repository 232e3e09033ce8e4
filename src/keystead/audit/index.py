"""The index of all events: where in the journals they are, by what queries ask for. Nothing in it is evidence.

`DIR/log/index.db` is an SQLite file of its own, filled from the journals by whoever comes by, and
made anew from them at any time. A row of `event` is keyed by worker and journal index; `posting` has a row for
each term of an event, so that the events with a term are read in the order of time. Texts are numbered in
`word`; pairs of encryption contexts, of which there are too many, are hashed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from keystead.audit.disk import Disk, OsDisk
from keystead.audit.follow import Cursor, Located, Part, parts
from keystead.audit.reader import directory_of, headers
from keystead.audit.terms import Indexed, Word, Words, context_term, read_indexed, seconds_of, short_id
from keystead.errors import IndexUnavailable

WORKER_BITS: Final = 40
"""An event's row id is its worker's number, and below it its index in that worker's journal."""

_VERSION: Final = 1
_BUSY_MILLISECONDS: Final = 10_000
_AT_ONCE: Final = 2_000
"""Rows, or terms, that are forgotten in one transaction."""
_LEAST: Final = -(1 << 63)
_VARIABLES: Final = 30_000  # SQLite takes 32,766 in a statement

_SCHEMA: Final = (
    """CREATE TABLE worker (
        id INTEGER PRIMARY KEY, name TEXT UNIQUE, sequence INTEGER, offset INTEGER, next INTEGER, chain BLOB
    )""",
    "CREATE TABLE word (id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, text TEXT NOT NULL, UNIQUE (kind, text))",
    """CREATE TABLE event (
        id INTEGER PRIMARY KEY, sequence INTEGER, offset INTEGER, length INTEGER, time INTEGER, short INTEGER,
        read_only INTEGER, name INTEGER, source INTEGER, account INTEGER, region INTEGER, outcome INTEGER,
        principal INTEGER, user INTEGER, access_key INTEGER, type INTEGER
    )""",
    "CREATE INDEX event_short ON event (short)",
    """CREATE TABLE posting (
        term INTEGER, time INTEGER, event INTEGER, PRIMARY KEY (term, time, event)
    ) WITHOUT ROWID""",
)
_TABLES: Final = ("worker", "word", "event", "posting")
_COLUMNS: Final = {"event": 16, "posting": 3}

Row = tuple[int, ...]


class _Entry(msgspec.Struct, frozen=True, gc=False):
    """An event with what is kept of it; `place` is its row id."""

    place: int
    found: Located
    event: Indexed
    time: int
    words: Words


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
            return self.take_in(connection, most)

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
            for suffix in ("", "-wal", "-shm"):
                self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
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
                base = number << WORKER_BITS
                first = _oldest(self.root, name, self._disk or OsDisk())
                while count := _delete_some(connection, base, base + first):
                    dropped += count
            if dropped:
                (oldest,) = connection.execute("SELECT min(time) FROM event").fetchone()
                _delete_postings(connection, (1 << 60) if oldest is None else oldest)
        return dropped

    # ----------------------------------------------------------------------- private

    @contextmanager
    def connected(self) -> Iterator[sqlite3.Connection]:
        """A block with the file, made ready.

        Raises:
            IndexUnavailable: the file cannot be used.
        """
        try:
            self.path.parent.mkdir(mode=0o700, exist_ok=True)
            self.path.touch(mode=0o600)
            with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
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
        except (sqlite3.Error, OSError) as error:
            raise IndexUnavailable(f"the index {self.path} cannot be used: {error}") from error

    def take_in(self, connection: sqlite3.Connection, most: int | None) -> Progress:
        """As `catch_up`, over a connection that is open.

        Raises:
            sqlite3.Error: the file cannot be written.
            JournalError: a journal cannot be read.
        """
        taken = 0
        for worker in sorted(_workers(self.root)):
            # A transaction for each part: what another process took in meanwhile is not taken in twice.
            while (count := self._take(connection, worker)) is not None:
                taken += count
                if most is not None and taken >= most:
                    return Progress(taken, complete=False)
        return Progress(taken, complete=True)

    def _empty(self) -> None:
        with self.connected() as connection, _writing(connection):
            for table in _TABLES:
                connection.execute(f"DROP TABLE {table}")
            for statement in _SCHEMA:
                connection.execute(statement)

    def _take(self, connection: sqlite3.Connection, worker: str) -> int | None:
        """How many events the worker's next part had; None if there is none."""
        with _writing(connection):
            number, cursor = _cursor(connection, worker)
            part = next(parts(self.root, worker, cursor, self._disk), None)
            if part is None:
                return None
            return _record(connection, number, part)


def _workers(root: Path) -> list[str]:
    try:
        return [entry.name for entry in (root / "journal").iterdir() if entry.is_dir()]
    except FileNotFoundError:
        return []


def _oldest(root: Path, worker: str, disk: Disk) -> int:
    """The number of the first record that the worker's journal still has."""
    segments = headers(disk, directory_of(root, worker), worker)
    return segments[0].first_index if segments else 0


def _delete_some(connection: sqlite3.Connection, start: int, end: int) -> int:
    """How many events of these rows were deleted: a few thousand, so that nobody who writes waits for long."""
    with _writing(connection):
        return connection.execute(
            "DELETE FROM event WHERE id IN (SELECT id FROM event WHERE id >= ? AND id < ? LIMIT ?)",
            (start, end, _AT_ONCE),
        ).rowcount


def _delete_postings(connection: sqlite3.Connection, oldest: int) -> None:
    """None; the postings from before `oldest` are gone, some terms at a time for the same reason."""
    after: int | None = _LEAST
    while after is not None:
        with _writing(connection):
            for _ in range(_AT_ONCE):
                (after,) = connection.execute(
                    "SELECT min(term) FROM posting WHERE term > ?", (after,)
                ).fetchone()
                if after is None:
                    break
                connection.execute("DELETE FROM posting WHERE term = ? AND time < ?", (after, oldest))


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
    if version == _VERSION:
        return
    with _writing(connection):
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version == _VERSION:  # another process was first
            return
        for table in _TABLES:  # of an older form
            connection.execute(f"DROP TABLE IF EXISTS {table}")
        for statement in _SCHEMA:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {_VERSION}")


def _cursor(connection: sqlite3.Connection, worker: str) -> tuple[int, Cursor | None]:
    row = connection.execute(
        "SELECT id, sequence, offset, next, chain FROM worker WHERE name = ?", (worker,)
    ).fetchone()
    if row is not None:
        return row[0], None if row[1] is None else Cursor(*row[1:])
    number = connection.execute("INSERT INTO worker (name) VALUES (?)", (worker,)).lastrowid
    assert number is not None
    return number, None


def _record(connection: sqlite3.Connection, number: int, part: Part) -> int:
    """How many events the part had; they are in the index."""
    base = number << WORKER_BITS
    if part.gone is not None:
        for table, column in (("event", "id"), ("posting", "event")):
            connection.execute(
                f"DELETE FROM {table} WHERE {column} >= ? AND {column} < ?",  # noqa: S608  names from above
                (base + part.gone, base + (1 << WORKER_BITS)),
            )
    events = part.events
    entries = [entry for found in events if (entry := _entry(base, found)) is not None]
    numbers = _numbers(connection, entries)
    _insert(connection, "event", [_event_row(entry, numbers) for entry in entries])
    _insert(connection, "posting", sorted(_postings(entries, numbers)))
    at = part.cursor
    connection.execute(
        "UPDATE worker SET sequence = ?, offset = ?, next = ?, chain = ? WHERE id = ?",
        (at.sequence, at.offset, at.index, at.chain, number),
    )
    return len(events)


def _entry(base: int, found: Located) -> _Entry | None:
    """What the index keeps of an event; None if it is none that can be told apart, so that no other waits."""
    try:
        event = read_indexed(found.payload)
        return _Entry(base + found.index, found, event, seconds_of(event.eventTime), event.words)
    except (msgspec.MsgspecError, ValueError):
        return None


def _event_row(entry: _Entry, numbers: Mapping[Words, _Numbers]) -> Row:
    found = entry.found
    where = (entry.place, found.sequence, found.offset, len(found.payload), entry.time)
    return (
        *where,
        short_id(entry.event.eventID),
        int(entry.event.readOnly),
        *numbers[entry.words].columns,
    )


def _postings(entries: Iterable[_Entry], numbers: Mapping[Words, _Numbers]) -> Iterator[Row]:
    for entry in entries:
        for number in numbers[entry.words].posted:
            yield number, entry.time, entry.place
        for term in {context_term(name, value) for name, value in entry.event.context}:
            yield term, entry.time, entry.place


class _Numbers(NamedTuple):
    """The numbers of words; 0 stands for none."""

    columns: tuple[int, ...]
    posted: tuple[int, ...]


def _numbers(connection: sqlite3.Connection, entries: Iterable[_Entry]) -> dict[Words, _Numbers]:
    """The numbers of the words of the events; new words get one."""
    kinds = {entry.words for entry in entries}
    words = {word for kind in kinds for word in (*kind.columns, *kind.posted) if word is not None}
    numbers = {word: _number(connection, word) for word in words}
    return {
        kind: _Numbers(
            tuple(0 if word is None else numbers[word] for word in kind.columns),
            tuple(numbers[word] for word in kind.posted),
        )
        for kind in kinds
    }


def _number(connection: sqlite3.Connection, word: Word) -> int:
    row = connection.execute("SELECT id FROM word WHERE kind = ? AND text = ?", word).fetchone()
    if row is not None:
        return int(row[0])
    number = connection.execute("INSERT INTO word (kind, text) VALUES (?, ?)", word).lastrowid
    assert number is not None
    return number


def _insert(connection: sqlite3.Connection, table: str, rows: Sequence[Row]) -> None:
    """Many rows a statement: SQLite's module gives up the interpreter lock for the whole of one."""
    width = _COLUMNS[table]
    most = _VARIABLES // width
    for start in range(0, len(rows), most):
        some = rows[start : start + most]
        marks = ",".join([f"({','.join('?' * width)})"] * len(some))
        values = [value for row in some for value in row]
        connection.execute(f"INSERT OR REPLACE INTO {table} VALUES {marks}", values)  # noqa: S608  only marks
