"""Salted commitments: what a leaf holds for values that it does not show.

Version 3 of entries:

    digest     = SHA-256("keystead commitment 2" || 0x00 || pointer || 0x00 || value)
    digest     = SHA-256("keystead event 3" || 0x00 || length of before || before || behind)     of the whole event
    commitment = SHA-256(salt || digest)
    salt       = AES-256(K[place], seed), one block; K[place] by HKDF from the salt key and the place's number

`seed` is the event's id as 16 bytes; AES is a pseudorandom permutation, so equal seeds alone give equal salts. The digest
of a value that many events have alike is computed once, and a commitment then takes one block of SHA-256. For the whole
event, `before` and `behind` are what it is without the ids of its request and its own, which the entry shows (`parted`).

Version 2 is the same but for

    commitment = SHA-256("keystead event 2" || 0x00 || salt || event)        to the whole event

Version 1:

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

from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import ECB

from keystead.crypto.derive import subkey
from keystead.crypto.secret import SECRET_ACCESS, Opaque, Secret
from keystead.tlog.alike import BETWEEN, REQUEST

SALT_BYTES: Final = 16
SEED_BYTES: Final = 16

_COMMITMENT: Final = b"keystead commitment 1\0"
_SALTS: Final = b"keystead salts 1\0"
_DIGEST: Final = b"keystead commitment 2\0"
_EVENT_2: Final = b"keystead event 2\0"
_EVENT_3: Final = b"keystead event 3\0"
_SALTS_2: Final = "keystead salts 2"


Ids = tuple[str | None, str | None]
"""That of an event's request and its own, as a leaf shows them; None of one that it does not show."""

_IDS: Final = REQUEST + b"%b" + BETWEEN + b'%b"'
"""How they stand in an event."""


class Salts(Opaque):
    """The salts of commitments; whoever has the salt key can open every commitment of an event they know."""

    __slots__ = ("_key", "_places", "_start")

    def __init__(self, key: Secret) -> None:
        self._key = key.expose(SECRET_ACCESS)
        self._start = shake_256(_SALTS + self._key)
        self._places: dict[int, CipherContext] = {}

    def salts(self, event_id: str, count: int) -> list[bytes]:
        """The salts of one event's first `count` commitments in version 1, 16 bytes each."""
        shake = self._start.copy()
        shake.update(event_id.encode())
        return list(_dealt(count)(shake.digest(SALT_BYTES * count)))

    def at(self, place: int, seeds: bytes) -> bytes:
        """The salts at a place of the events with these seeds, 16 bytes for each 16 bytes, in versions 2 and 3."""
        cipher = self._places.get(place)
        if cipher is None:
            key = subkey(self._key, _SALTS_2, place.to_bytes(4, "big"))
            # A block cipher on single blocks is what is wanted: a permutation that nobody without the key knows.
            cipher = self._places[place] = Cipher(AES256(key), ECB()).encryptor()  # noqa: S305  as above
        return cipher.update(seeds)


@lru_cache(maxsize=256)
def _dealt(count: int) -> Callable[[bytes], tuple[bytes, ...]]:
    """What cuts a stream into so many salts."""
    return Struct(f"{SALT_BYTES}s" * count).unpack


def commitment(salt: bytes, pointer: bytes, value: bytes) -> bytes:
    """The 32 bytes that a leaf of version 1 holds for a value, which are of no use without the salt."""
    return committed(salt, pointer + b"\0" + value)


def committed(salt: bytes, told: bytes) -> bytes:
    """The same, of the pointer, 0x00 and the value's text together."""
    return sha256(_COMMITMENT + salt + told).digest()


def digest(pointer: str, value: bytes) -> bytes:
    """What a leaf of version 2 or 3 commits to for a value: `SHA-256(salt || digest)`."""
    return sha256(before(pointer) + value).digest()


def before(pointer: str) -> bytes:
    """What is hashed before a value's text."""
    return b"%b%b\0" % (_DIGEST, pointer.encode())


def commitment_2(salt: bytes, pointer: str, value: bytes) -> bytes:
    """The 32 bytes that a leaf of version 2 holds for a value; the whole event has the empty pointer."""
    told = salt + digest(pointer, value) if pointer else _EVENT_2 + salt + value
    return sha256(told).digest()


def commitment_3(salt: bytes, pointer: str, value: bytes, ids: Ids) -> bytes:
    """The same of version 3; `ids` are those that the leaf shows."""
    told = digest(pointer, value) if pointer else whole_digest(*parted(value, ids))
    return sha256(salt + told).digest()


def whole_digest(before_ids: bytes, behind_ids: bytes) -> bytes:
    """What a leaf of version 3 commits to for a whole event: what `parted` gives."""
    return sha256(_EVENT_3 + len(before_ids).to_bytes(4, "big") + before_ids + behind_ids).digest()


def parted(event: bytes, ids: Ids) -> tuple[bytes, bytes]:
    """What is before the ids, which stand side by side, and behind them; all of it before them if they do not stand so."""
    request, own = ids
    told = b"" if request is None or own is None else _IDS % (request.encode(), own.encode())
    at = event.rfind(told) if told else -1
    if at < 0:
        return event, b""
    return event[: at + len(REQUEST)], event[at + len(told) - 1 :]
