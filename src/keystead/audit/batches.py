"""How the index keeps events: in batches of some thousand that follow each other in one segment of a journal.

A batch has a row for itself, three packed columns (of each event its time, its place in the segment, and its id's short form), and
for each term a list of those of its events that have it, by their number in the batch; an empty list stands for all of
them. The newest batch of a journal is open: events are added to it until it is full. Then it is closed, and its short ids are
put where they are found without looking at every batch.
"""

from __future__ import annotations

import sqlite3
import sys
from array import array
from collections import defaultdict
from collections.abc import Iterable
from itertools import chain, pairwise
from typing import Final

from keystead.audit.follow import Part
from keystead.audit.pieces import Cut, Piece, Pieces, Terms
from keystead.audit.terms import Word

SIZE: Final = 4096
"""Events of a full batch; as numbers in it have 16 bits, at most 65,536."""
TIMES, PLACES, IDS = range(3)
"""Packed columns, native integers: `q` epoch seconds; two `Q`, offset and `distance << 32 | length`; `I` short ids.

The distance is that of the event's index from the batch's first; offset and length are those of `groups.Located`."""
CHUNK: Final = 256
"""Events of which a column has one row: a few of them are read without the others."""
_ROWS: Final = 256
"""Rows that a column has at most."""
BUCKETS: Final = 64
"""Short ids are kept by their lowest bits."""

_FORM: Final = 5
VERSION: Final = _FORM << 1 | (sys.byteorder == "big")
"""Of what is written here: a file from a machine with the other order of bytes is made anew."""

SCHEMA: Final = (
    """CREATE TABLE worker (
        id INTEGER PRIMARY KEY, name TEXT UNIQUE, sequence INTEGER, offset INTEGER, next INTEGER, chain BLOB
    )""",
    "CREATE TABLE word (id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, text TEXT NOT NULL, UNIQUE (kind, text))",
    """CREATE TABLE batch (
        id INTEGER PRIMARY KEY, worker INTEGER, sequence INTEGER, first INTEGER, count INTEGER,
        oldest INTEGER, newest INTEGER, open INTEGER
    )""",
    "CREATE INDEX batch_newest ON batch (newest)",
    "CREATE INDEX batch_oldest ON batch (oldest)",
    "CREATE INDEX batch_open ON batch (worker) WHERE open",
    "CREATE TABLE packed (id INTEGER PRIMARY KEY, data BLOB)",
    "CREATE TABLE posting (batch INTEGER, term INTEGER, data BLOB, PRIMARY KEY (batch, term)) WITHOUT ROWID",
    "CREATE TABLE short (bucket INTEGER, batch INTEGER, data BLOB, PRIMARY KEY (bucket, batch)) WITHOUT ROWID",
)
TABLES: Final = ("worker", "word", "batch", "packed", "posting", "short")

# Two blobs joined by || are a text, whose bytes are theirs.
_ADD: Final = "INSERT INTO {table} VALUES ({marks}) ON CONFLICT DO UPDATE SET data = CAST(data || excluded.data AS BLOB)"
_ADD_PACKED: Final = _ADD.format(table="packed", marks="?, ?")
_ADD_POSTING: Final = _ADD.format(table="posting", marks="?, ?, ?")
_COLUMNS: Final = {TIMES: ("q", 8), PLACES: ("Q", 16), IDS: ("I", 4)}
"""The form of each, and bytes of an event in it."""
_OPEN: Final = "SELECT id, sequence, first, count FROM batch WHERE worker = ? AND open"


