"""Packed nodes of the tree, and those of stores that were written before."""

from functools import partial

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from keystead.storage import MemoryBackend, Store, Table, node
from keystead.storage.node import Leaf, Node, read, unpacked

ROOT = bytes(range(32))


class Note(msgspec.Struct, frozen=True):
    text: str


NOTES = Table("notes", Note)

digests = st.binary(min_size=16, max_size=16) | st.just(b"")
references = st.binary(min_size=24, max_size=24)
places = st.binary(max_size=6) | st.builds(lambda rest: b"rkey\0000000000000/" + rest, st.binary(max_size=8))


def in_message_pack(keys, values, skip):
    """A node as stores of schema version 1 have it."""
    return msgspec.msgpack.encode((keys[0][:skip] if keys else b"", [key[skip:] for key in keys], values))


def _packed(keys, values):
    return Node(keys, values).packed(leaf=True)


@given(st.dictionaries(places, digests, max_size=70), places)
def test_a_leaf_has_what_was_packed_and_nothing_else(entries, other):
    keys = sorted(entries)
    values = [entries[key] for key in keys]
    made = Node(keys, values)
    packed = made.packed(leaf=True)
    leaf = read(packed)
    assert isinstance(leaf, Leaf)
    assert (leaf.lists().keys, leaf.lists().values) == (keys, values)
    for key in (*keys, other, *(key + b"\0" for key in keys), *(key[:-1] for key in keys)):
        assert leaf.at(key) == made.at(key) == entries.get(key)


@given(
    st.dictionaries(places, digests, max_size=70),
    places,
    st.none() | st.integers(0, 80),
    st.sampled_from([_packed, partial(in_message_pack, skip=0)]),
)
def test_a_run_is_what_follows_and_no_more(entries, start, most, packed):
    keys = sorted(entries)
    following = [key for key in keys if key >= start]
    shown = following if most is None else following[:most]
    expected = (shown, [entries[key] for key in shown], following[len(shown)] if shown != following else None)
    values = [entries[key] for key in keys]
    assert read(packed(keys, values)).run(start, most) == expected
    assert Node(keys, values).run(start, most) == expected


@given(st.dictionaries(places, references, min_size=1, max_size=70))
def test_a_branch_has_what_was_packed(entries):
    keys = sorted(entries)
    values = [entries[key] for key in keys]
    branch = read(Node(keys, values).packed(leaf=False))
    assert isinstance(branch, Node)
    assert (branch.keys, branch.values) == (keys, values)


@given(
    st.dictionaries(places, digests, max_size=20),
    st.dictionaries(places, references, min_size=1, max_size=20),
)
def test_nodes_of_before_are_read(entries, children):
    keys = sorted(entries)
    values = [entries[key] for key in keys]
    leaf = read(in_message_pack(keys, values, 0))
    assert isinstance(leaf, Leaf)
    assert (leaf.lists().keys, leaf.lists().values) == (keys, values)
    assert [leaf.at(key) for key in keys] == values
    lows = sorted(children)
    branch = read(in_message_pack(lows, [children[low] for low in lows], 0))
    assert isinstance(branch, Node)
    assert dict(zip(branch.keys, branch.values, strict=True)) == children


def test_integers_are_read_alike_where_they_are_stored_the_other_way_round(monkeypatch):
    packed = Node([b"ab", b"ac"], [b"1" * 16, b""]).packed(leaf=True)
    ends = (0, 1, 17, 18, 18)
    assert node._ends(packed, 2)[0].tolist() == list(ends)
    monkeypatch.setattr(node, "_FOREIGN", True)
    assert node._ends(packed, 2)[0] == ends
    assert unpacked(packed).keys == [b"ab", b"ac"]


def test_a_store_of_before_goes_on_and_is_written_anew_bit_by_bit(monkeypatch):
    backend = MemoryBackend()
    with monkeypatch.context() as before:
        before.setattr(Node, "packed", lambda self, *, leaf: in_message_pack(self.keys, self.values, 0))
        store = Store.create(backend, ROOT)
        for start in range(0, 400, 100):
            store.run(
                lambda tx, start=start: [
                    tx.put(NOTES, f"{number:04d}", Note(str(number))) for number in range(start, start + 100)
                ]
            )
    store = Store.open(backend, ROOT)
    assert store.verify_all().findings == ()
    store.run(lambda tx: tx.put(NOTES, "0123", Note("changed")))
    fresh = Store.open(backend, ROOT)
    found = {key: note.text for key, note in fresh.transaction().scan(NOTES, "")}
    assert found == {f"{number:04d}": str(number) for number in range(400)} | {"0123": "changed"}
    assert [fresh.transaction().get(NOTES, key).text for key in ("0000", "0123", "0399")] == [
        "0",
        "changed",
        "399",
    ]
    assert fresh.transaction().get(NOTES, "0400") is None
    assert fresh.verify_all().findings == ()
    fresh.rotate_barrier()
    while not fresh.reseal(50):
        pass
    kinds = {
        plain[0]
        for place, sealed in backend.scan(b"n", b"o", None)
        for plain in [fresh.view.fresh().barrier.open(place, sealed)]
    }
    assert kinds == {node._LEAF, node._BRANCH}
