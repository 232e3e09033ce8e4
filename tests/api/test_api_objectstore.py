"""Answers that are made piece by piece: sent by who makes them, in order, one piece ahead, and cut where one cannot be made."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from queue import Queue
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from keystead.api.objectstore import PIECE, Pieces
from keystead.api.pool import FairPool
from keystead.errors import BlobDamaged


def refuses(_piece: object) -> bool:
    """As a client that is slow."""
    return False


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
        source.pull(taken.put, refuses)
        found.append([bytes(part[:1]) for part in taken.get(timeout=300)])
    pool.close()
    assert found == [*([bytes([number])] for number in range(9)), []]


def test_one_piece_is_made_ahead_and_no_more() -> None:
    chunks = Chunks(9, 9)
    source, pool, taken = pieces(chunks)
    source.pull(taken.put, refuses)
    assert taken.get(timeout=300)
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
        source.pull(taken.put, refuses)
        found.append(taken.get(timeout=300))
    pool.close()
    assert [piece is None for piece in found] == [False, False, True]


@given(st.lists(st.booleans(), max_size=9))
def test_all_pieces_go_in_order_whether_the_client_takes_them_at_once_or_not(patience: list[bool]) -> None:
    """A piece for which there is no patience is refused, as all are whose turn is beyond."""
    source, pool, taken = pieces(Chunks(9, 9))
    found: list[bytes] = []
    left = list(patience)

    def send(piece: Any) -> bool:
        sent = bool(piece) and bool(left) and left.pop(0)
        if sent:
            found.append(bytes(piece[0][:1]))
        return sent

    while True:
        source.pull(taken.put, send)
        if not (piece := taken.get(timeout=300)):
            break
        found.append(bytes(piece[0][:1]))
    pool.close()
    assert found == [bytes([number]) for number in range(9)]


def test_pieces_are_sent_by_the_thread_that_makes_them_and_none_twice() -> None:
    senders: list[int] = []
    source, pool, taken = pieces(Chunks(9, 9))

    def send(piece: Any) -> bool:
        senders.append(threading.get_ident())
        return bool(piece)

    source.pull(taken.put, send)
    assert taken.get(timeout=300) == []
    pool.close()
    assert len(senders) == 10
    assert threading.get_ident() not in senders
    assert len(set(senders)) == 1


def test_a_piece_that_cannot_be_made_is_told_to_who_sends_too() -> None:
    source, pool, taken = pieces(Chunks(9, 2))
    source.pull(taken.put, bool)
    assert taken.get(timeout=300) is None
    pool.close()


def test_an_answer_is_cut_when_there_is_no_room_for_its_next_piece() -> None:
    chunks, pool, taken = Chunks(9, 9), FairPool(1, 0), Queue[Any]()
    source = Pieces(iter(chunks), pool, lambda do: do(), "lane")
    source.pull(taken.put, bool)
    assert taken.get(timeout=300) is None
    pool.close()
    assert chunks.made == 0
