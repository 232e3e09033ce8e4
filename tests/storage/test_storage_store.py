"""Transactions, group commit, indexes, counters, scans and the record cache."""

import msgspec
import pytest

from keystead.errors import StorageConflict, StorageError, StorageTampered
from keystead.storage import BACKENDS, MemoryBackend, Store, Table, join, split

ROOT = bytes(range(32))


class Pet(msgspec.Struct, frozen=True):
    name: str
    tags: tuple[str, ...] = ()


PETS = Table("pets", Pet, {"by_tag": lambda key, pet: pet.tags, "by_name": lambda key, pet: [pet.name]})
OTHERS = Table("others", Pet)


@pytest.fixture(params=BACKENDS)
def store(request, tmp_path):
    opened = Store.create(BACKENDS[request.param].open(tmp_path / "store.db"), ROOT)
    yield opened
    opened.close()


@pytest.fixture
def pair(tmp_path):
    """Two stores on one database, as two workers have them."""
    path = tmp_path / "store.db"
    one = Store.create(BACKENDS["sqlite"].open(path), ROOT)
    other = Store.open(BACKENDS["sqlite"].open(path), ROOT)
    yield one, other
    one.close()
    other.close()


def put(store, **pets):
    transaction = store.transaction()
    for key, pet in pets.items():
        if pet is None:
            transaction.delete(PETS, key)
        else:
            transaction.put(PETS, key, pet)
    assert store.commit([transaction]) == [None]


def test_a_transaction_sees_its_own_writes_and_others_after_the_commit(store):
    transaction = store.transaction()
    assert transaction.get(PETS, "a") is None
    transaction.insert(PETS, "a", Pet("Ann"))
    assert transaction.get(PETS, "a") == Pet("Ann")
    assert store.transaction().get(PETS, "a") is None
    assert transaction.scan(PETS, "") == []
    assert store.commit([transaction]) == [None]
    assert store.transaction().get(PETS, "a") == Pet("Ann")
    assert store.transaction().get(OTHERS, "a") is None
    later = store.transaction()
    later.delete(PETS, "a")
    assert later.get(PETS, "a") is None
    assert store.commit([later]) == [None]
    assert store.transaction().get(PETS, "a") is None


def test_the_same_object_is_returned_until_the_record_is_written(store):
    put(store, a=Pet("Ann"), b=Pet("Bob"))
    first = store.transaction().get(PETS, "a")
    put(store, b=Pet("Ben"))
    assert store.transaction().get(PETS, "a") is first
    assert store.transaction().scan(PETS, "a")[0][1] is first
    put(store, a=Pet("Ada"))
    assert store.transaction().get(PETS, "a") == Pet("Ada")


def test_what_was_read_must_still_hold(store):
    put(store, a=Pet("Ann"))
    reader = store.transaction()
    reader.get(PETS, "a")
    reader.put(OTHERS, "x", Pet("X"))
    put(store, a=Pet("Ann"))  # the same value is another version
    (conflict,) = store.commit([reader])
    assert isinstance(conflict, StorageConflict)
    assert "'a'" in str(conflict)
    assert store.transaction().get(OTHERS, "x") is None
    absent = store.transaction()
    assert absent.get(PETS, "b") is None
    absent.put(OTHERS, "x", Pet("X"))
    put(store, b=Pet("Bob"))
    assert isinstance(store.commit([absent])[0], StorageConflict)


def test_a_transaction_that_only_read_is_checked_too(store):
    put(store, a=Pet("Ann"))
    reader = store.transaction()
    reader.get(PETS, "a")
    number = store.commit_number
    assert store.commit([reader]) == [None]
    assert store.commit_number == number  # and costs no commit
    put(store, a=None)
    assert isinstance(store.commit([reader])[0], StorageConflict)


def test_a_group_applies_in_order_and_one_conflict_leaves_the_others_alone(store):
    inserts = []
    for name in ("Ann", "Bob", "Cid"):
        transaction = store.transaction()
        transaction.insert(PETS, "a" if name != "Cid" else "c", Pet(name))
        transaction.bump("pets", 1)
        inserts.append(transaction)
    before = store.commit_number
    first, second, third = store.commit(inserts)
    assert (first, third) == (None, None)
    assert isinstance(second, StorageConflict)
    assert store.commit_number == before + 1
    assert store.transaction().get(PETS, "a") == Pet("Ann")
    assert store.transaction().get(PETS, "c") == Pet("Cid")
    assert store.transaction().count("pets") == 2


