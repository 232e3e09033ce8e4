"""The ability of a key's current material."""

from __future__ import annotations

from typing import Any

from keystead import errors
from keystead.api import Call
from keystead.keys import Key


def lend_current(call: Call, key: Key) -> Any:
    """What the key's current material can do (see `crypto.abilities`).

    Raises:
        errors.KeyUnavailable: the material is gone.
    """
    material = key.current
    if material is None:
        raise errors.KeyUnavailable("The key has no key material.")
    return call.keyring.lend(call.tx, key.path, key.spec, material.id)
