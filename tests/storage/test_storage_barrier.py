"""Epochs and the root key are replaced on a store that is in use."""

import msgspec
import pytest

from keystead.entropy import SystemEntropy
from keystead.errors import StorageError, StorageTampered
from keystead.storage import MemoryBackend, SqliteBackend, Store, Table
from keystead.storage.barrier import Barrier, RootSeal, UnknownEpoch

ROOT = bytes(range(32))
NEW_ROOT = bytes(range(32, 64))


class Item(msgspec.Struct, frozen=True):
    text: str


ITEMS = Table("items", Item, {"by_text": lambda key, item: [item.text]})


def put(store, **items):
    transaction = store.transaction()
    for key, text in items.items():
        transaction.put(ITEMS, key, Item(text))
    assert store.commit([transaction]) == [None]


def epochs_in_use(backend):
    values = [value for key, value in backend.scan(b"", b"\xff", None) if key != b"b"]
    return {int.from_bytes(value[:4], "big") for value in values}


@pytest.fixture
def store():
    store = Store.create(MemoryBackend(), ROOT)
    put(store, **{f"k{n:04}": str(n % 7) for n in range(500)})
    return store


def everything(store):
    transaction = Store.open(store.backend, ROOT).transaction()
    return transaction.scan(ITEMS, ""), transaction.scan_index(ITEMS, "by_text", "")


class TestBarrier:
    def test_a_value_opens_at_its_place_only(self):
        barrier = Barrier.create(SystemEntropy())
        sealed = barrier.seal(b"rtable\0key", b"value")
        assert barrier.open(b"rtable\0key", sealed) == b"value"
        for place in (b"rtable\0ke", b"rtabl\0ekey", b"itable\0key", b""):
            with pytest.raises(StorageTampered):
                barrier.open(place, sealed)
        assert barrier.seal(b"rtable\0key", b"value") != sealed

    def test_an_unknown_epoch_is_told_apart(self):
        barrier = Barrier.create(SystemEntropy())
        sealed = barrier.rotated().seal(b"p", b"value")
        with pytest.raises(UnknownEpoch):
            barrier.open(b"p", sealed)
        for short in (b"", b"\0", sealed[:4]):
            with pytest.raises(StorageTampered):
                barrier.rotated().open(b"p", short)

    def test_the_list_of_epochs_needs_the_root_key(self):
        entropy = SystemEntropy()
        barrier = Barrier.create(entropy).rotated()
        sealed = RootSeal(ROOT).seal(barrier, entropy)
        assert RootSeal(ROOT).open(sealed, entropy).seals_like(barrier)
        with pytest.raises(StorageError):
            RootSeal(NEW_ROOT).open(sealed, entropy)


def test_rotation_reseals_everything_in_bounded_batches_and_drops_the_old_epoch(store):
    before = everything(store)
    assert store.reseal() is True  # nothing to do
    assert store.rotate_barrier() == 2
    assert everything(store) == before
    put(store, k0000="new")
    before = everything(store)
    assert epochs_in_use(store.backend) == {1, 2}
    steps = 0
    while not store.reseal(100):
        steps += 1
        assert steps < 50
        assert everything(store) == before
        put(store, **{f"k{steps:04}": "written meanwhile"})
        before = everything(store)
    assert steps > 3
    assert epochs_in_use(store.backend) == {2}
    assert list(store.view.state.barrier.epochs.keys) == [2]
    assert everything(store) == before
    assert Store.open(store.backend, ROOT).verify_all().findings == ()


def test_a_rotation_during_the_resealing_begins_it_again(store):
    store.rotate_barrier()
    store.reseal(100)
    store.rotate_barrier()
    assert epochs_in_use(store.backend) == {1, 2, 3}
    before = everything(store)
    while not store.reseal(100):
        pass
    assert epochs_in_use(store.backend) == {3}
    assert everything(store) == before


def test_an_empty_store_can_be_rotated():
    store = Store.create(MemoryBackend(), ROOT)
    store.rotate_barrier()
    while not store.reseal():
        pass
    assert epochs_in_use(store.backend) == {2}
    assert Store.open(store.backend, ROOT).verify_all().findings == ()


def test_two_workers_rotate_and_reseal_in_any_order(tmp_path):
    one = Store.create(SqliteBackend(tmp_path / "store.db"), ROOT)
    put(one, **{f"k{n:04}": str(n) for n in range(300)})
    other = Store.open(SqliteBackend(tmp_path / "store.db"), ROOT)
    one.rotate_barrier()
    one.reseal(100)
    other.rotate_barrier()  # in the middle of the first one's walk
    put(one, k0001="one")
    put(other, k0002="other")
    while not one.reseal(100):
        put(other, k0003="meanwhile")
    assert other.reseal() in (True, False)
    other.rotate_barrier()  # must not bring back what the first one dropped
    assert sorted(other.view.state.barrier.epochs.keys) == [3, 4]
    for store in (one, other):
        assert len(store.transaction().scan(ITEMS, "")) == 300
        assert store.verify_all().findings == ()
        store.close()


def test_a_rolled_back_list_of_epochs_is_not_built_upon(store):
    old = store.backend.get(b"b")
    store.rotate_barrier()
    store.backend._values[b"b"] = old
    with pytest.raises(StorageTampered, match="list of epochs"):
        store.rotate_barrier()
    with pytest.raises(StorageTampered):
        Store.open(store.backend, ROOT)


def test_a_new_root_key_reseals_one_record(store):
    before = dict(store.backend.scan(b"", b"\xff", None))
    content = everything(store)
    store.rekey(NEW_ROOT)
    after = dict(store.backend.scan(b"", b"\xff", None))
    changed = {place[:1] for place in after if after[place] != before.get(place)}
    assert changed == {b"b", b"s", b"n"}
    assert sum(after[place] != before.get(place) for place in after) == 3  # list, head, top of the tree
    with pytest.raises(StorageError, match="root key"):
        Store.open(store.backend, ROOT)
    opened = Store.open(store.backend, NEW_ROOT)
    assert opened.transaction().scan(ITEMS, "") == content[0]
    store.rotate_barrier()  # the store that changed it goes on
    put(store, k0001="x")
    assert opened.transaction().get(ITEMS, "k0001") == Item("x")


def test_a_store_opened_with_the_old_root_key_reads_but_refuses_to_rotate(store):
    other = Store.open(store.backend, ROOT)
    store.rekey(NEW_ROOT)
    assert other.transaction().get(ITEMS, "k0001") == Item("1")
    with pytest.raises(StorageError, match="root key"):
        other.rotate_barrier()
    assert Store.open(store.backend, NEW_ROOT).verify_all().findings == ()
