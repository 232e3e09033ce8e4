"""Memory for plaintext that is used again: nobody sees another's bytes, and what failed shows nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from keystead.crypto import Secret
from keystead.entropy import SystemEntropy
from keystead.errors import BlobDamaged
from keystead.objects import ObjectKey, Place, Rooms, seal, unseal

ENTROPY = SystemEntropy()
KEY = ObjectKey(Secret(ENTROPY.random(32)))
TWO = ObjectKey(Secret(ENTROPY.random(32)), Secret(ENTROPY.random(32)))
PLACE = Place("bucket", "key", "version")
BITS = 10
FRAME = 1 << BITS


def sealed(key: ObjectKey, body: bytes) -> bytes:
    return b"".join(seal(key, PLACE, [body], ENTROPY, BITS))


def opened(key: ObjectKey, size: int, blob: bytes, start: int, length: int, rooms: Rooms) -> Iterator[bytes]:
    """The bytes, each room given back as soon as it was looked at."""
    chunks = unseal(
        key,
        PLACE,
        size,
        lambda at, count: iter((blob[at : at + count],)),
        start,
        length,
        frame_bits=BITS,
        rooms=rooms,
    )
    for chunk in chunks:
        yield bytes(chunk)
        rooms.give_back([chunk])


@pytest.mark.parametrize("key", [KEY, TWO], ids=["one layer", "two layers"])
@pytest.mark.parametrize("size", [0, 1, FRAME, 5 * FRAME + 7])
def test_bytes_in_rooms_are_those_without(key: ObjectKey, size: int) -> None:
    body = ENTROPY.random(size)
    blob = sealed(key, body)
    for start, length in ((0, size), (size // 3, size // 2), (size, 0)):
        found = b"".join(opened(key, size, blob, start, length, Rooms(FRAME)))
        assert found == body[start : start + length]


def test_what_is_taken_is_nobody_elses_until_it_is_given_back() -> None:
    rooms = Rooms(FRAME)
    one, other = rooms.take(FRAME), rooms.take(3)
    assert one.obj is not other.obj
    assert len(other) == 3
    rooms.give_back([b"no room", memoryview(bytearray(5)), other])
    assert rooms.take(FRAME).obj is other.obj
    third = rooms.take(FRAME)
    assert third.obj is not other.obj
    assert third.obj is not one.obj


def test_a_damaged_frame_is_not_given() -> None:
    body = ENTROPY.random(3 * FRAME)
    blob = bytearray(sealed(KEY, body))
    blob[-1] ^= 1
    chunks = opened(KEY, len(body), bytes(blob), 0, len(body), Rooms(FRAME))
    assert next(chunks) + next(chunks) == body[: 2 * FRAME]
    with pytest.raises(BlobDamaged):
        next(chunks)
