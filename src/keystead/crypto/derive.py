"""Keys from keys: a labelled subkey of a root, and the two keys of one sealed message."""

from __future__ import annotations

from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from keystead.crypto.secret import Opaque

KEY_BYTES = 32
MESSAGE_LABEL = b"keystead/aead1"
"""14 bytes, so that one HMAC input (55 bytes) and its padding fill exactly one SHA-256 block."""

_MESSAGE_BITS = (2 * KEY_BYTES * 8).to_bytes(4, "big")
_SUBKEY_PREFIX = b"keystead/subkey/v1"


def subkey(root: bytes, label: str, context: bytes = b"") -> bytes:
    """32 bytes that belong to (`root`, `label`, `context`) alone: HKDF-SHA256 without salt (RFC 5869).

    `root` is uniformly random, as section 3.1 asks where no salt is used. The label is
    length-prefixed in HKDF's `info`, so no two pairs of label and context share an input.
    """
    name = label.encode()
    info = _SUBKEY_PREFIX + len(name).to_bytes(4, "big") + name + context
    return HKDF(hashes.SHA256(), KEY_BYTES, salt=None, info=info).derive(root)


class MessageKdf(Opaque):
    """The keys of one message from a long-lived key and the message's salt.

    NIST SP 800-108r1 section 4.1, counter mode with HMAC-SHA256, both integers 32 bits, for 512 bits:
    K(i) = HMAC(key, [i] || label || 0x00 || salt || [512]). The HMAC states after the label are kept and
    copied for each message, which takes a third of the time of starting afresh: this runs in every
    Encrypt and Decrypt.
    """

    __slots__ = ("_commitment", "_encryption")

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a message key derives from {KEY_BYTES} bytes")
        keyed = hmac.HMAC(key, hashes.SHA256())  # copied: to start is most of the work
        self._encryption = _started(keyed.copy(), counter=1)
        self._commitment = _started(keyed, counter=2)

    def derive(self, salt: bytes) -> tuple[bytes, bytes]:
        """The encryption key and the commitment that belong to `salt`, 32 bytes each."""
        context = salt + _MESSAGE_BITS
        encryption = self._encryption.copy()
        encryption.update(context)
        commitment = self._commitment.copy()
        commitment.update(context)
        return encryption.finalize(), commitment.finalize()


def _started(state: hmac.HMAC, counter: int) -> hmac.HMAC:
    state.update(counter.to_bytes(4, "big") + MESSAGE_LABEL + b"\0")
    return state
