"""Finding events by what they say, through the index; each is read back from its journal."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Self

import msgspec

from keystead.audit.index import WORKER_BITS, Index
from keystead.audit.terms import (
    ACCESS_KEY,
    ACCOUNT,
    ANY_ERROR,
    NAME,
    OUTCOME,
    PLACE,
    PRINCIPAL,
    REGION,
    RESOURCE,
    SOURCE,
    TYPE,
    USER,
    context_term,
    is_common,
    read_event,
    short_id,
)

_PAGE: Final = 1000
"""Events that are looked up together."""
_SAMPLE: Final = 10_000
_NONE: Final = 1 << 62
"""A term that no event has."""


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for; what is None does not count.

    `key` is an ARN, a key id or an alias; `outcome` an error's code, `ok`, or `error` for any failure; `context` are
    pairs that must all be there. `since` and `until` are epoch seconds, both included.
    """

    event_id: str | None = None
    operation: str | None = None
    source: str | None = None
    key: str | None = None
    resource_type: str | None = None
    principal: str | None = None
    user: str | None = None
    access_key_id: str | None = None
    outcome: str | None = None
    context: tuple[tuple[str, str], ...] = ()
    account: str | None = None
    region: str | None = None
    read_only: bool | None = None
    since: float | None = None
    until: float | None = None


class Place(msgspec.Struct, frozen=True, order=True, gc=False):
    """An event's place in the order of results: its time in epoch seconds, and its row id."""

    time: int
    row: int


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
        rows = _Search(connection, asked, newest_first, after).rows(most)
        workers = dict(connection.execute("SELECT id, name FROM worker").fetchall())
    found: list[Found] = []
    with _Segments(index.root, workers) as segments:
        for time, row, sequence, offset, length in rows:
            payload = segments.read(row >> WORKER_BITS, sequence, offset, length)
            if payload is not None and _exact(payload, asked):
                found.append(Found(Place(time, row), payload, workers[row >> WORKER_BITS]))
    return found, Place(rows[-1][0], rows[-1][1]) if len(rows) == most else None


def _exact(payload: bytes, asked: Filter) -> bool:
    """Whether what the index keeps a hash of only is what was asked for."""
    if asked.event_id is None and not asked.context:
        return True
    try:
        event = read_event(payload)
    except msgspec.MsgspecError:
        return False
    return asked.event_id in {None, event.eventID} and set(asked.context) <= set(event.context)


