"""Whatever a store does, nothing wrong is given on, and what happened has a name of its own."""

import threading

import pytest

from keystead.crypto import Secret
from keystead.entropy import SystemEntropy
from keystead.errors import BlobDamaged, BlobForeign, BlobMissing, BlobsUnavailable, BlobTruncated
from keystead.objects import MemoryBlobs, ObjectKey, Place, new_name, seal, unseal
from keystead.testing.blobs import BlobFault, FaultyBlobs

ENTROPY = SystemEntropy()
KEY = ObjectKey(Secret(b"k" * 32))
PLACE = Place("b", "k", "v")
SIZE = 700_000
BODY = ENTROPY.random(SIZE)


@pytest.fixture
def store():
    blobs = FaultyBlobs(MemoryBlobs())
    blobs.other = put(blobs, Place("b", "other", "v"))
    return blobs


def put(store, place=PLACE):
    name = new_name(ENTROPY)
    store.put(name, seal(KEY, place, [BODY], ENTROPY))
    return name


def chunks(store, name, start=0, length=SIZE):
    return unseal(KEY, PLACE, SIZE, lambda at, size: store.read(name, at, size), start, length)


FOUND = {
    BlobFault.REFUSED: BlobsUnavailable,
    BlobFault.MISSING: BlobMissing,
    BlobFault.SHORT: BlobTruncated,
    BlobFault.FLIPPED: BlobDamaged,
    BlobFault.BROKEN: BlobsUnavailable,
    BlobFault.SWAPPED: BlobForeign,
}


@pytest.mark.parametrize(("start", "length"), [(0, SIZE), (0, 10), (300_000, 10), (600_000, 100_000)])
@pytest.mark.parametrize("fault", FOUND)
def test_each_fault_of_a_read_is_told_and_nothing_wrong_is_given(store, fault, start, length):
    name, given = put(store), []
    store.fault = fault
    with pytest.raises(FOUND[fault]):
        given.extend(chunks(store, name, start, length))
    got = b"".join(given)
    assert got == BODY[start : start + len(got)]
    store.fault = None
    assert b"".join(chunks(store, name, start, length)) == BODY[start : start + length]


def test_more_than_was_asked_for_is_not_given_on(store):
    name = put(store)
    store.fault = BlobFault.ENDLESS
    assert b"".join(chunks(store, name)) == BODY


@pytest.mark.parametrize(("fault", "is_there"), [(BlobFault.LOST, False), (BlobFault.PERSISTED, True)])
def test_a_put_that_fails_is_told_and_may_have_persisted(store, fault, is_there):
    before = set(store.stored())
    store.fault = fault
    with pytest.raises(BlobsUnavailable):
        put(store)
    assert len(set(store.stored()) - before) == is_there


def test_a_delete_that_fails_is_told(store):
    name = put(store)
    store.fault = BlobFault.REFUSED
    with pytest.raises(BlobsUnavailable):
        store.delete(name)
    store.fault = None
    assert b"".join(chunks(store, name)) == BODY


def test_a_slow_store_delays_its_own_reader_only(store):
    slow, quick = put(store), put(store)
    gate, entered = threading.Event(), threading.Event()
    first = threading.local()

    def wait(_method):
        if getattr(first, "slow", False):
            entered.set()
            assert gate.wait(60)

    store.before = wait
    got = []

    def reader():
        first.slow = True
        got.append(b"".join(chunks(store, slow)))

    thread = threading.Thread(target=reader)
    thread.start()
    assert entered.wait(60)
    assert b"".join(chunks(store, quick)) == BODY
    assert got == []
    gate.set()
    thread.join(60)
    assert got == [BODY]
