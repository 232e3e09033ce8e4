"""The checksums that S3 clients send and ask for: one row each, from a first byte to text.

They tell damage, not forgery: what is stored is authenticated otherwise.
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Callable
from typing import Any, Final, Protocol


class Hash(Protocol):
    """Takes bytes, and tells their checksum."""

    def update(self, data: bytes | bytearray | memoryview, /) -> None:
        """None; the bytes count."""
        ...

    def digest(self) -> bytes:
        """The checksum of all bytes so far, most significant byte first."""
        ...


class _Crc:
    """A cyclic redundancy check by a function that goes on from the last value."""

    def __init__(self, function: Callable[..., int], size: int) -> None:
        self._function = function
        self._size = size
        self._value = 0

    def update(self, data: bytes | bytearray | memoryview, /) -> None:
        self._value = self._function(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._size, "big")


class _XxHash:
    """An xxHash, whose library tells the digest only once."""

    def __init__(self, state: Any) -> None:
        self._state = state
        self._digest = b""

    def update(self, data: bytes | bytearray | memoryview, /) -> None:
        self._state.update(bytes(data))  # which takes no view of memory that can be written

    def digest(self) -> bytes:
        self._digest = self._digest or self._state.finalize()
        return self._digest


def _xxhash(name: str) -> Callable[[], Hash]:
    def make() -> Hash:
        from awscrt import checksums  # noqa: PLC0415  as below

        new: Any = getattr(checksums.XXHash, name)
        return _XxHash(new())

    return make


def _crt(name: str, size: int) -> Callable[[], Hash]:
    def make() -> Hash:
        from awscrt import checksums  # noqa: PLC0415  large, and most requests need none of it

        function: Any = getattr(checksums, name)
        return _Crc(function, size)

    return make


ALGORITHMS: Final[dict[str, Callable[[], Hash]]] = {
    "CRC32": lambda: _Crc(zlib.crc32, 4),
    "CRC32C": _crt("crc32c", 4),
    "CRC64NVME": _crt("crc64nvme", 8),
    "SHA1": lambda: hashlib.sha1(usedforsecurity=False),
    "SHA256": hashlib.sha256,
    "SHA512": hashlib.sha512,
    "MD5": lambda: hashlib.md5(usedforsecurity=False),
    "XXHASH64": _xxhash("new_xxhash64"),
    "XXHASH3": _xxhash("new_xxhash3_64"),
    "XXHASH128": _xxhash("new_xxhash3_128"),
}
"""By the names of S3's API."""


def new_hash(name: str) -> Hash:
    """What takes bytes for a checksum of `ALGORITHMS`."""
    return ALGORITHMS[name]()


SIZES: Final = {
    "CRC32": 4,
    "CRC32C": 4,
    "CRC64NVME": 8,
    "SHA1": 20,
    "SHA256": 32,
    "SHA512": 64,
    "MD5": 16,
    "XXHASH64": 8,
    "XXHASH3": 8,
    "XXHASH128": 16,
}
"""Bytes of each."""

FULL_OBJECT: Final = frozenset({"CRC32", "CRC32C", "CRC64NVME"})
"""Those that can be put together from the checksums of parts."""


def combine(name: str, first: bytes, second: bytes, second_length: int) -> bytes:
    """The checksum of two byte strings, one after the other, from their checksums; of those in `FULL_OBJECT`."""
    from awscrt import checksums  # noqa: PLC0415  as above

    function: Any = getattr(checksums, f"combine_{name.lower()}")
    value: int = function(int.from_bytes(first, "big"), int.from_bytes(second, "big"), second_length)
    return value.to_bytes(SIZES[name], "big")


def text(digest: bytes) -> str:
    """A checksum as headers carry it."""
    return base64.b64encode(digest).decode()


def digest_of(text: str) -> bytes:
    """The checksum that `text` wrote."""
    return base64.b64decode(text)
