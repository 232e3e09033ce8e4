"""Readers on other threads and other processes' commits: never an old record after a newer one, never an alarm."""

import sys
import threading

import msgspec
import pytest

from keystead.errors import StorageUnavailable
from keystead.storage import BACKENDS, MemoryBackend, Store, Table

ROOT = bytes(range(32))
COMMITS = 60
KEYS = [f"k{n:02}" for n in range(40)]


class Tick(msgspec.Struct, frozen=True):
    number: int


TICKS = Table("ticks", Tick, {"by_number": lambda key, tick: [f"{tick.number:06}"]})


def set_all(store, number):
    transaction = store.transaction()
    for key in KEYS:
        transaction.put(TICKS, key, Tick(number))
    assert store.commit([transaction]) == [None]


def watch(store, stop, failures):
    """Reads until `stop`; every key's number only grows, and so does what scans show."""
    last = dict.fromkeys(KEYS, 0)
    try:
        while not stop.is_set():
            for key in KEYS:
                number = store.transaction().get(TICKS, key).number
                assert number >= last[key], f"{key} went back from {last[key]} to {number}"
                last[key] = number
            for key, tick in store.transaction().scan(TICKS, ""):
                assert tick.number >= last[key]
                last[key] = tick.number
            entries = store.transaction().scan_index(TICKS, "by_number", "")
            assert sorted(key for _, key in entries) == KEYS
    except BaseException as error:
        failures.append(error)
        raise


@pytest.fixture
def restless():
    """Threads take turns fifty times as often as usual."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.0001)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("restless")
@pytest.mark.parametrize("name", BACKENDS)
def test_readers_see_only_committed_states_in_order(name, tmp_path):
    backend = BACKENDS[name].open(tmp_path / "store.db")
    writer = Store.create(backend, ROOT)
    set_all(writer, 0)
    stores = [writer, Store.open(backend, ROOT, records=10, nodes=1)]
    if BACKENDS[name].durable:
        stores.append(Store.open(BACKENDS[name].open(tmp_path / "store.db"), ROOT))
    stop, failures = threading.Event(), []
    readers = [threading.Thread(target=watch, args=(store, stop, failures)) for store in stores]
    for reader in readers:
        reader.start()
    try:
        for number in range(1, COMMITS):
            set_all(stores[number % len(stores)], number)
            assert stores[(number + 1) % len(stores)].transaction().get(TICKS, KEYS[-1]) == Tick(number)
    finally:
        stop.set()
        for reader in readers:
            reader.join()
    assert failures == []
    for store in stores[2:]:
        store.close()
    backend.close()


def test_a_reader_overtaken_by_a_commit_does_not_cache_the_record_of_before():
    class Slow(MemoryBackend):
        """Lets a commit pass between a reader's reading of a row and its return."""

        overtake = None

        def get(self, key):
            value = super().get(key)
            if key == TICKS.place("k00") and self.overtake:
                overtake, self.overtake = self.overtake, None
                overtake()
            return value

    backend = Slow()
    store = Store.create(backend, ROOT)
    set_all(store, 1)
    cold = Store.open(backend, ROOT)
    backend.overtake = lambda: set_all(cold, 2)
    assert cold.transaction().get(TICKS, "k00").number in (1, 2)
    assert cold.transaction().get(TICKS, "k00") == Tick(2)
    assert cold.transaction().scan(TICKS, "k00")[0][1] == Tick(2)


def test_a_commit_noticed_by_another_thread_in_the_middle_of_a_look_up():
    class Interrupted(MemoryBackend):
        """Another thread of the store refreshes while this one asks for the generation."""

        interrupt = None

        def generation(self):
            if self.interrupt:
                interrupt, self.interrupt = self.interrupt, None
                interrupt()
            return super().generation()

    backend = Interrupted()
    store = Store.create(backend, ROOT)
    set_all(store, 1)
    assert store.transaction().get(TICKS, "k00") == Tick(1)
    set_all(Store.open(backend, ROOT), 2)
    backend.interrupt = store.refresh
    assert store.transaction().get(TICKS, "k00") == Tick(2)


def test_a_commit_while_another_thread_finds_the_record_of_before_among_the_older_ones():
    class Overtaken(dict):
        overtake = None

        def get(self, key, default=None):
            value = super().get(key, default)
            if self.overtake:
                overtake, self.overtake = self.overtake, None
                overtake()
            return value

    store = Store.create(MemoryBackend(), ROOT)
    set_all(store, 1)
    records = store.rows._records
    records._old, records.hot = Overtaken(records.hot), {}
    records._old.overtake = lambda: set_all(store, 2)
    store.transaction().get(TICKS, "k00")
    store.transaction().get(TICKS, "k01")  # takes note of the commit
    assert store.transaction().get(TICKS, "k00") == Tick(2)


def test_a_store_that_never_gets_its_turn_says_so():
    class Contended(MemoryBackend):
        """Another process commits just before each of ours."""

        rival = None
        round = 1

        def commit(self, batch):
            if self.rival and threading.current_thread().name == "contended":
                rival, self.rival = self.rival, None
                self.round += 1
                set_all(rival, self.round)
                self.rival = rival
            super().commit(batch)

    backend = Contended()
    rival = Store.create(backend, ROOT)
    set_all(rival, 1)
    store = Store.open(backend, ROOT)
    backend.rival = rival
    outcome = []

    def contend():
        try:
            set_all(store, 0)
        except StorageUnavailable as error:
            outcome.append(str(error))

    thread = threading.Thread(target=contend, name="contended")
    thread.start()
    thread.join()
    assert outcome == ["other processes commit all the time; nothing was written"]
    assert store.transaction().get(TICKS, "k00") == Tick(backend.round)
