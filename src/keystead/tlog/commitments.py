"""Salted commitments: what a leaf holds for a value that it does not show.

    commitment = SHA-256("keystead commitment 1" || 0x00 || salt || pointer || 0x00 || value)
    salts      = SHAKE256("keystead salts 1" || 0x00 || salt key || eventID), 16 bytes for each commitment

A secret before the message in SHAKE256 is FIPS 203's pseudorandom function J.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from hashlib import sha256, shake_256
from struct import Struct
from typing import Final

from keystead.crypto.secret import SECRET_ACCESS, Opaque, Secret

SALT_BYTES: Final = 16

_COMMITMENT: Final = b"keystead commitment 1\0"
_SALTS: Final = b"keystead salts 1\0"


class Salts(Opaque):
    """The salts of commitments; whoever has the salt key can open every commitment of an event they know."""

    __slots__ = ("_start",)

    def __init__(self, key: Secret) -> None:
        self._start = shake_256(_SALTS + key.expose(SECRET_ACCESS))

    def salts(self, event_id: str, count: int) -> list[bytes]:
        """The salts of one event's first `count` commitments, 16 bytes each."""
        shake = self._start.copy()
        shake.update(event_id.encode())
        return list(_dealt(count)(shake.digest(SALT_BYTES * count)))


@lru_cache(maxsize=256)
def _dealt(count: int) -> Callable[[bytes], tuple[bytes, ...]]:
    """What cuts a stream into so many salts."""
    return Struct(f"{SALT_BYTES}s" * count).unpack


def commitment(salt: bytes, pointer: bytes, value: bytes) -> bytes:
    """The 32 bytes that a leaf holds for a value, which are of no use without the salt."""
    return committed(salt, pointer + b"\0" + value)


def committed(salt: bytes, told: bytes) -> bytes:
    """The same, of the pointer, 0x00 and the value's text together."""
    return sha256(_COMMITMENT + salt + told).digest()
