"""PutEventSelectors, GetEventSelectors, and what they select: which events a trail delivers."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from keystead import errors
from keystead.api import Call, Target, operation
from keystead.audit.event import OBJECT_TYPE
from keystead.audit.terms import Event
from keystead.services.cloudtrail.access import at_home, existing, on_trail
from keystead.services.cloudtrail.tables import TRAILS, Selector, Trail
from keystead.wire.models import cloudtrail as wire

_EXCLUDABLE: Final = frozenset({"kms.amazonaws.com", "rdsdata.amazonaws.com"})
_READ_ONLY: Final = {"All": (True, False), "ReadOnly": (True,), "WriteOnly": (False,)}
_MOST: Final = 5
_MOST_OBJECTS: Final = 250
"""Selectors of a trail, and data resources in all of them (API reference, PutEventSelectors)."""
_ALL_OBJECTS: Final = ("arn:aws:s3", "arn:aws:s3:::")
_BUCKET: Final = "arn:aws:s3:::"


def selects(selector: Selector, event: Event) -> bool:
    """Whether the event is one of those that a trail with this selector delivers."""
    if event.readOnly not in _READ_ONLY[selector.read_write]:
        return False
    if event.managementEvent:
        return selector.management and event.eventSource not in selector.excluded
    return any(value in _ALL_OBJECTS or _begins(event, value) for value in selector.objects)


def _begins(event: Event, value: str) -> bool:
    """Whether the event is of an object whose ARN begins so, or of a bucket all of whose objects' ARNs do."""
    listed = event.resources or ()
    objects = [each.arn for each in listed if each.type == OBJECT_TYPE]
    return any(name.startswith(value) for name in objects or [f"{each.arn}/" for each in listed])


@operation("PutEventSelectors", targets=on_trail("PutEventSelectors", "trail_name"), changes=True)
def put_event_selectors(
    call: Call, request: wire.PutEventSelectorsRequest, _trail: Target
) -> wire.PutEventSelectorsResponse:
    """Have a trail deliver reading, writing or all events, of management and of objects in S3."""
    trail = at_home(call, request.trail_name)
    if request.advanced_event_selectors:
        raise errors.UnsupportedOperation("This server does not support advanced event selectors.")
    given = request.event_selectors or []
    if not 1 <= len(given) <= _MOST:
        raise errors.InvalidEventSelectors(f"A trail has from 1 to {_MOST} event selectors.")
    selectors = tuple(_selector(each) for each in given)
    if sum(len(each.objects) for each in selectors) > _MOST_OBJECTS:
        raise errors.InvalidEventSelectors(f"A trail has at most {_MOST_OBJECTS} data resources.")
    changed = msgspec.structs.replace(trail, selectors=selectors, custom_selectors=True)
    call.tx.put(TRAILS, trail.place, changed)
    return wire.PutEventSelectorsResponse(**_shown(changed))


def _selector(given: wire.EventSelector) -> Selector:
    selector = Selector(
        read_write=given.read_write_type or "All",
        management=given.include_management_events is not False,
        excluded=tuple(given.exclude_management_event_sources or ()),
        objects=tuple(value for each in given.data_resources or () for value in _objects(each)),
    )
    if not selector.management and not selector.objects:
        raise errors.InvalidEventSelectors(
            "A selector without management events and data resources would deliver nothing."
        )
    if not _EXCLUDABLE.issuperset(selector.excluded):
        raise errors.InvalidEventSelectors(
            f"Only events of {' and '.join(sorted(_EXCLUDABLE))} can be excluded."
        )
    return selector


def _objects(given: wire.DataResource) -> list[str]:
    """What the ARNs of the objects begin with (API reference, DataResource)."""
    if given.type != OBJECT_TYPE:
        raise errors.InvalidEventSelectors(
            f"This server has data events of {OBJECT_TYPE} only, and none of {given.type}."
        )
    for value in given.values or ():
        bucket = value.removeprefix(_BUCKET)
        if value not in _ALL_OBJECTS and (bucket == value or not bucket.partition("/")[1]):
            raise errors.InvalidEventSelectors(
                f"Value {value} for DataResources.Values is invalid: it is arn:aws:s3 for all objects, "
                "arn:aws:s3:::BUCKET/ for a bucket's, or arn:aws:s3:::BUCKET/PREFIX."
            )
    return given.values or []


@operation("GetEventSelectors", targets=on_trail("GetEventSelectors", "trail_name"))
def get_event_selectors(
    call: Call, request: wire.GetEventSelectorsRequest, _trail: Target
) -> wire.GetEventSelectorsResponse:
    """Return which events a trail delivers."""
    return wire.GetEventSelectorsResponse(**_shown(existing(call, request.trail_name)))


def _shown(trail: Trail) -> dict[str, Any]:
    return {"trail_arn": trail.arn, "event_selectors": [_told(each) for each in trail.selected]}


def _told(selector: Selector) -> wire.EventSelector:
    objects = [wire.DataResource(type=OBJECT_TYPE, values=list(selector.objects))]
    return wire.EventSelector(
        read_write_type=selector.read_write,
        include_management_events=selector.management,
        data_resources=objects if selector.objects else [],
        exclude_management_event_sources=list(selector.excluded),
    )


OPERATIONS = (put_event_selectors, get_event_selectors)
