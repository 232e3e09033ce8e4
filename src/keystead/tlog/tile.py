"""Tiles and entry bundles as C2SP tlog-tiles has them: names, sizes and bytes.

A tile of level L holds up to 256 hashes, each over `256**L` leaves; a bundle holds the entries of the level 0 tile
of the same number. What is written here is read back by other people's programs, so reading is strict: one
form for each value, and no byte too many.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec

from keystead.errors import LogError
from keystead.tlog.merkle import HASH_BYTES, HashReader, complete_root

HEIGHT: Final = 8
WIDTH: Final = 1 << HEIGHT
ENTRIES: Final = -1
"""The `level` of a bundle of entries."""

LONGEST_ENTRY: Final = 0xFFFF
HIGHEST_LEVEL: Final = 63

_LENGTH_BYTES: Final = 2
_PATH: Final = re.compile(
    r"tile/(?P<level>entries|0|[1-9][0-9]?)/(?P<index>(?:x[0-9]{3}/)*[0-9]{3})(?:\.p/(?P<width>[1-9][0-9]{0,2}))?"
)


class Tile(msgspec.Struct, frozen=True, gc=False):
    """The name of a tile or bundle: `width` of 256 is full, 1 to 255 partial."""

    level: int
    index: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """Where it is, below the log's prefix: `tile/0/x001/234` or `tile/entries/x001/234.p/17`."""
        thousands, last = divmod(self.index, 1000)
        parts = [f"{last:03d}"]
        while thousands:
            thousands, digits = divmod(thousands, 1000)
            parts.insert(0, f"x{digits:03d}")
        level = "entries" if self.level == ENTRIES else str(self.level)
        suffix = "" if self.width == WIDTH else f".p/{self.width}"
        return f"tile/{level}/{'/'.join(parts)}{suffix}"


TileReader = Callable[[Tile], bytes]
"""The bytes of a tile or bundle that a tree of the size in question has."""


def parse_path(path: str) -> Tile:
    """The tile that `path` names.

    Raises:
        LogError: it names none, or not in the one form that there is.
    """
    found = _PATH.fullmatch(path)
    if found is None:
        raise LogError("not the path of a tile")
    level = ENTRIES if found["level"] == "entries" else int(found["level"])
    tile = Tile(level, int(found["index"].replace("/", "").replace("x", "")), int(found["width"] or WIDTH))
    if level > HIGHEST_LEVEL or tile.path != path:
        raise LogError("not the path of a tile")
    return tile


def tile_at(level: int, index: int, size: int) -> Tile:
    """Tile `index` of `level` (or that bundle) as a tree of `size` leaves has it.

    Raises:
        LogError: the tree has no such tile.
    """
    below = size >> HEIGHT * max(level, 0)
    width = min(below - index * WIDTH, WIDTH)
    if width <= 0:
        raise LogError("the tree has no such tile")
    return Tile(level, index, width)


def tiles_of(size: int) -> Iterator[Tile]:
    """Every tile of a tree of `size` leaves, level by level; the bundles first."""
    for level in (ENTRIES, *range(HIGHEST_LEVEL + 1)):
        count = size >> HEIGHT * max(level, 0)
        if not count:
            return
        for index in range(-(-count // WIDTH)):
            yield tile_at(level, index, size)


# ------------------------------------------------------------------------------- bytes


def encode_bundle(entries: Sequence[bytes]) -> bytes:
    """The bytes of a bundle.

    Raises:
        LogError: there are none or too many entries, or one is longer than 65,535 bytes.
    """
    if not 0 < len(entries) <= WIDTH or max(map(len, entries)) > LONGEST_ENTRY:
        raise LogError("a bundle holds 1 to 256 entries of up to 65,535 bytes")
    told = {length: length.to_bytes(_LENGTH_BYTES, "big") for length in set(map(len, entries))}
    return b"".join([part for entry in entries for part in (told[len(entry)], entry)])


def decode_bundle(data: bytes, width: int) -> list[bytes]:
    """The `width` entries of a bundle.

    Raises:
        LogError: `data` is not exactly that many.
    """
    entries, at = [], 0
    for _ in range(width):
        start = at + _LENGTH_BYTES
        at = start + int.from_bytes(data[at:start], "big")
        if start > len(data) or at > len(data):
            raise LogError("a bundle ends too early")
        entries.append(data[start:at])
    if at != len(data):
        raise LogError("a bundle has bytes after its last entry")
    return entries


def narrowed(tile: Tile, data: bytes, width: int) -> bytes:
    """The bytes that the tile or bundle had when it was only so wide; `data` are those of `tile`.

    Raises:
        LogError: `data` is not exactly what `tile` says.
    """
    if tile.level == ENTRIES:
        return encode_bundle(decode_bundle(data, tile.width)[:width])
    return b"".join(split_hashes(data, tile.width)[:width])


def split_hashes(data: bytes, width: int) -> list[bytes]:
    """The `width` hashes of a tile.

    Raises:
        LogError: `data` is not exactly that many.
    """
    if len(data) != width * HASH_BYTES:
        raise LogError("a tile has another size than its name says")
    return [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]


# ------------------------------------------------------------------------------- trees


def hash_reader(size: int, read: TileReader) -> HashReader:
    """The hashes of all complete subtrees of a tree of `size` leaves, by its tiles; each tile is read once.

    The reader raises LogError where the tree has no such subtree or a tile has another size than it must.
    """
    known: dict[Tile, list[bytes]] = {}

    def hashes(tile: Tile) -> list[bytes]:
        if tile not in known:
            known[tile] = split_hashes(read(tile), tile.width)
        return known[tile]

    def read_hash(level: int, index: int) -> bytes:
        if (index + 1) << level > size:
            raise LogError("the tree has no such subtree")
        tile_level, inner = divmod(level, HEIGHT)
        tile_index, first = divmod(index << inner, WIDTH)
        found = hashes(tile_at(tile_level, tile_index, size))
        return complete_root(found[first : first + (1 << inner)])

    return read_hash
