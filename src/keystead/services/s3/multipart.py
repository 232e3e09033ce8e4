"""Uploads in parts: CreateMultipartUpload, UploadPart, CompleteMultipartUpload, AbortMultipartUpload."""

from __future__ import annotations

import hashlib
from itertools import pairwise
from typing import Any, Final

import msgspec

from keystead import errors
from keystead.api import Call, Target, operation
from keystead.objects import ObjectKey, Place
from keystead.services.s3 import rules
from keystead.services.s3.access import bucket_named, location_of, object_key, on_object
from keystead.services.s3.datakeys import again, fresh
from keystead.services.s3.encryption import OWN, chosen, customer_key
from keystead.services.s3.endings import answered, end, keep
from keystead.services.s3.garbage import discard_pieces
from keystead.services.s3.kept import (
    CHECKSUM_ATTRIBUTES,
    check_offered,
    checksums,
    encrypted,
    headers_of,
    metadata_of,
    tags_of,
    version_told,
)
from keystead.services.s3.objects import check_write, on_put
from keystead.services.s3.protecting import asked_of, protection_of
from keystead.services.s3.sums import (
    algorithm_of,
    check_kind,
    check_sums,
    checksum_type_of,
    joined_sum,
    part_algorithm,
)
from keystead.services.s3.tables import (
    MOST_PARTS,
    PARTS,
    UPLOADS,
    Bucket,
    Part,
    Piece,
    Upload,
    Version,
    arrive,
    part_place,
    version_place,
)
from keystead.services.s3.versions import publish
from keystead.services.s3.writing import Written, new_place, payload_of, take, where
from keystead.wire.models import s3 as wire

_LEAST_PART: Final = 5 * 1024 * 1024
_LARGEST_OBJECT: Final = 5 * 1024**4


def upload_of(call: Call, bucket: Bucket, key: str, upload_id: str | None) -> Upload:
    """The upload that is under way.

    Raises:
        errors.NoSuchUpload: there is none.
    """
    text = upload_id or ""
    place = version_place(bucket.id, key, text)
    found = call.tx.get(UPLOADS, place) if text.isalnum() else None
    if found is None:
        raise errors.NoSuchUpload(about={"UploadId": text})
    return found


# ------------------------------------------------------------------------------ CreateMultipartUpload


@operation("CreateMultipartUpload", targets=on_put, changes=True)
def create_multipart_upload(
    call: Call, request: wire.CreateMultipartUploadRequest, *_targets: Target
) -> wire.CreateMultipartUploadOutput:
    """Begin an upload in parts; how it is encrypted is decided now."""
    bucket, key = bucket_named(call, request.bucket), object_key(request.key)
    check_offered(request)
    upload_id, kind = new_place(call), checksum_type_of(request)
    _, envelope = fresh(call, chosen(call, bucket, key, request), where(bucket.name, key, upload_id))
    upload = Upload(
        id=upload_id,
        bucket=bucket.name,
        key=key,
        begun=call.now,
        envelope=envelope,
        headers=headers_of(request),
        metadata=metadata_of(request),
        tags=tags_of(request.tagging),
        algorithm=algorithm_of(request),
        checksum_type=kind,
        initiator=call.caller.arn,
        protection=asked_of(call, bucket, request),
    )
    arrive(call, bucket.id)
    call.tx.insert(UPLOADS, version_place(bucket.id, key, upload_id), upload)
    return wire.CreateMultipartUploadOutput(
        bucket=bucket.name,
        key=key,
        upload_id=upload_id,
        checksum_algorithm=upload.algorithm or None,
        checksum_type=kind or None,
        **rules.abort_told(bucket, upload),
        **encrypted(envelope),
    )


# ------------------------------------------------------------------------------ UploadPart


def part_number(request: Any) -> int:
    """The number, if a part can have it.

    Raises:
        errors.InvalidS3Argument: it cannot.
    """
    number: int = request.part_number
    if not 1 <= number <= MOST_PARTS:
        raise errors.InvalidS3Argument(
            "Part number must be an integer between 1 and 10000, inclusive",
            {"ArgumentName": "partNumber", "ArgumentValue": str(number)},
        )
    return number