def test_an_insert_after_a_delete_in_one_group_succeeds(store):
    put(store, a=Pet("Ann", ("x",)))
    gone, anew = store.transaction(), store.transaction()
    gone.delete(PETS, "a")
    anew.put(PETS, "a", Pet("Ada", ("y",)))
    assert store.commit([gone, anew]) == [None, None]
    assert store.transaction().scan_index(PETS, "by_tag", "") == [("y", "a")]


def test_counters_add_up_without_conflict(store):
    transactions = [store.transaction() for _ in range(4)]
    for number, transaction in enumerate(transactions):
        transaction.bump("n", number)
        transaction.bump("n", 1)
        assert transaction.count("n") == number + 1
    assert store.commit(transactions) == [None] * 4
    assert store.transaction().count("n") == 10
    assert store.transaction().count("never") == 0


def test_scans_are_ordered_and_page(store):
    put(store, **{f"k{n:03}": Pet(str(n)) for n in range(300)}, j=Pet("j"), l=Pet("l"))
    transaction = store.transaction()
    expected = [f"k{n:03}" for n in range(300)]
    assert [key for key, _ in transaction.scan(PETS, "k")] == expected
    for size in (1, 7, 64, 100):
        found, after = [], None
        while page := transaction.scan(PETS, "k", after, size):
            assert len(page) <= size
            found += page
            after = page[-1][0]
        assert [key for key, _ in found] == expected
        keys, after = [], None
        while shown := transaction.scan_keys(PETS, "k", after, size):
            assert len(shown) <= size
            keys += shown
            after = shown[-1]
        assert keys == expected
        assert all(pet == Pet(str(int(key[1:]))) for key, pet in found)
    assert transaction.scan(PETS, "k", "k299") == []
    assert transaction.scan(PETS, "k", "a", 1)[0][0] == "k000"
    assert transaction.scan(PETS, "k", limit=0) == transaction.scan_keys(PETS, "k", limit=0) == []
    assert transaction.scan_keys(PETS, "k", "k299") == []
    assert transaction.scan_keys(PETS, "k", "a", 1) == ["k000"]
    assert len(transaction.scan(PETS, "")) == 302


def test_scans_work_with_cold_and_warm_caches(store):
    put(store, **{f"k{n:03}": Pet(str(n)) for n in range(100)})
    cold = Store.open(store.backend, ROOT, records=10, nodes=1)
    for _ in range(3):
        assert cold.transaction().scan(PETS, "") == store.transaction().scan(PETS, "")
    assert cold.transaction().get(PETS, "k050") == Pet("50")


def test_indexes_follow_their_records(store):
    put(store, a=Pet("Ann", ("big", "red")), b=Pet("Bob", ("big", "big")), c=Pet("Ann"))
    transaction = store.transaction()
    assert transaction.scan_index(PETS, "by_tag", "") == [("big", "a"), ("big", "b"), ("red", "a")]
    assert transaction.scan_index(PETS, "by_tag", "b", ("big", "a")) == [("big", "b")]
    assert transaction.scan_index(PETS, "by_tag", "", limit=2) == [("big", "a"), ("big", "b")]
    assert transaction.find(PETS, "by_name", "Ann") == ["a", "c"]
    assert transaction.find(PETS, "by_name", "An") == []
    assert transaction.find(PETS, "by_name", "Ann", after="a") == ["c"]
    put(store, a=Pet("Ada", ("red", "old")), b=None)
    transaction = store.transaction()
    assert transaction.scan_index(PETS, "by_tag", "") == [("old", "a"), ("red", "a")]
    assert transaction.find(PETS, "by_name", "Ann") == ["c"]
    with pytest.raises(KeyError, match="by_colour"):
        transaction.scan_index(PETS, "by_colour", "")


