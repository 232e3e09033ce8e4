"""Every physical write of the store fails, lost and persisted: nothing in between is ever seen."""

import msgspec
import pytest

from keystead.errors import StorageUnavailable
from keystead.storage import MemoryBackend, Store, Table
from keystead.testing.faulty import Fault, FaultyBackend

ROOT = bytes(range(32))
NEW_ROOT = bytes(range(32, 64))


class Thing(msgspec.Struct, frozen=True):
    name: str


THINGS = Table("things", Thing, {"by_name": lambda key, thing: [thing.name]})
START = {f"k{n:03}": Thing("old") for n in range(100)}


def change(store):
    transaction = store.transaction()
    for number in range(0, 100, 3):
        transaction.put(THINGS, f"k{number:03}", Thing("new"))
    transaction.delete(THINGS, "k001")
    transaction.put(THINGS, "z", Thing("new"))
    transaction.bump("n", 1)
    return store.commit([transaction])


def content(store):
    transaction = store.transaction()
    found = dict(transaction.scan(THINGS, ""))
    assert {key: transaction.get(THINGS, key) for key in found} == found
    assert transaction.scan_index(THINGS, "by_name", "") == sorted((t.name, key) for key, t in found.items())
    return found, transaction.count("n")


def started():
    faulty = FaultyBackend(MemoryBackend())
    store = Store.create(faulty, ROOT)
    transaction = store.transaction()
    for key, thing in START.items():
        transaction.insert(THINGS, key, thing)
    assert store.commit([transaction]) == [None]
    content(store)  # caches are warm
    return faulty, store


def changed_content():
    _, store = started()
    change(store)
    return content(store)


@pytest.mark.parametrize("fault", Fault)
def test_a_failed_commit_is_there_entirely_or_not_at_all(fault):
    faulty, store = started()
    number = store.commit_number
    faulty.fail_next(fault)
    with pytest.raises(StorageUnavailable):
        change(store)
    persisted = fault is Fault.PERSISTED
    expected = changed_content() if persisted else (START, 0)
    for reader in (store, Store.open(faulty.inner, ROOT)):
        assert content(reader) == expected
        assert reader.commit_number == number + persisted
        assert reader.verify_all().findings == ()


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.PERSISTED])
def test_the_store_goes_on_after_a_failure(fault):
    faulty, store = started()
    faulty.fail_next(fault)
    with pytest.raises(StorageUnavailable):
        change(store)
    assert change(store) == [None]
    found, count = content(store)
    assert found == changed_content()[0]
    assert count == 1 + (fault is Fault.PERSISTED)
    assert content(Store.open(faulty.inner, ROOT)) == (found, count)


def test_a_full_disk_stops_writes_and_not_reads():
    faulty, store = started()
    faulty.fail_next(Fault.DISK_FULL)
    for _ in range(3):
        with pytest.raises(StorageUnavailable):
            change(store)
        assert content(store) == (START, 0)
    faulty.full = False
    assert change(store) == [None]
    assert content(store) == changed_content()


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.PERSISTED])
def test_creation_that_failed_can_be_told_apart(fault):
    faulty = FaultyBackend(MemoryBackend(), {1: fault})
    with pytest.raises(StorageUnavailable):
        Store.create(faulty, ROOT)
    store = Store.open(faulty, ROOT) if fault is Fault.PERSISTED else Store.create(faulty, ROOT)
    assert store.verify_all().findings == ()


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.PERSISTED])
def test_every_write_of_rotation_and_resealing_may_fail(fault):
    """Fails the first write, then the second, and so on, until the whole run has met no fault."""
    at = 0
    while True:
        at += 1
        faulty, store = started()
        faulty.faults[faulty.commits + at] = fault
        failed = rotated = False
        while True:
            try:
                rotated = rotated or bool(store.rotate_barrier())
                if store.reseal(30):
                    break
            except StorageUnavailable:
                failed = True
            assert content(store) == (START, 0)
        assert len(store.view.state.barrier.epochs.keys) == 1
        assert store.verify_all().findings == ()
        assert content(Store.open(faulty.inner, ROOT)) == (START, 0)
        if not failed:
            break
    assert at > 4


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.PERSISTED])
def test_after_a_failed_rekey_exactly_one_root_key_opens(fault):
    faulty, store = started()
    faulty.fail_next(fault)
    with pytest.raises(StorageUnavailable):
        store.rekey(NEW_ROOT)
    opens = NEW_ROOT if fault is Fault.PERSISTED else ROOT
    assert content(Store.open(faulty.inner, opens)) == (START, 0)
