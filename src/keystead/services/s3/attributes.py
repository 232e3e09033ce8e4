"""GetObjectAttributes."""

from __future__ import annotations

from typing import Any, Final

from keystead import errors
from keystead.api import Call, Target, operation
from keystead.services.s3.access import bucket_named, object_key, on_object, reveal
from keystead.services.s3.encryption import customer_key
from keystead.services.s3.kept import CHECKSUM_ATTRIBUTES, checksums, version_told
from keystead.services.s3.listing import most_of
from keystead.services.s3.reading import key_of
from keystead.services.s3.tables import Version
from keystead.services.s3.versions import find
from keystead.wire.models import s3 as wire

_PAGE: Final = 1000


def _parts(version: Version, request: Any) -> wire.GetObjectAttributesParts:
    most, after = most_of("x-amz-max-parts", request.max_parts) or _PAGE, request.part_number_marker or 0
    rows = [piece for piece in version.pieces if piece.part > after]
    page, attribute = rows[:most], CHECKSUM_ATTRIBUTES.get(next(iter(version.checksum), ""), "")
    parts = [
        wire.ObjectPart(
            part_number=piece.part,
            size=piece.size,
            **({attribute: piece.checksum} if attribute and piece.checksum else {}),
        )
        for piece in page
    ]
    return wire.GetObjectAttributesParts(
        total_parts_count=len(version.pieces),
        part_number_marker=after,
        next_part_number_marker=page[-1].part if page else 0,
        max_parts=most,
        is_truncated=len(rows) > most,
        parts=parts if not version.whole or version.multipart else None,
    )


@operation(
    "GetObjectAttributes", targets=on_object("GetObjectAttributes", versioned="GetObjectVersionAttributes")
)
def get_object_attributes(
    call: Call, request: wire.GetObjectAttributesRequest, _object: Target
) -> wire.GetObjectAttributesOutput:
    """Return what is asked for of an object, but its bytes."""
    bucket, key = bucket_named(call, request.bucket), object_key(request.key)
    asked = frozenset(request.object_attributes or ())
    try:
        version = find(call, bucket, key, request.version_id)
    except (errors.NoSuchKey, errors.NoSuchVersion):
        reveal(call, bucket)
        raise
    if version.envelope.check:
        given = customer_key(
            call, request.sse_customer_algorithm, request.sse_customer_key, request.sse_customer_key_md5
        )
        key_of(call, bucket, key, version, given)
    # Told without the number of parts, which HeadObject tells with it.
    sums = {name: text.partition("-")[0] for name, text in checksums(version).items()}
    return wire.GetObjectAttributesOutput(
        last_modified=version.modified,
        version_id=version_told(bucket, version),
        e_tag=version.etag if "ETag" in asked else None,
        checksum=wire.Checksum(**sums) if "Checksum" in asked and sums else None,
        object_parts=_parts(version, request) if "ObjectParts" in asked and version.multipart else None,
        storage_class=version.headers.get("x-amz-storage-class", "STANDARD")
        if "StorageClass" in asked
        else None,
        object_size=version.size if "ObjectSize" in asked else None,
    )


OPERATIONS = (get_object_attributes,)
