"""Values that hold key material and do not give it away by accident."""

from __future__ import annotations

import hmac
from typing import NoReturn, final


class Opaque:
    """Base of everything that holds key material: it prints as its class name and stays where it is.

    Copying and pickling fail, because a copy is one more place that the material would have to be
    kept out of (logs, core files, messages between processes).
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise TypeError(f"{type(self).__name__} is neither copied nor pickled")

    def __getstate__(self) -> NoReturn:
        # object.__getstate__ would hand out the slots' contents.
        raise TypeError(f"{type(self).__name__} has no state to give")


@final
class SecretAccess:
    """Leave to read the bytes of a `Secret`; `SECRET_ACCESS` is the only one that counts."""

    __slots__ = ()


SECRET_ACCESS = SecretAccess()
"""Whoever takes key bytes out of their wrapper names this constant, so that review can search for it."""


@final
class Secret(Opaque):
    """Key bytes that only `expose` gives back.

    It compares in constant time with another `Secret` and is not hashable: a hash of key bytes in a
    table is a hash of key bytes in memory. Python cannot wipe it.
    """

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = value

    def expose(self, access: SecretAccess) -> bytes:
        """The key bytes.

        Raises:
            TypeError: `access` is not `SECRET_ACCESS`.
        """
        if access is not SECRET_ACCESS:
            raise TypeError("reading a Secret takes SECRET_ACCESS")
        return self._value

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value, other._value)

    __hash__ = None  # type: ignore[assignment]  # the way Python itself spells "not hashable"
