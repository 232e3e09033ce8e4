"""DeleteObject, DeleteObjects: objects, versions of them, and on which conditions they go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from keystead import errors
from keystead.api import Call, Target, operation
from keystead.api.authorize import check
from keystead.policy.s3_keys import PARAMETERS
from keystead.services.s3.access import Facts, bucket_named, facts_of, object_key, object_target, on_object
from keystead.services.s3.brake import hold
from keystead.services.s3.protecting import check_removable
from keystead.services.s3.reading import matches
from keystead.services.s3.tables import Bucket, Version
from keystead.services.s3.versions import check_id, current, is_id, remove
from keystead.services.s3.writing import payload_of
from keystead.wire.models import s3 as wire

_MOST_DELETED: Final = 1000
_ANY: Final = "*"
_OF_DIRECTORIES: Final = ("if_match_size", "if_match_last_modified_time", "size", "last_modified_time")
"""Conditions that directory buckets know, and no others (API reference, DeleteObject): passed over, they would delete."""
_on_object = on_object("DeleteObject", versioned="DeleteObjectVersion")


def _on_one(call: Call, request: Any) -> tuple[Target, ...]:
    """The object; an ETag is compared for whoever may read it only."""
    found = _on_object(call, request)
    if request.if_match in {None, _ANY}:
        return found
    bucket, key = bucket_named(call, request.bucket), object_key(request.key)
    return (*found, object_target(call, bucket, key, "GetObject", facts_of(call, request)))


def _check_conditions(request: Any) -> None:
    """None, if all conditions of the deletion are such as this kind of bucket knows.

    Raises:
        errors.NotImplementedHere: one is not.
    """
    if any(getattr(request, name, None) is not None for name in _OF_DIRECTORIES):
        raise errors.NotImplementedHere


def _check_wanted(call: Call, bucket: Bucket, key: str, wanted: str | None) -> None:
    """None, if what is there now is what may go (Amazon S3 User Guide, "How to perform conditional deletes").

    Raises:
        errors.NoSuchKey: there is nothing.
        errors.PreconditionFailed: it has another ETag.
    """
    if wanted is None:
        return
    newest = current(call, bucket, key)
    if newest is None or newest.marker:
        raise errors.NoSuchKey(about={"Key": key})
    if not matches(wanted, newest.etag):
        raise errors.PreconditionFailed(about={"Condition": "If-Match"})


@operation(
    "DeleteObject",
    targets=_on_one,
    changes=True,
    brief=True,
)
def delete_object(
    call: Call, request: wire.DeleteObjectRequest, *_targets: Target
) -> wire.DeleteObjectOutput:
    """Delete an object, or one version of it; what is not there is deleted as well."""
    bucket, key = bucket_named(call, request.bucket), object_key(request.key)
    check_id(request.version_id)
    _check_conditions(request)
    hold(call, bucket)
    _check_wanted(call, bucket, key, request.if_match)
    gone = remove(call, bucket, key, request.version_id, _may_go(call, bucket, key, request))
    if gone is None:
        return wire.DeleteObjectOutput(version_id=request.version_id)
    return wire.DeleteObjectOutput(delete_marker=gone.marker or None, version_id=gone.id)


def _may_go(call: Call, bucket: Bucket, key: str, request: Any) -> Callable[[Version], None]:
    """What says whether a version that is named may go."""
    bypass = bool(request.bypass_governance_retention)
    return lambda version: check_removable(call, bucket, key, version, bypass=bypass)


def _on_many(call: Call, request: Any) -> tuple[Target, ...]:
    """The first object that may be deleted, so that the event names whose it is; each is decided on by itself."""
    bucket = bucket_named(call, request.bucket)
    if call.exchange is not None and not payload_of(call).vouched:
        raise errors.InvalidS3Request(
            "Missing required header for this request: Content-MD5 OR x-amz-checksum-*"
        )
    named = request.delete.objects if request.delete is not None else None
    if not named or len(named) > _MOST_DELETED:
        raise errors.MalformedXml
    targets = (_target_of(call, bucket, each) for each in named)
    allowed = next((target for target in targets if _is_allowed(call, target)), None)
    if allowed is None and not call.account:
        raise errors.S3AccessDenied
    return () if allowed is None else (allowed,)


def _target_of(call: Call, bucket: Bucket, named: wire.ObjectIdentifier) -> Target:
    action = "DeleteObject" if named.version_id is None else "DeleteObjectVersion"
    return object_target(call, bucket, object_key(named.key), action, _facts(call, named))


def _facts(call: Call, named: wire.ObjectIdentifier) -> Facts:
    condition: Facts = {} if named.e_tag is None else {PARAMETERS["if_match"]: named.e_tag}
    return facts_of(call, named) | condition


def _is_allowed(call: Call, target: Target) -> bool:
    try:
        check(call, target)
    except errors.AccessDenied:
        return False
    return True


@operation(
    "DeleteObjects",
    targets=_on_many,
    changes=True,
    undecided="each object that it names is decided on by itself, and told by itself",
)
def delete_objects(
    call: Call, request: wire.DeleteObjectsRequest, *_targets: Target
) -> wire.DeleteObjectsOutput:
    """Delete up to a thousand objects, and tell of each what became of it."""
    bucket, asked = bucket_named(call, request.bucket), request.delete
    assert asked is not None
    hold(call, bucket, len(asked.objects or ()))
    deleted: list[wire.DeletedObject] = []
    failed: list[wire.Error] = []
    for named in asked.objects or ():
        try:
            deleted.append(_delete_one(call, bucket, named, request))
        except errors.ApiError as error:
            code = "AccessDenied" if isinstance(error, errors.AccessDenied) else error.code
            failed.append(
                wire.Error(key=named.key, version_id=named.version_id, code=code, message=error.message)
            )
    return wire.DeleteObjectsOutput(deleted=None if asked.quiet else deleted, errors=failed or None)


def _delete_one(
    call: Call, bucket: Bucket, named: wire.ObjectIdentifier, request: wire.DeleteObjectsRequest
) -> wire.DeletedObject:
    key = object_key(named.key)
    check(call, _target_of(call, bucket, named))
    if named.e_tag not in {None, _ANY}:
        check(call, object_target(call, bucket, key, "GetObject", _facts(call, named)))
    if named.version_id is not None and not is_id(named.version_id):  # told otherwise than by DeleteObject
        raise errors.NoSuchVersion
    _check_conditions(named)
    _check_wanted(call, bucket, key, named.e_tag)
    gone = remove(call, bucket, key, named.version_id, _may_go(call, bucket, key, request))
    if gone is None or not gone.marker:
        return wire.DeletedObject(key=key, version_id=named.version_id)
    return wire.DeletedObject(
        key=key, version_id=named.version_id, delete_marker=True, delete_marker_version_id=gone.id
    )


OPERATIONS = (delete_object, delete_objects)
