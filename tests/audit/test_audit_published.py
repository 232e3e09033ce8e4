"""The log as readers see it: as of one checkpoint, while a sequencer goes on; and where its entries are."""

import os

import msgspec
import pytest
from bundles import SIGNER, Bundle
from hypothesis import given
from hypothesis import strategies as st

from keystead.audit.logfiles import Head, LogFiles
from keystead.audit.published import Published
from keystead.errors import LogError
from keystead.tlog import leaf_hash, note_leaf, open_checkpoint, tiles_of, verify_inclusion
from keystead.tlog.tile import Tile


def entry(journal, index):
    return note_leaf(b'{"note":"x"}', journal, index)


class Growing:
    """A log that is published in a directory, as a sequencer does it."""

    def __init__(self, path):
        self.bundle = Bundle(path)
        self.files = LogFiles(path)
        self.journals = {}

    def append(self, journals, *, drop=True):
        """Entries of these journals, one each; narrower tiles are dropped, as they are once wider ones are told of."""
        before = list(tiles_of(self.bundle.size))
        leaves = []
        for journal in journals:
            index = self.journals.get(journal, 0)
            leaves.append(entry(journal, index))
            self.journals[journal] = index + 1
        self.bundle.append(leaves)
        head = Head(self.bundle.checkpoint, dict(self.journals))
        self.bundle.write("log/head", msgspec.json.encode(head))
        for tile in before if drop else ():
            if tile not in set(tiles_of(self.bundle.size)):
                self.files.drop(tile)

    def published(self):
        return Published.newest(self.files)


@pytest.fixture
def growing(tmp_path):
    return Growing(tmp_path)


def test_before_anything_was_published(tmp_path):
    assert Published.newest(LogFiles(tmp_path)) is None


@pytest.mark.parametrize("steps", [(100, 50, 50), (200, 100, 300), (256, 1, 600), (300, 210, 2)])
def test_a_reader_sees_the_log_of_its_checkpoint_while_the_log_grows(growing, steps):
    first, *others = steps
    growing.append(["w0"] * first)
    seen = growing.published()
    for step in others:
        growing.append(["w0"] * step)
    root = open_checkpoint(seen.note, [SIGNER.key]).root
    assert seen.size == first
    for index in {0, first // 2, first - 1}:
        proof = seen.prove(index)
        assert proof.leaf == entry("w0", index)
        verify_inclusion(leaf_hash(proof.leaf), index, first, proof.proof, root)
    assert [name.index for _, name in seen.newest_first()] == list(reversed(range(first)))
    assert [seen.read(tile) for tile in tiles_of(first)]


def test_a_tile_that_is_gone_is_named(growing):
    growing.append(["w0"] * 300)
    (growing.bundle.path / "log/tile/entries/000").unlink()
    seen = growing.published()
    assert seen.entry(299) == entry("w0", 299)
    with pytest.raises(LogError, match="log/tile/entries/000 is missing"):
        seen.entry(0)


def test_partial_tiles_may_go_while_they_are_looked_for(growing, monkeypatch):
    growing.append(["w0"] * 100)
    seen = growing.published()
    growing.append(["w0"] * 200)
    partial = growing.bundle.path / "log/tile/entries/000.p"
    partial.mkdir(exist_ok=True)

    def too_late(look):
        def looked(path="."):
            if path == partial:
                partial.rmdir()
            return look(path)

        return looked

    for name in ("listdir", "scandir"):
        monkeypatch.setattr(os, name, too_late(getattr(os, name)))
    assert seen.entry(99) == entry("w0", 99)


def test_an_entry_that_is_none_is_told_so(growing):
    growing.append(["w0"] * 3)
    growing.bundle.change_bundle(0, lambda e: [e[0], b"x", e[2]])
    with pytest.raises(LogError, match="damaged"):
        growing.published().places({"nothing"})


def test_the_checkpoint_has_the_signatures_that_came_later(growing):
    growing.append(["w0"] * 3)
    plain = growing.published().note
    growing.bundle.cosign(1_900_000_000, count=2)
    assert growing.published().note == growing.bundle.checkpoint
    assert growing.published().note.startswith(plain)
    growing.bundle.write("log/checkpoint", b"\xff")
    assert growing.published().note == plain


@given(
    st.lists(
        st.tuples(st.sampled_from(["w0", "w1", "w2", "w3"]), st.integers(1, 300)), min_size=1, max_size=8
    )
)
def test_every_record_is_found(tmp_path_factory, runs):
    growing = Growing(tmp_path_factory.mktemp("log"))
    order = [journal for journal, count in runs for _ in range(count)]
    growing.append(order)
    seen = growing.published()
    counts = dict.fromkeys(order, 0)
    for number, journal in enumerate(order):
        index, counts[journal] = counts[journal], counts[journal] + 1
        if number % 17 == 0 or index == 0 or number == len(order) - 1:
            assert seen.place(journal, index) == number
    for journal, count in counts.items():
        assert seen.place(journal, count) is None
    assert seen.place("w9", 0) is None


def test_only_the_newest_are_looked_through_where_that_is_asked(growing):
    growing.append(["w0"] * 600)
    log = growing.published()
    assert log.places({"nothing"}, 10) == {}
    assert log._bundle[0] == 2
    assert log.places({"nothing"}) == {}
    assert log._bundle[0] == 0
    assert Tile(0, 2, 88) in set(tiles_of(600))
