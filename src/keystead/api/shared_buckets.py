"""Buckets that all workers of a deployment share, in a file which each of them maps.

A client keeps few connections, often one, and each is one worker's. Were a quota divided among the workers, such a
client would get a part of it only.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Final

SLOTS: Final = 16_384
_WAYS: Final = 8
"""Places of one name. Where others have all of them, the one that was used longest ago, and so is full again, gives way."""
_SLOT: Final = struct.Struct("<Qdd")
_NAME_BYTES: Final = 8


class SharedBuckets:
    """What is left in each bucket, and when (monotonic seconds, which all processes of a machine share) that was so.

    Concurrency: `turn` keeps other processes out; threads of one process must keep each other out by themselves.
    """

    def __init__(self, path: Path) -> None:
        """Map the file, which is created if it is missing.

        Raises:
            OSError: the file cannot be created or mapped.
        """
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.ftruncate(self._handle, SLOTS * _SLOT.size)
        self._map = mmap.mmap(self._handle, SLOTS * _SLOT.size)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """A block in which no other process changes a bucket; a process that dies gives way."""
        fcntl.flock(self._handle, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._handle, fcntl.LOCK_UN)

    def find(self, name: tuple[str, ...]) -> tuple[int, int, tuple[float, float] | None]:
        """The bucket's place, its name there, and (left, at); None for a bucket that was not used before."""
        digest = blake2b("\0".join(name).encode(), digest_size=_NAME_BYTES).digest()
        wanted = int.from_bytes(digest, "little") or 1  # 0 is nobody's
        oldest, place = float("inf"), 0
        for way in range(_WAYS):
            offset = (wanted + way) % SLOTS * _SLOT.size
            held, left, at = _SLOT.unpack_from(self._map, offset)
            if held == wanted:
                return offset, wanted, (left, at)
            if held == 0 or at < oldest:
                oldest, place = (float("-inf") if held == 0 else at), offset
        return place, wanted, None

    def keep(self, place: int, name: int, left: float, at: float) -> None:
        """None; the bucket is as given."""
        _SLOT.pack_into(self._map, place, name, left, at)
