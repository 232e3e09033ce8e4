"""CopyObject and UploadPartCopy: read under one key, sealed under another, never in plain outside."""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import unquote

import msgspec

from keystead import errors
from keystead.api import Call, Target, operation
from keystead.api.authorize import check
from keystead.objects import Place
from keystead.services.s3 import rules
from keystead.services.s3.access import (
    bucket_named,
    check_owner,
    existing_tags,
    facts_of,
    object_key,
    object_target,
    reveal,
    tag_facts,
)
from keystead.services.s3.brake import hold
from keystead.services.s3.datakeys import fresh
from keystead.services.s3.encryption import chosen, customer_key
from keystead.services.s3.kept import (
    check_offered,
    checksums,
    encrypted,
    headers_of,
    metadata_of,
    tags_of,
    version_told,
)
from keystead.services.s3.multipart import key_of_upload, part_number, put_part, upload_of
from keystead.services.s3.naming import check_name
from keystead.services.s3.objects import check_write
from keystead.services.s3.protecting import asked_of, header_facts, permissions, protection_of
from keystead.services.s3.reading import Span, bytes_of, check_conditions, key_of
from keystead.services.s3.sums import check_algorithm
from keystead.services.s3.tables import Bucket, Version
from keystead.services.s3.versions import find, publish
from keystead.services.s3.writing import (
    DEFAULT_CHECKSUM,
    LARGEST,
    Copied,
    Written,
    new_place,
    payload_of,
    recorded,
    take,
    where,
)
from keystead.wire.models import s3 as wire

_REPLACE: Final = "REPLACE"
_RANGE: Final = re.compile(r"bytes=(\d{1,15})-(\d{1,15})", re.ASCII)


class Source(msgspec.Struct, frozen=True):
    """What is copied: a version of an object, or the newest."""

    bucket: str
    key: str
    version: str | None


def source_of(request: Any) -> Source:
    """What the header x-amz-copy-source names.

    Raises:
        errors.InvalidS3Argument: it names nothing.
    """
    text: str = request.copy_source
    path, named, query = text.partition("?versionId=")
    try:
        bucket, _, key = unquote(path, errors="strict").removeprefix("/").partition("/")
    except UnicodeDecodeError:
        raise errors.InvalidS3Argument("Invalid copy source encoding", _about(text)) from None
    if not bucket or not key:
        raise errors.InvalidS3Argument("Invalid copy source object key", _about(text))
    try:
        check_name(bucket)
    except errors.InvalidBucketName:
        raise errors.InvalidS3Argument("Invalid copy source bucket name", _about(text)) from None
    return Source(bucket, key, unquote(query) if named else None)


def _about(text: str) -> dict[str, str]:
    return {"ArgumentName": "x-amz-copy-source", "ArgumentValue": text}


def _on_both(call: Call, request: Any) -> tuple[Target, ...]:
    """The object that is read, the one that is written, and what tags take."""
    source = source_of(request)
    theirs, ours = bucket_named(call, source.bucket), bucket_named(call, request.bucket)
    check_owner(theirs, request.expected_source_bucket_owner)
    check_owner(ours, request.expected_bucket_owner)
    key, read = object_key(request.key), "GetObject" if source.version is None else "GetObjectVersion"
    facts = facts_of(call, request)
    targets = [
        object_target(
            call,
            theirs,
            object_key(source.key),
            read,
            facts_of(call, None) | existing_tags(call, theirs, source.key, source.version, read),
        ),
        object_target(call, ours, key, "PutObject", facts),
    ]
    if isinstance(request, wire.CopyObjectRequest):
        said = facts | header_facts(call, request)
        targets += [object_target(call, ours, key, action, said) for action in permissions(request)]
    if getattr(request, "tagging_directive", None) == _REPLACE and request.tagging:
        tags = tag_facts(tags_of(request.tagging), "s3:RequestObjectTag")
        targets.append(object_target(call, ours, key, "PutObjectTagging", facts | tags))
    return tuple(targets)


def _opened(call: Call, request: Any) -> tuple[Bucket, Source, Version]:
    """What is copied, if it is what the request wants."""
    source = source_of(request)
    bucket = bucket_named(call, source.bucket)
    try:
        version = find(call, bucket, source.key, source.version)
    except (errors.NoSuchKey, errors.NoSuchVersion):
        reveal(call, bucket)
        raise
    except errors.MarkedAsDeleted:
        raise errors.InvalidS3Request(
            "The source of a copy request may not specifically refer to a delete marker by version id."
        ) from None
    check_conditions(version, request, copying=True)
    return bucket, source, version


def _content(
    call: Call, request: Any, bucket: Bucket, source: Source, version: Version, span: Span
) -> Copied:
    customer = customer_key(
        call,
        request.copy_source_sse_customer_algorithm,
        request.copy_source_sse_customer_key,
        request.copy_source_sse_customer_key_md5,
    )
    data_key = key_of(call, bucket, source.key, version, customer)
    return Copied(bytes_of(call, bucket.name, source.key, version, data_key, span))


# ------------------------------------------------------------------------------ CopyObject

_OWN_HEADERS: Final = {
    "storage_class": "x-amz-storage-class",
    "website_redirect_location": "x-amz-website-redirect-location",
}
_CHANGES: Final = (
    "server_side_encryption",
    "ssekms_key_id",
    "sse_customer_algorithm",
    "storage_class",
    "website_redirect_location",
    "bucket_key_enabled",
)


