"""The log's files below `DIR/log`: tiles and bundles, the head, and its public copy, the checkpoint."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final

import msgspec

from keystead.audit.disk import Disk, OsDisk, SegmentFile, make_directory, write_whole
from keystead.errors import LogError
from keystead.tlog import Tile, parse_path
from keystead.tlog.tile import HEIGHT, WIDTH

LOG: Final = "log"
_HEAD: Final = "head"
_CHECKPOINT: Final = "checkpoint"
_PRUNED: Final = "pruned"
_WITNESSED: Final = "witnessed"


class Head(msgspec.Struct, frozen=True):
    """What the sequencer has published: its newest checkpoint, and of each journal the next index to take up."""

    checkpoint: str
    journals: dict[str, int]


class LogFiles:
    """Reads and writes one deployment's log. What a method wrote is durable when it returns.

    Every method raises OSError when the disk refuses.
    """

    def __init__(self, directory: Path, disk: Disk | None = None) -> None:
        self.root = directory / LOG
        self._disk = disk or OsDisk()
        self._durable: set[Path] = set()  # directories whose names this object has synced

    @property
    def begun(self) -> bool:
        """Whether something was published, damaged or not."""
        return (self.root / _HEAD).exists()

    @property
    def written(self) -> bool:
        """Whether a log was ever begun here: tiles, or a checkpoint, are there."""
        return (self.root / "tile").exists() or self.shown() is not None

    def head(self) -> Head | None:
        """What was published last, None before the first time.

        Raises:
            LogError: the head is damaged.
        """
        try:
            return msgspec.json.decode((self.root / _HEAD).read_bytes(), type=Head)
        except FileNotFoundError:
            return None
        except msgspec.MsgspecError:
            raise LogError("log/head is damaged") from None

    def note(self, head: Head) -> str:
        """The head's checkpoint, with the lines of witnesses if its public copy has some."""
        with suppress(FileNotFoundError, UnicodeDecodeError):
            shown = (self.root / _CHECKPOINT).read_text("utf-8")
            if shown.startswith(head.checkpoint):
                return shown
        return head.checkpoint

    def read(self, tile: Tile) -> bytes:
        """A tile's or bundle's bytes.

        Raises:
            LogError: it is missing; the message names it.
        """
        try:
            return self.load(tile)
        except FileNotFoundError:
            raise LogError(f"log/{tile.path} is missing") from None

    def load(self, tile: Tile) -> bytes:
        """The same, and FileNotFoundError where it is missing."""
        return (self.root / tile.path).read_bytes()

    def partial(self, tile: Tile) -> list[Tile]:
        """The wider versions of a tile that are there and not full."""
        full = self.root / Tile(tile.level, tile.index).path
        try:
            names = [entry.name for entry in full.with_name(f"{full.name}.p").iterdir()]
        except FileNotFoundError:  # there is none, or the full one has come at this moment
            return []
        widths = sorted(int(name) for name in names if name.isdecimal())
        return [Tile(tile.level, tile.index, width) for width in widths if width > tile.width]

    def write(self, tiles: Iterable[tuple[Tile, bytes]]) -> None:
        """Nothing, once these tiles and bundles are there.

        All are on their way to the disk before the first is synced, and that is the last of them: then one commit of the file
        system's journal does for all. Each directory is synced once for all that come into it.
        """
        paths = {self.root / tile.path: data for tile, data in tiles}
        folders = dict.fromkeys([path.parent for path in paths])
        for folder in folders:
            self._make(folder)
        with ExitStack() as stack:
            fresh = {path: self._filled(path, data, stack) for path, data in paths.items()}
            files = [file for file, _ in fresh.values()]
            for file in files:
                file.begin_sync()
            for file in reversed(files):
                file.sync()
        for path, (_, written) in fresh.items():
            self._disk.move(written, path)
        for folder in folders:
            self._disk.sync_names(folder)

    def publish(self, head: Head) -> None:
        """Nothing, once the head and then its public copy tell of tiles that are all there."""
        self._replace(self.root / _HEAD, msgspec.json.encode(head))
        # A crash here: the next run writes the checkpoint again.
        self._replace(self.root / _CHECKPOINT, head.checkpoint.encode())

    def show(self, note: str) -> None:
        """Nothing, once the public copy of the head's checkpoint is `note`, which has witnesses' lines besides."""
        self._replace(self.root / _CHECKPOINT, note.encode())

    def shown(self) -> str | None:
        """The checkpoint's public copy, None if there is none."""
        with suppress(FileNotFoundError):
            return (self.root / _CHECKPOINT).read_text(errors="replace")
        return None

    def witnessed(self) -> str | None:
        """The newest checkpoint that a witness has signed in time, None before the first."""
        with suppress(FileNotFoundError):
            return (self.root / _WITNESSED).read_text("utf-8")
        return None

    def keep_witnessed(self, note: str) -> None:
        """Nothing, once that is `note`. On a busy log the checkpoint is another one before witnesses have answered."""
        self.keep(_WITNESSED, note.encode())

    def repair(self, head: Head) -> None:
        """Nothing, once the checkpoint is the head's (or has witnesses' lines besides)."""
        if (self.shown() or "").startswith(head.checkpoint):
            return
        self._replace(self.root / _CHECKPOINT, head.checkpoint.encode())

    def exists(self, tile: Tile) -> bool:
        """Whether there is such a tile or bundle."""
        return (self.root / tile.path).is_file()

    def remove(self, tile: Tile) -> None:
        """Nothing, once the tile or bundle is gone."""
        self._disk.remove(self.root / tile.path)

    def pruned(self) -> str | None:
        """The note of what is pruned, None if nothing is."""
        with suppress(FileNotFoundError):
            return (self.root / _PRUNED).read_text()
        return None

    def publish_pruned(self, note: str) -> None:
        """Nothing, once the note of what is pruned is there."""
        self.keep(_PRUNED, note.encode())

    def keep(self, name: str, data: bytes) -> None:
        """Nothing, once the file of that name beside the head holds `data`."""
        self._replace(self.root / name, data)

    def tidy(self, size: int) -> int:
        """How many partial tiles and bundles were removed that a log of `size` entries does not need.

        A crash between the writing of a tile and the removal of its narrower versions leaves some.
        """
        found = 0
        for folder in sorted((self.root / "tile").rglob("*.p")):
            tile = parse_path(folder.relative_to(self.root).as_posix().removesuffix(".p"))
            width = (size >> HEIGHT * max(tile.level, 0)) - tile.index * WIDTH
            narrower = [file for file in folder.iterdir() if file.name.isdecimal() and int(file.name) < width]
            for file in narrower:
                file.unlink(missing_ok=True)
            found += len(narrower)
            if width >= WIDTH:
                with suppress(OSError):  # a file that is being written is still there
                    folder.rmdir()
        return found

    def drop(self, tile: Tile) -> None:
        """Nothing; a partial tile that a fuller one has followed need not stay."""
        with suppress(OSError):
            path = self.root / tile.path
            path.unlink()
            path.parent.rmdir()  # refused while a wider one is there
            self._durable.discard(path.parent)

    def _replace(self, path: Path, data: bytes) -> None:
        self._disk.rename(self._written(path, data), path)

    def _written(self, path: Path, data: bytes) -> Path:
        """A file beside `path` that durably holds `data`, but for its name."""
        self._make(path.parent)
        with ExitStack() as stack:
            file, fresh = self._filled(path, data, stack)
            file.sync()
        return fresh

    def _make(self, folder: Path) -> None:
        """Nothing, once the folder is there durably."""
        if folder not in self._durable or not folder.is_dir():
            make_directory(self._disk, folder)
            self._durable.add(folder)

    def _filled(self, path: Path, data: bytes, stack: ExitStack) -> tuple[SegmentFile, Path]:
        """A file beside `path` that holds `data`, not yet durably; the stack closes it."""
        fresh = path.with_name(f".{path.name}.{os.getpid()}")
        file = self._disk.create(fresh, 0)
        stack.callback(file.close)
        write_whole(file, data, 0)
        return file, fresh
