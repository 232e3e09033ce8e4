"""ListParts and ListMultipartUploads: what has arrived of uploads that are under way."""

from __future__ import annotations

from typing import Any, Final

from keystead.api import Call, Target, operation
from keystead.services.s3 import rules
from keystead.services.s3.access import bucket_named, object_key, on_bucket, on_object, owner_id
from keystead.services.s3.kept import CHECKSUM_ATTRIBUTES
from keystead.services.s3.listing import encoder, most_of
from keystead.services.s3.multipart import upload_of
from keystead.services.s3.tables import (
    MOST_PARTS,
    PARTS,
    UPLOADS,
    Bucket,
    Upload,
    join_place,
    part_place,
    split_place,
)
from keystead.services.s3.versions import PAST_ALL
from keystead.services.s3.walking import FEWEST, Walk, common_prefix, told_before
from keystead.wire.models import s3 as wire

_PAGE: Final = 1000


@operation("ListParts", targets=on_object("ListMultipartUploadParts"))
def list_parts(call: Call, request: wire.ListPartsRequest, _object: Target) -> wire.ListPartsOutput:
    """Return the parts of an upload that have arrived."""
    bucket, key = bucket_named(call, request.bucket), object_key(request.key)
    upload = upload_of(call, bucket, key, request.upload_id)
    most, after = most_of("max-parts", request.max_parts) or _PAGE, request.part_number_marker or 0
    begun = part_place(upload.id, min(after, MOST_PARTS)) if after > 0 else None
    rows = [part for _, part in call.tx.scan(PARTS, f"{upload.id}/", after=begun, limit=most + 1)]
    page, more = rows[:most], len(rows) > most
    owner = wire.Owner(id=owner_id(bucket.account))
    return wire.ListPartsOutput(
        bucket=bucket.name,
        key=key,
        upload_id=upload.id,
        part_number_marker=after,
        next_part_number_marker=page[-1].number if page else 0,
        max_parts=most,
        is_truncated=more,
        parts=[
            wire.Part(
                part_number=part.number,
                last_modified=part.modified,
                e_tag=f'"{part.etag}"',
                size=part.size,
                **{CHECKSUM_ATTRIBUTES[name]: text for name, text in part.checksum.items()},
            )
            for part in page
        ],
        initiator=wire.Initiator(id=upload.initiator),
        owner=owner,
        storage_class=upload.headers.get("x-amz-storage-class", "STANDARD"),
        checksum_algorithm=upload.algorithm or None,
        checksum_type=upload.checksum_type or None,
        **rules.abort_told(bucket, upload),
    )


@operation("ListMultipartUploads", targets=on_bucket("ListBucketMultipartUploads"))
def list_multipart_uploads(
    call: Call, request: wire.ListMultipartUploadsRequest, _bucket: Target
) -> wire.ListMultipartUploadsOutput:
    """Return the uploads that are under way, by key."""
    bucket = bucket_named(call, request.bucket)
    prefix, most, write = request.prefix or "", most_of("max-uploads", request.max_uploads), encoder(request)
    walk = _walk(call, bucket, request, most)
    uploads: list[wire.MultipartUpload] = []
    prefixes: list[str] = []
    last, more = ("", ""), False
    for place, upload in walk if most else ():
        key, upload_id = split_place(place)
        if len(uploads) + len(prefixes) >= most:
            more = True
            break
        common = common_prefix(key, prefix, request.delimiter or "")
        if common is not None:
            walk.skip(common)
            prefixes.append(common)
            last = (common, "")
        else:
            uploads.append(_upload(bucket, upload, write(key)))
            last = (key, upload_id)
    return wire.ListMultipartUploadsOutput(
        bucket=bucket.name,
        key_marker=write(request.key_marker or ""),
        upload_id_marker=(request.upload_id_marker or "") if request.key_marker else "",
        prefix=write(request.prefix or None),
        delimiter=write(request.delimiter or None),
        max_uploads=most,
        is_truncated=more,
        next_key_marker=write(last[0]),
        next_upload_id_marker=last[1],
        encoding_type=request.encoding_type,
        uploads=uploads or None,
        common_prefixes=[wire.CommonPrefix(prefix=write(text)) for text in prefixes] or None,
    )


def _walk(call: Call, bucket: Bucket, request: Any, most: int) -> Walk[Upload]:
    """The uploads behind those that the page before had: of a key without an upload id, all."""
    key, prefix = request.key_marker or "", request.prefix or ""
    told = told_before(key, prefix, request.delimiter or "")
    if told is not None:
        walk = Walk(call.tx, UPLOADS, bucket, prefix, start=told)
        walk.skip(told)
        return walk
    size = FEWEST if request.delimiter else most + 1
    after = join_place(key, request.upload_id_marker or PAST_ALL) if key else None
    return Walk(call.tx, UPLOADS, bucket, prefix, after=after, size=size)


def _upload(bucket: Bucket, upload: Upload, key: str) -> wire.MultipartUpload:
    return wire.MultipartUpload(
        upload_id=upload.id,
        key=key,
        initiated=upload.begun,
        storage_class=upload.headers.get("x-amz-storage-class", "STANDARD"),
        owner=wire.Owner(id=owner_id(bucket.account)),
        initiator=wire.Initiator(id=upload.initiator),
        checksum_algorithm=upload.algorithm or None,
        checksum_type=upload.checksum_type or None,
    )


OPERATIONS = (list_parts, list_multipart_uploads)
