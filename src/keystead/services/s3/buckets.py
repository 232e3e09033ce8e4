"""CreateBucket, DeleteBucket, HeadBucket, ListBuckets, GetBucketLocation."""

from __future__ import annotations

import re
from typing import Any, Final

from keystead import errors
from keystead.api import Call, Target, operation
from keystead.audit.event import BUCKET_TYPE
from keystead.services.s3 import ownkey
from keystead.services.s3.access import bucket_named, facts_of, location_of, on_bucket, on_service, owner_id
from keystead.services.s3.garbage import discard_pieces
from keystead.services.s3.kept import MOST_TAGS_OF_A_BUCKET, check_tags
from keystead.services.s3.naming import check_name
from keystead.services.s3.settings import OWNERSHIPS
from keystead.services.s3.tables import (
    BUCKETS,
    MARKERS,
    OBJECTS,
    PARTS,
    UPLOADS,
    VERSIONS,
    Bucket,
    Lock,
    Piece,
    expect_no_arrival,
)
from keystead.services.s3.versions import ENABLED
from keystead.wire.models import s3 as wire
from keystead.wire.protocols.rest_xml import CONTENT_TYPE

_LOCKING: Final = ("CreateBucket", "PutBucketObjectLockConfiguration", "PutBucketVersioning")
"""What a bucket with Object Lock takes; any other the first only."""
_FIRST_REGION: Final = "us-east-1"
_REGION: Final = re.compile(r"[a-z]{2}(?:-[a-z]+){1,2}-[0-9]{1,2}", re.ASCII)
_OLD_NAMES: Final = {"EU": "eu-west-1"}
_MOST: Final = 10_000
_PAGING: Final = ("max_buckets", "prefix", "continuation_token", "bucket_region")
"""What makes S3 tell of each bucket where it is."""
_ID_BYTES: Final = 16


def _on_new(call: Call, request: Any) -> tuple[Target, ...]:
    name = check_name(request.bucket)
    if not call.account:
        raise errors.S3AccessDenied
    facts = facts_of(call, request)
    place = _location(request)
    if place is not None:
        facts["s3:locationconstraint"] = place
    arn = f"arn:aws:s3:::{name}"
    actions = _LOCKING if request.object_lock_enabled_for_bucket else _LOCKING[:1]
    return tuple(
        Target(f"s3:{action}", arn, call.account, facts=facts, kind=BUCKET_TYPE) for action in actions
    )


def _location(request: Any) -> str | None:
    configured = request.create_bucket_configuration
    return None if configured is None else configured.location_constraint or None


def _region(call: Call, request: Any) -> str:
    """The Region that the bucket is to be in: the one that is called, but the first makes buckets for all others.

    Raises:
        errors.IllegalLocationConstraint: another one was called.
        errors.InvalidLocationConstraint: there is none of that name, or it is the first's, which has no name here.
    """
    place = _location(request)
    region = _OLD_NAMES.get(place or "", place)
    if call.region == _FIRST_REGION:
        if region is not None and (region == _FIRST_REGION or _REGION.fullmatch(region) is None):
            raise errors.InvalidLocationConstraint(about={"LocationConstraint": region})
        return region or _FIRST_REGION
    if region != call.region:
        raise errors.IllegalLocationConstraint(
            f"The {place or 'unspecified'} location constraint is incompatible for the region specific endpoint "
            "this request was sent to."
        )
    return call.region


def _made_before(call: Call, bucket: Bucket) -> wire.CreateBucketOutput:
    """The answer about a bucket that is there: its owner's repetition is done already in the first Region.

    Raises:
        errors.BucketAlreadyExists, errors.BucketAlreadyOwnedByYou: elsewhere, or it is somebody else's.
    """
    if bucket.account != call.account:
        raise errors.BucketAlreadyExists
    if not bucket.region == call.region == _FIRST_REGION:
        raise errors.BucketAlreadyOwnedByYou
    return wire.CreateBucketOutput(location=_told(call, bucket), bucket_arn=bucket.arn)


@operation("CreateBucket", targets=_on_new, changes=True)
def create_bucket(call: Call, request: wire.CreateBucketRequest, *_bucket: Target) -> wire.CreateBucketOutput:
    """Make a bucket: private, encrypted, without versions."""
    name, region = check_name(request.bucket), _region(call, request)
    ownership = request.object_ownership or "BucketOwnerEnforced"
    _check_offered(request, ownership)
    there = call.tx.get(BUCKETS, name)
    if there is not None:
        return _made_before(call, there)
    if len(call.tx.find(BUCKETS, "account", call.account, limit=_MOST)) >= _MOST:
        raise errors.TooManyBuckets
    configured = request.create_bucket_configuration
    given = [] if configured is None else configured.tags or []
    tags = check_tags([(tag.key or "", tag.value or "") for tag in given], MOST_TAGS_OF_A_BUCKET)
    bucket = Bucket(
        name=name,
        id=call.entropy.random(_ID_BYTES).hex(),
        account=call.account,
        region=region,
        created=call.now,
        ownership=ownership,
        tags=tags,
        versioning=ENABLED if request.object_lock_enabled_for_bucket else "",
        lock=Lock() if request.object_lock_enabled_for_bucket else None,
    )
    call.tx.insert(BUCKETS, name, bucket)
    ownkey.ensure(call)
    return wire.CreateBucketOutput(location=_told(call, bucket), bucket_arn=bucket.arn)


