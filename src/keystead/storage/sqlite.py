"""The embedded backend: one SQLite file in WAL mode with full synchronisation.

One table of keys and values. A connection per thread for reads, one for commits. Nothing here knows
what a value means: all of them are ciphertext.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

from keystead.errors import StorageConflict, StorageError, StorageUnavailable
from keystead.storage.backend import Batch, digest
from keystead.storage.generation import Generation

BUSY_MILLISECONDS = 5_000
# Pages (4 KiB) in the log before a commit also folds it back: 8 MiB keeps folding rare and short.
AUTOCHECKPOINT_PAGES = 2_000

# Entry n brings a file of version n to version n + 1 (`PRAGMA user_version`). Entries are only ever added.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    # With row ids: a table without them spills values above 1 kB to further pages, which doubles the cost of
    # replacing a tree node (measured: 1.3 ms against 0.8 ms for a commit of 20 values).
    ("CREATE TABLE kv (k BLOB PRIMARY KEY, v BLOB NOT NULL)",),
    # Nodes of the tree may be packed as an earlier Keystead cannot read (`node`); those that are there stay until written.
    (),
)

_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # a commit has reached the disk when it returns
    "PRAGMA secure_delete = ON",  # freed bytes are zeroed, not only unlinked
    "PRAGMA temp_store = MEMORY",  # no value ever reaches a temporary file
    f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}",
    f"PRAGMA wal_autocheckpoint = {AUTOCHECKPOINT_PAGES}",
)

# Of a million keys the upper levels of SQLite's own trees take 10 MiB. Only the thread that serves requests, which is
# the one that opens the database, has room for that: the others read little, or much once.
_PAGES = "PRAGMA cache_size = -16000"  # KiB; filled with what is read

_GET = "SELECT v FROM kv WHERE k = ?"
# Many values in one row, so that there is one step, and one read transaction. Few sizes, as below; NULL is at no key.
_GET_EACH = {
    values: f"SELECT {', '.join(['(SELECT v FROM kv WHERE k = ?)'] * values)}"  # noqa: S608  only question marks are put in
    for values in (2, 8, 32)
}
_MOST_EACH = max(_GET_EACH)
_DELETE = "DELETE FROM kv WHERE k = ?"
# Many rows a statement: SQLite's module lets go of the interpreter lock at each step, and waits up to a
# switch interval (5 ms) to get it back while the event loop is busy. Few sizes, so all stay prepared.
_PUTS = {
    rows: f"INSERT INTO kv (k, v) VALUES {', '.join(['(?, ?)'] * rows)} ON CONFLICT (k) DO UPDATE SET v = excluded.v"  # noqa: S608  # only question marks are put in
    for rows in (64, 16, 4, 1)
}
_SCAN = {
    False: "SELECT k, v FROM kv WHERE k >= ? AND k < ? ORDER BY k LIMIT ?",
    True: "SELECT k, v FROM kv WHERE k >= ? AND k < ? ORDER BY k DESC LIMIT ?",
}


@contextlib.contextmanager
def _translated(doing: str) -> Iterator[None]:
    """A block whose SQLite errors (disk full, I/O, locked, malformed) become StorageUnavailable."""
    try:
        yield
    except sqlite3.Error as error:
        raise StorageUnavailable(f"the database cannot {doing}: {error}") from error


class SqliteBackend:
    """`Backend` on a file. Every process opens its own; a connection must not cross a fork."""

    def __init__(self, path: Path) -> None:
        """Open the file, creating it if it is missing, and bring its schema up to date.

        Raises:
            StorageError: a newer Keystead wrote the file.
            StorageUnavailable: it cannot be opened or written.
        """
        self._path = path
        self._local = threading.local()
        self._lock = threading.Lock()  # one commit at a time in this process; guards _connections too
        self._connections: list[sqlite3.Connection] = []
        self._opener = threading.get_ident()
        with _translated(f"be opened ({path})"), _os_translated("be opened"):
            _create_private(path)
            self._writer = self._connect()
            try:
                _migrate(self._writer, path)
                self._generation = Generation(path.with_name(path.name + "-generation"))
            except BaseException:
                self._writer.close()
                raise
        self._numbers = self._generation.numbers

    def _connect(self) -> sqlite3.Connection:
        # check_same_thread: `close` runs on another thread than the reads did
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        for pragma in _PRAGMAS:
            connection.execute(pragma)
        self._connections.append(connection)
        return connection

    def _reader(self) -> sqlite3.Connection:
        try:
            connection: sqlite3.Connection = self._local.connection
        except AttributeError:
            with self._lock:
                connection = self._local.connection = self._connect()
            if threading.get_ident() == self._opener:
                connection.execute(_PAGES)
        return connection

    def get(self, key: bytes) -> bytes | None:
        try:
            row = self._reader().execute(_GET, (key,)).fetchone()
        except sqlite3.Error as error:  # the context manager would cost a third of the read
            raise StorageUnavailable(f"the database cannot be read: {error}") from error
        return None if row is None else bytes(row[0])

    def get_each(self, keys: Sequence[bytes]) -> list[bytes | None]:
        found: list[bytes | None] = []
        try:
            read = self._reader().execute
            for at in range(0, len(keys), _MOST_EACH):
                asked = keys[at : at + _MOST_EACH]
                size = next(size for size in _GET_EACH if size >= len(asked))
                row = read(_GET_EACH[size], (*asked, *[None] * (size - len(asked)))).fetchone()
                found += row[: len(asked)]
        except sqlite3.Error as error:
            raise StorageUnavailable(f"the database cannot be read: {error}") from error
        return found

    def scan(
        self, start: bytes, end: bytes, limit: int | None, reverse: bool = False
    ) -> list[tuple[bytes, bytes]]:
        with _translated("be read"):
            most = -1 if limit is None else limit
            return self._reader().execute(_SCAN[reverse], (start, end, most)).fetchall()

    def commit(self, batch: Batch) -> None:
        with self._lock, _translated("be written"):
            try:
                self._apply(batch)
            finally:
                # Also after a failure: it may have persisted, and others must look.
                self._generation.bump()

    def _apply(self, batch: Batch) -> None:
        writer = self._writer
        writer.execute("BEGIN IMMEDIATE")
        try:
            _check(writer, batch.conditions)
            for key in (key for key, value in batch.writes.items() if value is None):
                writer.execute(_DELETE, (key,))
            _put_all(writer, sorted((k, v) for k, v in batch.writes.items() if v is not None))
            writer.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                writer.execute("ROLLBACK")
            raise

    def turn(self) -> contextlib.AbstractContextManager[None]:
        # SQLite's own waiting is a sleep that grows, and ends after BUSY_MILLISECONDS: under load it is unfair.
        return self._generation.turn()

    def generation(self) -> int:
        number: int = self._numbers[0]
        return number

    def checkpoint(self) -> None:
        # secure_delete zeroes what is freed, but not the copies that SQLite leaves in the unused middle of
        # a page when it moves cells between pages; building the file anew leaves live values only.
        # In turn: it may take longer than commits of other processes would wait.
        with self.turn(), self._lock, _translated("be checkpointed"):
            self._writer.execute("VACUUM")
            busy, _, _ = self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if busy:
                raise StorageUnavailable("the database cannot be checkpointed: it is being read")

    def backup(self, path: Path) -> None:
        if path.exists():
            raise StorageError(f"{path} exists already")
        partial = path.with_name(path.name + ".partial")
        with _translated("be backed up"), _os_translated("be backed up"):
            partial.unlink(missing_ok=True)
            _create_private(partial)
            with contextlib.closing(sqlite3.connect(partial, isolation_level=None)) as target:
                self._reader().backup(target)
            _sync(partial)
            # A crash before this line leaves a partial file that the next backup removes.
            partial.rename(path)
            _sync(path.parent)

    def close(self) -> None:
        with self._lock:
            for connection in self._connections:
                connection.close()
            self._connections.clear()
            self._generation.close()


@contextlib.contextmanager
def _os_translated(doing: str) -> Iterator[None]:
    """A block whose file system errors become StorageUnavailable."""
    try:
        yield
    except OSError as error:
        raise StorageUnavailable(f"the database cannot {doing}: {error}") from error


def _create_private(path: Path) -> None:
    """None; `path` exists and only its owner may open it. SQLite gives its side files the same mode."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(handle, 0o600)
    finally:
        os.close(handle)
    _sync(path.parent)


def _sync(path: Path) -> None:
    """None; the file, or the names in the directory, are on the disk."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _put_all(connection: sqlite3.Connection, puts: list[tuple[bytes, bytes]]) -> None:
    at = 0
    for rows, statement in _PUTS.items():
        while len(puts) - at >= rows:
            connection.execute(statement, tuple(chain.from_iterable(puts[at : at + rows])))
            at += rows


def _check(connection: sqlite3.Connection, conditions: Mapping[bytes, bytes | None]) -> None:
    for key, expected in conditions.items():
        row = connection.execute(_GET, (key,)).fetchone()
        if (None if row is None else digest(row[0])) != expected:
            raise StorageConflict("a stored value is not the one that was read")


def _missing_steps(version: int, path: Path) -> tuple[tuple[str, ...], ...]:
    if version > len(MIGRATIONS):
        newest = len(MIGRATIONS)
        raise StorageError(
            f"{path} was written by a newer Keystead: its schema is {version}, this one knows {newest}"
        )
    return MIGRATIONS[version:]


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    """None; the schema is the newest one. Steps and version change in one transaction.

    Raises:
        StorageError: the file's version is beyond the ones known here.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        for steps in _missing_steps(version, path):
            for step in steps:
                connection.execute(step)
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
