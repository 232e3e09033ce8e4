import naive_tree
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystead.errors import LogError
from keystead.tlog import (
    EMPTY_ROOT,
    consistency,
    hash_reader,
    inclusion,
    leaf_hash,
    verify_consistency,
    verify_inclusion,
)

LEAVES = [b"entry %d" % number for number in range(600)]
LOG = naive_tree.TileLog(LEAVES)
ROOTS = {}


def root(size):
    if size not in ROOTS:
        ROOTS[size] = naive_tree.root(LEAVES[:size])
    return ROOTS[size]


def reader(size):
    return hash_reader(size, naive_tree.TileLog(LEAVES[:size]).read)


sizes = st.integers(1, 70) | st.integers(250, 260) | st.integers(505, 520)


@given(sizes, st.data())
def test_a_proof_of_inclusion_is_that_of_the_rfc_and_proves(size, data):
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion(index, size, reader(size))
    assert proof == naive_tree.path(index, LEAVES[:size])
    leaf = leaf_hash(LEAVES[index])
    verify_inclusion(leaf, index, size, proof, root(size))
    broken = [
        (leaf_hash(b"another"), index, size, proof, root(size)),
        (leaf, (index + 1) % size if size > 1 else 1, size, proof, root(size)),
        (leaf, index, size, [*proof, bytes(32)], root(size)),
        (leaf, index, size, proof[:-1] if proof else [b""], root(size)),
        (leaf, index, size, proof, root(size + 1)),
    ]
    for case in broken:
        with pytest.raises(LogError):
            verify_inclusion(*case)


@given(sizes, st.data())
def test_a_proof_of_consistency_is_that_of_the_rfc_and_proves(new, data):
    old = data.draw(st.integers(1, new))
    proof = consistency(old, new, reader(new))
    assert proof == naive_tree.subproof(old, LEAVES[:new])
    verify_consistency(old, root(old), new, root(new), proof)
    other = naive_tree.root([b"forged", *LEAVES[1:old]])
    broken = [
        (old, other, new, root(new), proof),
        (old, root(old), new, root(new + 1), proof),
        (old, root(old), new, root(new), [*proof, bytes(32)]),
        (new + 1, root(old), new, root(new), proof),
    ]
    if proof:
        broken.append((old, root(old), new, root(new), proof[:-1]))
        broken.append((old, root(old), new, root(new), [bytes(32), *proof[1:]]))
    for case in broken:
        with pytest.raises(LogError):
            verify_consistency(*case)


def test_every_pair_of_small_trees_is_consistent():
    for new in range(1, 40):
        read = reader(new)
        for old in range(1, new + 1):
            verify_consistency(old, root(old), new, root(new), consistency(old, new, read))


def test_every_tree_continues_the_empty_one_without_proof():
    assert consistency(0, 5, reader(5)) == []
    verify_consistency(0, EMPTY_ROOT, 5, root(5), [])
    verify_consistency(0, EMPTY_ROOT, 0, EMPTY_ROOT, [])
    for case in ((0, root(1), 5, root(5), []), (0, EMPTY_ROOT, 5, root(5), [bytes(32)])):
        with pytest.raises(LogError):
            verify_consistency(*case)


def test_there_is_no_proof_of_what_is_not():
    with pytest.raises(LogError):
        inclusion(5, 5, reader(5))
    with pytest.raises(LogError):
        consistency(6, 5, reader(5))


@given(
    st.integers(-1, 9),
    st.integers(-1, 9),
    st.lists(st.binary(min_size=32, max_size=32) | st.binary(max_size=33), max_size=5),
)
def test_no_garbage_proves_anything(a, b, proof):
    with pytest.raises(LogError):
        verify_inclusion(leaf_hash(b"never logged"), a, b, proof, root(8))
    with pytest.raises(LogError):
        verify_consistency(a, leaf_hash(b"never a root"), b, root(8), proof)


def test_the_reference_proofs():
    """Of the tree that certificate-transparency's reference implementation is tested with."""
    log = naive_tree.TileLog(naive_tree.REFERENCE_LEAVES)
    assert [part.hex() for part in inclusion(0, 8, hash_reader(8, log.read))] == [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ]
    assert [part.hex() for part in consistency(6, 8, hash_reader(8, log.read))] == [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]