class Words:
    """The numbers of words; new words get one. Belongs to one connection, and remembers."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._known: dict[Word, int] = {}

    def of(self, words: Iterable[Word]) -> Terms:
        """The numbers of these words."""
        known = self._known
        return tuple([known[word] if word in known else self._number(word) for word in words])

    def _number(self, word: Word) -> int:
        execute = self._connection.execute
        row = execute("SELECT id FROM word WHERE kind = ? AND text = ?", word).fetchone()
        number = (
            execute("INSERT INTO word (kind, text) VALUES (?, ?)", word).lastrowid if row is None else row[0]
        )
        assert number is not None
        if len(self._known) >= _MOST_WORDS:
            self._known.clear()
        self._known[word] = number
        return int(number)


_MOST_WORDS: Final = 50_000


class Batching:
    """Events of one journal on their way into the index, in a transaction of the caller's."""

    def __init__(self, connection: sqlite3.Connection, pieces: Pieces, worker: int) -> None:
        self._connection = connection
        self._pieces = pieces
        self._worker = worker
        self.events = 0
        """How many it was given."""
        row = connection.execute(_OPEN, (worker,)).fetchone()
        self._begin(*((0, -1, 0, 0) if row is None else row))

    def _begin(self, batch: int, sequence: int, first: int, there: int) -> None:
        """None; events are for this batch, which has so many by now; 0 for one that is not there yet."""
        self._batch, self._sequence, self._first, self._there = batch, sequence, first, there
        self._times: list[int] = []
        self._places: list[int] = []
        self._ids: list[int] = []
        self._met: list[Piece] = []

    def add(self, part: Part, following: int) -> None:
        """None; the part's events, those before record number `following` aside, will be in the index after `write`."""
        records = part.records
        if records is None:
            return
        events = records.located(max(0, following - records.first))
        self.events += len(events.places)
        at = 0
        for count, found in self._pieces.cut(events.stretches):
            if found is not None:
                index = records.first + events.places[at]
                self._put(part.sequence, index, events.offsets[at : at + count], events.lengths[at], found)
            at += count

    def _put(self, sequence: int, index: int, offsets: list[int], length: int, found: Cut) -> None:
        """None; events that are alike, those of the records from number `index` on, are in the batch, or in the next one."""
        time, pieces, shorts = found
        while offsets:
            number, distance = self._there + len(self._ids), index - self._first
            if number == SIZE or sequence != self._sequence or distance >> 32:
                self.close()
                self._begin(0, sequence, index, 0)
                number = distance = 0
            count = min(SIZE - number, len(offsets))
            told = distance << 32 | length
            self._times += [time] * count
            self._places += chain.from_iterable(
                zip(offsets[:count], range(told, told + (count << 32), 1 << 32), strict=True)
            )
            self._ids += shorts[:count]
            for piece in pieces:
                if not piece.places:
                    self._met.append(piece)
                piece.places += range(number, number + count)
            offsets, shorts, index = offsets[count:], shorts[count:], index + count

    def write(self) -> None:
        """None; what was added is in the index, and may be added to."""
        if not self._ids:
            return
        count, oldest, newest = len(self._ids), min(self._times), max(self._times)
        if not self._batch:
            self._batch = self._insert((self._worker, self._sequence, self._first, count, oldest, newest))
        else:
            self._connection.execute(
                "UPDATE batch SET count = count + ?, oldest = min(oldest, ?), newest = max(newest, ?) WHERE id = ?",
                (count, oldest, newest, self._batch),
            )
        batch = self._batch
        for kind, values in ((TIMES, self._times), (PLACES, self._places), (IDS, self._ids)):
            _pack(self._connection, batch, kind, self._there, array(_COLUMNS[kind][0], values).tobytes())
        self._connection.executemany(
            _ADD_POSTING, [(batch, term, numbers) for term, numbers in sorted(_postings(self._met).items())]
        )
        for piece in self._met:
            piece.places = []
        self._begin(batch, self._sequence, self._first, self._there + count)

    def _insert(self, row: tuple[int, ...]) -> int:
        number = self._connection.execute(
            "INSERT INTO batch (worker, sequence, first, count, oldest, newest, open) VALUES (?, ?, ?, ?, ?, ?, 1)",
            row,
        ).lastrowid
        assert number is not None
        return number

    def close(self) -> None:
        """None; what was added is in the index, and nothing more comes into its batch."""
        self.write()
        if self._batch:
            close(self._connection, self._batch)
        self._begin(0, -1, 0, 0)


def _postings(met: Iterable[Piece]) -> dict[int, bytes]:
    """Of each term the numbers of the events that have it."""
    postings: dict[int, bytes] = {}
    having: dict[int, list[Piece]] = {}
    for piece in met:
        packed = _packed(piece.places)
        for term in piece.terms:
            if term not in postings:
                postings[term], having[term] = packed, [piece]
            else:
                having[term].append(piece)
    together: dict[tuple[int, ...], bytes] = {}  # many terms have the same pieces
    for term, pieces in having.items():
        if len(pieces) > 1:
            which = tuple(map(id, pieces))
            if which not in together:
                together[which] = _packed(_numbers(pieces))
            postings[term] = together[which]
    return postings


def _packed(numbers: list[int]) -> bytes:
    return numbers[0].to_bytes(2, sys.byteorder) if len(numbers) == 1 else array("H", numbers).tobytes()


def _numbers(pieces: list[Piece]) -> list[int]:
    """The numbers of the events that have one of the pieces, in order."""
    numbers = [number for piece in pieces for number in piece.places]
    return sorted(set(numbers) if any(piece.loose for piece in pieces) else numbers)


