"""StartLogging, StopLogging, GetTrailStatus."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from keystead.api import Call, Target, operation
from keystead.api.operation import always
from keystead.services.cloudtrail.access import at_home, existing, on_trail
from keystead.services.cloudtrail.tables import DELIVERIES, TRAILS, Delivery
from keystead.wire.models import cloudtrail as wire


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


OPERATIONS = (start_logging, stop_logging, get_trail_status)
