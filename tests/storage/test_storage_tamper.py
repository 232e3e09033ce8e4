"""Whoever can write the database can stop Keystead, and nothing else."""

import shutil
import sqlite3

import msgspec
import pytest

from keystead.errors import StorageError, StorageTampered
from keystead.storage import SqliteBackend, Store, Table

ROOT = bytes(range(32))


class Rule(msgspec.Struct, frozen=True):
    effect: str


RULES = Table("rules", Rule, {"by_effect": lambda key, rule: [rule.effect]})
OTHERS = Table("others", Rule)
COUNT = 200


class Attacker:
    """Somebody with write access to the file, on a connection of their own."""

    def __init__(self, path):
        self.path = path
        self.connection = sqlite3.connect(path, isolation_level=None)

    def get(self, place):
        row = self.connection.execute("SELECT v FROM kv WHERE k = ?", (place,)).fetchone()
        return row and row[0]

    def put(self, place, value):
        self.connection.execute("DELETE FROM kv WHERE k = ?", (place,))
        if value is not None:
            self.connection.execute("INSERT INTO kv (k, v) VALUES (?, ?)", (place, value))

    def everything(self):
        return dict(self.connection.execute("SELECT k, v FROM kv").fetchall())


@pytest.fixture
def store(tmp_path):
    opened = Store.create(SqliteBackend(tmp_path / "store.db"), ROOT)
    transaction = opened.transaction()
    for number in range(COUNT):
        transaction.put(RULES, f"{number:03}", Rule("Deny"))
        transaction.put(OTHERS, f"{number:03}", Rule("Allow"))
    assert opened.commit([transaction]) == [None]
    yield opened
    opened.close()


@pytest.fixture
def attacker(store, tmp_path):
    attacker = Attacker(tmp_path / "store.db")
    yield attacker
    attacker.connection.close()


def fresh(store):
    """The store as a process sees it that has read nothing yet."""
    return Store.open(store.backend, ROOT)


def noticed(store):
    try:
        return fresh(store).verify_all().findings != ()
    except StorageError:
        return True  # it does not even open


def set_effect(store, key, effect):
    transaction = store.transaction()
    transaction.put(RULES, key, Rule(effect))
    assert store.commit([transaction]) == [None]


def flip(attacker, place):
    value = attacker.get(place)
    attacker.put(place, value[:50] + bytes([value[50] ^ 1]) + value[51:])


def swap(attacker, one, other):
    first, second = attacker.get(one), attacker.get(other)
    attacker.put(one, second)
    attacker.put(other, first)


A, B = RULES.place("100"), RULES.place("101")
FORGERIES = {
    "flipped": lambda attacker: flip(attacker, A),
    "swapped": lambda attacker: swap(attacker, A, B),
    "copied from another record": lambda attacker: attacker.put(A, attacker.get(B)),
    "copied from another table": lambda attacker: attacker.put(A, attacker.get(OTHERS.place("100"))),
    "deleted": lambda attacker: attacker.put(A, None),
    "emptied": lambda attacker: attacker.put(A, b""),
    "shortened": lambda attacker: attacker.put(A, attacker.get(A)[:-1]),
}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
def test_a_forged_row_is_named_by_every_way_of_reading(store, attacker, forge):
    forge(attacker)
    reader = fresh(store)
    with pytest.raises(StorageTampered, match=r"record '100' of table 'rules'"):
        reader.transaction().get(RULES, "100")
    for arguments in (("",), ("10",), ("", "090", 20)):
        with pytest.raises(StorageTampered, match=r"record '100' of table 'rules'"):
            reader.transaction().scan(RULES, *arguments)
    with pytest.raises(StorageTampered):
        set_effect(reader, "100", "Allow")  # the index needs the old record
    findings = reader.verify_all().findings
    assert any("record '100' of table 'rules'" in finding for finding in findings)
    assert reader.transaction().get(RULES, "050") == Rule("Deny")
    assert reader.transaction().scan(RULES, "01", None, 5)[0] == ("010", Rule("Deny"))


def test_a_row_put_back_to_an_older_version_is_noticed(store, attacker):
    old = attacker.get(A)
    set_effect(store, "100", "Allow")
    attacker.put(A, old)
    with pytest.raises(StorageTampered, match="'100'"):
        fresh(store).transaction().get(RULES, "100")


