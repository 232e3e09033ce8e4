"""A Merkle tree as RFC 6962 section 2.1 writes it down, by recursion over all leaves, and a log kept in a dict."""

from hashlib import sha256

from keystead.tlog import append


def split(count):
    k = 1
    while 2 * k < count:
        k *= 2
    return k


def root(leaves):
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return sha256(b"\0" + leaves[0]).digest()
    k = split(len(leaves))
    return sha256(b"\1" + root(leaves[:k]) + root(leaves[k:])).digest()


def path(m, leaves):
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if m < k:
        return [*path(m, leaves[:k]), root(leaves[k:])]
    return [*path(m - k, leaves[k:]), root(leaves[:k])]


def subproof(m, leaves, known=True):
    if m == len(leaves):
        return [] if known else [root(leaves)]
    k = split(len(leaves))
    if m <= k:
        return [*subproof(m, leaves[:k], known), root(leaves[k:])]
    return [*subproof(m - k, leaves[k:], False), root(leaves[:k])]


class TileLog:
    """A log whose tiles are in a dict by their paths."""

    def __init__(self, *batches):
        self.size = 0
        self.tiles = {}
        self.root = root([])
        for batch in batches:
            self.append(batch)

    def read(self, tile):
        return self.tiles[tile.path]

    def append(self, leaves):
        growth = append(self.size, self.read, leaves)
        for tile, data in growth.writes:
            assert self.tiles.setdefault(tile.path, data) == data, "a published tile changed"
        self.size, self.root = growth.size, growth.root
        return growth


# The tree that certificate-transparency's reference implementation is tested with.
REFERENCE_LEAVES = [
    bytes.fromhex(leaf)
    for leaf in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