class _Search:
    """One page of one query: driven by the rarest term, checked against the other conditions."""

    def __init__(
        self, connection: sqlite3.Connection, asked: Filter, newest_first: bool, after: Place | None
    ) -> None:
        self._connection = connection
        self._order = "DESC" if newest_first else "ASC"
        self._conditions: list[str] = []
        self._values: list[Any] = []
        self._drivers: list[list[int]] = []
        self._time(asked, after, "<" if newest_first else ">")
        self._columns(asked)
        self._terms(asked)

    def rows(self, most: int) -> list[tuple[int, int, int, int, int]]:
        """Time, row id, segment, offset and length of the next events."""
        if not self._drivers:
            self._drivers.append([n for (n,) in self._ask("SELECT id FROM word WHERE kind = ?", PLACE)])
        driver = min(self._drivers, key=self._size)
        rest = [terms for terms in self._drivers if terms is not driver]
        found = {row for term in driver for row in self._with(term, rest, most)}
        return sorted(found, reverse=self._order == "DESC")[:most]

    def _with(
        self, term: int, rest: Sequence[Sequence[int]], most: int
    ) -> list[tuple[int, int, int, int, int]]:
        also = "".join(
            " AND EXISTS (SELECT 1 FROM posting AS q WHERE q.time = p.time AND q.event = p.event"  # noqa: S608  marks
            f" AND q.term IN ({','.join('?' * len(terms))}))"
            for terms in rest
        )
        conditions = "".join(f" AND {condition}" for condition in self._conditions)
        sql = (
            "SELECT p.time, p.event, e.sequence, e.offset, e.length"  # noqa: S608  only marks and names are put in
            " FROM posting AS p CROSS JOIN event AS e ON e.id = p.event"
            f" WHERE p.term = ?{conditions}{also} ORDER BY p.time {self._order}, p.event {self._order} LIMIT {most}"
        )
        return self._ask(sql, term, *self._values, *(each for terms in rest for each in terms))

    def _size(self, terms: Sequence[int]) -> int:
        """How many events have one of the terms, as far as that is worth counting."""
        sql = f"SELECT count(*) FROM (SELECT 1 FROM posting WHERE term = ? LIMIT {_SAMPLE})"  # noqa: S608  a number
        return sum(self._ask(sql, term)[0][0] for term in terms)

    def _ask(self, sql: str, *values: Any) -> list[Any]:
        return self._connection.execute(sql, values).fetchall()

    def _must(self, condition: str, *values: Any) -> None:
        self._conditions.append(condition)
        self._values += values

    def _word(self, kind: int, text: str) -> int:
        row = self._ask("SELECT id FROM word WHERE kind = ? AND text = ?", kind, text)
        return row[0][0] if row else _NONE

    def _time(self, asked: Filter, after: Place | None, beyond: str) -> None:
        if asked.since is not None:
            self._must("p.time >= ?", asked.since)
        if asked.until is not None:
            self._must("p.time <= ?", asked.until)
        if after is not None:
            self._must(
                f"p.time {beyond}= ? AND (p.time, p.event) {beyond} (?, ?)", after.time, after.time, after.row
            )

    def _columns(self, asked: Filter) -> None:
        """What the event's row itself tells."""
        if asked.event_id is not None:
            self._must("e.short = ?", short_id(asked.event_id))
            self._must("p.time IN (SELECT time FROM event WHERE short = ?)", short_id(asked.event_id))
        if asked.read_only is not None:
            self._must("e.read_only = ?", int(asked.read_only))
        if asked.outcome == "ok":
            self._must("e.outcome = 0")
        for column, kind, text in (
            ("account", ACCOUNT, asked.account),
            ("region", REGION, asked.region),
            ("source", SOURCE, asked.source),
            ("type", TYPE, asked.resource_type),
        ):
            if text is not None and (kind not in {SOURCE, TYPE} or is_common((kind, text))):
                self._must(f"e.{column} = ?", self._word(kind, text))

    def _terms(self, asked: Filter) -> None:
        """What has postings."""
        if asked.event_id is not None:
            self._drivers.append(self._names_of(asked.event_id))
        if asked.account is not None or asked.region is not None:
            self._drivers.append(self._places(asked.account, asked.region))
        if asked.key is not None:
            self._drivers.append(self._resources(asked.key))
        outcome = ANY_ERROR if asked.outcome == "error" else asked.outcome
        for kind, text in (
            (NAME, asked.operation),
            (SOURCE, asked.source),
            (TYPE, asked.resource_type),
            (PRINCIPAL, asked.principal),
            (USER, asked.user),
            (ACCESS_KEY, asked.access_key_id),
            (OUTCOME, None if outcome == "ok" else outcome),
        ):
            if text is not None and not is_common((kind, text)):
                self._drivers.append([self._word(kind, text)])
        self._drivers += [[context_term(*pair)] for pair in asked.context]

    def _names_of(self, event_id: str) -> list[int]:
        """Terms that the event with this id has; its time makes that few events."""
        rows = self._ask("SELECT DISTINCT name FROM event WHERE short = ?", short_id(event_id))
        return [number for (number,) in rows] or [_NONE]

    def _places(self, account: str | None, region: str | None) -> list[int]:
        found = self._ask("SELECT id, text FROM word WHERE kind = ?", PLACE)
        wanted = [
            number
            for number, text in found
            if account in {None, text.partition("/")[0]} and region in {None, text.partition("/")[2]}
        ]
        return wanted or [_NONE]

    def _resources(self, key: str) -> list[int]:
        """The words of an ARN, or of every ARN that ends in this id or alias."""
        ends = f"%:{key}" if key.startswith("alias/") else f"%/{key}"
        rows = self._ask(
            r"SELECT id FROM word WHERE kind = ? AND (text = ? OR text LIKE ? ESCAPE '\')",
            RESOURCE,
            key,
            _plain(ends),
        )
        return [number for (number,) in rows] or [_NONE]


def _plain(pattern: str) -> str:
    """The pattern with what follows its first character taken literally."""
    return pattern[0] + pattern[1:].replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")


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
        file.seek(offset)
        payload: bytes = file.read(length)
        return payload
