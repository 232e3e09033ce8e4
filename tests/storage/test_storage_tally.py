"""Counting records again at the price of what changed."""

from collections import Counter

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keystead.errors import StorageTampered
from keystead.storage import MemoryBackend, Store, Table, Tally


class Thing(msgspec.Struct):
    color: str


THINGS = Table("thing", Thing)
OTHERS = Table("thinh", Thing)  # the next name, so that both share a leaf


@pytest.fixture
def store():
    return Store.create(MemoryBackend(), bytes(32))


def change(store, things, table=THINGS):
    tx = store.transaction()
    for key, color in things.items():
        if color is None:
            tx.delete(table, key)
        else:
            tx.put(table, key, Thing(color))
    assert store.commit([tx]) == [None]


def counted(tally):
    assert tally.go_on(lambda: True)
    return {name: number for name, number in tally.counts.items() if number}


changes = st.dictionaries(
    st.integers(0, 400).map(str), st.none() | st.sampled_from(["red", "blue", "green"]), max_size=120
)


@settings(max_examples=25, deadline=None)
@given(st.lists(changes, max_size=6))
def test_it_tells_what_there_is_after_each_change(batches):
    store, model = Store.create(MemoryBackend(), bytes(32)), {}
    tally, places = Tally(store, THINGS, lambda thing: thing.color), Tally(store, THINGS)
    change(store, {"a": "red"}, OTHERS)
    for batch in batches:
        change(store, batch)
        model = {key: color for key, color in {**model, **batch}.items() if color is not None}
        assert counted(tally) == Counter(model.values())
        assert counted(places) == ({"": len(model)} if model else {})


def test_only_leaves_that_changed_are_looked_at_again(store):
    asked = []
    tally = Tally(store, THINGS, lambda thing: asked.append(thing) or thing.color)
    change(store, {f"{number:04d}": "red" for number in range(1000)})
    assert counted(tally) == {"red": 1000}
    asked.clear()
    assert counted(tally) == {"red": 1000}
    assert not asked
    change(store, {"0500": "blue"})
    assert counted(tally) == {"red": 999, "blue": 1}
    assert len(asked) <= 64


def test_it_stops_when_it_may_not_go_on_and_tells_the_count_of_before(store):
    change(store, {f"{number:04d}": "red" for number in range(1000)})
    tally = Tally(store, THINGS, lambda thing: thing.color)
    steps = 0
    while not tally.go_on(lambda: False):
        assert not tally.counts
        steps += 1
    assert steps > 10
    assert tally.counts == {"red": 1000}


def test_counting_keeps_nothing_in_the_cache(store):
    change(store, {f"{number:04d}": "red" for number in range(1000)})
    fresh = Store.open(store.backend, bytes(32))
    assert counted(Tally(fresh, THINGS, lambda thing: thing.color)) == {"red": 1000}
    assert not fresh.rows._records.hot


def test_it_counts_anew_after_it_failed(store):
    change(store, {f"{number:04d}": "red" for number in range(200)})
    fresh, place = Store.open(store.backend, bytes(32)), THINGS.place("0100")
    tally, stored = Tally(fresh, THINGS, lambda thing: thing.color), store.backend.get(place)
    store.backend._write(place, b"forged")
    with pytest.raises(StorageTampered):
        tally.go_on(lambda: True)
    store.backend._write(place, stored)
    assert counted(tally) == {"red": 200}
