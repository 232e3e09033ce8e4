"""ListParts and ListMultipartUploads: what has arrived of uploads that are under way."""

from __future__ import annotations

from typing import Final

from keystead.api import Call, Target, operation
from keystead.services.s3.access import bucket_named, object_key, on_bucket, on_object, owner_id
from keystead.services.s3.kept import CHECKSUM_ATTRIBUTES
from keystead.services.s3.multipart import upload_of
from keystead.services.s3.tables import PARTS, UPLOADS, Upload, split_place
from keystead.wire.models import s3 as wire

_PAGE: Final = 1000


@operation("ListParts", targets=on_object("ListMultipartUploadParts"))
def list_parts(call: Call, request: wire.ListPartsRequest, _object: Target) -> wire.ListPartsOutput:
    """Return the parts of an upload that have arrived."""
    bucket, key = bucket_named(call, request.bucket), object_key(request.key)
    upload = upload_of(call, bucket, key, request.upload_id)
    most, after = min(request.max_parts or _PAGE, _PAGE), request.part_number_marker or 0
    rows = [part for _, part in call.tx.scan(PARTS, f"{upload.id}/") if part.number > after]
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
    )


@operation("ListMultipartUploads", targets=on_bucket("ListBucketMultipartUploads"))
def list_multipart_uploads(
    call: Call, request: wire.ListMultipartUploadsRequest, _bucket: Target
) -> wire.ListMultipartUploadsOutput:
    """Return the uploads that are under way, by key."""
    bucket = bucket_named(call, request.bucket)
    prefix, most = request.prefix or "", min(request.max_uploads or _PAGE, _PAGE)
    cut = len(bucket.id) + 1
    rows = [
        (split_place(place[cut:]), upload) for place, upload in call.tx.scan(UPLOADS, f"{bucket.id}/{prefix}")
    ]
    marker = (request.key_marker or "", request.upload_id_marker or "\uffff")
    left = [(where_, upload) for where_, upload in rows if request.key_marker is None or where_ > marker]
    uploads: list[wire.MultipartUpload] = []
    prefixes: list[str] = []
    last, more = ("", ""), False
    for (key, upload_id), upload in left:
        end = key.find(request.delimiter, len(prefix)) if request.delimiter else -1
        common = key[: end + len(request.delimiter or "")] if end >= 0 else None
        if common is not None and common in prefixes:
            continue
        if len(uploads) + len(prefixes) >= most:
            more = True
            break
        last = (key, upload_id)
        if common is not None:
            prefixes.append(common)
        else:
            uploads.append(_upload(upload))
    return wire.ListMultipartUploadsOutput(
        bucket=bucket.name,
        key_marker=request.key_marker,
        upload_id_marker=request.upload_id_marker,
        prefix=request.prefix,
        delimiter=request.delimiter,
        max_uploads=most,
        is_truncated=more,
        next_key_marker=last[0] if more else None,
        next_upload_id_marker=last[1] if more else None,
        uploads=uploads or None,
        common_prefixes=[wire.CommonPrefix(prefix=text) for text in prefixes] or None,
    )


def _upload(upload: Upload) -> wire.MultipartUpload:
    return wire.MultipartUpload(
        upload_id=upload.id,
        key=upload.key,
        initiated=upload.begun,
        storage_class=upload.headers.get("x-amz-storage-class", "STANDARD"),
        initiator=wire.Initiator(id=upload.initiator),
        checksum_algorithm=upload.algorithm or None,
        checksum_type=upload.checksum_type or None,
    )


OPERATIONS = (list_parts, list_multipart_uploads)
