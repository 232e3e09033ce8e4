"""Archiving: full segments and the log's tiles and bundles go to a bucket, in names that make the archive evidence itself.

Below `PREFIX` are `journal/WORKER/NNNNNNNN.seg.gz` and `log/…gz`: fetched and decompressed, `keystead-verify` takes it
like any other evidence, up to the checkpoint that was there at the last time. How far the archive is stands in
`log/archived` and moves after objects were taken: a crash repeats some, which does no harm.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Final

import msgspec

from keystead.audit import reader
from keystead.audit.disk import Disk, OsDisk
from keystead.audit.logfiles import LogFiles
from keystead.audit.published import Published
from keystead.audit.segment import Header
from keystead.audit.sink import PACKED, Sink
from keystead.errors import JournalError
from keystead.tlog import Tile
from keystead.tlog.tile import ENTRIES, HEIGHT, HIGHEST_LEVEL, WIDTH

_FILE: Final = "archived"
_EFFORT: Final = 6
_LEVELS: Final = (ENTRIES, *range(HIGHEST_LEVEL + 1))


class Archived(msgspec.Struct, frozen=True, kw_only=True):
    """What is in the archive at `destination`: of each journal the segments below a number, of each level the full tiles.

    `size` is that of the checkpoint that is there, whose partial tiles are there too.
    """

    destination: str
    journals: dict[str, int] = {}
    tiles: dict[str, int] = {}
    size: int = 0


class Archive:
    """The archive of one deployment; one at a time uses it.

    `destination` is a text that is another for every other place: what was archived elsewhere does not count.
    """

    def __init__(
        self,
        directory: Path,
        sink: Sink,
        bucket: str,
        prefix: str,
        destination: str,
        disk: Disk | None = None,
    ) -> None:
        self._directory = directory
        self._disk = disk or OsDisk()
        self._files = LogFiles(directory, disk)
        self._sink = sink
        self._bucket = bucket
        self._prefix = prefix
        self._destination = destination

    def position(self) -> Archived:
        """How far the archive is.

        Raises:
            JournalError: that cannot be read.
        """
        fresh = Archived(destination=self._destination)
        try:
            found = msgspec.json.decode((self._files.root / _FILE).read_bytes(), type=Archived)
        except FileNotFoundError:
            return fresh
        except (OSError, msgspec.MsgspecError) as error:
            raise JournalError(f"log/{_FILE} cannot be read: {error}") from error
        return found if found.destination == self._destination else fresh

    def run(self, stopping: Callable[[], bool] = lambda: False) -> int:
        """How many objects were put: all that is full and in the log, and not archived yet.

        Raises:
            errors.SinkFailed: not everything was taken; the next run goes on with it.
            JournalError: a journal is damaged; it is not archived as if it were sound.
            errors.LogError: the log is.
            OSError: how far it is cannot be written.
        """
        log, at, count = Published.newest(self._files), self.position(), 0
        for after in self._steps(log, at) if log is not None else ():
            self._files.keep(_FILE, msgspec.json.encode(after))
            count += 1
            if stopping():
                break
        return count

    def _steps(self, log: Published, at: Archived) -> Iterator[Archived]:
        """How far the archive is after each object."""
        for worker in sorted(
            entry.name for entry in (self._directory / "journal").iterdir() if entry.is_dir()
        ):
            for header in self._full(worker, log, at.journals.get(worker, 0)):
                self._put(f"journal/{worker}/{header.name}", self._segment(worker, header))
                at = msgspec.structs.replace(at, journals={**at.journals, worker: header.sequence + 1})
                yield at
        size = log.size
        before = at.tiles.get(str(ENTRIES), 0)
        for level in _LEVELS:
            for number in range(at.tiles.get(str(level), 0), size >> HEIGHT * (max(level, 0) + 1)):
                self._put_tile(log, Tile(level, number))
                at = msgspec.structs.replace(at, tiles={**at.tiles, str(level): number + 1})
                yield at
        if at.tiles.get(str(ENTRIES), 0) > before or not at.size:
            self._put_edge(log)
            yield msgspec.structs.replace(at, size=size)

    def _full(self, worker: str, log: Published, first: int) -> Iterator[Header]:
        """The segments from number `first` on that are complete and in the log."""
        place = reader.directory_of(self._directory, worker)
        for header, following in pairwise(reader.headers(self._disk, place, worker)):
            if following.first_index > log.journals.get(worker, 0):
                return
            if header.sequence >= first:
                for _ in reader.segment_frames(self._disk, place, header, following.start):
                    pass
                yield header

    def _segment(self, worker: str, header: Header) -> bytes:
        try:
            return (reader.directory_of(self._directory, worker) / header.name).read_bytes()
        except OSError as error:
            raise JournalError(f"journal segment {header.name}: cannot be read: {error.strerror}") from error

    def _put_edge(self, log: Published) -> None:
        """Nothing, once there is a checkpoint whose tiles are all there."""
        for level in _LEVELS:
            count = log.size >> HEIGHT * max(level, 0)
            if count % WIDTH:
                self._put_tile(log, Tile(level, count // WIDTH, count % WIDTH))
        self._put("log/checkpoint", log.note.encode())

    def _put_tile(self, log: Published, tile: Tile) -> None:
        self._put(f"log/{tile.path}", log.read(tile))

    def _put(self, name: str, data: bytes) -> None:
        self._sink.put(
            self._bucket, f"{self._prefix}/{name}.gz", gzip.compress(data, _EFFORT, mtime=0), {}, PACKED
        )
