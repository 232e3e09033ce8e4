import naive_tree
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystead.errors import LogError
from keystead.tlog import EMPTY_ROOT, append, hash_reader, leaf_hash, parse_path, root_of, tile_at, tiles_of
from keystead.tlog.merkle import range_hash
from keystead.tlog.tile import ENTRIES, Tile, decode_bundle, encode_bundle, split_hashes

REFERENCE_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def numbered(start, count):
    return [b"entry %d" % number for number in range(start, start + count)]


def test_the_empty_tree_has_the_hash_that_rfc_6962_gives():
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert root_of(0, None) == EMPTY_ROOT


@pytest.mark.parametrize("size", range(1, 9))
def test_the_reference_tree_has_its_roots(size):
    assert naive_tree.TileLog(naive_tree.REFERENCE_LEAVES[:size]).root.hex() == REFERENCE_ROOTS[size - 1]


@given(st.lists(st.integers(0, 700), max_size=6))
def test_a_log_that_grows_in_steps_is_the_tree_of_all_its_leaves(steps):
    log, leaves = naive_tree.TileLog(), []
    for count in steps:
        added = numbered(len(leaves), count)
        leaves += added
        log.append(added)
        assert log.size == len(leaves)
        assert log.root == naive_tree.root(leaves) == root_of(log.size, log.read)
        for tile in tiles_of(log.size):
            held = log.read(tile)
            start = tile.index * 256
            if tile.level == ENTRIES:
                assert decode_bundle(held, tile.width) == leaves[start : start + tile.width]
            else:
                span = 256**tile.level
                assert split_hashes(held, tile.width) == [
                    naive_tree.root(leaves[at * span : (at + 1) * span])
                    for at in range(start, start + tile.width)
                ]


def test_a_log_of_three_levels():
    log = naive_tree.TileLog(numbered(0, 70_000))
    # the example of C2SP tlog-tiles
    by_level = {}
    for tile in tiles_of(70_000):
        by_level.setdefault(tile.level, []).append(tile)
    assert [(len(by_level[level]), by_level[level][-1].width) for level in (ENTRIES, 0, 1, 2)] == [
        (274, 112),
        (274, 112),
        (2, 17),
        (1, 1),
    ]
    assert 3 not in by_level
    assert set(log.tiles) == {tile.path for tile in tiles_of(70_000)}
    log.append(numbered(70_000, 1))
    assert log.root == naive_tree.root(numbered(0, 70_001))


def test_nothing_to_append_writes_nothing():
    log = naive_tree.TileLog(numbered(0, 300))
    growth = append(300, log.read, [])
    assert (growth.size, growth.root, growth.writes) == (300, log.root, ())


def test_appending_reads_the_right_edge_only():
    log, asked = naive_tree.TileLog(numbered(0, 700)), []
    append(700, lambda tile: asked.append(tile.path) or log.read(tile), [b"x"])
    assert sorted(asked) == ["tile/0/002.p/188", "tile/1/000.p/2", "tile/entries/002.p/188"]


@given(st.integers(1, 900), st.data())
def test_every_subtree_is_read_from_tiles(size, data):
    leaves = numbered(0, size)
    read = hash_reader(size, naive_tree.TileLog(leaves).read)
    level = data.draw(st.integers(0, size.bit_length() - 1))
    index = data.draw(st.integers(0, (size >> level) - 1))
    assert read(level, index) == naive_tree.root(leaves[index << level : (index + 1) << level])
    with pytest.raises(LogError):
        read(level, size >> level)
    assert range_hash(0, size, read) == naive_tree.root(leaves)


# ------------------------------------------------------------------------------- names


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 1234067), "tile/0/x001/x234/067"),
        (Tile(0, 0, 1), "tile/0/000.p/1"),
        (Tile(63, 999, 255), "tile/63/999.p/255"),
        (Tile(ENTRIES, 1000), "tile/entries/x001/000"),
    ],
)
def test_the_paths_of_tiles(tile, path):
    assert tile.path == path
    assert parse_path(path) == tile


@given(st.integers(-1, 63), st.integers(0, 1 << 60), st.integers(1, 256))
def test_a_path_names_its_tile(level, index, width):
    tile = Tile(level, index, width)
    assert parse_path(tile.path) == tile


@pytest.mark.parametrize(
    "path",
    [
        "tile/00/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/0/0",
        "tile/0/x000/001",
        "tile/0/001/002",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000.p/",
        "tile/entries/000\n",
        "/tile/0/000",
        "tile/0/\u0660\u0660\u0660",
        "",
    ],
)
def test_what_is_no_path_of_a_tile_is_refused(path):
    with pytest.raises(LogError):
        parse_path(path)


@given(st.text(alphabet="tile/entrsx0123456789.p", max_size=30))
def test_any_text_names_one_tile_or_none(text):
    try:
        tile = parse_path(text)
    except LogError:
        return
    assert tile.path == text


def test_a_tree_has_no_tile_beyond_its_edge():
    assert tile_at(0, 1, 300) == Tile(0, 1, 44)
    for level, index in ((0, 2), (2, 0), (ENTRIES, 2)):
        with pytest.raises(LogError):
            tile_at(level, index, 300)


# ------------------------------------------------------------------------------- bytes


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=256))
def test_a_bundle_gives_its_entries_back(entries):
    data = encode_bundle(entries)
    assert decode_bundle(data, len(entries)) == entries
    for damaged in (data[:-1], data + b"\0"):
        with pytest.raises(LogError):
            decode_bundle(damaged, len(entries))


@given(st.binary(max_size=200), st.integers(1, 256))
def test_any_bytes_are_one_bundle_or_none(data, width):
    try:
        entries = decode_bundle(data, width)
    except LogError:
        return
    assert encode_bundle(entries) == data


def test_an_entry_of_65535_bytes_is_the_longest():
    assert decode_bundle(encode_bundle([bytes(65_535)]), 1) == [bytes(65_535)]
    for entries in ([bytes(65_536)], [], [b""] * 257):
        with pytest.raises(LogError):
            encode_bundle(entries)


def test_a_tile_of_another_size_is_refused():
    with pytest.raises(LogError):
        split_hashes(bytes(33), 1)
    with pytest.raises(LogError):
        append(1, lambda tile: b"\0\1x" if tile.level == ENTRIES else bytes(31), [b"y"])


def test_leaves_and_nodes_are_hashed_apart():
    left, right = leaf_hash(b"a"), leaf_hash(b"b")
    assert naive_tree.root([b"a", b"b"]) != leaf_hash(left + right)
