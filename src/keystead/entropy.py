"""Randomness as a value that is passed in."""

from __future__ import annotations

import os
import struct
import uuid
from collections.abc import Callable
from typing import Protocol
from weakref import WeakSet


class Entropy(Protocol):
    """A cryptographically strong source of random bytes."""

    def random(self, length: int) -> bytes:
        """`length` fresh random bytes."""
        ...


_CHUNK = 32
_CHUNKS = 256
_chunks_of = struct.Struct(f"{_CHUNK}s" * _CHUNKS).unpack
_UUID = 16
_PAIRS = 128
_BLANK = b"........-....-4...-a...-............ "
_DIGITS = tuple(
    (start + place, source + place)
    for start, source, length in ((0, 0, 8), (9, 8, 4), (15, 13, 3), (20, 17, 3), (24, 20, 12))
    for place in range(length)
)
"""Where in a UUID's text each hexadecimal digit of its bytes stands; those of version and variant are dropped."""


class SystemEntropy:
    """The kernel's generator, asked for 8 KiB at a time where 32 bytes are wanted.

    A system call for each nonce costs more than the encryption it is for. Each chunk is given out
    once; what waits in memory is as exposed as the keys beside it. A forked child starts with none.
    """

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self._pairs: list[tuple[str, str]] = []
        _SOURCES.add(self)

    def forget(self) -> None:
        """None; what waits in memory is given to nobody."""
        self._chunks.clear()
        self._pairs.clear()

    def random(self, length: int) -> bytes:
        if length != _CHUNK:
            return os.urandom(length)
        try:
            return self._chunks.pop()  # one step for the interpreter: no two threads get the same chunk
        except IndexError:
            fresh: list[bytes] = [*_chunks_of(os.urandom(_CHUNK * _CHUNKS))]
            first = fresh.pop()
            self._chunks.extend(fresh)
            return first

    def uuid_pair(self) -> tuple[str, str]:
        """As `uuid_pair`, from many that were made at once; each is given out once."""
        try:
            return self._pairs.pop()
        except IndexError:
            fresh = _pairs(os.urandom(2 * _UUID * _PAIRS))
            first = fresh.pop()
            self._pairs.extend(fresh)
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
    """Two of them, for a fraction of the time of two calls."""
    return uuid_pairs(entropy)()


def uuid_pairs(entropy: Entropy) -> Callable[[], tuple[str, str]]:
    """What gives two of them each time that it is called."""
    if isinstance(entropy, SystemEntropy):
        return entropy.uuid_pair
    return lambda: _pairs(entropy.random(2 * _UUID))[0]


def _pairs(random: bytes) -> list[tuple[str, str]]:
    """The UUIDs of these bytes, two and two. One digit of all is written at a time."""
    digits, count = random.hex().encode(), len(random) // _UUID
    texts = bytearray(_BLANK * count)
    for place, source in _DIGITS:
        texts[place :: len(_BLANK)] = digits[source :: 2 * _UUID]
    uuids = texts.decode().split()
    return list(zip(uuids[::2], uuids[1::2], strict=True))
