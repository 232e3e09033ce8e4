"""Memory that is used again: never while anybody looks at it."""

from __future__ import annotations

import pytest

from keystead.wire.rooms import Rooms

SIZE = 64


def test_a_room_is_used_again_when_the_last_view_of_it_is_gone() -> None:
    rooms = Rooms(SIZE)
    room = rooms.take(SIZE)
    memory = id(room.obj)
    part = room[5:6]
    del room
    assert id(rooms.take(SIZE).obj) != memory
    del part
    assert id(rooms.take(SIZE).obj) == memory


def test_what_somebody_looks_at_never_changes() -> None:
    rooms = Rooms(SIZE)
    kept = []
    for number in range(100):
        room = rooms.take(SIZE)
        room[:] = bytes([number]) * SIZE
        if number % 3 == 0:
            kept.append((number, room[number % SIZE :]))
        del room
    assert all(bytes(view) == bytes([number]) * len(view) for number, view in kept)


def test_a_room_has_its_size_and_no_more() -> None:
    rooms = Rooms(SIZE)
    assert len(rooms.take(3)) == 3
    assert len(rooms.take(SIZE)) == SIZE
    with pytest.raises(ValueError, match="more than a room has"):
        rooms.take(SIZE + 1)
