"""Records that are read for several at once: as proven as those that are read alone, and nobody's fault is another's."""

import sqlite3
import threading

import msgspec
import pytest

from keystead.errors import StorageTampered, StorageUnavailable
from keystead.storage import NotInMemoryError, SqliteBackend, Store, Table

ROOT = bytes(range(32))
COUNT = 300


class Rule(msgspec.Struct, frozen=True):
    effect: str


RULES = Table("rules", Rule, together=True)
ALONE = Table("alone", Rule)
KEYS = [f"{number:03}" for number in range(0, COUNT, 7)]


@pytest.fixture
def store(tmp_path):
    made = Store.create(SqliteBackend(tmp_path / "store.db"), ROOT)
    transaction = made.transaction()
    for number in range(COUNT):
        transaction.put(RULES, f"{number:03}", Rule(f"rule {number:03}"))
        transaction.put(ALONE, f"{number:03}", Rule(f"alone {number:03}"))
    assert made.commit([transaction]) == [None]
    # As a process sees it that has read nothing yet.
    opened = Store.open(made.backend, ROOT)
    yield opened
    opened.close()


def wanted(store, keys):
    """What asking for these keys says while this thread is to be interrupted."""
    found = []
    with store.rows.interrupting():
        for key in keys:
            with pytest.raises(NotInMemoryError) as interrupted:
                store.transaction().get(RULES, key)
            found.append(interrupted.value)
    return found


def test_what_was_fetched_is_in_memory_as_it_is_stored(store):
    store.rows.fetch(wanted(store, KEYS))
    with store.rows.interrupting():
        assert [store.transaction().get(RULES, key) for key in KEYS] == [Rule(f"rule {key}") for key in KEYS]
    assert [(each.table, each.key) for each in wanted(store, ["001", "002"])] == [
        (RULES, "001"),
        (RULES, "002"),
    ]


def test_one_thread_is_interrupted_and_only_at_tables_read_together(store):
    found = []
    with store.rows.interrupting():
        assert store.transaction().get(ALONE, "001") == Rule("alone 001")
        other = threading.Thread(target=lambda: found.append(store.transaction().get(RULES, "005")))
        other.start()
        other.join()
    assert found == [Rule("rule 005")]
    assert store.transaction().get(RULES, "006") == Rule("rule 006")


def test_what_is_not_there_is_not_remembered(store):
    absent = wanted(store, ["nobody", "000"])
    store.rows.fetch(absent)
    assert wanted(store, ["nobody"])
    assert store.transaction().get(RULES, "nobody") is None


def test_a_commit_of_another_process_is_seen_after_a_fetch(store, tmp_path):
    store.rows.fetch(wanted(store, KEYS))
    other = Store.open(SqliteBackend(tmp_path / "store.db"), ROOT)
    transaction = other.transaction()
    transaction.put(RULES, KEYS[3], Rule("changed"))
    transaction.delete(RULES, KEYS[4])
    assert other.commit([transaction]) == [None]
    other.close()
    found = []
    with store.rows.interrupting():
        for key in KEYS:
            try:
                found.append(store.transaction().get(RULES, key))
            except NotInMemoryError as interrupted:
                store.rows.fetch([interrupted])
                found.append(interrupted.key)
    assert found[3:5] == [Rule("changed"), None]
    assert found[:3] == [Rule(f"rule {key}") for key in KEYS[:3]]


FORGERIES = {
    "changed": lambda value: value[:50] + bytes([value[50] ^ 1]) + value[51:],
    "emptied": lambda _value: b"",
    "deleted": lambda _value: None,
}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
def test_what_is_forged_is_refused_to_who_asks_for_it_alone(store, tmp_path, forge):
    place = RULES.place(KEYS[5])
    with sqlite3.connect(tmp_path / "store.db", isolation_level=None) as attacker:
        (value,) = attacker.execute("SELECT v FROM kv WHERE k = ?", (place,)).fetchone()
        attacker.execute("DELETE FROM kv WHERE k = ?", (place,))
        if forge(value) is not None:
            attacker.execute("INSERT INTO kv (k, v) VALUES (?, ?)", (place, forge(value)))
    store.rows.fetch(wanted(store, KEYS))
    with store.rows.interrupting():
        for key in KEYS[:5] + KEYS[6:]:
            assert store.transaction().get(RULES, key) == Rule(f"rule {key}")
        with pytest.raises(NotInMemoryError):
            store.transaction().get(RULES, KEYS[5])
    with pytest.raises(StorageTampered, match=KEYS[5]):
        store.transaction().get(RULES, KEYS[5])


def test_a_leaf_that_was_put_back_proves_nothing(store, tmp_path):
    with sqlite3.connect(tmp_path / "store.db", isolation_level=None) as attacker:
        before = attacker.execute("SELECT k, v FROM kv WHERE k >= ? AND k < ?", (b"n", b"o")).fetchall()
        old = attacker.execute("SELECT v FROM kv WHERE k = ?", (RULES.place(KEYS[0]),)).fetchone()
        writer = Store.open(store.backend, ROOT)
        transaction = writer.transaction()
        transaction.put(RULES, KEYS[0], Rule("newer"))
        assert writer.commit([transaction]) == [None]
        attacker.execute("UPDATE kv SET v = ? WHERE k = ?", (*old, RULES.place(KEYS[0])))
        attacker.executemany("UPDATE kv SET v = ? WHERE k = ?", [(value, place) for place, value in before])
    reader = Store.open(store.backend, ROOT)
    reader.rows.fetch([NotInMemoryError(RULES, KEYS[0]), NotInMemoryError(RULES, KEYS[1])])
    with pytest.raises(StorageTampered):
        reader.transaction().get(RULES, KEYS[0])


def test_a_database_that_cannot_be_read_is_told_to_who_asks_alone(store, tmp_path):
    asked = wanted(store, KEYS)
    with sqlite3.connect(tmp_path / "store.db", isolation_level=None) as attacker:
        attacker.execute("ALTER TABLE kv RENAME TO gone")
    store.rows.fetch(asked)
    with pytest.raises(StorageUnavailable):
        store.transaction().get(RULES, KEYS[0])
