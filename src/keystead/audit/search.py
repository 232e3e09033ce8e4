"""One page of one query: batch by batch in the order of time, until no later one can have an event that comes before."""

from __future__ import annotations

import sqlite3
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Final, NamedTuple

import msgspec

from keystead.audit.batches import BUCKETS, CHUNK, IDS, PLACES, TIMES, column, some
from keystead.audit.index import WORKER_BITS
from keystead.audit.terms import (
    ACCESS_KEY,
    ACCOUNT,
    ANY_ERROR,
    MANAGEMENT,
    NAME,
    OUTCOME,
    PRINCIPAL,
    READ_ONLY,
    REGION,
    RESOURCE,
    SOURCE,
    SUCCESS,
    TYPE,
    USER,
    Word,
    pair_term,
    short_id,
    truth,
)

_FEW: Final = 16
"""So many times shorter a list is looked up in another one, instead of being met with it as a whole."""
_OUTCOMES: Final = {"ok": SUCCESS, "error": ANY_ERROR}
_LEAST: Final = -(1 << 62)
_LAST: Final = 1 << 62


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
    management: bool | None = None
    since: float | None = None
    until: float | None = None


class Place(msgspec.Struct, frozen=True, order=True, gc=False):
    """An event's place in the order of results: its time in epoch seconds, and its row number."""

    time: int
    row: int


class Hit(NamedTuple):
    """An event that the index knows, and where its bytes are."""

    place: Place
    sequence: int
    offset: int
    length: int


class _Batch(NamedTuple):
    id: int
    worker: int
    sequence: int
    first: int
    size: int
    oldest: int
    newest: int


class _Candidate(NamedTuple):
    """What is compared when results are put in order, and the batch that it is in."""

    time: int
    worker: int
    first: int
    number: int
    batch: _Batch


_ORDER: Final = itemgetter(0, 1, 2, 3)


