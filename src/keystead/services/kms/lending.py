"""The abilities of a key's materials."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from keystead import errors
from keystead.api import Call
from keystead.keyring import Keyring
from keystead.keys import Key
from keystead.keys.key import PENDING_IMPORT, Material
from keystead.storage import Transaction

_LONGEST_BACKING: Final = 256
"""Bytes of wrapped material that a key's record takes in: beside what longer material is used for, reading it is little."""


def lend_current(call: Call, key: Key) -> Any:
    """What the key's current material can do (see `crypto.abilities`).

    Raises:
        errors.KeyUnavailable: the material is gone.
    """
    return lend_material(call, key, key.current)


def lend_material(call: Call, key: Key, material: Material | None) -> Any:
    """What that material of the key can do.

    Raises:
        errors.KeyUnavailable: the material is gone, or there is none.
    """
    if material is None:
        raise errors.KeyUnavailable("The key has no key material.")
    if material.import_state == PENDING_IMPORT:
        return call.keyring.lend(call.tx, key.path, key.spec, material.id)
    loaded = call.keyring.loaded((key.path, material.id))
    if loaded is not None:
        return loaded
    return call.keyring.lend_named(call.tx, key.path, key.spec, material.id, key.wrapped(material.id))


def with_fresh_material(tx: Transaction, keyring: Keyring, key: Key) -> tuple[Key, str]:
    """The key with fresh material in its record, or beside it if it is long, and the id of that material.

    What was in the record before gets a record of its own.
    """
    material_id, wrapped = keyring.make(key.path, key.spec)
    if key.backing is not None:
        keyring.keep(tx, key.path, *key.backing)
    if len(wrapped) <= _LONGEST_BACKING:
        return msgspec.structs.replace(key, backing=(material_id, wrapped)), material_id
    keyring.keep(tx, key.path, material_id, wrapped)
    return msgspec.structs.replace(key, backing=None), material_id
