"""LookupEvents and ListPublicKeys."""

from __future__ import annotations

import base64
import binascii
from itertools import islice
from typing import Any, Final

from keystead import errors
from keystead.api import Call, Target, operation
from keystead.api.operation import always
from keystead.audit.query import Filter, Found, Place, find
from keystead.audit.terms import read_event
from keystead.services.cloudtrail.access import on_any
from keystead.services.cloudtrail.signing import LATE
from keystead.services.cloudtrail.tables import SIGNING_KEYS
from keystead.wire.models import cloudtrail as wire

_MOST: Final = 50
_NEWEST: Final = 50_000
"""Events that an index which is behind takes in before it answers: a second or two."""
_TOKEN: Final = "lookup-events"  # noqa: S105  a kind of token
_FIELDS: Final = {
    "EventId": "event_id",
    "EventName": "operation",
    "Username": "user",
    "ResourceType": "resource_type",
    "ResourceName": "key",
    "EventSource": "source",
    "AccessKeyId": "access_key_id",
}


@operation("LookupEvents", targets=on_any("LookupEvents"), slow=always)
def lookup_events(call: Call, request: wire.LookupEventsRequest, _any: Target) -> wire.LookupEventsResponse:
    """Return a page of the account's events in this Region, newest first."""
    start, end = request.start_time, request.end_time
    if start is not None and end is not None and start > end:
        raise errors.InvalidTimeRange("The start time must not be after the end time.")
    if request.event_category is not None:  # insights, of which there are none
        return wire.LookupEventsResponse(events=[])
    asked = Filter(
        account=call.account,
        region=call.region,
        management=True,  # those of data it does not show (API reference, LookupEvents)
        since=start,
        until=end,
        **_attribute(request),
    )
    scope = repr((call.account, call.region, start, end, _attribute(request)))
    after = _read(call, request.next_token, scope)
    index, most = call.trails.index, request.max_results or _MOST
    index.catch_up(_NEWEST)
    found = list(islice(find(index, asked, after=after, page=most + 1), most + 1))
    shown = found[:most]
    token = _make(call, shown[-1].place, scope) if len(found) > most else None
    return wire.LookupEventsResponse(events=[_shown(each) for each in shown], next_token=token)


def _attribute(request: wire.LookupEventsRequest) -> dict[str, Any]:
    attributes = request.lookup_attributes or []
    if len(attributes) > 1:
        raise errors.InvalidLookupAttributes("You can only specify one lookup attribute.")
    if not attributes:
        return {}
    key, value = attributes[0].attribute_key or "", attributes[0].attribute_value or ""
    if key != "ReadOnly":
        return {_FIELDS[key]: value}
    if value not in {"true", "false"}:
        raise errors.InvalidLookupAttributes("ReadOnly is true or false.")
    return {"read_only": value == "true"}


def _shown(found: Found) -> wire.Event:
    event = read_event(found.payload)
    return wire.Event(
        event_id=event.eventID,
        event_name=event.eventName,
        read_only="true" if event.readOnly else "false",
        access_key_id=event.userIdentity.access_key_id or None,
        event_time=float(event.time),
        event_source=event.eventSource,
        username=event.user or None,
        resources=[wire.Resource(resource_type=kind, resource_name=name) for kind, name in event.named],
        cloud_trail_event=found.payload.decode(),
    )


def _make(call: Call, place: Place, scope: str) -> str:
    sealed = call.keyring.seal_token(_TOKEN, f"{place.time}/{place.row}".encode(), scope)
    return base64.b64encode(sealed).decode()


def _read(call: Call, token: str | None, scope: str) -> Place | None:
    if token is None:
        return None
    try:
        opened = call.keyring.open_token(_TOKEN, base64.b64decode(token, validate=True), scope)
    except (binascii.Error, ValueError, errors.DecryptionFailed):
        raise errors.InvalidNextToken("Invalid NextToken") from None
    time, _, row = opened.decode().partition("/")
    return Place(int(time), int(row))


@operation("ListPublicKeys", targets=on_any("ListPublicKeys"))
def list_public_keys(
    call: Call, request: wire.ListPublicKeysRequest, _any: Target
) -> wire.ListPublicKeysResponse:
    """Return the keys that may have signed digests between two times; by default within the last day."""
    end = call.now if request.end_time is None else request.end_time
    start = end - 86400 if request.start_time is None else request.start_time
    if start > end:
        raise errors.InvalidTimeRange("The start time must not be after the end time.")
    keys = (key for _, key in call.tx.scan(SIGNING_KEYS, f"{call.account}/"))
    return wire.ListPublicKeysResponse(
        public_key_list=[
            wire.PublicKey(
                value=key.public,
                validity_start_time=key.begins,
                validity_end_time=key.ends,
                fingerprint=key.fingerprint,
            )
            for key in keys
            if key.begins <= end + LATE and start <= key.ends + LATE
        ]
    )


OPERATIONS = (lookup_events, list_public_keys)
