"""How a bucket is set: versioning, default encryption, public access block and ownership."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from keystead import errors
from keystead.api import Call, Target, operation
from keystead.services.s3.access import bucket_named, on_bucket
from keystead.services.s3.encryption import ALGORITHMS, KMS, OWN
from keystead.services.s3.tables import BUCKETS, Bucket, DefaultEncryption, PublicAccess
from keystead.services.s3.versions import ENABLED, SUSPENDED
from keystead.wire.models import s3 as wire

OWNERSHIPS: Final = ("BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter")
"""The first one lets nobody have an ACL."""
_CUSTOMER_KEYS: Final = "SSE-C"


def change(call: Call, bucket: Bucket, **members: Any) -> None:
    """Store the bucket with other settings."""
    call.tx.put(BUCKETS, bucket.name, msgspec.structs.replace(bucket, **members))


# ------------------------------------------------------------------------------ versioning


@operation("PutBucketVersioning", targets=on_bucket("PutBucketVersioning"), changes=True)
def put_bucket_versioning(call: Call, request: wire.PutBucketVersioningRequest, _bucket: Target) -> None:
    """Keep versions from now on, or no new ones."""
    given = request.versioning_configuration
    if given is None or given.status not in {ENABLED, SUSPENDED}:
        raise errors.MalformedXml
    if given.mfa_delete == ENABLED:
        raise errors.NotImplementedHere("This server does not support MFA Delete.")
    bucket = bucket_named(call, request.bucket)
    if bucket.lock is not None and given.status != ENABLED:
        raise errors.InvalidBucketState(
            "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed."
        )
    change(call, bucket, versioning=given.status)


@operation("GetBucketVersioning", targets=on_bucket("GetBucketVersioning"))
def get_bucket_versioning(
    call: Call, request: wire.GetBucketVersioningRequest, _bucket: Target
) -> wire.GetBucketVersioningOutput:
    """Return whether versions are kept; nothing if they never were."""
    return wire.GetBucketVersioningOutput(status=bucket_named(call, request.bucket).versioning or None)


# ------------------------------------------------------------------------------ encryption


def _encryption(request: Any) -> DefaultEncryption:
    """The default encryption that a request sets.

    Raises:
        errors.MalformedXml, errors.InvalidS3Argument: it makes no sense.
    """
    given = request.server_side_encryption_configuration
    if given is None or len(given.rules or ()) != 1:
        raise errors.MalformedXml
    rule = given.rules[0]
    default, blocked = rule.apply_server_side_encryption_by_default, rule.blocked_encryption_types
    algorithm = OWN if default is None else default.sse_algorithm or ""
    key = "" if default is None else default.kms_master_key_id or ""
    if algorithm not in ALGORITHMS:
        raise errors.MalformedXml
    if key and algorithm == OWN:
        raise errors.InvalidS3Argument(
            "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse"
        )
    customer = blocked is not None and _CUSTOMER_KEYS not in (blocked.encryption_type or ())
    return DefaultEncryption(
        algorithm=algorithm,
        key=key,
        bucket_key=bool(rule.bucket_key_enabled) and algorithm == KMS,
        customer_keys=customer,
    )


@operation("PutBucketEncryption", targets=on_bucket("PutEncryptionConfiguration"), changes=True)
def put_bucket_encryption(call: Call, request: wire.PutBucketEncryptionRequest, _bucket: Target) -> None:
    """Set how objects are encrypted that do not say; keys of callers only where BlockedEncryptionTypes says NONE."""
    change(call, bucket_named(call, request.bucket), encryption=_encryption(request))


@operation("DeleteBucketEncryption", targets=on_bucket("PutEncryptionConfiguration"), changes=True)
def delete_bucket_encryption(
    call: Call, request: wire.DeleteBucketEncryptionRequest, _bucket: Target
) -> None:
    """Go back to S3's own key."""
    change(call, bucket_named(call, request.bucket), encryption=DefaultEncryption())


