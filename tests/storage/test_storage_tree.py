"""The Merkle tree against a dictionary, with small nodes so that it splits and merges all the time."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keystead.entropy import SystemEntropy
from keystead.errors import StorageTampered
from keystead.storage import tree
from keystead.storage.barrier import Barrier

BARRIER = Barrier.create(SystemEntropy())


class Disk(dict):
    def apply(self, writes):
        for place, sealed in writes.items():
            if sealed is None:
                self.pop(place, None)
            else:
                self[place] = sealed


@pytest.fixture
def small(monkeypatch):
    make_small(monkeypatch)


def make_small(monkeypatch):
    monkeypatch.setattr(tree, "MOST_IN_LEAF", 4)
    monkeypatch.setattr(tree, "MOST_IN_BRANCH", 5)
    monkeypatch.setattr(tree, "FEWEST", 2)


class Grove:
    def __init__(self):
        self.disk, self.model, self.next = Disk(), {}, 1
        edit = self.edit()
        self.root = edit.create()
        self.finish(edit)

    def edit(self):
        # a cache of one: nearly everything is read from the disk again, and verified
        return tree.Edit(tree.Nodes(self.disk.get, 1), BARRIER, self.next)

    def finish(self, edit):
        self.disk.apply(edit.writes)
        self.next = edit.next_number

    def apply(self, changes):
        edit = self.edit()
        self.root = edit.apply(self.root, sorted(changes.items()))
        self.finish(edit)
        for key, value in changes.items():
            if value is None:
                self.model.pop(key, None)
            else:
                self.model[key] = value

    def everything(self):
        nodes, position, found = tree.Nodes(self.disk.get, 1), b"", {}
        while position is not None:
            chunk = nodes.chunk(self.root, position, BARRIER)
            assert all(position <= key for key in chunk.keys)
            assert chunk.end is None or all(key < chunk.end for key in chunk.keys)
            found.update(zip(chunk.keys, chunk.values, strict=True))
            position = chunk.end
        return found

    def check(self):
        assert list(self.everything().items()) == sorted(self.model.items())
        nodes = tree.Nodes(self.disk.get, 1)
        for key, value in self.model.items():
            assert nodes.find(self.root, key, BARRIER) == value
            assert nodes.find(self.root, key + b"\0", BARRIER) == self.model.get(key + b"\0")
        self.check_shape(self.root.reference, self.root.height, b"", None)
        assert len(self.disk) == self.count  # nothing is left behind

    def check_shape(self, reference, height, low, end):
        self.count = 1 if reference == self.root.reference else self.count + 1
        node = tree.Nodes(self.disk.get, 1).load(reference, BARRIER).lists()
        top = reference == self.root.reference
        assert len(node.keys) <= (tree.MOST_IN_BRANCH if height else tree.MOST_IN_LEAF)
        assert top or node.keys
        assert not top or not height or len(node.keys) > 1
        assert node.keys == sorted(set(node.keys))
        assert all(low <= key and (end is None or key < end) for key in node.keys)
        if height:
            assert node.keys[0] == low
            bounds = [*node.keys[1:], end]
            for child_low, child, child_end in zip(node.keys, node.values, bounds, strict=True):
                self.check_shape(child, height - 1, child_low, child_end)

    def check_leaves(self, start, end):
        nodes = tree.Nodes(self.disk.get, 1)
        spans, found, at = list(nodes.leaves(self.root, start, end, BARRIER)), [], start
        for span in spans:
            assert span.start == at < span.end
            at = span.end
            leaf = nodes.load(span.reference, BARRIER).lists()
            found += [key for key in leaf.keys if span.start <= key < span.end]
        assert at == end
        assert found == [key for key in sorted(self.model) if start <= key < end]


keys = st.binary(min_size=1, max_size=3) | st.sampled_from([b"p/%03d" % n for n in range(60)])
digests = st.binary(min_size=16, max_size=16) | st.just(b"")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.dictionaries(keys, st.none() | digests, max_size=12), max_size=12))
def test_the_tree_is_the_map(batches):
    with pytest.MonkeyPatch.context() as patch:
        make_small(patch)
        grove = Grove()
        for batch in batches:
            grove.apply(batch)
            grove.check()


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.dictionaries(keys, st.none() | digests, max_size=30), max_size=4),
    st.tuples(keys, keys).map(sorted).filter(lambda ends: ends[0] != ends[1]),
)
def test_leaves_cover_a_range_without_gaps(batches, ends):
    with pytest.MonkeyPatch.context() as patch:
        make_small(patch)
        grove = Grove()
        for batch in batches:
            grove.apply(batch)
            grove.check_leaves(*ends)
            grove.check_leaves(b"", b"\xff" * 4)


@pytest.mark.parametrize("seed", range(3))
def test_it_grows_and_shrinks_in_bulk(small, seed):
    rng = random.Random(seed)
    grove = Grove()
    names = [b"%05d" % rng.randrange(100_000) for _ in range(400)]
    grove.apply({name: name.ljust(16) for name in names})
    grove.check()
    for _ in range(6):
        gone = rng.sample(sorted(grove.model), len(grove.model) // 2)
        grove.apply(dict.fromkeys(gone))
        grove.check()
        assert len(grove.disk) <= len(grove.model) + 2  # small nodes are merged, if not all at once
    grove.apply(dict.fromkeys(grove.model))
    assert grove.root.height == 0
    grove.check()


def test_an_empty_edit_writes_the_top_anew(small):
    grove = Grove()
    grove.apply({b"%d" % n: b"" for n in range(30)})
    before = grove.root
    grove.apply({})
    assert grove.root.reference[:8] == before.reference[:8]
    assert grove.root.reference != before.reference
    grove.check()


def test_every_node_is_needed_and_none_can_be_swapped_or_rolled_back(small):
    grove = Grove()
    grove.apply({b"%03d" % n: bytes(16) for n in range(60)})
    old = dict(grove.disk)
    grove.apply({b"%03d" % n: b"x" * 16 for n in range(60)})
    assert old.keys() == grove.disk.keys()
    new = dict(grove.disk)
    places = sorted(new)
    for place, other in zip(places, places[1:] + places[:1], strict=True):
        flipped = bytes([*new[place][:-1], new[place][-1] ^ 1])
        for replacement in (None, flipped, new[other], old[place], b""):
            grove.disk.apply({place: replacement})
            with pytest.raises(StorageTampered, match="tree node"):
                grove.everything()
            grove.disk.apply({place: new[place]})
    grove.check()
