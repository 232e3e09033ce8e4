"""PutBucketLifecycleConfiguration, GetBucketLifecycleConfiguration, DeleteBucketLifecycle."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from keystead import errors
from keystead.api import Call, Target, operation
from keystead.services.s3.access import bucket_named, on_bucket
from keystead.services.s3.documents import document_of, keep_document
from keystead.services.s3.expiring import begin
from keystead.services.s3.rules import DAY, LIFECYCLE
from keystead.wire.models import s3 as wire

_MOST_RULES: Final = 1000
_LONGEST_ID: Final = 255
_ID_BYTES: Final = 16
_MOST_NEWER: Final = 100


@operation("PutBucketLifecycleConfiguration", targets=on_bucket("PutLifecycleConfiguration"), changes=True)
def put_bucket_lifecycle_configuration(
    call: Call, request: wire.PutBucketLifecycleConfigurationRequest, _bucket: Target
) -> wire.PutBucketLifecycleConfigurationOutput:
    """Say which objects go when; transitions to other classes are refused, there are none."""
    given = request.lifecycle_configuration
    rules = given.rules if given is not None else None
    if not rules or len(rules) > _MOST_RULES:
        raise errors.MalformedXml
    for rule in rules:
        _check(rule)
    named = [
        rule if rule.id else msgspec.structs.replace(rule, id=call.entropy.random(_ID_BYTES).hex())
        for rule in rules
    ]
    if len({rule.id for rule in named}) != len(named):
        raise errors.InvalidS3Argument("Rule ID must be unique. Found same ID for more than one rule")
    bucket = bucket_named(call, request.bucket)
    keep_document(call, bucket, LIFECYCLE, wire.BucketLifecycleConfiguration(rules=named))
    begin(call, bucket)
    return wire.PutBucketLifecycleConfigurationOutput()


def _check(rule: wire.LifecycleRule) -> None:
    """None, if there can be such a rule (API reference, PutBucketLifecycleConfiguration).

    Raises:
        errors.MalformedXml, errors.InvalidS3Argument, errors.InvalidS3Request: there cannot.
        errors.NotImplementedHere: it wants other storage classes.
    """
    if rule.status not in {"Enabled", "Disabled"} or (rule.filter is None) == (rule.prefix is None):
        raise errors.MalformedXml
    if len(rule.id or "") > _LONGEST_ID:
        raise errors.InvalidS3Argument(f"ID length should not exceed allowed limit of {_LONGEST_ID}")
    if rule.transitions or rule.noncurrent_version_transitions:
        raise errors.NotImplementedHere("This server does not support transitions to other storage classes.")
    actions = (rule.expiration, rule.noncurrent_version_expiration, rule.abort_incomplete_multipart_upload)
    if all(action is None for action in actions):
        raise errors.InvalidS3Request("At least one action needs to be specified in a rule")
    _check_filter(rule)
    _check_expiration(rule.expiration)
    _check_others(rule)


def _check_filter(rule: wire.LifecycleRule) -> None:
    given = rule.filter or wire.LifecycleRuleFilter()
    one = (given.prefix, given.tag, given.object_size_greater_than, given.object_size_less_than, given.and_)
    if sum(part is not None for part in one) > 1:
        raise errors.MalformedXml
    tagged = given.tag is not None or (given.and_ is not None and bool(given.and_.tags))
    if tagged and rule.abort_incomplete_multipart_upload is not None:
        raise errors.InvalidS3Request("AbortIncompleteMultipartUpload cannot be specified with Tags.")
    if tagged and rule.expiration is not None and rule.expiration.expired_object_delete_marker is not None:
        raise errors.InvalidS3Request("ExpiredObjectDeleteMarker cannot be specified with Tags.")


def _check_expiration(given: wire.LifecycleExpiration | None) -> None:
    if given is None:
        return
    if sum(part is not None for part in (given.days, given.date, given.expired_object_delete_marker)) != 1:
        raise errors.MalformedXml
    _positive("Days", "Expiration", given.days)
    if given.date is not None and given.date % DAY:
        raise errors.InvalidS3Argument("'Date' must be at midnight GMT")


def _check_others(rule: wire.LifecycleRule) -> None:
    noncurrent, abort = rule.noncurrent_version_expiration, rule.abort_incomplete_multipart_upload
    if noncurrent is not None:
        if noncurrent.noncurrent_days is None:
            raise errors.MalformedXml
        _positive("NoncurrentDays", "NoncurrentVersionExpiration", noncurrent.noncurrent_days)
        newer = noncurrent.newer_noncurrent_versions
        if newer is not None and not 1 <= newer <= _MOST_NEWER:
            raise errors.InvalidS3Argument(
                f"'NewerNoncurrentVersions' for NoncurrentVersionExpiration action must be between 1 and {_MOST_NEWER}"
            )
    if abort is not None:
        if abort.days_after_initiation is None:
            raise errors.MalformedXml
        _positive("DaysAfterInitiation", "AbortIncompleteMultipartUpload", abort.days_after_initiation)


def _positive(name: str, action: str, days: int | None) -> None:
    if days is not None and days <= 0:
        raise errors.InvalidS3Argument(f"'{name}' for {action} action must be a positive integer")


@operation("GetBucketLifecycleConfiguration", targets=on_bucket("GetLifecycleConfiguration"))
def get_bucket_lifecycle_configuration(
    call: Call, request: wire.GetBucketLifecycleConfigurationRequest, _bucket: Target
) -> wire.GetBucketLifecycleConfigurationOutput:
    """Return the rules as they were put, each with its id."""
    bucket = bucket_named(call, request.bucket)
    found: Any = document_of(bucket, LIFECYCLE, wire.BucketLifecycleConfiguration)
    if found is None:
        raise errors.NoSuchLifecycle(about={"BucketName": bucket.name})
    return wire.GetBucketLifecycleConfigurationOutput(rules=found.rules)


@operation("DeleteBucketLifecycle", targets=on_bucket("PutLifecycleConfiguration"), changes=True)
def delete_bucket_lifecycle(call: Call, request: wire.DeleteBucketLifecycleRequest, _bucket: Target) -> None:
    """Let nothing go by itself any more."""
    keep_document(call, bucket_named(call, request.bucket), LIFECYCLE, None)


OPERATIONS = (
    put_bucket_lifecycle_configuration,
    get_bucket_lifecycle_configuration,
    delete_bucket_lifecycle,
)
