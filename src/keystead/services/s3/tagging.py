"""Tags of buckets and of objects."""

from __future__ import annotations

from typing import Any

import msgspec

from keystead import errors
from keystead.api import Call, Target, operation
from keystead.services.s3.access import bucket_named, object_key, on_bucket, on_object
from keystead.services.s3.kept import MOST_TAGS, MOST_TAGS_OF_A_BUCKET, check_tags
from keystead.services.s3.settings import change
from keystead.services.s3.tables import Bucket, Version
from keystead.services.s3.versions import find, store
from keystead.wire.models import s3 as wire


def _given(request: Any, most: int) -> dict[str, str]:
    tagging = request.tagging
    if tagging is None:
        raise errors.MalformedXml
    return check_tags([(tag.key or "", tag.value or "") for tag in tagging.tag_set or ()], most)


def _told(tags: dict[str, str]) -> list[wire.Tag]:
    return [wire.Tag(key=name, value=value) for name, value in tags.items()]


@operation("PutBucketTagging", targets=on_bucket("PutBucketTagging"), changes=True)
def put_bucket_tagging(call: Call, request: wire.PutBucketTaggingRequest, _bucket: Target) -> None:
    """Set the bucket's tags in place of those before."""
    if call.exchange is not None:
        call.exchange.status = 204
    change(call, bucket_named(call, request.bucket), tags=_given(request, MOST_TAGS_OF_A_BUCKET))


@operation("GetBucketTagging", targets=on_bucket("GetBucketTagging"))
def get_bucket_tagging(
    call: Call, request: wire.GetBucketTaggingRequest, _bucket: Target
) -> wire.GetBucketTaggingOutput:
    """Return the bucket's tags."""
    bucket = bucket_named(call, request.bucket)
    if not bucket.tags:
        raise errors.NoSuchTagSet(about={"BucketName": bucket.name})
    return wire.GetBucketTaggingOutput(tag_set=_told(bucket.tags))


@operation("DeleteBucketTagging", targets=on_bucket("PutBucketTagging"), changes=True)
def delete_bucket_tagging(call: Call, request: wire.DeleteBucketTaggingRequest, _bucket: Target) -> None:
    """Remove the bucket's tags."""
    change(call, bucket_named(call, request.bucket), tags={})


def _tagged(call: Call, request: Any) -> tuple[Bucket, str, Version]:
    bucket, key = bucket_named(call, request.bucket), object_key(request.key)
    return bucket, key, find(call, bucket, key, request.version_id)


def _set(call: Call, request: Any, tags: dict[str, str]) -> str | None:
    bucket, key, version = _tagged(call, request)
    store(call, bucket, key, msgspec.structs.replace(version, tags=tags))
    return version.id if bucket.versioning else None


@operation(
    "PutObjectTagging",
    targets=on_object("PutObjectTagging", versioned="PutObjectVersionTagging"),
    changes=True,
)
def put_object_tagging(
    call: Call, request: wire.PutObjectTaggingRequest, _object: Target
) -> wire.PutObjectTaggingOutput:
    """Set a version's tags in place of those before."""
    return wire.PutObjectTaggingOutput(version_id=_set(call, request, _given(request, MOST_TAGS)))


@operation("GetObjectTagging", targets=on_object("GetObjectTagging", versioned="GetObjectVersionTagging"))
def get_object_tagging(
    call: Call, request: wire.GetObjectTaggingRequest, _object: Target
) -> wire.GetObjectTaggingOutput:
    """Return a version's tags."""
    bucket, _, version = _tagged(call, request)
    return wire.GetObjectTaggingOutput(
        tag_set=_told(version.tags), version_id=version.id if bucket.versioning else None
    )


@operation(
    "DeleteObjectTagging",
    targets=on_object("DeleteObjectTagging", versioned="DeleteObjectVersionTagging"),
    changes=True,
)
def delete_object_tagging(
    call: Call, request: wire.DeleteObjectTaggingRequest, _object: Target
) -> wire.DeleteObjectTaggingOutput:
    """Remove a version's tags."""
    return wire.DeleteObjectTaggingOutput(version_id=_set(call, request, {}))


OPERATIONS = (
    put_bucket_tagging,
    get_bucket_tagging,
    delete_bucket_tagging,
    put_object_tagging,
    get_object_tagging,
    delete_object_tagging,
)