def close(connection: sqlite3.Connection, batch: int) -> None:
    """None; the batch is closed."""
    connection.execute(
        "UPDATE posting SET data = x'' WHERE batch = ?1 AND length(data) ="
        " (SELECT count * 2 FROM batch WHERE id = ?1)",
        (batch,),
    )
    ids = column(connection, batch, IDS)
    buckets = defaultdict[int, list[int]](list)
    for short in ids:
        buckets[short % BUCKETS].append(short)
    connection.executemany(
        "INSERT OR REPLACE INTO short VALUES (?, ?, ?)",
        [(bucket, batch, array("I", found).tobytes()) for bucket, found in sorted(buckets.items())],
    )
    connection.execute("UPDATE batch SET open = 0 WHERE id = ?", (batch,))


def _pack(connection: sqlite3.Connection, batch: int, kind: int, there: int, data: bytes) -> None:
    """None; the data are in the column behind those of so many events that are there."""
    size = _COLUMNS[kind][1]
    whole = size * CHUNK
    first, ends = there // CHUNK, size * (there % CHUNK)
    cuts = [0, *range(whole - ends, len(data), whole), len(data)]
    begin = _row(batch, kind) + first
    rows = [(begin + number, data[at:end]) for number, (at, end) in enumerate(pairwise(cuts))]
    connection.executemany(_ADD_PACKED, rows)


def _row(batch: int, kind: int) -> int:
    """The number of a column's first row."""
    return (batch << 2 | kind) * _ROWS


def column(connection: sqlite3.Connection, batch: int, kind: int) -> array[int]:
    """One of a batch's packed columns."""
    begin = _row(batch, kind)
    rows = connection.execute(
        "SELECT data FROM packed WHERE id >= ? AND id < ? ORDER BY id", (begin, begin + _ROWS)
    )
    return array(_COLUMNS[kind][0], b"".join([data for (data,) in rows]))


def some(
    connection: sqlite3.Connection, batch: int, kind: int, numbers: Iterable[int]
) -> dict[int, array[int]]:
    """Those parts of a column that tell of the events with these numbers, by number // `CHUNK`."""
    begin, form = _row(batch, kind), _COLUMNS[kind][0]
    chunks = {number // CHUNK for number in numbers}
    marks = ",".join("?" * len(chunks))
    rows = connection.execute(
        f"SELECT id, data FROM packed WHERE id IN ({marks})",  # noqa: S608  only marks
        [begin + chunk for chunk in chunks],
    )
    return {row - begin: array(form, data) for row, data in rows}


def drop(connection: sqlite3.Connection, batch: int) -> None:
    """None; the batch is gone."""
    connection.execute("DELETE FROM batch WHERE id = ?", (batch,))
    connection.execute("DELETE FROM posting WHERE batch = ?", (batch,))
    _unpack(connection, batch)
    connection.executemany(
        "DELETE FROM short WHERE bucket = ? AND batch = ?", [(bucket, batch) for bucket in range(BUCKETS)]
    )


def _unpack(connection: sqlite3.Connection, batch: int) -> None:
    """None; the batch's columns are gone."""
    connection.execute("DELETE FROM packed WHERE id >= ? AND id < ?", (_row(batch, 0), _row(batch + 1, 0)))


def forget(connection: sqlite3.Connection, worker: int, gone: int) -> None:
    """None; the worker's events from record number `gone` on are in the index no more: its writer gave them up."""
    rows = connection.execute(
        "SELECT id FROM batch WHERE worker = ? AND first >= ?", (worker, gone)
    ).fetchall()
    for (batch,) in rows:
        drop(connection, batch)
    last = connection.execute(
        "SELECT id, first FROM batch WHERE worker = ? ORDER BY first DESC LIMIT 1", (worker,)
    ).fetchone()
    if last is not None:
        _shorten(connection, last[0], gone - last[1])


def _shorten(connection: sqlite3.Connection, batch: int, distance: int) -> None:
    """None; the batch is closed, with those of its events that are nearer than this to its first record."""
    columns = {kind: column(connection, batch, kind) for kind in _COLUMNS}
    count = sum(each >> 32 < distance for each in columns[PLACES][1::2])
    if count == len(columns[TIMES]):
        return
    _unpack(connection, batch)
    for kind, each in columns.items():
        _pack(connection, batch, kind, 0, each.tobytes()[: count * _COLUMNS[kind][1]])
    times = columns[TIMES][:count]
    lists = connection.execute("SELECT term, data FROM posting WHERE batch = ? AND data <> x''", (batch,))
    for term, data in lists.fetchall():
        left = [number for number in array("H", data) if number < count]
        statement = "UPDATE posting SET data = ?" if left else "DELETE FROM posting"
        values = [array("H", left).tobytes()] if left else []
        connection.execute(f"{statement} WHERE batch = ? AND term = ?", (*values, batch, term))
    connection.execute(
        "UPDATE batch SET count = ?, oldest = ?, newest = ? WHERE id = ?",
        (count, min(times), max(times), batch),
    )
    close(connection, batch)