@operation("GetBucketEncryption", targets=on_bucket("GetEncryptionConfiguration"))
def get_bucket_encryption(
    call: Call, request: wire.GetBucketEncryptionRequest, _bucket: Target
) -> wire.GetBucketEncryptionOutput:
    """Return how objects are encrypted that do not say."""
    set_ = bucket_named(call, request.bucket).encryption
    rule = wire.ServerSideEncryptionRule(
        apply_server_side_encryption_by_default=wire.ServerSideEncryptionByDefault(
            sse_algorithm=set_.algorithm, kms_master_key_id=set_.key or None
        ),
        bucket_key_enabled=set_.bucket_key,
        blocked_encryption_types=wire.BlockedEncryptionTypes(
            encryption_type=["NONE" if set_.customer_keys else _CUSTOMER_KEYS]
        ),
    )
    return wire.GetBucketEncryptionOutput(
        server_side_encryption_configuration=wire.ServerSideEncryptionConfiguration(rules=[rule])
    )


# ------------------------------------------------------------------------------ public access


@operation("PutPublicAccessBlock", targets=on_bucket("PutBucketPublicAccessBlock"), changes=True)
def put_public_access_block(call: Call, request: wire.PutPublicAccessBlockRequest, _bucket: Target) -> None:
    """Say what may make the bucket public; what is not named may."""
    given = request.public_access_block_configuration
    if given is None:
        raise errors.MalformedXml
    block = PublicAccess(
        block_acls=bool(given.block_public_acls),
        ignore_acls=bool(given.ignore_public_acls),
        block_policy=bool(given.block_public_policy),
        restrict=bool(given.restrict_public_buckets),
    )
    change(call, bucket_named(call, request.bucket), public_access=block)


@operation("DeletePublicAccessBlock", targets=on_bucket("PutBucketPublicAccessBlock"), changes=True)
def delete_public_access_block(
    call: Call, request: wire.DeletePublicAccessBlockRequest, _bucket: Target
) -> None:
    """Block nothing."""
    change(call, bucket_named(call, request.bucket), public_access=None)


@operation("GetPublicAccessBlock", targets=on_bucket("GetBucketPublicAccessBlock"))
def get_public_access_block(
    call: Call, request: wire.GetPublicAccessBlockRequest, _bucket: Target
) -> wire.GetPublicAccessBlockOutput:
    """Return what is blocked."""
    block = bucket_named(call, request.bucket).public_access
    if block is None:
        raise errors.NoSuchPublicAccessBlock
    return wire.GetPublicAccessBlockOutput(
        public_access_block_configuration=wire.PublicAccessBlockConfiguration(
            block_public_acls=block.block_acls,
            ignore_public_acls=block.ignore_acls,
            block_public_policy=block.block_policy,
            restrict_public_buckets=block.restrict,
        )
    )


# ------------------------------------------------------------------------------ ownership


@operation("PutBucketOwnershipControls", targets=on_bucket("PutBucketOwnershipControls"), changes=True)
def put_bucket_ownership_controls(
    call: Call, request: wire.PutBucketOwnershipControlsRequest, _bucket: Target
) -> None:
    """Say whose objects are that others put; here they are always the bucket owner's."""
    given = request.ownership_controls
    rules = given.rules if given is not None else None
    if not rules or len(rules) != 1 or rules[0].object_ownership not in OWNERSHIPS:
        raise errors.MalformedXml
    change(call, bucket_named(call, request.bucket), ownership=rules[0].object_ownership)


@operation("DeleteBucketOwnershipControls", targets=on_bucket("PutBucketOwnershipControls"), changes=True)
def delete_bucket_ownership_controls(
    call: Call, request: wire.DeleteBucketOwnershipControlsRequest, _bucket: Target
) -> None:
    """Say nothing of it."""
    change(call, bucket_named(call, request.bucket), ownership="")


@operation("GetBucketOwnershipControls", targets=on_bucket("GetBucketOwnershipControls"))
def get_bucket_ownership_controls(
    call: Call, request: wire.GetBucketOwnershipControlsRequest, _bucket: Target
) -> wire.GetBucketOwnershipControlsOutput:
    """Return what was said of it."""
    ownership = bucket_named(call, request.bucket).ownership
    if not ownership:
        raise errors.NoOwnershipControls
    rule = wire.OwnershipControlsRule(object_ownership=ownership)
    return wire.GetBucketOwnershipControlsOutput(ownership_controls=wire.OwnershipControls(rules=[rule]))


OPERATIONS = (
    put_bucket_versioning,
    get_bucket_versioning,
    put_bucket_encryption,
    delete_bucket_encryption,
    get_bucket_encryption,
    put_public_access_block,
    delete_public_access_block,
    get_public_access_block,
    put_bucket_ownership_controls,
    delete_bucket_ownership_controls,
    get_bucket_ownership_controls,
)
