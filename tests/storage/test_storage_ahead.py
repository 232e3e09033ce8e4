"""Records that are read before anybody asks: found without the database, and as proven and as new as all others."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keystead.errors import StorageTampered, StorageUnavailable
from keystead.storage import MemoryBackend, NotInMemoryError, ReadAhead, Store, Table
from keystead.storage.shelf import Shelf, Shelves

ROOT = bytes(range(32))
MOST = 1 << 20
COUNT = 300


class Thing(msgspec.Struct, frozen=True):
    color: str


BEFORE = Table("thimg", Thing)  # the names on both sides, so that leaves are shared
THINGS = Table("thing", Thing, indexes={"color": lambda _key, thing: [thing.color]}, together=True)
BEHIND = Table("thinh", Thing)


class Watched(MemoryBackend):
    """Notes which keys are read."""

    def __init__(self):
        super().__init__()
        self.read = []

    def get(self, key):
        self.read.append(key)
        return super().get(key)

    def get_each(self, keys):
        return [self.get(key) for key in keys]

    def scan(self, start, end, limit, reverse=False):
        found = super().scan(start, end, limit, reverse)
        self.read += [key for key, _ in found]
        return found


def name(number):
    return f"{number:04d}"


def change(store, things, table=THINGS):
    tx = store.transaction()
    for key, color in things.items():
        if color is None:
            tx.delete(table, key)
        else:
            tx.put(table, key, Thing(color))
    assert store.commit([tx]) == [None]


def read_ahead(store, most=MOST):
    """All is read ahead by what is returned."""
    ahead = ReadAhead(store, [THINGS, BEFORE, BEHIND], most)
    assert ahead.go_on(lambda: True)
    return ahead


@pytest.fixture
def backend():
    return Watched()


@pytest.fixture
def store(backend):
    made = Store.create(backend, ROOT)
    for table in (BEFORE, THINGS, BEHIND):
        change(made, {name(number): f"color {number}" for number in range(COUNT)}, table)
    # As a process sees it that has read nothing yet.
    return Store.open(backend, ROOT)


def test_what_was_read_ahead_is_found_without_the_database(store, backend):
    read_ahead(store)
    backend.read.clear()
    tx = store.transaction()
    assert [tx.get(THINGS, name(number)) for number in range(0, COUNT, 7)] == [
        Thing(f"color {number}") for number in range(0, COUNT, 7)
    ]
    assert tx.scan(THINGS, "01", after="0150", limit=3) == [
        (name(number), Thing(f"color {number}")) for number in (151, 152, 153)
    ]
    assert tx.find(THINGS, "color", "color 77") == ["0077"]
    assert backend.read == []


def test_whoever_is_not_to_wait_finds_it_too(store, backend):
    with store.rows.interrupting(), pytest.raises(NotInMemoryError):
        store.transaction().get(THINGS, "0007")
    read_ahead(store)
    backend.read.clear()
    with store.rows.interrupting():
        assert store.transaction().get(THINGS, "0007") == Thing("color 7")
    assert backend.read == []


def test_other_tables_are_left_where_they_are(store, backend):
    backend.read.clear()
    read_ahead(store)
    assert {place.partition(b"\0")[0] for place in backend.read if place.startswith(b"r")} == {b"rthing"}
    assert store.transaction().get(BEHIND, "0007") == Thing("color 7")


def test_what_is_changed_is_found_as_it_is_now(store, backend):
    ahead = read_ahead(store)
    change(store, {"0007": "red", "0008": None, "0007x": "new"})
    other = Store.open(backend, ROOT)
    change(other, {"0107": "red", "0108": None, "0107x": "new"})
    for _ in range(2):
        tx = Store.transaction(store)
        assert [tx.get(THINGS, key) for key in ("0007", "0008", "0007x", "0009")] == [
            Thing("red"), None, Thing("new"), Thing("color 9"),
        ]  # fmt: skip
        assert [tx.get(THINGS, key) for key in ("0107", "0108", "0107x", "0109")] == [
            Thing("red"), None, Thing("new"), Thing("color 109"),
        ]  # fmt: skip
        assert [key for key, _ in tx.scan(THINGS, "010")] == [
            *map(name, range(100, 108)), "0107x", "0109"
        ]  # fmt: skip
        assert ahead.go_on(lambda: True)


batches = st.lists(
    st.dictionaries(
        st.integers(0, 200).map(name), st.none() | st.sampled_from(["red", "blue"]), min_size=1, max_size=90
    ),
    max_size=5,
)


@settings(max_examples=25, deadline=None)
@given(batches, st.data())
def test_a_store_that_reads_ahead_tells_what_one_tells_that_does_not(changes, data):
    backend = MemoryBackend()
    writer, model = Store.create(backend, ROOT), {}
    reader = Store.open(backend, ROOT)
    ahead = ReadAhead(reader, [THINGS], MOST)
    for batch in changes:
        for _ in range(data.draw(st.integers(0, 4))):
            ahead.go_on(lambda: False)
        change(data.draw(st.sampled_from([writer, reader])), batch)
        model = {key: color for key, color in {**model, **batch}.items() if color is not None}
        assert {key: thing.color for key, thing in reader.transaction().scan(THINGS, "")} == model
        for key in map(name, range(0, 201, 9)):
            found = reader.transaction().get(THINGS, key)
            assert (found and found.color) == model.get(key)


def test_only_leaves_that_changed_are_read_again(store, backend):
    ahead = read_ahead(store)
    backend.read.clear()
    assert ahead.go_on(lambda: True)
    change(store, {"0107": "red"})
    backend.read.clear()
    assert ahead.go_on(lambda: True)
    assert THINGS.place("0107") in backend.read
    assert len([place for place in backend.read if place.startswith(b"r")]) <= 64


def test_what_was_deleted_leaves_the_memory(store):
    ahead = read_ahead(store)
    place = THINGS.place("0107")
    version = store.transaction().entry(THINGS, "0107").digest
    assert store.rows.shelves.around(place).value(version) == THINGS.encode(Thing("color 107"))
    change(store, {"0107": None})
    assert ahead.go_on(lambda: True)
    assert all(shelf is None or shelf.value(version) is None for shelf in store.rows.shelves.shelves)


def test_it_stops_when_it_may_not_go_on(store, backend):
    ahead, steps = ReadAhead(store, [THINGS], MOST), 0
    while not ahead.go_on(lambda: False):
        steps += 1
    assert steps > 5
    backend.read.clear()
    assert store.transaction().get(THINGS, "0200") == Thing("color 200")
    assert backend.read == []


@pytest.mark.parametrize("most", [0, 1, 2_000, 5_000])
def test_no_more_is_kept_than_was_said(store, backend, most):
    read_ahead(store, most)
    assert sum(shelf.size for shelf in store.rows.shelves.shelves if shelf) <= most
    for number in range(COUNT):
        if number % 2:
            assert store.transaction().get(THINGS, name(number)) == Thing(f"color {number}")
        else:  # those that are not there are read together with others, as without
            try:
                with store.rows.interrupting():
                    found = store.transaction().get(THINGS, name(number))
            except NotInMemoryError as interrupted:
                store.rows.fetch([interrupted])
                found = store.transaction().get(THINGS, name(number))
            assert found == Thing(f"color {number}")


FORGERIES = {
    "changed": lambda value: value[:50] + bytes([value[50] ^ 1]) + value[51:],
    "emptied": lambda _value: b"",
    "deleted": lambda _value: None,
}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
def test_a_forged_record_is_left_out_and_refused_to_who_asks_for_it(store, backend, forge):
    place = THINGS.place("0107")
    backend._write(place, forge(backend.get(place)))
    read_ahead(store)
    for number in (106, 108):
        assert store.transaction().get(THINGS, name(number)) == Thing(f"color {number}")
    for _ in range(2):
        with pytest.raises(StorageTampered, match="0107"):
            store.transaction().get(THINGS, "0107")
        with pytest.raises(StorageTampered, match="0107"):
            store.transaction().scan(THINGS, "010")


def test_a_record_of_before_is_not_read_ahead(store, backend):
    place = THINGS.place("0107")
    old = backend.get(place)
    change(Store.open(backend, ROOT), {"0107": "red"})
    backend._write(place, old)
    read_ahead(store)
    with pytest.raises(StorageTampered, match="0107"):
        store.transaction().get(THINGS, "0107")


def test_records_that_somebody_added_are_refused_and_stand_in_nobodys_way(store, backend):
    for key in ("0106x", "0106y"):
        backend._write(THINGS.place(key), backend.get(THINGS.place("0107")))
    read_ahead(store)
    assert store.transaction().get(THINGS, "0107") == Thing("color 107")
    with pytest.raises(StorageTampered, match="0106x"):
        store.transaction().get(THINGS, "0106x")


def test_a_leaf_that_is_not_what_its_parent_says_is_passed_over(store, backend):
    state = store.view.fresh()
    reference = store.nodes.leaf(state.root, THINGS.place("0107"), state.barrier)
    backend._write(b"n" + reference[:8], b"forged")
    read_ahead(store)
    with pytest.raises(StorageTampered, match="tree node"):
        store.transaction().get(THINGS, "0107")
    assert store.transaction().get(THINGS, "0299") == Thing("color 299")


def test_a_commit_that_comes_between_is_made_good_by_the_next_walk(store, backend):
    ahead = ReadAhead(store, [THINGS], MOST)
    assert not ahead.go_on(lambda: False)
    change(Store.open(backend, ROOT), {name(number): "red" for number in range(COUNT)})
    while not ahead.go_on(lambda: False):
        pass
    assert store.transaction().get(THINGS, "0107") == Thing("red")
    assert ahead.go_on(lambda: True)
    backend.read.clear()
    assert store.transaction().get(THINGS, "0207") == Thing("red")
    assert backend.read == []


def test_what_was_sealed_anew_is_read_anew(store, backend):
    ahead = read_ahead(store)
    store.rotate_barrier()
    while not store.reseal():
        pass
    assert store.transaction().get(THINGS, "0107") == Thing("color 107")
    assert ahead.go_on(lambda: True)
    backend.read.clear()
    assert store.transaction().get(THINGS, "0207") == Thing("color 207")
    assert backend.read == []


def test_it_begins_anew_after_the_database_could_not_be_read(store, backend, monkeypatch):
    def broken(*_arguments):
        raise StorageUnavailable("the database cannot be read")

    ahead = ReadAhead(store, [THINGS], MOST)
    with monkeypatch.context() as patch:
        patch.setattr(backend, "scan", broken)
        with pytest.raises(StorageUnavailable):
            ahead.go_on(lambda: True)
    assert ahead.go_on(lambda: True)
    backend.read.clear()
    assert store.transaction().get(THINGS, "0207") == Thing("color 207")
    assert backend.read == []


def test_a_store_is_verified_past_what_was_read_ahead(store, backend):
    read_ahead(store)
    place = THINGS.place("0107")
    backend._write(place, FORGERIES["changed"](backend.get(place)))
    assert any("0107" in finding for finding in store.verify_all().findings)


@given(st.dictionaries(st.binary(min_size=16, max_size=16), st.binary(max_size=9_000), max_size=70))
def test_a_shelf_gives_what_was_put_on_it(records):
    shelf = Shelf(list(records.items()))
    assert {version: shelf.value(version) for version in records} == records
    assert shelf.value(bytes(15)) is None or bytes(16) in records
    for version in records:
        assert shelf.value(bytes(byte ^ 0xFF for byte in version)) is None or len(records) > 1


def test_what_only_the_joint_of_two_versions_shows_is_not_on_the_shelf():
    shelf = Shelf([(bytes(range(16)), b"one"), (bytes(range(16, 32)), b"two")])
    assert shelf.value(bytes(range(8, 24))) is None
    assert shelf.value(bytes(range(16, 32))) == b"two"


def test_nothing_is_on_no_shelf():
    assert Shelves().around(b"anything") is None
    assert Shelves([b"b"], [None]).around(b"a") is None
