"""The frames of a sealed object, format `KSO1`: authenticated encryption of streams that can be read from anywhere.

    offset  bytes  field
         0      4  magic, "KSO1"
         4      1  algorithm, 1: AES-256-GCM
         5      1  frame bits: a frame has 2^n bytes of plaintext
         6      1  content: 0 an object's bytes, 1 another sealed stream
         7      1  zero
         8     32  salt
        40     32  commitment
        72      -  frames: ciphertext || tag (16); all but the last are full

*Nonces.* A frame's nonce is its number, with the top bit set on the last one (the STREAM construction: Hoang,
Reyhanitabar, Rogaway, Vizar, "Online Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance", 2015). Frames
that are reordered, left out or cut off do not open. Numbers repeat in every stream, so no two streams have one key:
it is derived from the object's data key, 256 random bits, and the stream's place.

*Committing.* GCM alone opens one ciphertext under two keys, if somebody built it so. The commitment is the second
half of the derivation's output; key, place and header are all in it.

The format is published in docs/objects/format.md, with a second decoder: it may gain versions, never change.
"""

from __future__ import annotations

import hmac
from typing import Final, TypeAlias

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from keystead.crypto.derive import KEY_BYTES
from keystead.crypto.secret import SECRET_ACCESS, Opaque, Secret
from keystead.errors import DecryptionFailed

Buffer: TypeAlias = bytes | bytearray | memoryview

HEADER_BYTES: Final = 72
TAG_BYTES: Final = 16
SALT_BYTES: Final = 32
FRAME_BITS: Final = 18
"""256 KiB: AES-GCM is at its fastest from here on, and a short range costs no more than one such frame."""
LEAST_BITS: Final = 8
MOST_BITS: Final = 24

OBJECT: Final = 0
STREAM: Final = 1
"""What a stream holds: the bytes of an object, or another stream (two layers of encryption)."""

_MAGIC: Final = b"KSO1"
_AES_256_GCM: Final = 1
_LABEL: Final = b"keystead/object/v1"
_PREFIX_BYTES: Final = 8
_COMMITMENT: Final = slice(_PREFIX_BYTES + SALT_BYTES, HEADER_BYTES)
_LAST: Final = 1 << 63
_NONCE_BYTES: Final = 12


class Frames(Opaque):
    """Seals and opens the frames of one stream.

    Sealing two different frames under one number gives both away: who seals counts upwards and never again.
    """

    __slots__ = ("_aes", "frame_bytes")

    def __init__(self, key: bytes, frame_bytes: int) -> None:
        self._aes = AESGCM(key)
        self.frame_bytes = frame_bytes

    def seal(self, number: int, plaintext: Buffer, *, last: bool) -> bytes:
        """Frame `number` of the stream: ciphertext and tag."""
        return self._aes.encrypt(_nonce(number, last=last), plaintext, None)

    def seal_into(self, number: int, plaintext: Buffer, room: Buffer, *, last: bool) -> None:
        """None; frame `number` of the stream is in `room`, which has room for the tag, too."""
        self._aes.encrypt_into(_nonce(number, last=last), plaintext, None, room)

    def open(self, number: int, frame: Buffer, *, last: bool) -> bytes:
        """The plaintext of frame `number`.

        Raises:
            DecryptionFailed: It is not that frame, or not as it was sealed.
        """
        try:
            return self._aes.decrypt(_nonce(number, last=last), frame, None)
        except InvalidTag:
            raise DecryptionFailed from None

    def open_into(self, number: int, frame: Buffer, room: Buffer, *, last: bool) -> None:
        """None; the plaintext of frame `number` is in `room`, which has its length.

        Raises:
            DecryptionFailed: as `open`; what is in `room` then means nothing.
        """
        try:
            self._aes.decrypt_into(_nonce(number, last=last), frame, None, room)
        except InvalidTag:
            raise DecryptionFailed from None


def begin(
    key: Secret, place: bytes, salt: bytes, *, content: int = OBJECT, frame_bits: int = FRAME_BITS
) -> tuple[bytes, Frames]:
    """The header of a new stream under the data key `key` at `place`, and what seals its frames.

    `salt` is 32 fresh random bytes: with the same one, two streams at one place would have one key.

    Raises:
        ValueError: A salt of another length, or frames of a size that no reader takes.
    """
    if len(salt) != SALT_BYTES:
        raise ValueError(f"a salt has {SALT_BYTES} bytes")
    if not LEAST_BITS <= frame_bits <= MOST_BITS:
        raise ValueError(f"a frame has 2^{LEAST_BITS} to 2^{MOST_BITS} bytes")
    prefix = _prefix(content, frame_bits)
    message_key, commitment = _derive(key, prefix, salt, place)
    return prefix + salt + commitment, Frames(message_key, 1 << frame_bits)


def resume(
    key: Secret, place: bytes, header: bytes, *, content: int = OBJECT, frame_bits: int = FRAME_BITS
) -> Frames:
    """What opens the frames of the stream that starts with `header`.

    Raises:
        DecryptionFailed: Another key, place, content or size of frames, or not a header that `begin` made.
    """
    prefix, salt = header[:_PREFIX_BYTES], header[_PREFIX_BYTES : _COMMITMENT.start]
    if len(header) != HEADER_BYTES or prefix != _prefix(content, frame_bits):
        raise DecryptionFailed
    message_key, commitment = _derive(key, prefix, salt, place)
    if not hmac.compare_digest(commitment, header[_COMMITMENT]):
        raise DecryptionFailed
    return Frames(message_key, 1 << frame_bits)


def sealed_size(size: int, frame_bits: int = FRAME_BITS) -> int:
    """The bytes of a stream that holds `size` bytes; an empty one has one empty frame."""
    return HEADER_BYTES + size + TAG_BYTES * frame_count(size, 1 << frame_bits)


def frame_count(size: int, frame_bytes: int) -> int:
    """How many frames `size` bytes take; at least one, since one must say that it is the last."""
    return max(1, -(-size // frame_bytes))


def _prefix(content: int, frame_bits: int) -> bytes:
    return _MAGIC + bytes((_AES_256_GCM, frame_bits, content, 0))


def _derive(key: Secret, prefix: bytes, salt: bytes, place: bytes) -> tuple[bytes, bytes]:
    """The key of the frames and the commitment: HKDF-SHA256 (RFC 5869).

    All parts of `info` before the place have a fixed length, so no two of its inputs are the same.
    """
    info = _LABEL + prefix + place
    output = HKDF(hashes.SHA256(), 2 * KEY_BYTES, salt, info).derive(key.expose(SECRET_ACCESS))
    return output[:KEY_BYTES], output[KEY_BYTES:]


def _nonce(number: int, *, last: bool) -> bytes:
    return (number | (_LAST if last else 0)).to_bytes(_NONCE_BYTES, "big")
