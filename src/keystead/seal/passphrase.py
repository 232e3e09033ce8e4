"""The passphrase seal: a person opens the store at each start.

The wrapping key is Argon2id (RFC 9106) of the passphrase, so each guess costs its memory and time.
Blob: MessagePack of (cost, salt, sealed root key). Changed parameters give another key, so the blob
needs no further protection.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import ClassVar

import msgspec
from argon2.exceptions import HashingError
from argon2.low_level import Type, hash_secret_raw

from keystead.crypto.aead import Aead
from keystead.entropy import Entropy, SystemEntropy
from keystead.errors import DecryptionFailed, SealError
from keystead.seal.seal import Cost

KEY_BYTES = 32
SALT_BYTES = 32
_PLACE = b"keystead/seal/passphrase"

# A changed blob must not make the server take all memory: 4 GiB, and passes and lanes that go with it.
_HIGHEST = Cost(memory=4 * 1024 * 1024, passes=100, lanes=64)


class _Blob(msgspec.Struct, frozen=True, array_like=True):
    cost: Cost
    salt: bytes
    sealed: bytes


_decode = msgspec.msgpack.Decoder(_Blob).decode


class PassphraseSeal:
    """Wraps under a passphrase that `ask` returns, each time it is needed; none is kept.

    The text is normalised (Unicode NFKC), so that keyboards which compose accents differently agree.
    """

    name: ClassVar[str] = "passphrase"

    def __init__(
        self, ask: Callable[[], str], entropy: Entropy | None = None, cost: Cost | None = None
    ) -> None:
        self._ask = ask
        self._entropy = entropy or SystemEntropy()
        self._cost = cost or Cost()

    def wrap(self, root: bytes) -> bytes:
        salt = self._entropy.random(SALT_BYTES)
        sealed = self._aead(self._cost, salt).seal(root, _PLACE, self._entropy.random(SALT_BYTES))
        return msgspec.msgpack.encode(_Blob(self._cost, salt, sealed))

    def unwrap(self, blob: bytes) -> bytes:
        try:
            parts = _decode(blob)
        except msgspec.DecodeError:
            raise SealError("the sealed root key is damaged") from None
        if not _bearable(parts.cost):
            raise SealError(
                "the sealed root key is damaged: it asks for more memory than Keystead ever would"
            )
        try:
            return self._aead(parts.cost, parts.salt).open(parts.sealed, _PLACE)
        except DecryptionFailed:
            raise SealError("the passphrase is wrong, or the sealed root key was changed") from None

    def _aead(self, cost: Cost, salt: bytes) -> Aead:
        passphrase = unicodedata.normalize("NFKC", self._ask()).encode()
        if not passphrase:
            raise SealError("the passphrase is empty")
        try:
            return Aead(
                hash_secret_raw(passphrase, salt, cost.passes, cost.memory, cost.lanes, KEY_BYTES, Type.ID)
            )
        except HashingError as error:
            raise SealError(f"the passphrase cannot be used: {error}") from None


def _bearable(cost: Cost) -> bool:
    """Whether the parameters are ones that Argon2 takes (RFC 9106 section 3.1) and this machine may bear."""
    return (
        1 <= cost.passes <= _HIGHEST.passes
        and 1 <= cost.lanes <= _HIGHEST.lanes
        and 8 * cost.lanes <= cost.memory <= _HIGHEST.memory
    )