def test_a_deleted_row_does_not_come_back(store, attacker):
    old = attacker.get(A)
    transaction = store.transaction()
    transaction.delete(RULES, "100")
    store.commit([transaction])
    attacker.put(A, old)
    reader = fresh(store)
    with pytest.raises(StorageTampered, match="'100'"):
        reader.transaction().get(RULES, "100")
    with pytest.raises(StorageTampered, match="'100'"):
        reader.transaction().scan(RULES, "")
    assert len(reader.verify_all().findings) == 1


def test_an_inserted_row_is_noticed_also_in_an_empty_range(store, attacker):
    for key in ("zzz", "100x"):
        attacker.put(RULES.place(key), attacker.get(A))
        reader = fresh(store)
        with pytest.raises(StorageTampered, match=key):
            reader.transaction().get(RULES, key)
        with pytest.raises(StorageTampered, match=key):
            reader.transaction().scan(RULES, key)
        assert key not in reader.transaction().scan_keys(RULES, "")
        assert key in reader.verify_all().findings[0]
        attacker.put(RULES.place(key), None)
    assert fresh(store).verify_all().findings == ()


def test_all_rows_of_a_table_deleted_is_not_an_empty_table(store, attacker):
    attacker.connection.execute("DELETE FROM kv WHERE k >= ? AND k < ?", RULES.rows(""))
    with pytest.raises(StorageTampered, match="missing"):
        fresh(store).transaction().scan(RULES, "")
    assert len(fresh(store).transaction().scan_keys(RULES, "")) == COUNT  # the tree has them still
    assert len(fresh(store).verify_all().findings) == COUNT


def test_every_other_record_of_the_database_is_guarded_too(store, attacker):
    """Head, list of epochs and every tree node: flipped, removed, or put back to an older version."""
    old = attacker.everything()
    for number in range(0, COUNT, 10):
        set_effect(store, f"{number:03}", "Allow")
    new = attacker.everything()
    for place in (each for each in new if each[:1] != b"r"):
        value = new[place]
        for forged in (None, b"", value[:-1] + bytes([value[-1] ^ 1]), old.get(place)):
            if forged == value:
                continue
            attacker.put(place, forged)
            assert noticed(store), f"{place!r} is not guarded"
            attacker.put(place, value)
    assert fresh(store).verify_all().findings == ()


def test_a_running_store_notices_that_the_whole_database_was_put_back(store, attacker, tmp_path):
    store.checkpoint()
    old = attacker.everything()
    set_effect(store, "100", "Allow")
    assert store.transaction().get(RULES, "100") == Rule("Allow")
    with attacker.connection:
        attacker.connection.execute("BEGIN")
        attacker.connection.execute("DELETE FROM kv")
        attacker.connection.executemany("INSERT INTO kv (k, v) VALUES (?, ?)", old.items())
        attacker.connection.execute("COMMIT")
    with pytest.raises(StorageTampered, match="commit 3 was there, now it is commit 2"):
        store.refresh()
    with pytest.raises(StorageTampered):
        set_effect(store, "100", "Deny")


def test_a_later_process_notices_it_with_the_commit_number_kept_elsewhere(store, tmp_path):
    store.checkpoint()
    shutil.copy(tmp_path / "store.db", tmp_path / "old.db")
    set_effect(store, "100", "Allow")
    number = store.commit_number
    store.expect_at_least(number)
    copy = Store.open(SqliteBackend(tmp_path / "old.db"), ROOT)
    assert copy.transaction().get(RULES, "100") == Rule("Deny")
    copy.expect_at_least(number - 1)
    with pytest.raises(StorageTampered, match=f"it is at commit {number - 1}, evidence is at {number}"):
        copy.expect_at_least(number)
    copy.close()


def test_rows_of_another_store_under_the_same_root_key_do_not_open(store, attacker, tmp_path):
    twin = Store.create(SqliteBackend(tmp_path / "twin.db"), ROOT)
    set_effect(twin, "100", "Allow")
    forged = twin.backend.get(A)
    twin.close()
    attacker.put(A, forged)
    with pytest.raises(StorageTampered):
        fresh(store).transaction().get(RULES, "100")


def test_nothing_but_places_can_be_read_in_the_database(store, tmp_path):
    set_effect(store, "100", "Effect-That-Must-Not-Show")
    store.checkpoint()
    content = (tmp_path / "store.db").read_bytes()
    assert b"Effect-That" not in content
    assert b"by_effect" not in content  # index entries are sealed in the tree
    assert ROOT not in content
