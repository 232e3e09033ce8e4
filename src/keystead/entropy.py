"""Randomness as a value that is passed in."""

from __future__ import annotations

import os
import uuid
from typing import Protocol
from weakref import WeakSet


class Entropy(Protocol):
    """A cryptographically strong source of random bytes."""

    def random(self, length: int) -> bytes:
        """`length` fresh random bytes."""
        ...


_CHUNK = 32
_CHUNKS = 256


class SystemEntropy:
    """The kernel's generator, asked for 8 KiB at a time where 32 bytes are wanted.

    A system call for each nonce costs more than the encryption it is for. Each chunk is given out
    once; what waits in memory is as exposed as the keys beside it. A forked child starts with none.
    """

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        _SOURCES.add(self)

    def forget(self) -> None:
        """None; what waits in memory is given to nobody."""
        self._chunks.clear()

    def random(self, length: int) -> bytes:
        if length != _CHUNK:
            return os.urandom(length)
        try:
            return self._chunks.pop()  # one step for the interpreter: no two threads get the same chunk
        except IndexError:
            block = os.urandom(_CHUNK * _CHUNKS)
            fresh = [block[start : start + _CHUNK] for start in range(0, len(block), _CHUNK)]
            first = fresh.pop()
            self._chunks.extend(fresh)
            return first


_SOURCES: WeakSet[SystemEntropy] = WeakSet()


def _forget_all() -> None:
    for source in _SOURCES:
        source.forget()


# Once: what is registered is never let go, so a source that registered itself would stay for ever.
os.register_at_fork(after_in_child=_forget_all)


def key_bytes(length: int) -> bytes:
    """`length` fresh random bytes from the kernel for a key that stays: nothing of them waits in memory before."""
    return os.urandom(length)


def new_uuid(entropy: Entropy) -> str:
    """A random UUID (version 4, RFC 9562 section 5.4) in lower-case text form."""
    return str(uuid.UUID(bytes=entropy.random(16), version=4))


def uuid_pair(entropy: Entropy) -> tuple[str, str]:
    """Two of them, for half the time of two calls."""
    d = entropy.random(_CHUNK).hex()
    return (
        f"{d[:8]}-{d[8:12]}-4{d[13:16]}-a{d[17:20]}-{d[20:32]}",
        f"{d[32:40]}-{d[40:44]}-4{d[45:48]}-a{d[49:52]}-{d[52:]}",
    )
