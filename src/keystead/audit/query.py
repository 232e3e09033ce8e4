"""Finding events by what they say, through the index; each is read back from its journal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Final, Self

import msgspec

from keystead.audit.groups import event_at
from keystead.audit.index import WORKER_BITS, Index
from keystead.audit.search import Filter, Place, Search
from keystead.audit.terms import read_event

__all__ = ["Filter", "Found", "Place", "find"]

_PAGE: Final = 1000
"""Events that are looked up together."""


class Found(msgspec.Struct, frozen=True, gc=False):
    """One event as recorded, its place, and the journal that it is in."""

    place: Place
    payload: bytes
    journal: str

    @property
    def index(self) -> int:
        """The number of its record in the journal."""
        return self.place.row & ((1 << WORKER_BITS) - 1)


def find(
    index: Index,
    asked: Filter,
    *,
    newest_first: bool = True,
    after: Place | None = None,
    page: int = _PAGE,
) -> Iterator[Found]:
    """The events that match, in the order of time; those behind `after` only, `page` looked up at a time.

    The index is asked as it is: `Index.catch_up` first. Events whose segments were pruned are left out.

    Raises:
        IndexUnavailable: the index cannot be used.
    """
    while True:
        found, last = _page(index, asked, newest_first, after, page)
        yield from found
        if last is None:
            return
        after = last


def _page(
    index: Index, asked: Filter, newest_first: bool, after: Place | None, most: int
) -> tuple[list[Found], Place | None]:
    """Some of the events, and the place to go on from; None if there are no more."""
    with index.reading() as connection:
        hits = Search(connection, asked, after, newest_first=newest_first).hits(most)
        workers = dict(connection.execute("SELECT id, name FROM worker").fetchall())
    found: list[Found] = []
    with _Segments(index.root, workers) as segments:
        for place, sequence, offset, length in hits:
            worker = place.row >> WORKER_BITS
            payload = segments.read(worker, sequence, offset, length)
            if payload is not None and _exact(payload, asked):
                found.append(Found(place, payload, workers[worker]))
    return found, hits[-1].place if len(hits) == most else None


def _exact(payload: bytes, asked: Filter) -> bool:
    """Whether what the index keeps a hash of only is what was asked for."""
    if asked.event_id is None and not asked.context:
        return True
    try:
        event = read_event(payload)
    except msgspec.MsgspecError:
        return False
    return asked.event_id in {None, event.eventID} and set(asked.context) <= set(event.context)


class _Segments:
    """Open segments to read events back from; as many as one page needs."""

    def __init__(self, root: Path, workers: dict[int, str]) -> None:
        self._root = root
        self._workers = workers
        self._open: dict[tuple[int, int], Any] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        for file in self._open.values():
            if file is not None:
                file.close()

    def read(self, worker: int, sequence: int, offset: int, length: int) -> bytes | None:
        """The event's bytes, None if its segment was pruned."""
        place = worker, sequence
        if place not in self._open:
            self._open[place] = None
            with suppress(FileNotFoundError):
                path = self._root / "journal" / self._workers[worker] / f"{sequence:08d}.seg"
                self._open[place] = path.open("rb")
        file = self._open[place]
        if file is None:
            return None
        return event_at(lambda at, size: _read(file, at, size), offset, length)


def _read(file: BinaryIO, offset: int, length: int) -> bytes:
    file.seek(offset)
    return file.read(length)
