"""Key pairs that are made for a caller and not kept."""

from __future__ import annotations

from keystead.crypto.secret import Opaque, Secret
from keystead.crypto.spec import KEY_TYPES


class FreshPair(Opaque):
    """A key pair of a key spec; its private key leaves only through `Secret.expose`."""

    __slots__ = ("private", "public_der")

    def __init__(self, spec: str) -> None:
        kind = KEY_TYPES[spec]
        material = kind.generate()
        self.private = Secret(material)
        """PKCS#8 DER."""
        self.public_der: bytes = getattr(kind.load(material), "public_der")  # noqa: B009  symmetric specs have none
        """SubjectPublicKeyInfo DER."""
