"""Bytes of an object on their way out: which of them, on which conditions, and verified before they leave."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from itertools import chain
from typing import Any, Final

import msgspec

from keystead import errors
from keystead.api import Call
from keystead.api.objectstore import PIECE
from keystead.crypto.frames import Buffer
from keystead.objects import ObjectKey, Place, Read, unseal
from keystead.services.s3.datakeys import again
from keystead.services.s3.encryption import CustomerKey
from keystead.services.s3.tables import INLINE, MOST_PARTS, Bucket, Version
from keystead.services.s3.writing import blobs_of, unavailable, where

_RANGE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


class Span(msgspec.Struct, frozen=True):
    """Bytes of an object: `length` from `start` on; `partial` if they were asked for."""

    start: int
    length: int
    partial: bool = False

    def content_range(self, size: int) -> str | None:
        """What the answer says of them."""
        if not self.partial:
            return None
        return f"bytes {self.start}-{self.start + self.length - 1}/{size}"


def span_of(asked: str | None, size: int) -> Span:
    """The bytes that a Range header asks for; one that cannot be read asks for all (RFC 9110 section 14.2).

    Raises:
        errors.InvalidRange: none of them is there.
    """
    match = None if asked is None else _RANGE.fullmatch(asked.strip())
    if match is None or not (match[1] or match[2]):
        return Span(0, size)
    if not match[1]:  # the last bytes
        length = min(int(match[2]), size)
        start, end = size - length, size
    else:
        start = int(match[1])
        end = min(int(match[2]) + 1, size) if match[2] else size
        if match[2] and int(match[2]) < start:
            return Span(0, size)
    if start >= end:
        raise errors.InvalidRange(about={"RangeRequested": asked or "", "ActualObjectSize": str(size)})
    return Span(start, end - start, partial=True)


def span_of_part(number: int, version: Version) -> Span:
    """The bytes of a part: they are counted as they lie, whatever numbers they were uploaded under.

    Raises:
        errors.InvalidS3Argument: no part has such a number.
        errors.InvalidPartNumber: none of this object has.
    """
    sizes = [piece.size for piece in version.pieces] or [0]
    if not 1 <= number <= MOST_PARTS:
        raise errors.InvalidS3Argument(
            f"Part number must be an integer between 1 and {MOST_PARTS}, inclusive",
            {"ArgumentName": "partNumber", "ArgumentValue": str(number)},
        )
    if number > len(sizes):
        about = {"PartNumberRequested": str(number), "ActualPartCount": str(len(sizes))}
        raise errors.InvalidPartNumber(about=about)
    return Span(sum(sizes[: number - 1]), sizes[number - 1], partial=version.size > 0)


def check_conditions(version: Version, request: Any, *, copying: bool = False) -> None:
    """None, if the version is what the request wants (RFC 9110 section 13.2.2).

    Raises:
        errors.PreconditionFailed: it is not.
        errors.NotModified: the caller has it already.
    """
    prefix = "copy_source_" if copying else ""
    match, none_match, modified, unmodified = (
        getattr(request, prefix + name)
        for name in ("if_match", "if_none_match", "if_modified_since", "if_unmodified_since")
    )
    second, named = float(int(version.modified)), "x-amz-copy-source-" if copying else ""
    if match is not None:
        if not matches(match, version.etag):
            raise errors.PreconditionFailed(about={"Condition": f"{named}If-Match"})
    elif unmodified is not None and second > unmodified:
        raise errors.PreconditionFailed(about={"Condition": f"{named}If-Unmodified-Since"})
    had = (
        matches(none_match, version.etag)
        if none_match is not None
        else modified is not None and second <= modified
    )
    reason = "If-None-Match" if none_match is not None else "If-Modified-Since"
    if had:
        raise (
            errors.PreconditionFailed(about={"Condition": f"{named}{reason}"})
            if copying
            else errors.NotModified
        )


def matches(header: str, etag: str) -> bool:
    """Whether an If-Match or If-None-Match header names the tag."""
    tags = [part.strip().removeprefix("W/").strip('"') for part in header.split(",")]
    return "*" in tags or etag in tags


def key_of(call: Call, bucket: Bucket, key: str, version: Version, customer: CustomerKey | None) -> ObjectKey:
    """The version's data key, asked for as the caller.

    Raises:
        errors.ApiError: it is not to be had.
    """
    return again(call, version.envelope, where(bucket.name, key, version.place), customer)


def bytes_of(
    call: Call,
    bucket: str,
    key: str,
    version: Version,
    data_key: ObjectKey,
    span: Span,
) -> Iterator[Buffer]:
    """The bytes of the span, each verified; the first of them before this returns.

    Raises:
        errors.ApiError: they are not to be had.
    """
    chunks = _pieces(call, bucket, key, version, data_key, span)
    try:
        first = next(chunks, b"")
    except errors.BlobError as error:
        raise unavailable(error) from None
    return chain((first,), chunks) if first else chunks


def _pieces(
    call: Call,
    bucket: str,
    key: str,
    version: Version,
    data_key: ObjectKey,
    span: Span,
) -> Iterator[Buffer]:
    offset, end = 0, span.start + span.length
    for piece in version.pieces:
        start, stop = max(span.start - offset, 0), min(end - offset, piece.size)
        offset += piece.size
        if start >= stop:
            continue
        place = Place(bucket, key, version.place, piece.part)
        read = _inline(call, piece.blob) if piece.inline else partial(blobs_of(call).read, piece.blob)
        yield from unseal(data_key, place, piece.size, read, start, stop - start)


def _inline(call: Call, name: str) -> Read:
    """What reads the sealed stream of a small object.

    Raises:
        errors.BlobMissing: there is none of that name.
    """
    found = call.tx.get(INLINE, name)
    if found is None:
        raise errors.BlobMissing("no record holds the stream")
    sealed = found.sealed
    return lambda start, length: iter((sealed[start : start + length],))


def send(call: Call, version_bytes: Iterator[Buffer], length: int) -> None:
    """Make the bytes the answer's body: a short one at once, a long one while it is sent."""
    exchange = call.exchange
    assert exchange is not None
    assert call.objects is not None
    if length <= PIECE:
        try:
            exchange.body = b"".join(version_bytes)
        except errors.BlobError as error:
            raise unavailable(error) from None
        return
    exchange.source = call.objects.source(version_bytes, call.caller.arn or call.source_ip)
    exchange.length = length
