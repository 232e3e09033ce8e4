"""S3's own key: under it are data keys of objects that no key of KMS protects, and the outer ones of two layers.

It belongs to no account. A new one is made every year, and whenever an operator says so; data keys stay under the one
that they were sealed under, which is kept. The first is made with the first bucket: a call that is run again after a
conflict keeps what it sealed, so no call may make what it seals under. Where there were buckets before there were such
keys, one is made by work that falls due right after the next object, and the key ring's key for tokens stands in.
"""

from __future__ import annotations

from typing import Final

import msgspec

from keystead.api import Call
from keystead.api.schedule import DueCall, DueEvent, put_due
from keystead.keyring import Keyring
from keystead.services.s3.rules import DAY
from keystead.storage import Table, Transaction

DUE: Final = "s3OwnKey"
PERIOD: Final = 365 * DAY
_SEALED_FOR: Final = "s3 object"
_PATH: Final = ("s3", "own", "key")
_SPEC: Final = "SYMMETRIC_DEFAULT"
_NEWEST: Final = "newest"
_SALT_BYTES: Final = 32


class OwnKey(msgspec.Struct, frozen=True):
    """The own key that is used now: its material's id, and when it was made in epoch seconds."""

    material: str
    made: float


OWN_KEYS: Table[OwnKey] = Table("s3_own_key", OwnKey)
"""`newest`"""


def newest(tx: Transaction) -> OwnKey | None:
    """The key that is used now, None if there is none yet."""
    return tx.get(OWN_KEYS, _NEWEST)


def make(tx: Transaction, keyring: Keyring, now: float) -> OwnKey:
    """A new key, which is used from the commit on; the next one is made in a year."""
    newest(tx)  # read as a condition, so that two do not make one at once
    key = OwnKey(keyring.generate(tx, _PATH, _SPEC), now)
    tx.put(OWN_KEYS, _NEWEST, key)
    put_due(tx, now + PERIOD, DUE, "")
    return key


def ensure(call: Call) -> None:
    """None; there is a key from now on."""
    if newest(call.tx) is None:
        make(call.tx, call.keyring, call.now)


def rotate(keyring: Keyring, call: DueCall, _subject: str) -> list[DueEvent]:
    """Make a new key, if there is none or it is a year old."""
    known = newest(call.tx)
    if known is None or known.made + PERIOD <= call.now:
        make(call.tx, keyring, call.now)
    return []


def seal(call: Call, data_key: bytes, where: str) -> tuple[bytes, str]:
    """A data key, sealed to where it belongs, and the id of the material that it is sealed under."""
    key = newest(call.tx)
    if key is None:
        put_due(call.tx, call.now, DUE, "")
        return call.keyring.seal_token(_SEALED_FOR, data_key, where), ""
    aead = call.keyring.lend(call.tx, _PATH, _SPEC, key.material)
    return aead.seal(data_key, _aad(where), call.entropy.random(_SALT_BYTES)), key.material


def open_(call: Call, sealed: bytes, material: str, where: str) -> bytes:
    """The data key that `seal` was given.

    Raises:
        errors.DecryptionFailed: it belongs elsewhere, or is no such thing.
        errors.KeyUnavailable: the material is gone.
    """
    if not material:
        return call.keyring.open_token(_SEALED_FOR, sealed, where)
    opened: bytes = call.keyring.lend(call.tx, _PATH, _SPEC, material).open(sealed, _aad(where))
    return opened


def _aad(where: str) -> bytes:
    return f"{_SEALED_FOR}\0{where}".encode()
