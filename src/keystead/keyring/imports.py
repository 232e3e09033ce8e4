"""The way of imported key material into the key ring: a wrapping key and its token, then the material.

The token holds the private wrapping key, sealed by the key ring and bound to one place. So nothing is
stored for an offer that nobody takes up, any number may be open, and a restart loses none.
"""

from __future__ import annotations

import msgspec

from keystead import errors
from keystead.crypto import keywrap
from keystead.crypto.rsa import RsaKey
from keystead.crypto.secret import SECRET_ACCESS, Opaque, Secret
from keystead.keyring.checking import checked
from keystead.keyring.fresh import FreshPair
from keystead.keyring.keyring import Keyring

_KIND = "import"


class _Token(msgspec.Struct, frozen=True):
    algorithm: str
    expires: float
    wrapping_key: bytes

    def __repr__(self) -> str:
        return "_Token()"


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Token).decode


class Offer(Opaque):
    """An import token of ours, opened."""

    __slots__ = ("_algorithm", "_key", "expires")

    def __init__(self, token: _Token) -> None:
        self._algorithm = token.algorithm
        self._key = RsaKey(token.wrapping_key)
        self.expires = token.expires
        """Epoch seconds."""

    def unwrap(self, wrapped: bytes, spec: str) -> Secret:
        """The material in `wrapped`, in the form that the key ring stores for `spec`.

        Raises:
            errors.DecryptionFailed: it was not wrapped with this offer's key and algorithm.
            errors.BadKeyMaterial: it is not material for `spec`.
        """
        return Secret(checked(spec, keywrap.unwrap(self._key, wrapped, self._algorithm)))


def make_offer(
    keyring: Keyring, context: str, wrapping_spec: str, algorithm: str, expires: float
) -> tuple[bytes, bytes]:
    """A fresh public wrapping key (SubjectPublicKeyInfo) and its token, good for `context` only."""
    pair = FreshPair(wrapping_spec)
    token = _Token(algorithm, expires, pair.private.expose(SECRET_ACCESS))
    return pair.public_der, keyring.seal_token(_KIND, _encode(token), context)


def open_offer(keyring: Keyring, context: str, token: bytes) -> Offer:
    """The offer that `token` was given out with.

    Raises:
        errors.DecryptionFailed: it was not given out here, or for something else than `context`.
    """
    try:
        return Offer(_decode(keyring.open_token(_KIND, token, context)))
    except msgspec.MsgspecError:
        raise errors.DecryptionFailed from None
