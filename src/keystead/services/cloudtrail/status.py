"""StartLogging, StopLogging, GetTrailStatus, PutEventSelectors, GetEventSelectors."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from keystead import errors
from keystead.api import Call, Target, operation
from keystead.api.operation import always
from keystead.services.cloudtrail.access import at_home, existing, on_trail
from keystead.services.cloudtrail.tables import DELIVERIES, TRAILS, Delivery, Trail
from keystead.wire.models import cloudtrail as wire

_EXCLUDABLE: Final = frozenset({"kms.amazonaws.com", "rdsdata.amazonaws.com"})


@operation("StartLogging", targets=on_trail("StartLogging"), changes=True, slow=always)
def start_logging(call: Call, request: wire.StartLoggingRequest, _trail: Target) -> wire.StartLoggingResponse:
    """Have a trail deliver what happens from now on."""
    trail = at_home(call, request.name)
    if not trail.logging:
        delivery = call.tx.get(DELIVERIES, trail.place)
        done = 0.0 if delivery is None else delivery.done
        left = (period for period in trail.periods if period[1] > done)
        begun = msgspec.structs.replace(trail, periods=(*left, (call.now, 0.0)), started=call.now)
        call.tx.put(TRAILS, trail.place, begun)
        if delivery is None:
            call.tx.put(DELIVERIES, trail.place, Delivery(cursors=call.trails.index.cursors()))
    return wire.StartLoggingResponse()


@operation("StopLogging", targets=on_trail("StopLogging"), changes=True)
def stop_logging(call: Call, request: wire.StopLoggingRequest, _trail: Target) -> wire.StopLoggingResponse:
    """Have a trail deliver what has happened, and nothing that happens later."""
    trail = at_home(call, request.name)
    if trail.logging:
        ended = (*trail.periods[:-1], (trail.periods[-1][0], call.now))
        call.tx.put(TRAILS, trail.place, msgspec.structs.replace(trail, periods=ended, stopped=call.now))
    return wire.StopLoggingResponse()


@operation("GetTrailStatus", targets=on_trail("GetTrailStatus"))
def get_trail_status(
    call: Call, request: wire.GetTrailStatusRequest, _trail: Target
) -> wire.GetTrailStatusResponse:
    """Return whether a trail logs, and how its deliveries went."""
    trail = existing(call, request.name)
    delivery = call.tx.get(DELIVERIES, trail.place) or Delivery()
    return wire.GetTrailStatusResponse(
        is_logging=trail.logging,
        latest_delivery_error=delivery.error or None,
        latest_delivery_time=delivery.delivered or None,
        start_logging_time=trail.started or None,
        stop_logging_time=trail.stopped or None,
        latest_digest_delivery_time=delivery.digested or None,
        latest_digest_delivery_error=delivery.digest_error or None,
        latest_delivery_attempt_time=_text(delivery.attempted),
        latest_delivery_attempt_succeeded=_text(delivery.delivered),
        latest_notification_attempt_time="",
        latest_notification_attempt_succeeded="",
        time_logging_started=_text(trail.started),
        time_logging_stopped=_text(trail.stopped),
    )


def _text(seconds: float) -> str:
    """The older form of a time in this answer; empty for none."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if seconds else ""


# ------------------------------------------------------------------------------- selectors


@operation("PutEventSelectors", targets=on_trail("PutEventSelectors", "trail_name"), changes=True)
def put_event_selectors(
    call: Call, request: wire.PutEventSelectorsRequest, _trail: Target
) -> wire.PutEventSelectorsResponse:
    """Have a trail deliver reading, writing or all management events; there are no others here."""
    trail = at_home(call, request.trail_name)
    if request.advanced_event_selectors:
        raise errors.UnsupportedOperation("This server does not support advanced event selectors.")
    selectors = request.event_selectors or []
    if len(selectors) != 1:
        raise errors.InvalidEventSelectors("Give one event selector: it is of management events.")
    selector = selectors[0]
    if selector.data_resources:
        raise errors.InvalidEventSelectors(
            "This server has no data events: every event is a management event."
        )
    if selector.include_management_events is False:
        raise errors.InvalidEventSelectors("A trail without management events would deliver nothing.")
    excluded = tuple(selector.exclude_management_event_sources or ())
    if not _EXCLUDABLE.issuperset(excluded):
        raise errors.InvalidEventSelectors(
            f"Only events of {' and '.join(sorted(_EXCLUDABLE))} can be excluded."
        )
    changed = msgspec.structs.replace(
        trail, read_write=selector.read_write_type or "All", excluded=excluded, custom_selectors=True
    )
    call.tx.put(TRAILS, trail.place, changed)
    return wire.PutEventSelectorsResponse(**_selectors(changed))


@operation("GetEventSelectors", targets=on_trail("GetEventSelectors", "trail_name"))
def get_event_selectors(
    call: Call, request: wire.GetEventSelectorsRequest, _trail: Target
) -> wire.GetEventSelectorsResponse:
    """Return which events a trail delivers."""
    return wire.GetEventSelectorsResponse(**_selectors(existing(call, request.trail_name)))


def _selectors(trail: Trail) -> dict[str, Any]:
    selector = wire.EventSelector(
        read_write_type=trail.read_write,
        include_management_events=True,
        data_resources=[],
        exclude_management_event_sources=list(trail.excluded),
    )
    return {"trail_arn": trail.arn, "event_selectors": [selector]}


OPERATIONS = (start_logging, stop_logging, get_trail_status, put_event_selectors, get_event_selectors)
