"""Memory for plaintext on its way out that is used again, so that a long answer does not ask for new pages all the time."""

from __future__ import annotations

from collections.abc import Iterable

from keystead.crypto.frames import Buffer


class Rooms:
    """Rooms of one size for one answer. What is not given back is forgotten with its last view.

    Concurrency: one thread takes, another one may give back.
    """

    __slots__ = ("_free", "_size")

    def __init__(self, size: int) -> None:
        self._size = size
        self._free: list[bytearray] = []

    def take(self, size: int) -> memoryview:
        """Room for `size` bytes, which nobody else has; what is in it means nothing."""
        room = self._free.pop() if self._free else bytearray(self._size)
        return memoryview(room)[:size]

    def give_back(self, views: Iterable[Buffer]) -> None:
        """None; nobody looks at these any more. What is no view of a room is let go."""
        for view in views:
            room = view.obj if isinstance(view, memoryview) else None
            if isinstance(room, bytearray) and len(room) == self._size:
                self._free.append(room)
