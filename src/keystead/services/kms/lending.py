"""The abilities of a key's materials."""

from __future__ import annotations

from typing import Any

from keystead import errors
from keystead.api import Call
from keystead.keys import Key
from keystead.keys.key import Material


def lend_current(call: Call, key: Key) -> Any:
    """What the key's current material can do (see `crypto.abilities`).

    Raises:
        errors.KeyUnavailable: the material is gone.
    """
    material = key.current
    if material is None:
        raise errors.KeyUnavailable("The key has no key material.")
    return lend_material(call, key, material)


def lend_material(call: Call, key: Key, material: Material) -> Any:
    """What that material of the key can do.

    Raises:
        errors.KeyUnavailable: the material is gone.
    """
    lend = call.keyring.lend_named if material.present else call.keyring.lend
    return lend(call.tx, key.path, key.spec, material.id)