class Search:
    """One page of one query, over a connection that sees the index as it is at one moment."""

    def __init__(
        self, connection: sqlite3.Connection, asked: Filter, after: Place | None, *, newest_first: bool
    ) -> None:
        self._connection = connection
        self._newest_first = newest_first
        self._after = after
        self._since = _LEAST if asked.since is None else asked.since
        self._until = _LAST if asked.until is None else asked.until
        self._short = None if asked.event_id is None else short_id(asked.event_id.encode())
        keys = [] if asked.key is None else self._resources(asked.key)
        self._one_of = keys if len(keys) > 1 else []
        self._terms = [pair_term(f"{name}={value}") for name, value in asked.context] + (
            keys if len(keys) == 1 else []
        )
        numbers = [self._number(word) for word in _words_of(asked)]
        self._terms += [number for number in numbers if number is not None]
        self._nothing = None in numbers or (asked.key is not None and not keys)

    def hits(self, most: int) -> list[Hit]:
        """The next events."""
        found: list[_Candidate] = []
        for batch, lists in self._batches():
            if len(found) == most and self._is_beyond(batch, found[-1]):
                break
            found += self._candidates(batch, lists, most)
            found.sort(key=_ORDER, reverse=self._newest_first)
            del found[most:]
        return self._located(found)

    # ------------------------------------------------------------------------ what is asked

    def _number(self, word: Word) -> int | None:
        """The word's number; None if no event has it."""
        row = self._connection.execute("SELECT id FROM word WHERE kind = ? AND text = ?", word).fetchone()
        return None if row is None else int(row[0])

    def _resources(self, key: str) -> list[int]:
        """The numbers of an ARN, or of every ARN that ends in this id or alias."""
        exact = self._number((RESOURCE, key))
        if key.startswith("arn:"):
            return [] if exact is None else [exact]
        ends = f"%:{key}" if key.startswith("alias/") else f"%/{key}"
        rows = self._connection.execute(
            r"SELECT id FROM word WHERE kind = ? AND (text = ? OR text LIKE ? ESCAPE '\')",
            (RESOURCE, key, _plain(ends)),
        )
        return [number for (number,) in rows]

    # ----------------------------------------------------------------------------- batches

    def _batches(self) -> Iterator[tuple[_Batch, list[bytes]]]:
        """The batches that may have such events, in order, and the lists of each term, the most telling first."""
        if self._nothing:
            return
        joined = "".join(
            f" CROSS JOIN posting AS p{number} ON p{number}.batch = b.id AND p{number}.term = ?"
            for number in range(len(self._terms))
        )
        lists = "".join(f", p{number}.data" for number in range(len(self._terms)))
        since, until = self._since, self._until
        if self._after is not None and self._newest_first:
            until = min(until, self._after.time)
        elif self._after is not None:
            since = max(since, self._after.time)
        chosen, values = "", []
        if self._short is not None:
            chosen = (
                " AND b.id IN (SELECT batch FROM short WHERE bucket = ? AND instr(data, ?)"
                " UNION ALL SELECT id FROM batch WHERE open)"
            )
            values = [self._short % BUCKETS, array("I", [self._short]).tobytes()]
        order = "b.newest DESC" if self._newest_first else "b.oldest"
        sql = (
            "SELECT b.id, b.worker, b.sequence, b.first, b.count, b.oldest, b.newest"  # noqa: S608  only names are put in
            f"{lists} FROM batch AS b{joined} WHERE b.newest >= ? AND b.oldest <= ?{chosen} ORDER BY {order}"
        )
        for row in self._connection.execute(sql, (*self._terms, since, until, *values)):
            yield _Batch(*row[:7]), list(row[7:])

    def _is_beyond(self, batch: _Batch, last: _Candidate) -> bool:
        """Whether all events of the batch, and so of those that follow it, come behind this one."""
        return batch.newest < last.time if self._newest_first else batch.oldest > last.time

    def _candidates(self, batch: _Batch, lists: list[bytes], most: int) -> list[_Candidate]:
        """Its first events, in the order of results, of those that are asked for."""
        numbers = self._numbers(batch, lists)
        if not numbers:
            return []
        chunks = some(self._connection, batch.id, TIMES, numbers)
        timed = [(chunks[each // CHUNK][each % CHUNK], each) for each in numbers]
        if batch.oldest < self._since or batch.newest > self._until:
            timed = [each for each in timed if self._since <= each[0] <= self._until]
        if self._after is not None and batch.oldest <= self._after.time <= batch.newest:
            timed = self._behind(self._after, batch, timed)
        timed.sort()
        chosen = timed[-most:] if self._newest_first else timed[:most]
        return [_Candidate(time, batch.worker, batch.first, number, batch) for time, number in chosen]

    def _numbers(self, batch: _Batch, lists: list[bytes]) -> Sequence[int]:
        """Which of the batch's events have all the terms."""
        sets: list[Sequence[int]] = [array("H", data) for data in lists if data]
        if self._one_of:
            sets.append(self._any(batch))
        if self._short is not None:
            ids = column(self._connection, batch.id, IDS)
            sets.append([number for number, short in enumerate(ids) if short == self._short])
        sets.sort(key=len)
        found: Sequence[int] = sets[0] if sets else range(batch.size)
        for other in sets[1:]:
            found = _met(found, other)
        return found

    def _any(self, batch: _Batch) -> Sequence[int]:
        """Those that have one of the terms of which one is enough."""
        marks = ",".join("?" * len(self._one_of))
        rows = self._connection.execute(
            f"SELECT data FROM posting WHERE batch = ? AND term IN ({marks})",  # noqa: S608  only marks
            (batch.id, *self._one_of),
        ).fetchall()
        if any(not data for (data,) in rows):
            return range(batch.size)
        return sorted({number for (data,) in rows for number in array("H", data)})

    def _behind(self, after: Place, batch: _Batch, timed: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """Those that come behind the place, of times and numbers."""
        same = [each for each in timed if each[0] == after.time]
        rows = self._places(batch, [number for _, number in same])
        if self._newest_first:
            behind = [each for each in timed if each[0] < after.time]
            return behind + [each for each in same if rows[each[1]][0] < after.row]
        behind = [each for each in timed if each[0] > after.time]
        return behind + [each for each in same if rows[each[1]][0] > after.row]

    def _places(self, batch: _Batch, numbers: Sequence[int]) -> dict[int, tuple[int, int, int]]:
        """Row number, offset and length of the batch's events with these numbers."""
        chunks = some(self._connection, batch.id, PLACES, numbers)
        base = (batch.worker << WORKER_BITS) + batch.first
        found = {}
        for number in numbers:
            at = 2 * (number % CHUNK)
            offset, told = chunks[number // CHUNK][at : at + 2]
            found[number] = base + (told >> 32), offset, told & _LENGTH
        return found

    def _located(self, found: list[_Candidate]) -> list[Hit]:
        """The events with their places in the journals."""
        numbers: dict[_Batch, list[int]] = {}
        for each in found:
            numbers.setdefault(each.batch, []).append(each.number)
        places = {batch.id: self._places(batch, some_of_it) for batch, some_of_it in numbers.items()}
        hits = []
        for time, _, _, number, batch in found:
            row, offset, length = places[batch.id][number]
            hits.append(Hit(Place(time, row), batch.sequence, offset, length))
        return hits


_LENGTH: Final = (1 << 32) - 1


def _met(few: Sequence[int], many: Sequence[int]) -> Sequence[int]:
    """What is in both of two sorted lists, sorted."""
    if isinstance(many, range):
        return few
    if len(few) * _FEW < len(many):
        return [each for each in few if (at := bisect_left(many, each)) < len(many) and many[at] == each]
    return sorted(set(few).intersection(many))


def _words_of(asked: Filter) -> list[Word]:
    """The words that an event must have, those that few events have first."""
    words = (
        (ACCESS_KEY, asked.access_key_id),
        (USER, asked.user),
        (PRINCIPAL, asked.principal),
        (OUTCOME, None if asked.outcome is None else _OUTCOMES.get(asked.outcome, asked.outcome)),
        (NAME, asked.operation),
        (TYPE, asked.resource_type),
        None if asked.read_only is None else truth(READ_ONLY, asked.read_only),
        None if asked.management is None else truth(MANAGEMENT, asked.management),
        (SOURCE, asked.source),
        (REGION, asked.region),
        (ACCOUNT, asked.account),
    )
    return [(word[0], word[1]) for word in words if word is not None and word[1] is not None]


def _plain(pattern: str) -> str:
    """The pattern with what follows its first character taken literally."""
    return pattern[0] + pattern[1:].replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
