"""Checksums that another thread makes: the same as if none did, whatever the pieces are and whoever takes them."""

from __future__ import annotations

import hashlib
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keystead.api.aside import Aside, hash_beside
from keystead.crypto import checksum

LONG = 128 * 1024


@settings(max_examples=30, deadline=None)
@given(sizes=st.lists(st.sampled_from([0, 1, LONG - 1, LONG, 2 * LONG]), max_size=20))
@pytest.mark.parametrize("name", ["MD5", "SHA256"])
def test_the_digest_is_of_all_pieces_in_their_order(name: str, sizes: list[int]) -> None:
    pieces = [bytes([number]) * size for number, size in enumerate(sizes)]
    made = hash_beside(name)
    for piece in pieces:
        made.update(memoryview(piece))
    assert made.digest() == hashlib.new(name, b"".join(pieces)).digest()
    assert made.digest() == hashlib.new(name, b"".join(pieces)).digest()


class Watched:
    """A checksum that tells which threads made it, each of which goes on only when it may."""

    def __init__(self) -> None:
        self.threads: list[int] = []
        self.begun, self.may = threading.Semaphore(0), threading.Semaphore(0)
        self.seen: list[int] = []

    def update(self, data: bytes | bytearray | memoryview, /) -> None:
        self.threads.append(threading.get_ident())
        self.begun.release()
        assert self.may.acquire(timeout=300)
        self.seen.append(data[0])

    def digest(self) -> bytes:
        return bytes(self.seen)


def test_a_long_piece_is_taken_by_another_thread_and_a_short_one_at_once() -> None:
    made, here = Watched(), threading.get_ident()
    aside = Aside(made)
    made.may.release()
    aside.update(b"\0")
    assert made.threads == [here]
    aside.update(b"\1" * LONG)
    assert made.begun.acquire(timeout=300)
    assert made.begun.acquire(timeout=300)
    assert made.threads[1] != here
    aside.update(b"\2")  # behind the one that is not taken yet
    assert made.seen == [0]
    made.may.release(2)
    assert aside.digest() == b"\0\1\2"


def test_who_brings_more_than_may_wait_takes_a_hand() -> None:
    made = Watched()
    aside = Aside(made)
    made.may.release(100)
    for number in range(100):
        aside.update(bytes([number]) * LONG)
        assert len(aside._pieces) <= 5
    assert aside.digest() == bytes(range(100))


@pytest.mark.parametrize("name", ["CRC32", "CRC32C", "CRC64NVME"])
def test_what_is_fast_stays_in_its_thread(name: str) -> None:
    assert type(hash_beside(name)) is type(checksum.new_hash(name))