def key_of_upload(call: Call, bucket: Bucket, upload: Upload, request: Any) -> ObjectKey:
    """The data key of what is uploaded in parts; who began with a key of its own brings it with each.

    Raises:
        errors.InvalidS3Request: it brings none, or another.
        errors.ApiError: the key is not to be had.
    """
    customer = customer_key(
        call, request.sse_customer_algorithm, request.sse_customer_key, request.sse_customer_key_md5
    )
    if (customer is None) != (not upload.envelope.check):
        raise errors.InvalidS3Request(
            "The multipart upload initiate requested encryption. Subsequent part requests must include the "
            "appropriate encryption parameters."
        )
    try:
        return again(call, upload.envelope, where(bucket.name, upload.key, upload.id), customer)
    except errors.S3AccessDenied:
        raise errors.InvalidS3Request(
            "The provided encryption parameters did not match the ones used originally."
        ) from None


def put_part(call: Call, bucket: Bucket, upload: Upload, number: int, written: Written) -> Part:
    """The part, stored in place of one that came before with its number."""
    place = part_place(upload.id, number)
    before = call.tx.get(PARTS, place)
    if before is None:
        arrive(call, bucket.id)
    if before is not None and before.blob != written.piece.blob:
        discard_pieces(call, (Piece(before.blob, before.size),))
    part = Part(
        number=number,
        blob=written.piece.blob,
        size=written.piece.size,
        etag=written.etag,
        modified=call.now,
        checksum=written.checksum,
    )
    call.tx.put(PARTS, place, part)
    return part


@operation("UploadPart", targets=on_object("PutObject"), changes=True)
def upload_part(call: Call, request: wire.UploadPartRequest, _object: Target) -> wire.UploadPartOutput:
    """Keep a part of an upload."""
    bucket, key, number = bucket_named(call, request.bucket), object_key(request.key), part_number(request)
    upload, payload = upload_of(call, bucket, key, request.upload_id), payload_of(call)
    if not isinstance(payload.kept, Written):
        data_key = key_of_upload(call, bucket, upload, request)
        algorithm = part_algorithm(upload, payload.algorithm)
        place = Place(bucket.name, key, upload.id, number)
        payload.kept = take(call, payload, data_key, upload.envelope, place, algorithm)
    written: Written = payload.kept
    part = put_part(call, bucket, upload, number, written)
    told = checksums(written)
    told.pop("checksum_type", None)
    return wire.UploadPartOutput(e_tag=f'"{part.etag}"', **encrypted(upload.envelope), **told)


# ------------------------------------------------------------------------------ CompleteMultipartUpload


def _listed(call: Call, upload: Upload, request: Any) -> list[Part]:
    """The parts that the request puts together, each as it is here.

    Raises:
        errors.MalformedXml, errors.InvalidPartOrder, errors.InvalidPart, errors.EntityTooSmall: they do not fit.
    """
    if request.multipart_upload is None:
        raise errors.InvalidS3Request("You must specify at least one part")
    named = request.multipart_upload.parts
    if not named or len(named) > MOST_PARTS:
        raise errors.MalformedXml
    if any(row.part_number is None or row.e_tag is None for row in named):
        raise errors.MalformedXml
    numbers = [row.part_number or 0 for row in named]
    if any(first >= second for first, second in pairwise(numbers)):
        raise errors.InvalidPartOrder
    stored = {part.number: part for _, part in call.tx.scan(PARTS, f"{upload.id}/")}
    parts: list[Part] = []
    for row in named:
        part = stored.get(row.part_number or 0)
        if part is None or part.etag != (row.e_tag or "").strip('"') or not _has_its_sum(part, row):
            about = {"UploadId": upload.id, "PartNumber": str(row.part_number), "ETag": row.e_tag or ""}
            raise errors.InvalidPart(about=about)
        parts.append(part)
    if any(part.size < _LEAST_PART for part in parts[:-1]):
        raise errors.EntityTooSmall(about={"MinSizeAllowed": str(_LEAST_PART)})
    if sum(part.size for part in parts) > _LARGEST_OBJECT:
        raise errors.EntityTooLarge
    return parts


