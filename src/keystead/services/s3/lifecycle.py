"""PutBucketLifecycleConfiguration, GetBucketLifecycleConfiguration, DeleteBucketLifecycle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from keystead import errors
from keystead.api import Call, Target, operation
from keystead.services.s3.access import bucket_named, on_bucket
from keystead.services.s3.documents import document_of, keep_documents
from keystead.services.s3.expiring import begin
from keystead.services.s3.kept import check_tag
from keystead.services.s3.rules import DAY, LIFECYCLE
from keystead.wire.models import s3 as wire

_MOST_RULES: Final = 1000
_LONGEST_ID: Final = 255
_ID_BYTES: Final = 16
_MOST_NEWER: Final = 100
_LARGEST: Final = 1_099_511_627_776_000
_SMALLEST: Final = "lifecycle-smallest"
"""Under what is kept which objects are too small to be moved: nothing is, but who set it reads it again."""
_ALL_ALIKE: Final = "all_storage_classes_128K"


@operation("PutBucketLifecycleConfiguration", targets=on_bucket("PutLifecycleConfiguration"), changes=True)
def put_bucket_lifecycle_configuration(
    call: Call, request: wire.PutBucketLifecycleConfigurationRequest, _bucket: Target
) -> wire.PutBucketLifecycleConfigurationOutput:
    """Say which objects go when; transitions to other classes are refused, there are none."""
    given = request.lifecycle_configuration
    if given is None:
        raise errors.MissingBody
    rules = given.rules
    if not rules or len(rules) > _MOST_RULES:
        raise errors.MalformedXml
    for rule in rules:
        _check(rule)
    _check_forms(rules)
    named = [
        rule if rule.id else msgspec.structs.replace(rule, id=call.entropy.random(_ID_BYTES).hex())
        for rule in rules
    ]
    if len({rule.id for rule in named}) != len(named):
        raise errors.InvalidS3Argument("Rule ID must be unique. Found same ID for more than one rule")
    bucket = bucket_named(call, request.bucket)
    smallest = request.transition_default_minimum_object_size
    found = wire.BucketLifecycleConfiguration(rules=named)
    keep_documents(call, bucket, {LIFECYCLE: found, _SMALLEST: smallest})
    begin(call, bucket)
    return wire.PutBucketLifecycleConfigurationOutput(
        transition_default_minimum_object_size=smallest or _ALL_ALIKE
    )


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
    _check_filter(rule.filter or wire.LifecycleRuleFilter(), rule)
    _check_expiration(rule.expiration)
    _check_others(rule)


def _check_forms(rules: Sequence[wire.LifecycleRule]) -> None:
    """None, if all rules say by a filter what they are about, or all by a prefix, as was done before filters.

    Raises:
        errors.InvalidS3Request: they do not, or one of the older form counts versions.
    """
    old = [rule.filter is None for rule in rules]
    if any(old) and not all(old):
        raise errors.InvalidS3Request(
            "Filter element can only be used in Lifecycle V2."
            if old[0]
            else "Base level prefix cannot be used in Lifecycle V2, prefixes are only supported in the Filter."
        )
    counted = (rule.noncurrent_version_expiration for rule in rules if rule.filter is None)
    if any(one is not None and one.newer_noncurrent_versions is not None for one in counted):
        raise errors.InvalidS3Request("NewerNoncurrentVersions element can only be used in Lifecycle V2.")


def _check_filter(given: wire.LifecycleRuleFilter, rule: wire.LifecycleRule) -> None:
    both = given.and_
    if len(_predicates(given)) + (both is not None) > 1:
        raise errors.MalformedXml
    if both is not None and len(_predicates(both)) + len(both.tags or ()) <= 1:
        raise errors.MalformedXml  # one thing is no conjunction
    tags = [*([given.tag] if given.tag is not None else []), *((both.tags or ()) if both is not None else ())]
    for tag in tags:
        check_tag(tag.key or "", tag.value or "")
    if len({tag.key for tag in tags}) != len(tags):
        raise errors.InvalidS3Request("Duplicate Tag Keys are not allowed.")
    sizes = both or given
    above, below = sizes.object_size_greater_than, sizes.object_size_less_than
    _check_sizes(above, below)
    sized = above is not None or below is not None
    for limited, what in ((bool(tags), "Tags"), (sized, "Object Size")):
        if limited and rule.abort_incomplete_multipart_upload is not None:
            raise errors.InvalidS3Request(f"AbortIncompleteMultipartUpload cannot be specified with {what}.")
        if (
            limited
            and rule.expiration is not None
            and rule.expiration.expired_object_delete_marker is not None
        ):
            raise errors.InvalidS3Request(f"ExpiredObjectDeleteMarker cannot be specified with {what}.")


def _predicates(given: wire.LifecycleRuleFilter | wire.LifecycleRuleAndOperator) -> list[object]:
    """What a filter, or a conjunction in one, wants, its tags aside if there can be several."""
    one = (
        given.prefix,
        given.object_size_greater_than,
        given.object_size_less_than,
        getattr(given, "tag", None),
    )
    return [part for part in one if part is not None]


def _check_sizes(above: int | None, below: int | None) -> None:
    for name, size, least in (("ObjectSizeGreaterThan", above, 0), ("ObjectSizeLessThan", below, 1)):
        if size is not None and not least <= size <= _LARGEST:
            raise errors.InvalidS3Request(f"'{name}' should be between {least} and {_LARGEST}.")
    if above is not None and below is not None and above >= below:
        raise errors.InvalidS3Request(
            "'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'."
        )


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
    return wire.GetBucketLifecycleConfigurationOutput(
        rules=found.rules,
        transition_default_minimum_object_size=document_of(bucket, _SMALLEST, str) or _ALL_ALIKE,
    )


@operation("DeleteBucketLifecycle", targets=on_bucket("PutLifecycleConfiguration"), changes=True)
def delete_bucket_lifecycle(call: Call, request: wire.DeleteBucketLifecycleRequest, _bucket: Target) -> None:
    """Let nothing go by itself any more."""
    keep_documents(call, bucket_named(call, request.bucket), {LIFECYCLE: None, _SMALLEST: None})


OPERATIONS = (
    put_bucket_lifecycle_configuration,
    get_bucket_lifecycle_configuration,
    delete_bucket_lifecycle,
)
