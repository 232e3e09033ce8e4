"""Bytes of an object on their way in: hashed, sealed and kept before anything names them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Final

import msgspec

from keystead import errors
from keystead.api import Call
from keystead.api.payload import Payload
from keystead.crypto import checksum
from keystead.objects import Blobs, ObjectKey, Place, new_name, seal
from keystead.services.s3.datakeys import fresh
from keystead.services.s3.encryption import OWN, Choice
from keystead.services.s3.tables import Bucket, Envelope, Piece

LARGEST: Final = 5 * 1024**3
"""Bytes that one request may bring (API reference, PutObject and UploadPart)."""
DEFAULT_CHECKSUM: Final = "CRC64NVME"
_ID_BYTES: Final = 16


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes that are kept and not yet named by any record.

    `place` is what they are sealed to besides bucket and key; `etag` is without quotes.
    """

    place: str
    envelope: Envelope
    piece: Piece
    etag: str
    checksum: dict[str, str]


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


def take_in(call: Call, bucket: Bucket, key: str, choice: Choice) -> Written:
    """The request's body, sealed and kept; if it was before a conflict made the call run again, that.

    Raises:
        errors.ApiError: it does not arrive as the request says, or cannot be encrypted or kept.
    """
    payload = payload_of(call)
    if isinstance(payload.kept, Written):
        return payload.kept
    place = new_place(call)
    data_key, envelope = fresh(call, choice, where(bucket.name, key, place))
    payload.also(payload.algorithm or DEFAULT_CHECKSUM)
    if envelope.algorithm == OWN:
        payload.also("MD5")
    blob = keep(call, data_key, Place(bucket.name, key, place), payload.chunks(LARGEST))
    payload.kept = _written(call, payload, place, envelope, blob)
    return payload.kept  # type: ignore[no-any-return]  # just put there


def _written(call: Call, payload: Payload, place: str, envelope: Envelope, piece: Piece) -> Written:
    algorithm = payload.algorithm or DEFAULT_CHECKSUM
    return Written(
        place=place,
        envelope=envelope,
        piece=piece,
        etag=etag(call, envelope, payload.digest("MD5") if envelope.algorithm == OWN else b""),
        checksum={algorithm: checksum.text(payload.digest(algorithm))},
    )


def etag(call: Call, envelope: Envelope, md5: bytes) -> str:
    """The entity tag: the MD5 under S3's own key, else random, as nobody may tell contents by it."""
    return md5.hex() if envelope.algorithm == OWN else call.entropy.random(_ID_BYTES).hex()


def keep(call: Call, key: ObjectKey, place: Place, chunks: Iterator[bytes]) -> Piece:
    """The bytes, sealed to `place` and durable.

    Raises:
        errors.StoreUnavailable: the store does not take them.
    """
    name, counted = new_name(call.entropy), Counted(chunks)
    try:
        blobs_of(call).put(name, seal(key, place, counted, call.entropy))
    except errors.BlobError as error:
        raise unavailable(error) from None
    return Piece(name, counted.size, place.part)


def forget(call: Call, written: Written) -> None:
    """Delete what was kept for a call that fails after all; what cannot be deleted the scrubber finds."""
    payload_of(call).kept = None
    with contextlib.suppress(errors.BlobError):
        blobs_of(call).delete(written.piece.blob)


def unavailable(error: errors.BlobError) -> errors.ApiError:
    """What a client is told of a store that fails, or that has not what was put there."""
    if isinstance(error, errors.BlobsUnavailable):
        return errors.StoreUnavailable()
    return errors.ObjectUnreadable()


class Counted:
    """Chunks, and how many bytes they had so far."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self.size = 0

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self.size += len(chunk)
            yield chunk