def _check_offered(request: wire.CreateBucketRequest, ownership: str) -> None:
    """None, if the bucket is to be of the only kind there is.

    Raises:
        errors.AclsNotWithOwnership, errors.AclsNotSupported: others are to be given permissions by an ACL.
        errors.NotImplementedHere: it is to be a directory, or to have a name of its account alone.
    """
    grants = (
        request.grant_full_control,
        request.grant_read,
        request.grant_read_acp,
        request.grant_write,
        request.grant_write_acp,
    )
    if request.acl not in {None, "private"} or any(grants):
        raise errors.AclsNotWithOwnership if ownership == OWNERSHIPS[0] else errors.AclsNotSupported
    if request.bucket_namespace not in {None, "global"}:
        raise errors.NotImplementedHere("This server does not support names of buckets within an account.")
    configured = request.create_bucket_configuration
    if configured is not None and (configured.bucket is not None or configured.location is not None):
        raise errors.NotImplementedHere("This server does not support directory buckets.")


def _told(call: Call, bucket: Bucket) -> str:
    """Where the bucket is (API reference, CreateBucket): a path in the first Region, else a URL."""
    return f"/{bucket.name}" if bucket.region == _FIRST_REGION else location_of(call, bucket.name)


@operation("DeleteBucket", targets=on_bucket("DeleteBucket"), changes=True)
def delete_bucket(call: Call, request: wire.DeleteBucketRequest, _bucket: Target) -> None:
    """Remove a bucket that holds nothing."""
    bucket = bucket_named(call, request.bucket)
    prefix = f"{bucket.id}/"
    expect_no_arrival(call, bucket.id)  # before it is looked whether there is anything
    if any(call.tx.scan(table, prefix, limit=1) for table in (OBJECTS, MARKERS, VERSIONS)):
        raise errors.BucketNotEmpty(about={"BucketName": bucket.name})
    for place, upload in call.tx.scan(UPLOADS, prefix):
        call.tx.delete(UPLOADS, place)
        for row, part in call.tx.scan(PARTS, f"{upload.id}/"):
            call.tx.delete(PARTS, row)
            discard_pieces(call, (Piece(part.blob, part.size),))
    call.tx.delete(BUCKETS, bucket.name)


@operation("HeadBucket", targets=on_bucket("ListBucket"))
def head_bucket(call: Call, request: wire.HeadBucketRequest, _bucket: Target) -> wire.HeadBucketOutput:
    """Return where the bucket is, to whoever may list it."""
    bucket = bucket_named(call, request.bucket)
    if call.exchange is not None:
        call.exchange.headers.append(("Content-Type", CONTENT_TYPE))
    return wire.HeadBucketOutput(bucket_region=bucket.region, bucket_arn=bucket.arn)


@operation("GetBucketLocation", targets=on_bucket("GetBucketLocation"))
def get_bucket_location(
    call: Call, request: wire.GetBucketLocationRequest, _bucket: Target
) -> wire.GetBucketLocationOutput:
    """Return the bucket's Region; of the first one, nothing."""
    region = bucket_named(call, request.bucket).region
    return wire.GetBucketLocationOutput(location_constraint="" if region == _FIRST_REGION else region)


@operation("ListBuckets", targets=on_service("ListAllMyBuckets"))
def list_buckets(call: Call, request: wire.ListBucketsRequest, _any: Target) -> wire.ListBucketsOutput:
    """Return the caller's account's buckets, by name."""
    most, prefix = request.max_buckets or _MOST, request.prefix or ""
    if request.bucket_region is not None and _REGION.fullmatch(request.bucket_region) is None:
        said = f"Argument value {request.bucket_region} is not a valid AWS Region"
        raise errors.InvalidS3Argument(said, {"ArgumentName": "bucket-region"})
    paged = any(getattr(request, name) is not None for name in _PAGING)
    found: list[wire.Bucket] = []
    more: str | None = None
    for name in call.tx.find(BUCKETS, "account", call.account, after=request.continuation_token):
        bucket = call.tx.get(BUCKETS, name)
        if bucket is None or not name.startswith(prefix):
            continue
        if request.bucket_region is not None and bucket.region != request.bucket_region:
            continue
        if len(found) >= most:
            more = found[-1].name
            break
        found.append(
            wire.Bucket(
                name=name,
                creation_date=bucket.created,
                bucket_region=bucket.region if paged else None,
                bucket_arn=bucket.arn,
            )
        )
    return wire.ListBucketsOutput(
        buckets=found,
        owner=wire.Owner(id=owner_id(call.account)),
        continuation_token=more,
        prefix=request.prefix,
    )


OPERATIONS = (create_bucket, delete_bucket, head_bucket, get_bucket_location, list_buckets)