def test_keys_are_injective_and_prefixes_exact():
    parts = [("a", "b", "c"), ("a/b", "", "c"), ("a", "b/c", ""), ("a%2Fb", "", "c"), ("", "a", "alias/b/c")]
    assert len({join(*each) for each in parts}) == len(parts)
    for each in parts:
        assert tuple(split(join(*each), 3)) == each
    assert join("111122223333", "us-east-1", "alias/a/b") == "111122223333/us-east-1/alias/a/b"
    with pytest.raises(ValueError):
        split("a/b", 3)


def test_a_key_cannot_reach_into_another_table(store):
    for method in (
        lambda t: t.get(PETS, "a\0b"),
        lambda t: t.scan(PETS, "\0"),
        lambda t: t.delete(PETS, "\0"),
    ):
        with pytest.raises(ValueError):
            method(store.transaction())


def test_a_record_that_cannot_be_encoded_fails_in_its_own_operation(store):
    with pytest.raises(TypeError):
        store.transaction().put(PETS, "a", Pet(object()))


def test_run_repeats_the_operation_after_a_conflict(store):
    put(store, a=Pet("0"))
    runs = []

    def operation(transaction):
        pet = transaction.get(PETS, "a")
        if not runs:
            put(store, a=Pet("1"))
        runs.append(pet)
        transaction.put(PETS, "a", Pet(pet.name + "!"))
        return pet.name

    assert store.run(operation) == "1"
    assert len(runs) == 2
    assert store.transaction().get(PETS, "a") == Pet("1!")


class TestOpening:
    def test_a_store_is_created_once(self, store):
        with pytest.raises(StorageError, match="already"):
            Store.create(store.backend, ROOT)

    def test_there_must_be_one_to_open(self):
        with pytest.raises(StorageTampered, match="missing"):
            Store.open(MemoryBackend(), ROOT)

    def test_another_root_key_does_not_open_it(self, store):
        with pytest.raises(StorageError, match="root key"):
            Store.open(store.backend, bytes(32))

    def test_no_secret_in_a_repr(self, store):
        key = store.view.state.barrier.epochs.keys[1]
        for thing in (store, store.view, store.view.state, store.root_seal, store.view.state.barrier.epochs):
            assert repr(key)[2:-1] not in repr(thing)
            assert key.hex() not in repr(thing)


class TestTwoWorkers:
    def test_a_commit_is_seen_at_the_next_read(self, pair):
        one, other = pair
        put(one, a=Pet("Ann", ("x",)), b=Pet("Bob"))
        assert other.transaction().get(PETS, "a") == Pet("Ann", ("x",))
        kept = other.transaction().get(PETS, "b")
        put(one, a=Pet("Ada", ("y",)))
        assert other.transaction().get(PETS, "a") == Pet("Ada", ("y",))
        assert other.transaction().scan(PETS, "") == [("a", Pet("Ada", ("y",))), ("b", Pet("Bob"))]
        assert other.transaction().find(PETS, "by_tag", "y") == ["a"]
        assert other.transaction().get(PETS, "b") is kept  # verified anew, not decoded anew
        assert other.commit_number == one.commit_number

    def test_conflicts_are_found_between_workers(self, pair):
        one, other = pair
        late = other.transaction()
        late.insert(PETS, "a", Pet("late"))
        put(one, a=Pet("first"))
        assert isinstance(other.commit([late])[0], StorageConflict)
        assert other.transaction().get(PETS, "a") == Pet("first")

    def test_both_can_commit_in_turn(self, pair):
        for number in range(40):
            store = pair[number % 2]
            put(store, **{f"k{number}": Pet(str(number), (str(number % 3),))})
            store.run(lambda transaction: transaction.bump("n", 1))
        for store in pair:
            assert len(store.transaction().scan(PETS, "")) == 40
            assert store.transaction().count("n") == 40
            assert store.verify_all().findings == ()

    def test_a_commit_is_seen_even_if_the_generation_was_frozen(self, pair):
        one, other = pair
        put(one, a=Pet("Ann"))
        assert other.transaction().get(PETS, "a") == Pet("Ann")
        frozen = other.backend.generation()
        put(one, a=None)
        one.backend._generation.numbers[0] = frozen
        assert other.transaction().get(PETS, "a") == Pet("Ann")
        other.refresh()
        assert other.transaction().get(PETS, "a") is None