def _check_change(source: Source, request: Any) -> None:
    same = (source.bucket, source.key, source.version) == (request.bucket, request.key, None)
    changes = request.metadata_directive == _REPLACE or any(
        getattr(request, name) is not None for name in _CHANGES
    )
    if same and not changes:
        raise errors.InvalidS3Request(
            "This copy request is illegal because it is trying to copy an object to itself without changing the "
            "object's metadata, storage class, website redirect location or encryption attributes."
        )


def _tags(call: Call, request: Any, bucket: Bucket, source: Source, version: Version) -> dict[str, str]:
    if request.tagging_directive == _REPLACE:
        return tags_of(request.tagging)
    if version.tags:
        action = "GetObjectTagging" if source.version is None else "GetObjectVersionTagging"
        check(call, object_target(call, bucket, source.key, action))
        check(call, object_target(call, bucket_named(call, request.bucket), request.key, "PutObjectTagging"))
    return version.tags


def _headers(request: Any, version: Version) -> tuple[dict[str, str], dict[str, str]]:
    if request.metadata_directive == _REPLACE:
        return headers_of(request), metadata_of(request)
    # These two are never the source's (API reference, CopyObject).
    kept = {name: text for name, text in version.headers.items() if name not in _OWN_HEADERS.values()}
    own = {name: getattr(request, attribute) for attribute, name in _OWN_HEADERS.items()}
    return kept | {name: text for name, text in own.items() if text is not None}, version.metadata


@operation("CopyObject", targets=_on_both, changes=True)
def copy_object(call: Call, request: wire.CopyObjectRequest, *_targets: Target) -> wire.CopyObjectOutput:
    """Make an object of another one's bytes."""
    bucket, key, payload = bucket_named(call, request.bucket), object_key(request.key), payload_of(call)
    check_offered(request)
    asked_of(call, bucket, request)
    theirs, source, version = _opened(call, request)
    _check_change(source, request)
    check_write(call, bucket, key, request)
    if (source.bucket, source.key) == (bucket.name, key):
        hold(call, bucket)
    if version.size > LARGEST:
        raise errors.InvalidS3Request(
            "The specified copy source is larger than the maximum allowable size for a copy source: 5368709120"
        )
    if not isinstance(payload.kept, Written):
        content = _content(call, request, theirs, source, version, Span(0, version.size))
        place = new_place(call)
        data_key, envelope = fresh(call, chosen(call, bucket, key, request), where(bucket.name, key, place))
        own = next(iter(version.checksum), DEFAULT_CHECKSUM) if version.whole else DEFAULT_CHECKSUM
        algorithm = (request.checksum_algorithm or own).upper()
        check_algorithm(algorithm)
        payload.kept = take(call, content, data_key, envelope, Place(bucket.name, key, place), algorithm)
    written: Written = payload.kept
    headers, metadata = _headers(request, version)
    made = publish(
        call,
        bucket,
        key,
        Version(
            id="",
            stamp="",
            place=written.place,
            modified=call.now,
            size=written.piece.size,
            etag=written.etag,
            pieces=recorded(call, written),
            envelope=written.envelope,
            headers=headers,
            metadata=metadata,
            tags=_tags(call, request, theirs, source, version),
            checksum=written.checksum,
            protection=protection_of(call, bucket, asked_of(call, bucket, request)),
        ),
    )
    return wire.CopyObjectOutput(
        copy_object_result=wire.CopyObjectResult(
            e_tag=f'"{made.etag}"', last_modified=made.modified, **checksums(made)
        ),
        copy_source_version_id=version_told(theirs, version),
        version_id=version_told(bucket, made),
        expiration=rules.told(bucket, key, made),
        **encrypted(made.envelope),
    )


# ------------------------------------------------------------------------------ UploadPartCopy


def _span(asked: str | None, version: Version) -> Span:
    if asked is None:
        return Span(0, version.size)
    match = _RANGE.fullmatch(asked)
    if match is None or int(match[1]) > int(match[2]):
        raise errors.InvalidS3Argument(
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are "
            "the zero-based offsets of the first and last bytes to copy",
            {"ArgumentName": "x-amz-copy-source-range", "ArgumentValue": asked},
        )
    first, last = int(match[1]), int(match[2])
    if last >= version.size:
        raise errors.InvalidS3Argument(
            f"Range specified is not valid for source object of size: {version.size}",
            {"ArgumentName": "x-amz-copy-source-range", "ArgumentValue": asked},
        )
    return Span(first, last - first + 1)


@operation("UploadPartCopy", targets=_on_both, changes=True)
def upload_part_copy(
    call: Call, request: wire.UploadPartCopyRequest, *_targets: Target
) -> wire.UploadPartCopyOutput:
    """Keep bytes of another object as a part of an upload."""
    bucket, key, number = bucket_named(call, request.bucket), object_key(request.key), part_number(request)
    upload, payload = upload_of(call, bucket, key, request.upload_id), payload_of(call)
    theirs, source, version = _opened(call, request)
    if not isinstance(payload.kept, Written):
        content = _content(call, request, theirs, source, version, _span(request.copy_source_range, version))
        data_key = key_of_upload(call, bucket, upload, request)
        place = Place(bucket.name, key, upload.id, number)
        algorithm = upload.algorithm or DEFAULT_CHECKSUM
        payload.kept = take(call, content, data_key, upload.envelope, place, algorithm)
    written: Written = payload.kept
    part = put_part(call, bucket, upload, number, written)
    told = checksums(written)
    told.pop("checksum_type", None)
    return wire.UploadPartCopyOutput(
        copy_source_version_id=version_told(theirs, version),
        copy_part_result=wire.CopyPartResult(e_tag=f'"{part.etag}"', last_modified=part.modified, **told),
        **encrypted(upload.envelope),
    )


OPERATIONS = (copy_object, upload_part_copy)
