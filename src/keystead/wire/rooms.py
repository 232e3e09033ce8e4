"""Memory for long bodies that is used again, so that they do not ask for new pages all the time."""

from __future__ import annotations

from collections import deque
from typing import Final

_MOST: Final = 16


class Rooms:
    """Rooms of one size, for one body. One is used again when nobody looks at it any more.

    That is asked of the room itself: a bytearray refuses to change its size while anything holds a view of it. So
    whoever is handed a view may keep it for as long as it likes, a part of it too.

    Concurrency: one thread takes, any may hold views.
    """

    __slots__ = ("_rooms", "_size")

    def __init__(self, size: int) -> None:
        self._size = size
        self._rooms: deque[bytearray] = deque(maxlen=_MOST)  # the one that was taken first is free first

    def take(self, size: int) -> memoryview:
        """Room for `size` bytes, which nobody else has; what is in it means nothing.

        Raises:
            ValueError: no room has so many.
        """
        if size > self._size:
            raise ValueError("more than a room has")
        rooms = self._rooms
        room = rooms.popleft() if rooms and _is_free(rooms[0]) else bytearray(self._size)
        rooms.append(room)
        return memoryview(room)[:size]


def _is_free(room: bytearray) -> bool:
    try:
        last = room.pop()
    except BufferError:
        return False
    room.append(last)
    return True
