"""CreateTrail, UpdateTrail, DeleteTrail, GetTrail, DescribeTrails, ListTrails."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from keystead import errors
from keystead.api import Call, Target, operation
from keystead.api.operation import always
from keystead.audit.sink import is_bucket_name
from keystead.services.cloudtrail.access import (
    at_home,
    check_name,
    existing,
    on_any,
    on_trail,
    visible,
    with_tags,
)
from keystead.services.cloudtrail.tables import DELIVERIES, TRAILS, Trail
from keystead.services.cloudtrail.tags import new_tags
from keystead.wire.models import cloudtrail as wire

_MOST: Final = 5
_LONGEST_PREFIX: Final = 200
_ABSENT: Final = {
    "sns_topic_name": "notifications by SNS",
    "cloud_watch_logs_log_group_arn": "delivery to CloudWatch Logs",
    "cloud_watch_logs_role_arn": "delivery to CloudWatch Logs",
    "kms_key_id": "encryption of log files by a key (the store that takes them encrypts)",
    "is_organization_trail": "trails of organizations",
}


def _refuse_absent(request: Any) -> None:
    for attribute, what in _ABSENT.items():
        if getattr(request, attribute):
            raise errors.UnsupportedOperation(f"This server does not support {what}.")


def _check_destination(call: Call, bucket: str, prefix: str) -> None:
    if not is_bucket_name(bucket):
        raise errors.InvalidS3BucketName(f"Bucket name {bucket!r} is not valid.")
    if len(prefix) > _LONGEST_PREFIX or prefix.startswith("/") or ".." in prefix or "\0" in prefix:
        raise errors.InvalidS3Prefix("The S3 key prefix is not valid.")
    sink = call.trails.sink
    if sink is None:
        raise errors.S3BucketDoesNotExist(
            "S3 bucket does not exist: no store for trails is configured (settings trail_directory, trail_s3_endpoint)."
        )
    try:
        there = sink.exists(bucket)
    except errors.SinkFailed:
        there = False
    if not there:
        raise errors.S3BucketDoesNotExist(f"S3 bucket {bucket} does not exist!")


@operation("CreateTrail", targets=with_tags(on_trail("CreateTrail")), changes=True, slow=always)
def create_trail(call: Call, request: wire.CreateTrailRequest, *_trail: Target) -> wire.CreateTrailResponse:
    """Make a trail, which does not log before StartLogging."""
    name, bucket, prefix = (
        check_name(request.name or ""),
        request.s3_bucket_name or "",
        request.s3_key_prefix or "",
    )
    _refuse_absent(request)
    global_events = request.include_global_service_events is not False
    if request.is_multi_region_trail and not global_events:
        raise errors.InvalidParameterCombination("Multi-Region trail must include global service events.")
    trails = visible(call, shadows=True)
    if any(trail.name == name for trail in trails):
        raise errors.TrailAlreadyExists(f"Trail {name} already exists for customer: {call.account}")
    if len(trails) >= _MOST:
        raise errors.MaximumNumberOfTrailsExceeded(
            f"User: {call.account} already has {_MOST} trails in {call.region}."
        )
    _check_destination(call, bucket, prefix)
    trail = Trail(
        account=call.account,
        region=call.region,
        name=name,
        bucket=bucket,
        prefix=prefix,
        multi_region=bool(request.is_multi_region_trail),
        global_events=global_events,
        validation=bool(request.enable_log_file_validation),
        tags=new_tags({}, request.tags_list),
    )
    call.tx.insert(TRAILS, trail.place, trail)
    return wire.CreateTrailResponse(**_described(trail))


@operation("UpdateTrail", targets=on_trail("UpdateTrail"), changes=True, slow=always)
def update_trail(call: Call, request: wire.UpdateTrailRequest, _trail: Target) -> wire.UpdateTrailResponse:
    """Change what is given; the rest stays."""
    trail = at_home(call, request.name)
    _refuse_absent(request)
    given = {
        "bucket": request.s3_bucket_name,
        "prefix": request.s3_key_prefix,
        "multi_region": request.is_multi_region_trail,
        "global_events": request.include_global_service_events,
        "validation": request.enable_log_file_validation,
    }
    changed = msgspec.structs.replace(
        trail, **{name: value for name, value in given.items() if value is not None}
    )
    if changed.multi_region and not changed.global_events:
        raise errors.InvalidParameterCombination("Multi-Region trail must include global service events.")
    if (changed.bucket, changed.prefix) != (trail.bucket, trail.prefix):
        _check_destination(call, changed.bucket, changed.prefix)
    call.tx.put(TRAILS, trail.place, changed)
    return wire.UpdateTrailResponse(**_described(changed))


@operation("DeleteTrail", targets=on_trail("DeleteTrail"), changes=True)
def delete_trail(call: Call, request: wire.DeleteTrailRequest, _trail: Target) -> None:
    """Remove a trail; what it delivered stays, what it has not delivered is delivered no more."""
    trail = at_home(call, request.name)
    call.tx.delete(TRAILS, trail.place)
    call.tx.delete(DELIVERIES, trail.place)


@operation("GetTrail", targets=on_trail("GetTrail"))
def get_trail(call: Call, request: wire.GetTrailRequest, _trail: Target) -> wire.GetTrailResponse:
    """Return one trail."""
    return wire.GetTrailResponse(trail=_shown(existing(call, request.name)))


@operation("DescribeTrails", targets=on_any("DescribeTrails"))
def describe_trails(
    call: Call, request: wire.DescribeTrailsRequest, _any: Target
) -> wire.DescribeTrailsResponse:
    """Return the trails that are named, or all that log in this Region; a name without a trail is left out."""
    shadows = request.include_shadow_trails is not False
    found = visible(call, shadows=shadows)
    if request.trail_name_list:
        trails = (trail for _, trail in call.tx.scan(TRAILS, f"{call.account}/"))
        by_arn = [trail for trail in trails if trail.arn in request.trail_name_list]
        found = [trail for trail in found if trail.name in request.trail_name_list] + by_arn
    return wire.DescribeTrailsResponse(trail_list=[_shown(trail) for trail in found])


@operation("ListTrails", targets=on_any("ListTrails"))
def list_trails(call: Call, _request: wire.ListTrailsRequest, _any: Target) -> wire.ListTrailsResponse:
    """Return the account's trails of all Regions, at once: there are few."""
    trails = (trail for _, trail in call.tx.scan(TRAILS, f"{call.account}/"))
    return wire.ListTrailsResponse(
        trails=[
            wire.TrailInfo(trail_arn=trail.arn, name=trail.name, home_region=trail.region) for trail in trails
        ]
    )


def _described(trail: Trail) -> dict[str, Any]:
    """The members that every description of a trail has."""
    return {
        "name": trail.name,
        "s3_bucket_name": trail.bucket,
        "s3_key_prefix": trail.prefix or None,
        "include_global_service_events": trail.global_events,
        "is_multi_region_trail": trail.multi_region,
        "trail_arn": trail.arn,
        "log_file_validation_enabled": trail.validation,
        "is_organization_trail": False,
    }


def _shown(trail: Trail) -> wire.Trail:
    return wire.Trail(
        **_described(trail),
        home_region=trail.region,
        has_custom_event_selectors=trail.custom_selectors,
        has_insight_selectors=False,
    )


OPERATIONS = (create_trail, update_trail, delete_trail, get_trail, describe_trails, list_trails)
