"""What is SQLite's own: files and modes, schema versions, full disks, damaged files."""

import sqlite3
import stat
import threading

import pytest

from keystead.errors import StorageError, StorageUnavailable
from keystead.storage import Batch, SqliteBackend, Store
from keystead.storage import sqlite as sqlite_backend

ROOT = bytes(range(32))


def write(backend, **values):
    backend.commit(Batch({}, {key.encode(): value for key, value in values.items()}))


def test_every_file_is_its_owners_only(tmp_path):
    backend = SqliteBackend(tmp_path / "store.db")
    write(backend, a=b"1")
    threading.Thread(target=backend.get, args=(b"a",)).run()
    backend.backup(tmp_path / "copy.db")
    names = sorted(each.name for each in tmp_path.iterdir())
    assert names == ["copy.db", "store.db", "store.db-generation", "store.db-shm", "store.db-wal"]
    assert {stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir()} == {0o600}
    backend.close()


def test_a_wider_mode_is_narrowed(tmp_path):
    SqliteBackend(tmp_path / "store.db").close()
    (tmp_path / "store.db").chmod(0o644)
    SqliteBackend(tmp_path / "store.db").close()
    assert stat.S_IMODE((tmp_path / "store.db").stat().st_mode) == 0o600


def test_durability_is_as_stated(tmp_path):
    backend = SqliteBackend(tmp_path / "store.db")
    pragma = lambda name: backend._writer.execute(f"PRAGMA {name}").fetchone()[0]  # noqa: E731  # local shorthand
    assert pragma("journal_mode") == "wal"
    assert pragma("synchronous") == 2  # FULL
    assert pragma("secure_delete") == 1
    assert pragma("user_version") == len(sqlite_backend.MIGRATIONS)
    backend.close()


def test_migrations_run_once_and_in_order(tmp_path, monkeypatch):
    backend = SqliteBackend(tmp_path / "store.db")
    write(backend, a=b"1")
    backend.close()
    further = (*sqlite_backend.MIGRATIONS, ("CREATE TABLE extra (x)", "INSERT INTO extra VALUES (1)"))
    monkeypatch.setattr(sqlite_backend, "MIGRATIONS", further)
    for _ in range(2):
        backend = SqliteBackend(tmp_path / "store.db")
        assert backend.get(b"a") == b"1"
        assert backend._writer.execute("SELECT x FROM extra").fetchall() == [(1,)]
        backend.close()


def test_a_failed_migration_changes_nothing(tmp_path, monkeypatch):
    SqliteBackend(tmp_path / "store.db").close()
    broken = (*sqlite_backend.MIGRATIONS, ("CREATE TABLE extra (x)", "NONSENSE"))
    with monkeypatch.context() as patch:
        patch.setattr(sqlite_backend, "MIGRATIONS", broken)
        with pytest.raises(StorageUnavailable):
            SqliteBackend(tmp_path / "store.db")
    backend = SqliteBackend(tmp_path / "store.db")
    assert backend._writer.execute("SELECT name FROM sqlite_schema WHERE name = 'extra'").fetchall() == []
    backend.close()


def test_a_newer_schema_is_refused(tmp_path):
    SqliteBackend(tmp_path / "store.db").close()
    with sqlite3.connect(tmp_path / "store.db") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StorageError, match="newer Keystead: its schema is 99"):
        SqliteBackend(tmp_path / "store.db")


def test_a_full_disk_writes_nothing_and_is_survived(tmp_path):
    backend = SqliteBackend(tmp_path / "store.db")
    write(backend, a=b"1")
    pages = backend._writer.execute("PRAGMA page_count").fetchone()[0]
    backend._writer.execute(f"PRAGMA max_page_count = {pages + 2}")
    before = backend.generation()
    with pytest.raises(StorageUnavailable, match="full"):
        write(backend, a=b"2", b=bytes(1_000_000))
    assert backend.generation() != before
    assert backend.get(b"a") == b"1"
    backend._writer.execute(f"PRAGMA max_page_count = {pages + 1_000}")
    write(backend, a=b"2", b=bytes(1_000_000))
    assert backend.get(b"a") == b"2"
    backend.close()


def test_a_file_that_is_no_database_is_unavailable(tmp_path):
    (tmp_path / "store.db").write_bytes(b"not a database at all" * 100)
    with pytest.raises(StorageUnavailable):
        SqliteBackend(tmp_path / "store.db")
    with pytest.raises(StorageUnavailable, match="opened"):
        SqliteBackend(tmp_path / "missing" / "store.db")


def test_a_backup_that_cannot_be_written_says_so(tmp_path):
    backend = SqliteBackend(tmp_path / "store.db")
    with pytest.raises(StorageUnavailable, match="backed up"):
        backend.backup(tmp_path / "missing" / "copy.db")
    backend.close()


def test_a_store_is_restored_from_its_backup(tmp_path):
    store = Store.create(SqliteBackend(tmp_path / "store.db"), ROOT)
    store.run(lambda transaction: transaction.bump("n", 7))
    store.backup(tmp_path / "copy.db")
    store.run(lambda transaction: transaction.bump("n", 1))
    store.close()
    restored = Store.open(SqliteBackend(tmp_path / "copy.db"), ROOT)
    assert restored.transaction().count("n") == 7
    assert restored.verify_all().findings == ()
    restored.close()
