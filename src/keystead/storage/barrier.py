"""The barrier: every stored value is authenticated ciphertext that is bound to its place.

    root key ── seals the list of epochs ── each epoch is a key ── seals values

A sealed value is `epoch (4 bytes, big endian) ‖ Aead.seal(value, associated data = place)`. The place
is the physical key of the value (record table and key, or node number), so a value that is moved
to another place does not open there. Rotation adds an epoch; only the list of epochs depends on the
root key, so a new root key re-seals that one record.
"""

from __future__ import annotations

import hmac

import msgspec

from keystead.crypto.aead import Aead
from keystead.crypto.derive import subkey
from keystead.entropy import Entropy
from keystead.errors import DecryptionFailed, StorageError, StorageTampered

KEY_BYTES = 32
SALT_BYTES = 32
EPOCH_BYTES = 4

_EPOCHS_PLACE = b"keystead/barrier/epochs"
_VALUE_DOMAIN = b"keystead/store/"


class UnknownEpoch(StorageTampered):
    """The value names an epoch that the list, as it was read, does not have."""


class _Epochs(msgspec.Struct, frozen=True):
    """The list of epochs as it is sealed; `current` seals, all of them open."""

    current: int
    keys: dict[int, bytes]

    def __repr__(self) -> str:
        return f"_Epochs(current={self.current})"


_decode_epochs = msgspec.msgpack.Decoder(_Epochs).decode


class RootSeal:
    """Seals the list of epochs under the root key, and nothing else."""

    def __init__(self, root: bytes) -> None:
        self._aead = Aead(subkey(root, "barrier"))

    def seal(self, barrier: Barrier, entropy: Entropy) -> bytes:
        """The sealed list of epochs of `barrier`."""
        plain = msgspec.msgpack.encode(barrier.epochs)
        return self._aead.seal(plain, _EPOCHS_PLACE, entropy.random(SALT_BYTES))

    def open(self, sealed: bytes, entropy: Entropy) -> Barrier:
        """The barrier whose list of epochs is `sealed`.

        Raises:
            StorageError: the root key is another one, or the list was changed.
        """
        try:
            plain = self._aead.open(sealed, _EPOCHS_PLACE)
        except DecryptionFailed:
            raise StorageError(
                "this root key does not open the store: it is another one's, or the store was changed"
            ) from None
        return Barrier(_decode_epochs(plain), entropy)


class Barrier:
    """Seals and opens values under one list of epochs, which never changes: a rotation gives a new barrier."""

    def __init__(self, epochs: _Epochs, entropy: Entropy) -> None:
        self.epochs = epochs
        self.current = epochs.current
        self._entropy = entropy
        self._aeads = {number.to_bytes(EPOCH_BYTES, "big"): Aead(key) for number, key in epochs.keys.items()}
        self._prefix = epochs.current.to_bytes(EPOCH_BYTES, "big")
        self._sealer = self._aeads[self._prefix]

    def __repr__(self) -> str:
        return f"Barrier(current={self.current}, epochs={sorted(self.epochs.keys)})"

    @classmethod
    def create(cls, entropy: Entropy) -> Barrier:
        """A barrier with one fresh epoch."""
        return cls(_Epochs(1, {1: entropy.random(KEY_BYTES)}), entropy)

    def rotated(self) -> Barrier:
        """This barrier and one epoch more, which seals from now on."""
        number = self.current + 1
        keys = {**self.epochs.keys, number: self._entropy.random(KEY_BYTES)}
        return Barrier(_Epochs(number, keys), self._entropy)

    def only_current(self) -> Barrier:
        """This barrier without the epochs that no longer seal anything."""
        return Barrier(_Epochs(self.current, {self.current: self.epochs.keys[self.current]}), self._entropy)

    @property
    def alone(self) -> bool:
        """Whether there is one epoch only."""
        return len(self.epochs.keys) == 1

    def seals_like(self, other: Barrier) -> bool:
        """Whether both seal under the same epoch and key."""
        mine, theirs = self.epochs.keys[self.current], other.epochs.keys[other.current]
        return self.current == other.current and hmac.compare_digest(mine, theirs)

    def is_current(self, sealed: bytes) -> bool:
        """Whether `sealed` is under the newest epoch."""
        return sealed.startswith(self._prefix)

    def seal(self, place: bytes, value: bytes) -> bytes:
        """`value`, sealed so that it opens at `place` only."""
        body = self._sealer.seal(value, _VALUE_DOMAIN + place, self._entropy.random(SALT_BYTES))
        return self._prefix + body

    def open(self, place: bytes, sealed: bytes) -> bytes:
        """The value that was sealed for `place`.

        Raises:
            UnknownEpoch: the list of epochs does not have the value's.
            StorageTampered: it is not a value that Keystead sealed for this place.
        """
        aead = self._aeads.get(sealed[:EPOCH_BYTES])
        if aead is None:
            raise UnknownEpoch(f"{describe(place)}: sealed under an epoch that does not exist")
        try:
            return aead.open(sealed[EPOCH_BYTES:], _VALUE_DOMAIN + place)
        except DecryptionFailed:
            raise StorageTampered(f"{describe(place)}: not what Keystead wrote there") from None


def describe(place: bytes) -> str:
    """A place in words for the operator; places hold names and identifiers, never secrets."""
    kind, rest = place[:1], place[1:]
    if kind == b"r":
        table, _, key = rest.partition(b"\0")
        return f"record {key.decode(errors='replace')!r} of table {table.decode(errors='replace')!r}"
    if kind == b"i":
        return f"index entry {rest.decode(errors='replace')!r}"
    if kind == b"n":
        return f"tree node {int.from_bytes(rest, 'big')}"
    return {b"s": "the head of the store", b"b": "the list of epochs"}.get(kind, repr(place))
