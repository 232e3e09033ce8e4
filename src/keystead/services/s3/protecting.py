"""Object Lock: what keeps a version from being deleted, and until when.

Source: Amazon S3 User Guide, "Locking objects with Object Lock". Who may not delete a version may not shorten its
retention either; a compliance mode nobody shortens, governance only who may bypass it and says so.
"""

from __future__ import annotations

import calendar
from datetime import UTC, datetime
from typing import Any, Final

from keystead import errors
from keystead.api import Call
from keystead.api.authorize import check
from keystead.services.s3.access import Facts, object_target
from keystead.services.s3.rules import DAY
from keystead.services.s3.tables import Bucket, Lock, Protection, Version

GOVERNANCE: Final = "GOVERNANCE"
COMPLIANCE: Final = "COMPLIANCE"
MODES: Final = frozenset({GOVERNANCE, COMPLIANCE})
HELD: Final = "ON"
_HOLDS: Final = frozenset({HELD, "OFF"})
_PROTECTED: Final = "Access Denied because object protected by object lock."
_BYPASS: Final = "BypassGovernanceRetention"


def is_protected(version: Version, now: float) -> bool:
    """Whether nobody may delete the version now, but who may bypass governance."""
    given = version.protection
    return given.hold == HELD or (bool(given.mode) and given.until > now)


def check_removable(call: Call, bucket: Bucket, key: str, version: Version, *, bypass: bool) -> None:
    """None, if the caller may delete this version now; `bypass` if the request says that governance is to be bypassed.

    Raises:
        errors.S3AccessDenied: it is protected.
        errors.AccessDenied: it would have to bypass governance, and may not.
    """
    if not is_protected(version, call.now):
        return
    given = version.protection
    if given.hold == HELD or given.mode != GOVERNANCE or not bypass:
        raise errors.S3AccessDenied(_PROTECTED)
    check(call, object_target(call, bucket, key, _BYPASS))


def check_change(
    call: Call, bucket: Bucket, key: str, version: Version, wanted: Protection, *, bypass: bool
) -> None:
    """None, if the caller may give the version this retention: a longer one of the same mode always.

    Raises:
        errors.S3AccessDenied: it would be less protected than it is.
        errors.AccessDenied: the caller would have to bypass governance, and may not.
    """
    given = version.protection
    in_force = bool(given.mode) and given.until > call.now
    if not in_force or (wanted.mode == given.mode and wanted.until >= given.until):
        return
    if given.mode != GOVERNANCE or not bypass:
        raise errors.S3AccessDenied(_PROTECTED)
    check(call, object_target(call, bucket, key, _BYPASS))


# ------------------------------------------------------------------------------ of new versions


def lock_of(bucket: Bucket) -> Lock:
    """The bucket's Object Lock.

    Raises:
        errors.InvalidS3Request: it has none.
    """
    if bucket.lock is None:
        raise errors.InvalidS3Request("Bucket is missing Object Lock Configuration")
    return bucket.lock


def asked_of(call: Call, bucket: Bucket, request: Any) -> Protection:
    """The protection that the headers of a request ask for.

    Raises:
        errors.InvalidS3Argument: they make no sense.
        errors.InvalidS3Request: the bucket has no Object Lock.
    """
    mode, until = request.object_lock_mode, request.object_lock_retain_until_date
    hold = request.object_lock_legal_hold_status
    if mode is None and until is None and hold is None:
        return Protection()
    lock_of(bucket)
    if (mode is None) != (until is None):
        raise errors.InvalidS3Argument(
            "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied"
        )
    if mode is not None and mode not in MODES:
        raise errors.InvalidS3Argument("Unknown wormMode directive.")
    if hold is not None and hold not in _HOLDS:
        raise errors.InvalidS3Argument("Legal Hold must be either of 'ON' or 'OFF'")
    check_date(call, until)
    return Protection(mode or "", until or 0.0, hold or "")


def check_date(call: Call, until: float | None) -> None:
    """None, if a retention can end then.

    Raises:
        errors.InvalidS3Argument: it is over already.
    """
    if until is not None and until <= call.now:
        raise errors.InvalidS3Argument("The retain until date must be in the future!")


def protection_of(call: Call, bucket: Bucket, asked: Protection) -> Protection:
    """The protection of a version that is made now: what was asked for, and else the bucket's default retention."""
    lock = bucket.lock
    if lock is None or not lock.mode or asked.mode:
        return asked
    until = call.now + lock.days * DAY if lock.days else years_later(call.now, lock.years)
    return Protection(lock.mode, until, asked.hold)


def years_later(now: float, years: int) -> float:
    """The same moment so many years later; of a leap day the day before."""
    at = datetime.fromtimestamp(now, UTC)
    year = at.year + years
    day = min(at.day, calendar.monthrange(year, at.month)[1])
    return at.replace(year=year, day=day).timestamp()


def permissions(request: Any) -> list[str]:
    """What a request takes besides that asks for protection."""
    retained = request.object_lock_mode is not None or request.object_lock_retain_until_date is not None
    held = request.object_lock_legal_hold_status is not None
    return ["PutObjectRetention"] * retained + ["PutObjectLegalHold"] * held


def facts(call: Call, mode: str | None, until: float | None, hold: str | None) -> Facts:
    """What conditions can ask of the protection that a request gives."""
    found: Facts = {}
    if mode is not None:
        found["s3:object-lock-mode"] = mode
    if hold is not None:
        found["s3:object-lock-legal-hold"] = hold
    if until is not None:
        date = datetime.fromtimestamp(int(until), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        found["s3:object-lock-retain-until-date"] = date
        found["s3:object-lock-remaining-retention-days"] = str(max(0, int((until - call.now) // DAY)))
    return found


def header_facts(call: Call, request: Any) -> Facts:
    """The same of a request's headers."""
    return facts(
        call,
        request.object_lock_mode,
        request.object_lock_retain_until_date,
        request.object_lock_legal_hold_status,
    )


# ------------------------------------------------------------------------------ what is told


def told(call: Call, bucket: Bucket, key: str, version: Version) -> dict[str, Any]:
    """What answers about a version say of its protection, to whoever may ask for it."""
    given, found = version.protection, dict[str, Any]()
    if given.mode and _may(call, bucket, key, "GetObjectRetention"):
        found |= {"object_lock_mode": given.mode, "object_lock_retain_until_date": given.until}
    if given.hold and _may(call, bucket, key, "GetObjectLegalHold"):
        found["object_lock_legal_hold_status"] = given.hold
    return found


def _may(call: Call, bucket: Bucket, key: str, action: str) -> bool:
    try:
        check(call, object_target(call, bucket, key, action))
    except errors.AccessDenied:
        return False
    return True
