"""Bytes of an object on their way in: hashed, sealed and kept before anything names them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from itertools import chain
from typing import Final, Protocol

import msgspec

from keystead import errors
from keystead.api import Call
from keystead.api.aside import hash_beside
from keystead.api.payload import Payload
from keystead.crypto import checksum
from keystead.crypto.checksum import Hash
from keystead.crypto.frames import Buffer
from keystead.objects import Blobs, ObjectKey, Place, new_name, seal
from keystead.services.s3.datakeys import fresh
from keystead.services.s3.encryption import OWN, Choice
from keystead.services.s3.tables import INLINE, Bucket, Envelope, Inline, Piece

LARGEST: Final = 5 * 1024**3
"""Bytes that one request may bring (API reference, PutObject and UploadPart)."""
DEFAULT_CHECKSUM: Final = "CRC64NVME"
_ID_BYTES: Final = 16


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes that are kept and not yet named by any record.

    `place` is what they are sealed to besides bucket and key; `etag` is without quotes. `sealed` are the bytes
    themselves if they are few: they are kept by the record that `recorded` writes.
    """

    place: str
    envelope: Envelope
    piece: Piece
    etag: str
    checksum: dict[str, str]
    sealed: bytes = b""


def blobs_of(call: Call) -> Blobs:
    """Where this call keeps bytes."""
    assert call.objects is not None
    return call.objects.blobs


def payload_of(call: Call) -> Payload:
    """The body of this call's request."""
    assert call.exchange is not None
    assert call.exchange.payload is not None
    return call.exchange.payload


def new_place(call: Call) -> str:
    """What tells the bytes of one upload from those of any other, of the same key too."""
    return call.entropy.random(_ID_BYTES).hex()


def where(bucket: str, key: str, place: str) -> str:
    """What a data key belongs to."""
    return f"{bucket}\0{key}\0{place}"


class Content(Protocol):
    """Bytes that come once, and their checksums when they have: a body, or what is copied."""

    def also(self, name: str, /) -> None:
        """None; this checksum (or `MD5`) will be known at the end."""
        ...

    def digest(self, name: str, /) -> bytes:
        """A checksum that was asked for, at the end."""
        ...

    def chunks(self, most: int, /) -> Iterator[Buffer]:
        """The bytes; raises where they are more than `most`, or not what they should be."""
        ...


class Copied:
    """The content of what is copied."""

    def __init__(self, chunks: Iterator[Buffer]) -> None:
        self._chunks = chunks
        self._hashes: dict[str, Hash] = {}

    def also(self, name: str, /) -> None:
        if name not in self._hashes:
            self._hashes[name] = hash_beside(name)

    def digest(self, name: str, /) -> bytes:
        return self._hashes[name].digest()

    def chunks(self, _most: int, /) -> Iterator[Buffer]:
        hashes = tuple(self._hashes.values())
        for chunk in self._chunks:
            for each in hashes:
                each.update(chunk)
            yield chunk


def take_in(call: Call, bucket: Bucket, key: str, choice: Choice) -> Written:
    """The request's body as an object, sealed and kept; if it was before a conflict made the call run again, that.

    Raises:
        errors.ApiError: it does not arrive as the request says, or cannot be encrypted or kept.
    """
    payload = payload_of(call)
    if not isinstance(payload.kept, Written):
        place = new_place(call)
        data_key, envelope = fresh(call, choice, where(bucket.name, key, place))
        algorithm = payload.algorithm or DEFAULT_CHECKSUM
        payload.kept = take(call, payload, data_key, envelope, Place(bucket.name, key, place), algorithm)
    written: Written = payload.kept
    return written


def take(
    call: Call, content: Content, key: ObjectKey, envelope: Envelope, place: Place, algorithm: str
) -> Written:
    """The content, sealed to `place` under `key` and kept, with its checksum of that algorithm.

    Raises:
        errors.ApiError: it is not what it should be, or cannot be kept.
    """
    content.also(algorithm)
    if envelope.algorithm == OWN:
        content.also("MD5")
    piece, sealed = keep(call, key, place, content.chunks(LARGEST))
    return Written(
        sealed=sealed,
        place=place.version,
        envelope=envelope,
        piece=piece,
        etag=etag(call, envelope, content.digest("MD5") if envelope.algorithm == OWN else b""),
        checksum={algorithm: checksum.text(content.digest(algorithm))},
    )


def etag(call: Call, envelope: Envelope, md5: bytes) -> str:
    """The entity tag: the MD5 under S3's own key, else random, as nobody may tell contents by it."""
    return md5.hex() if envelope.algorithm == OWN else call.entropy.random(_ID_BYTES).hex()


def keep(call: Call, key: ObjectKey, place: Place, chunks: Iterator[Buffer]) -> tuple[Piece, bytes]:
    """The bytes, sealed to `place`: durable, or of a small object as they are to be stored with its record.

    Raises:
        errors.StoreUnavailable: the store does not take them.
    """
    assert call.objects is not None
    name = new_name(call.entropy)
    # Parts are joined by a record, which may hold ten thousand of them: they are blobs, whatever their size.
    first, over = _begun(chunks, 0 if place.part else call.objects.inline)
    if over:
        sealed = b"".join(seal(key, place, first, call.entropy))
        return Piece(name, sum(map(len, first)), inline=True), sealed
    counted = Counted(chain(first, chunks))
    try:
        blobs_of(call).put(name, seal(key, place, counted, call.entropy))
    except errors.BlobError as error:
        raise unavailable(error) from None
    return Piece(name, counted.size, place.part), b""


def _begun(chunks: Iterator[Buffer], most: int) -> tuple[list[Buffer], bool]:
    """The first chunks, and whether these are all and have `most` bytes at most; none are read for 0."""
    first: list[Buffer] = []
    if not most:
        return first, False
    for chunk in chunks:
        first.append(chunk)
        most -= len(chunk)
        if most < 0:
            return first, False
    return first, True


def recorded(call: Call, written: Written) -> tuple[Piece, ...]:
    """The pieces for a version's record; what they name is stored with it, if it is not durable already."""
    if written.piece.inline:
        call.tx.put(INLINE, written.piece.blob, Inline(written.sealed))
    return (written.piece,)


def forget(call: Call, written: Written) -> None:
    """Delete what was kept for a call that fails after all; what cannot be deleted the scrubber finds."""
    payload_of(call).kept = None
    if written.piece.inline:
        return
    with contextlib.suppress(errors.BlobError):
        blobs_of(call).delete(written.piece.blob)


def unavailable(error: errors.BlobError) -> errors.ApiError:
    """What a client is told of a store that fails, or that has not what was put there."""
    if isinstance(error, errors.BlobsUnavailable):
        return errors.StoreUnavailable()
    return errors.ObjectUnreadable()


class Counted:
    """Chunks, and how many bytes they had so far."""

    def __init__(self, chunks: Iterator[Buffer]) -> None:
        self._chunks = chunks
        self.size = 0

    def __iter__(self) -> Iterator[Buffer]:
        for chunk in self._chunks:
            self.size += len(chunk)
            yield chunk