def _has_its_sum(part: Part, row: Any) -> bool:
    given = {name: getattr(row, attribute, None) for name, attribute in CHECKSUM_ATTRIBUTES.items()}
    return all(text is None or part.checksum.get(name) == text for name, text in given.items())


def _joined_etag(call: Call, upload: Upload, parts: list[Part]) -> str:
    """Under S3's own key the MD5 of the parts' MD5s, else random; and how many there are."""
    if upload.envelope.algorithm != OWN:
        return f"{call.entropy.random(16).hex()}-{len(parts)}"
    digests = b"".join(bytes.fromhex(part.etag) for part in parts)
    return f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(parts)}"


@operation("CompleteMultipartUpload", targets=on_object("PutObject"), changes=True)
def complete_multipart_upload(
    call: Call, request: wire.CompleteMultipartUploadRequest, _object: Target
) -> wire.CompleteMultipartUploadOutput:
    """Make an object of the parts; none of their bytes is moved."""
    bucket, key = bucket_named(call, request.bucket), object_key(request.key)
    before = answered(call, bucket, request)
    if before is not None:
        return msgspec.structs.replace(before, location=location_of(call, bucket.name, key))
    upload = upload_of(call, bucket, key, request.upload_id)
    check_write(call, bucket, key, request)
    parts = _listed(call, upload, request)
    check_kind(upload, request)
    sums, whole = joined_sum(upload, parts)
    check_sums(upload, request, sums)
    size = sum(part.size for part in parts)
    if request.mpu_object_size is not None and request.mpu_object_size != size:
        raise errors.InvalidS3Request(
            "The provided 'x-amz-mp-object-size' header does not match what was computed."
        )
    algorithm = next(iter(sums), "")
    version = Version(
        id="",
        stamp="",
        place=upload.id,
        modified=call.now,
        size=size,
        etag=_joined_etag(call, upload, parts),
        pieces=tuple(Piece(p.blob, p.size, p.number, p.checksum.get(algorithm, "")) for p in parts),
        envelope=upload.envelope,
        headers=upload.headers,
        metadata=upload.metadata,
        tags=upload.tags,
        checksum=sums,
        whole=whole,
        multipart=True,
        protection=protection_of(call, bucket, upload.protection),
    )
    end(call, bucket, upload, kept=frozenset(part.number for part in parts))
    made = publish(call, bucket, key, version)
    answer = wire.CompleteMultipartUploadOutput(
        location=location_of(call, bucket.name, key),
        bucket=bucket.name,
        key=key,
        e_tag=f'"{made.etag}"',
        version_id=version_told(bucket, made),
        expiration=rules.told(bucket, key, made),
        **(
            {} if made.envelope.check else encrypted(made.envelope)
        ),  # AWS tells nothing of the caller's own key
        **checksums(made),
    )
    keep(call, bucket, upload, request, answer)
    return answer


@operation("AbortMultipartUpload", targets=on_object("AbortMultipartUpload"), changes=True)
def abort_multipart_upload(
    call: Call, request: wire.AbortMultipartUploadRequest, _object: Target
) -> wire.AbortMultipartUploadOutput:
    """End an upload, and drop its parts."""
    bucket, key = bucket_named(call, request.bucket), object_key(request.key)
    if request.if_match_initiated_time is not None:  # known to directory buckets only (API reference)
        raise errors.NotImplementedHere
    end(call, bucket, upload_of(call, bucket, key, request.upload_id), kept=frozenset())
    return wire.AbortMultipartUploadOutput()


OPERATIONS = (
    create_multipart_upload,
    upload_part,
    complete_multipart_upload,
    abort_multipart_upload,
)
