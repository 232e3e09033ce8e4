"""The files of a log: names of tiles and bundles, and what is in them (C2SP tlog-tiles)."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Final

from keystead_verify.findings import Malformed
from keystead_verify.hashing import WIDTH, SubtreeReader, pairwise_root
from keystead_verify.source import Source, read

ENTRIES: Final = "entries"

_NAME: Final = re.compile(
    "log/tile/(entries|0|[1-9][0-9]?)/((?:x[0-9]{3}/)*[0-9]{3})(?:[.]p/([1-9][0-9]{0,2}))?"
)
_HASH: Final = 32

Place = tuple[str, int]
"""A level ("entries" or a number) and a tile's number in it."""


def name(level: str, number: int, width: int = WIDTH) -> str:
    """The file of a tile in a bundle."""
    digits = str(number)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    path = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
    return f"log/tile/{level}/{path}" + ("" if width == WIDTH else f".p/{width}")


def width_of(level: int, number: int, size: int) -> int:
    """How many hashes tile `number` of `level` has in a tree of `size` leaves; 0 if it has no such tile."""
    return max(0, min(WIDTH, (size >> (8 * level)) - number * WIDTH))


def versions(source: Source) -> dict[Place, list[int]]:
    """The widths in which each tile is there, ascending.

    Raises:
        Malformed: a file below `log/tile` is no tile.
    """
    found: dict[Place, list[int]] = defaultdict(list)
    for file in source.names:
        if not file.startswith("log/tile/"):
            continue
        parts = _NAME.fullmatch(file)
        level, number, width = parts.groups() if parts else ("", "", "")
        place = (level, int(number.replace("/", "").replace("x", "") or 0))
        if name(*place, int(width or WIDTH)) != file:
            raise Malformed(f"{file} is not the name of a tile")
        found[place].append(int(width or WIDTH))
    for widths in found.values():
        widths.sort()
    return dict(found)


def split_bundle(data: bytes) -> list[bytes]:
    """All entries of a bundle, as many as there are.

    Raises:
        Malformed: the last one ends too early.
    """
    entries, at, end = [], 0, len(data)
    while at < end:
        start = at + 2
        at = start + int.from_bytes(data[at:start], "big")
        if at > end or start > end:
            raise Malformed("an entry bundle ends within an entry")
        entries.append(data[start:at])
    return entries


def split_tile(data: bytes) -> list[bytes]:
    """The hashes of a tile.

    Raises:
        Malformed: it is not made of hashes.
    """
    if len(data) % _HASH or not data:
        raise Malformed("a tile is made of 32-byte hashes")
    return [data[at : at + _HASH] for at in range(0, len(data), _HASH)]


def load(source: Source, level: str, number: int, width: int, there: dict[Place, list[int]]) -> bytes | None:
    """The tile that a tree needs in this width, or a wider one's beginning; None if it is missing.

    Raises:
        Malformed: the file is too long.
    """
    for found in there.get((level, number), ()):
        if found >= width:
            data = read(source, name(level, number, found))
            return _first(data, width, level) if data is not None and found > width else data
    return None


def _first(data: bytes, width: int, level: str) -> bytes:
    if level != ENTRIES:
        return data[: width * _HASH]
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in split_bundle(data)[:width])


def subtree_reader(source: Source, size: int) -> SubtreeReader:
    """The hashes of complete subtrees, by the tiles; nothing of them is verified.

    The reader raises Malformed where a tile is missing or damaged.
    """
    there, known = versions(source), dict[tuple[int, int], list[bytes]]()

    def tile(level: int, number: int) -> list[bytes]:
        if (level, number) not in known:
            width = width_of(level, number, size)
            data = load(source, str(level), number, width, there)
            hashes = split_tile(data) if data else []
            if not width or len(hashes) != width:
                raise Malformed(f"{name(str(level), number, width or WIDTH)} is missing or damaged")
            known[level, number] = hashes
        return known[level, number]

    def subtree(level: int, index: int) -> bytes:
        tile_level, inner = divmod(level, 8)
        number, first = divmod(index << inner, WIDTH)
        return pairwise_root(tile(tile_level, number)[first : first + (1 << inner)])

    return subtree


def entry_at(source: Source, index: int, size: int) -> bytes:
    """Entry number `index`, not verified.

    Raises:
        Malformed: it is not there.
    """
    number, inner = divmod(index, WIDTH)
    width = min(WIDTH, size - number * WIDTH)
    data = load(source, ENTRIES, number, width, versions(source))
    entries = split_bundle(data) if data else []
    if inner >= len(entries):
        raise Malformed(f"entry {index} is not there")
    return entries[inner]
