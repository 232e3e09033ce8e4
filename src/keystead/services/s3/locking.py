"""PutObjectLockConfiguration, PutObjectRetention and PutObjectLegalHold, and what was put."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from keystead import errors
from keystead.api import Call, Target, operation
from keystead.api.operation import Targets
from keystead.services.s3.access import (
    Facts,
    bucket_named,
    check_owner,
    facts_of,
    object_key,
    object_target,
    on_bucket,
    on_object,
)
from keystead.services.s3.protecting import HELD, MODES, check_change, check_date, facts, lock_of
from keystead.services.s3.settings import change
from keystead.services.s3.tables import Bucket, Lock, Protection, Version
from keystead.services.s3.versions import ENABLED, check_id, find, store
from keystead.wire.models import s3 as wire

_MOST_DAYS: Final = 36_500
_MOST_YEARS: Final = 100
_NO_EVENT_HOLDS: Final = "This server does not support event holds."


# ------------------------------------------------------------------------------ of the bucket


@operation("PutObjectLockConfiguration", targets=on_bucket("PutBucketObjectLockConfiguration"), changes=True)
def put_object_lock_configuration(
    call: Call, request: wire.PutObjectLockConfigurationRequest, _bucket: Target
) -> wire.PutObjectLockConfigurationOutput:
    """Lock new versions by default, or lock versions at all; that is never undone."""
    given = request.object_lock_configuration
    if given is None:
        raise errors.MissingBody
    rule = given.rule.default_retention if given.rule is not None else None
    if rule is not None and rule.default_event_hold is not None:
        raise errors.NotImplementedHere(_NO_EVENT_HOLDS)
    if given.object_lock_enabled != ENABLED:
        raise errors.MalformedXml
    bucket = bucket_named(call, request.bucket)
    if bucket.versioning != ENABLED:
        raise errors.InvalidBucketState(
            "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration"
        )
    change(call, bucket, lock=_lock(given.rule))
    return wire.PutObjectLockConfigurationOutput()


def _lock(rule: wire.ObjectLockRule | None) -> Lock:
    """The default retention.

    Raises:
        errors.MalformedXml, errors.InvalidS3Argument: there can be no such one.
    """
    if rule is None:
        return Lock()
    given = rule.default_retention
    if given is None or given.mode not in MODES or (given.days is None) == (given.years is None):
        raise errors.MalformedXml
    period, most = (given.days, _MOST_DAYS) if given.days is not None else (given.years, _MOST_YEARS)
    if (period or 0) <= 0:
        raise errors.InvalidS3Argument("Default retention period must be a positive integer value.")
    if (period or 0) > most:
        raise errors.InvalidS3Argument("Default retention period is too large.")
    return Lock(given.mode or "", given.days or 0, given.years or 0)


@operation("GetObjectLockConfiguration", targets=on_bucket("GetBucketObjectLockConfiguration"))
def get_object_lock_configuration(
    call: Call, request: wire.GetObjectLockConfigurationRequest, _bucket: Target
) -> wire.GetObjectLockConfigurationOutput:
    """Return whether versions can be locked, and for how long they are by default."""
    bucket = bucket_named(call, request.bucket)
    lock = bucket.lock
    if lock is None:
        raise errors.NoObjectLock(about={"BucketName": bucket.name})
    rule = wire.ObjectLockRule(
        default_retention=wire.DefaultRetention(
            mode=lock.mode, days=lock.days or None, years=lock.years or None
        )
    )
    return wire.GetObjectLockConfigurationOutput(
        object_lock_configuration=wire.ObjectLockConfiguration(
            object_lock_enabled=ENABLED, rule=rule if lock.mode else None
        )
    )


# ------------------------------------------------------------------------------ of a version


def _named(call: Call, request: Any) -> tuple[Bucket, str, Version]:
    bucket, key = bucket_named(call, request.bucket), object_key(request.key)
    check_id(request.version_id)
    lock_of(bucket)
    return bucket, key, find(call, bucket, key, request.version_id)


def _protect(call: Call, bucket: Bucket, key: str, version: Version, **members: Any) -> None:
    protection = msgspec.structs.replace(version.protection, **members)
    store(call, bucket, key, msgspec.structs.replace(version, protection=protection))


def _protected(action: str, said: Callable[[Call, Any], Facts]) -> Targets:
    """The object whose protection the request changes; `said` is what the request says of it."""

    def targets(call: Call, request: Any) -> tuple[Target, ...]:
        bucket = bucket_named(call, request.bucket)
        check_owner(bucket, request.expected_bucket_owner)
        told = facts_of(call, request) | said(call, request)
        return (object_target(call, bucket, object_key(request.key), action, told),)

    return targets


def _retention_said(call: Call, request: Any) -> Facts:
    given = request.retention
    return {} if given is None else facts(call, given.mode, given.retain_until_date, None)


def _hold_said(call: Call, request: Any) -> Facts:
    given = request.legal_hold
    return {} if given is None else facts(call, None, None, given.status)


@operation("PutObjectRetention", targets=_protected("PutObjectRetention", _retention_said), changes=True)
def put_object_retention(
    call: Call, request: wire.PutObjectRetentionRequest, _object: Target
) -> wire.PutObjectRetentionOutput:
    """Retain a version until a date; less than before only where governance may be bypassed."""
    given = request.retention
    if given is None:
        raise errors.MissingBody
    if given.event_hold is not None or given.event_hold_duration is not None:
        raise errors.NotImplementedHere(_NO_EVENT_HOLDS)
    bucket, key, version = _named(call, request)
    mode, until = given.mode, given.retain_until_date
    if (mode is None) != (until is None) or (mode is not None and mode not in MODES):
        raise errors.MalformedXml
    check_date(call, until)
    wanted = Protection(mode or "", until or 0.0)
    check_change(call, bucket, key, version, wanted, bypass=bool(request.bypass_governance_retention))
    _protect(call, bucket, key, version, mode=wanted.mode, until=wanted.until)
    return wire.PutObjectRetentionOutput()


@operation("GetObjectRetention", targets=on_object("GetObjectRetention"))
def get_object_retention(
    call: Call, request: wire.GetObjectRetentionRequest, _object: Target
) -> wire.GetObjectRetentionOutput:
    """Return until when a version is retained."""
    _, _, version = _named(call, request)
    given = version.protection
    if not given.mode:
        raise errors.NoProtection
    return wire.GetObjectRetentionOutput(
        retention=wire.ObjectLockRetention(mode=given.mode, retain_until_date=given.until)
    )


@operation("PutObjectLegalHold", targets=_protected("PutObjectLegalHold", _hold_said), changes=True)
def put_object_legal_hold(
    call: Call, request: wire.PutObjectLegalHoldRequest, _object: Target
) -> wire.PutObjectLegalHoldOutput:
    """Hold a version until the hold is taken away, whatever its retention."""
    if request.legal_hold is None:
        raise errors.MissingBody
    bucket, key, version = _named(call, request)
    status = request.legal_hold.status
    if status not in {HELD, "OFF"}:
        raise errors.MalformedXml
    _protect(call, bucket, key, version, hold=status)
    return wire.PutObjectLegalHoldOutput()


@operation("GetObjectLegalHold", targets=on_object("GetObjectLegalHold"))
def get_object_legal_hold(
    call: Call, request: wire.GetObjectLegalHoldRequest, _object: Target
) -> wire.GetObjectLegalHoldOutput:
    """Return whether a version is held."""
    _, _, version = _named(call, request)
    if not version.protection.hold:
        raise errors.NoProtection
    return wire.GetObjectLegalHoldOutput(legal_hold=wire.ObjectLockLegalHold(status=version.protection.hold))


OPERATIONS = (
    put_object_lock_configuration,
    get_object_lock_configuration,
    put_object_retention,
    get_object_retention,
    put_object_legal_hold,
    get_object_legal_hold,
)
