"""The verifier's own tree, proofs, notes and names agree with the log's, and with the RFC."""

import naive_tree
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystead.crypto import Secret
from keystead.tlog import hash_reader, moulds, parse_path
from keystead.tlog.checkpoint import LOG, WITNESS, Checkpoint, Signer, parse_vkey, sign_checkpoint
from keystead.tlog.tile import ENTRIES, Tile
from keystead_verify import hashing, notes, tiles
from keystead_verify.findings import Malformed

LEAVES = [b"entry %d" % number for number in range(600)]


@given(st.integers(0, 600), st.integers(0, 600))
def test_the_tree(size, more):
    built = []
    tree = hashing.Tree(lambda level, number, row: built.append((level, number, len(row))))
    hashes = [hashing.leaf(entry) for entry in LEAVES[:size]]
    for at in range(0, size, 256):
        tree.add(hashes[at : at + 256])
    assert tree.root() == naive_tree.root(LEAVES[:size])
    extra = [hashing.leaf(entry) for entry in LEAVES[size : size + more]][: 256 - size % 256]
    assert tree.root(extra) == naive_tree.root(LEAVES[: size + len(extra)])
    tree.finish()
    assert sorted(built) == [
        (level, number, tiles.width_of(level, number, size))
        for level in (0, 1, 2)
        for number in range(4)
        if tiles.width_of(level, number, size)
    ]


@given(st.integers(1, 600), st.data())
def test_proofs(size, data):
    read = hash_reader(size, naive_tree.TileLog(LEAVES[:size]).read)
    root = naive_tree.root(LEAVES[:size])
    assert hashing.root(size, read) == root
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    proof = hashing.inclusion(index, size, read)
    assert proof == naive_tree.path(index, LEAVES[:size])
    assert hashing.includes(hashing.leaf(LEAVES[index]), index, size, proof, root)
    assert not hashing.includes(hashing.leaf(b"x"), index, size, proof, root)
    assert not hashing.includes(hashing.leaf(LEAVES[index]), index, size, [*proof, root], root)
    grown = hashing.consistency(old, size, read)
    assert grown == naive_tree.subproof(old, LEAVES[:size])
    old_root = naive_tree.root(LEAVES[:old])
    assert hashing.grew(old, old_root, size, root, grown)
    assert not hashing.grew(old, root if old < size else old_root[::-1], size, root, grown)
    assert not hashing.grew(old, old_root, size, root, [*grown, root])
    assert hashing.grew(0, hashing.EMPTY, size, root, [])


@given(st.integers(-1, 63), st.integers(0, 1 << 50), st.integers(1, 256))
def test_names(level, number, width):
    tile = Tile(level, number, width)
    name = tiles.name("entries" if level == ENTRIES else str(level), number, width)
    assert name == f"log/{tile.path}"
    assert parse_path(name[4:]) == tile


@given(st.binary(max_size=100))
def test_any_bytes_are_one_bundle_or_none(data):
    try:
        entries = tiles.split_bundle(data)
    except Malformed:
        return
    assert b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries) == data


@given(st.integers(0, 10**18), st.binary(min_size=32, max_size=32), st.integers(0, 2**63 - 1))
def test_notes(size, root, time):
    log, witness = Signer("log", LOG, Secret(bytes(32))), Signer("w", WITNESS, Secret(bytes([1]) * 32))
    checkpoint = Checkpoint("log", size, root)
    note = (sign_checkpoint(checkpoint, log) + witness.sign(checkpoint.text, time)).encode()
    keys = [notes.parse_key(log.key.text), notes.parse_key(witness.key.text)]
    assert [key.text for key in keys] == [log.key.text, witness.key.text]
    opened = notes.open_note(note, keys)
    assert (opened.origin, opened.size, opened.root) == ("log", size, root)
    assert opened.witnesses == ((keys[1], time),)
    with pytest.raises(notes.BadSignature):
        notes.open_note(note, keys[1:])
    damaged = note.replace(b"log\n", b"lag\n", 1)
    with pytest.raises(notes.BadSignature):
        notes.open_note(damaged, keys)


@given(st.binary(max_size=200) | st.text().map(str.encode))
def test_any_bytes_are_a_note_or_not(data):
    for read in (lambda: notes.open_note(data, ()), lambda: notes.parse_key(data.decode("utf-8", "replace"))):
        with pytest.raises((Malformed, notes.BadSignature)):
            read()


def test_the_published_key():
    vkey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    assert notes.parse_key(vkey).public == parse_vkey(vkey).public
    for at in range(len(vkey)):
        with pytest.raises(Malformed):
            notes.parse_key(vkey[:at] + chr(ord(vkey[at]) + 1) + vkey[at + 1 :])


def test_events_of_a_server_have_the_form_in_which_many_are_made_entries_at_once(recorded):
    """Otherwise entries would be the same, and cost several times as much."""
    calls = [event for event in recorded[0].events if b'"requestID"' in event]
    assert len(calls) > 300
    assert [
        event for event, found in zip(calls, moulds.Cutting().cut(calls), strict=True) if found is None
    ] == []
