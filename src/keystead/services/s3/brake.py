"""A brake for ransom and mistakes: how many objects of a bucket one caller may delete or re-encrypt in a while.

AWS has no such thing, so it is off unless the setting `brake_objects` says a number. Counted are deletions (markers too),
new keys for objects that are there, and copies of an object onto itself. Objects that are overwritten are not: that is what
buckets are for, and versions undo it.
"""

from __future__ import annotations

from typing import Final

from keystead import errors
from keystead.api import Call, Target
from keystead.api.authorize import check
from keystead.api.permissions import OVERRIDE_BRAKE
from keystead.services.s3.tables import Bucket
from keystead.storage.table import join
from keystead.storage.write import COUNTERS

_KIND: Final = "s3 brake"


def hold(call: Call, bucket: Bucket, count: int = 1) -> None:
    """None, if the caller may delete or re-encrypt `count` more objects of the bucket now; they are counted.

    All sessions of a role are one caller, and all workers count together. Calls that come at the same time do not see each
    other, so a few more can pass. Whoever has the override's permission is not counted.

    Raises:
        errors.TooManyAtOnce: it may not.
    """
    assert call.objects is not None
    brake = call.objects.brake
    if not brake.objects:
        return
    who = join(_KIND, bucket.id, call.caller.principal_id.partition(":")[0], "")
    name = f"{who}{int(call.now // brake.seconds)}"
    used = call.tx.count(name)
    if used + count > brake.objects and not _may_override(call, bucket):
        raise errors.TooManyAtOnce(
            f"The brake of this server lets one caller delete or re-encrypt {brake.objects} objects of a bucket in "
            f"{brake.seconds} seconds, unless it has the permission {OVERRIDE_BRAKE}."
        )
    if not used:  # the first of this while: what was counted before is over
        for before, _ in call.tx.scan(COUNTERS, who):
            call.tx.delete(COUNTERS, before)
    call.tx.bump(name, count)


def _may_override(call: Call, bucket: Bucket) -> bool:
    """Whether identity policies give the permission: no bucket's own policy can."""
    try:
        check(call, Target(OVERRIDE_BRAKE, bucket.arn, bucket.account))
    except errors.AccessDenied:
        return False
    return True
