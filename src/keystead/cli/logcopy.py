"""What backups take of the log: its files as of one checkpoint, which a restored server goes on from."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from keystead.audit.logfiles import LOG, LogFiles
from keystead.audit.published import Published
from keystead.cli.archive import make_directories
from keystead.tlog import Tile, tiles_of
from keystead.tlog.tile import ENTRIES


def copy(source: Path, target: Path) -> None:
    """None; the data directory `target` has the log of `source` as it is now, if there is one.

    Copied before the store and the journals, it tells of nothing that those do not hold. The caller sees to it that
    nothing is pruned meanwhile.

    Raises:
        errors.LogError: a tile is missing or damaged.
        OSError: the copy cannot be written.
    """
    files = LogFiles(source)
    head = files.head()
    if head is None:
        return
    log, pruned, place = Published(files, head), files.pruned(), target / LOG
    _write(place, "head", msgspec.json.encode(head))
    _write(place, "checkpoint", log.note.encode())
    if pruned is not None:
        _write(place, "pruned", pruned.encode())
    for tile in tiles_of(log.size):
        if tile.level != ENTRIES or pruned is None or _is_there(files, tile):
            _write(place, tile.path, log.read(tile))


def _is_there(files: LogFiles, tile: Tile) -> bool:
    """Whether it is not pruned: partial bundles never are."""
    return tile.width < Tile(tile.level, tile.index).width or files.exists(tile)


def _write(root: Path, name: str, content: bytes) -> None:
    """None; the file is there, not durably: it is packed from there."""
    make_directories(root.parent, [f"{root.name}/{name}"])
    handle = os.open(root / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
