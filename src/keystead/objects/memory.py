"""Blobs in memory, for trials: everything is gone when the process ends."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

from keystead.crypto.frames import Buffer
from keystead.errors import BlobMissing, BlobTruncated
from keystead.objects.blobs import Stored, check_name

_PIECE_BYTES = 1 << 20


class MemoryBlobs:
    """A `Blobs` that keeps them in a dict; one step for the interpreter each, so it needs no lock."""

    def __init__(self) -> None:
        self._blobs: dict[str, tuple[bytes, float]] = {}

    def put(self, name: str, chunks: Iterable[Buffer]) -> int:
        blob = b"".join(chunks)
        self._blobs[check_name(name)] = blob, time.time()
        return len(blob)

    def read(self, name: str, start: int, length: int) -> Iterator[bytes]:
        found = self._blobs.get(check_name(name))
        if found is None:
            raise BlobMissing("the store has no such blob")
        blob, _ = found
        if start + length > len(blob):
            raise BlobTruncated("the blob ends before what was asked for")
        return (
            blob[offset : min(offset + _PIECE_BYTES, start + length)]
            for offset in range(start, start + length, _PIECE_BYTES)
        )

    def delete(self, name: str) -> None:
        self._blobs.pop(check_name(name), None)

    def stored(self) -> Iterator[Stored]:
        return (Stored(name, len(blob), changed) for name, (blob, changed) in list(self._blobs.items()))

    def sweep(self, name: str) -> None:
        """None; nothing is ever left behind."""

    def close(self) -> None:
        self._blobs.clear()
