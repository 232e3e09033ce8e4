"""Appending: what has to be written so that a log of tiles has more entries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from keystead.tlog.merkle import complete_root, join, leaf_hashes, row_root, subtrees
from keystead.tlog.tile import (
    ENTRIES,
    WIDTH,
    Tile,
    TileReader,
    decode_bundle,
    encode_bundle,
    split_hashes,
)

_DIGIT: Final = WIDTH - 1


class Growth(msgspec.Struct, frozen=True):
    """A log that has grown: its size and root, and the tiles and bundles that must be there before both are told.

    `writes` holds each tile once, as far as it is filled; a partial one replaces nothing, since its name tells its
    width. Bundles come first, then the tiles from level 0 up.
    """

    size: int
    root: bytes
    writes: tuple[tuple[Tile, bytes], ...]


def append(size: int, read: TileReader, leaves: Sequence[bytes]) -> Growth:
    """The log of `size` entries with `leaves` appended.

    `read` is asked for the partial tiles at the right edge only: at most one for each level, and one bundle.

    Raises:
        LogError: a tile that was read has another size than it must, or a leaf is longer than 65,535 bytes.
        Whatever `read` raises.
    """
    bundles = _bundles(size, read, leaves)
    tiles: list[tuple[Tile, bytes]] = []
    edges: list[list[bytes]] = []  # of each level, the hashes of its last tile as far as it is not full
    level, start, added = 0, size, leaf_hashes(leaves)
    while added or start:
        full, edge = _fill(level, start, _edge(level, start, read) + added)
        tiles += full
        if added and edge:
            tiles.append((Tile(level, (start + len(added)) // WIDTH, len(edge)), b"".join(edge)))
        edges.append(edge)
        added = [row_root(data) for _, data in full]
        level, start = level + 1, start // WIDTH
    return Growth(size + len(leaves), root_over(edges), (*bundles, *tiles))


def root_of(size: int, read: TileReader) -> bytes:
    """The root of a log of `size` entries, by the partial tiles at its right edge.

    Raises:
        LogError: a tile that was read has another size than it must.
        Whatever `read` raises.
    """
    return append(size, read, ()).root


def _bundles(size: int, read: TileReader, leaves: Sequence[bytes]) -> list[tuple[Tile, bytes]]:
    if not leaves:
        return []
    index, width = divmod(size, WIDTH)
    before = decode_bundle(read(Tile(ENTRIES, index, width)), width) if width else []
    entries = [*before, *leaves]
    return [
        (Tile(ENTRIES, index + at // WIDTH, len(part)), encode_bundle(part))
        for at in range(0, len(entries), WIDTH)
        for part in [entries[at : at + WIDTH]]
    ]


def _edge(level: int, count: int, read: TileReader) -> list[bytes]:
    """The hashes of the level's partial tile, of which `count` hashes have been made so far; none if all are full."""
    width = count & _DIGIT
    return split_hashes(read(Tile(level, count // WIDTH, width)), width) if width else []


def _fill(level: int, start: int, hashes: list[bytes]) -> tuple[list[tuple[Tile, bytes]], list[bytes]]:
    """The full tiles that `hashes` make (they begin at the tile that hash number `start` is in), and the rest."""
    full = len(hashes) & ~_DIGIT
    tiles = [
        (Tile(level, (start + at) // WIDTH), b"".join(hashes[at : at + WIDTH]))
        for at in range(0, full, WIDTH)
    ]
    return tiles, hashes[full:]


def root_over(edges: Sequence[Sequence[bytes]]) -> bytes:
    """The root over what no full tile of a higher level holds: the digits of the size to base 256."""
    parts: list[bytes] = []
    for edge in reversed(edges):
        parts += [
            complete_root(edge[index << level : (index + 1) << level])
            for level, index in subtrees(0, len(edge))
        ]
    return join(parts)
