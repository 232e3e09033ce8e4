"""Answers that are made piece by piece: in order, one piece ahead, and cut where one cannot be made."""

from __future__ import annotations

from collections.abc import Iterator
from queue import Queue
from typing import Any

from keystead.api.objectstore import PIECE, Pieces
from keystead.api.pool import FairPool
from keystead.errors import BlobDamaged


class Chunks:
    """Chunks of a piece's size, each of one number; beyond `good` they cannot be made."""

    def __init__(self, count: int, good: int) -> None:
        self.made = 0
        self._count, self._good = count, good

    def __iter__(self) -> Iterator[bytes]:
        for number in range(self._count):
            if number >= self._good:
                raise BlobDamaged("a frame of the blob is not as it was sealed")
            self.made += 1
            yield bytes([number]) * PIECE


def pieces(chunks: Chunks) -> tuple[Pieces, FairPool, Queue[Any]]:
    pool = FairPool(2, 100)
    return Pieces(iter(chunks), pool, lambda do: do(), "lane"), pool, Queue()


def test_pieces_come_in_order_and_then_nothing() -> None:
    source, pool, taken = pieces(Chunks(9, 9))
    found = []
    for _ in range(10):
        source.pull(taken.put)
        found.append([bytes(part[:1]) for part in taken.get(timeout=20)])
    pool.close()
    assert found == [*([bytes([number])] for number in range(9)), []]


def test_one_piece_is_made_ahead_and_no_more() -> None:
    chunks = Chunks(9, 9)
    source, pool, taken = pieces(chunks)
    source.pull(taken.put)
    assert taken.get(timeout=20)
    pool.close()
    assert chunks.made == 2


def test_nothing_is_made_before_it_is_asked_for() -> None:
    chunks = Chunks(9, 9)
    source, pool, _ = pieces(chunks)
    source.close()
    pool.close()
    assert chunks.made == 0


def test_what_cannot_be_made_is_told_in_its_turn() -> None:
    source, pool, taken = pieces(Chunks(9, 2))
    found = []
    for _ in range(3):
        source.pull(taken.put)
        found.append(taken.get(timeout=20))
    pool.close()
    assert [piece is None for piece in found] == [False, False, True]
