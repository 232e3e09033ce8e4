"""Events as OCSF "API Activity" (class 6003), version 1.1.0 with the profile `cloud`.

Source: Open Cybersecurity Schema Framework 1.1.0, "API Activity [6003]" and "Cloud Profile". What has no place
there is kept under `unmapped`, so nothing of an event is lost.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, BinaryIO, Final

import msgspec

from keystead.audit.terms import seconds_of

VERSION: Final = "1.1.0"
_CLASS: Final = 6003
_CATEGORY: Final = 6
_OTHER, _CREATE, _READ, _UPDATE, _DELETE = 99, 1, 2, 3, 4
_ACTIVITY_NAMES: Final = {
    _OTHER: "Other",
    _CREATE: "Create",
    _READ: "Read",
    _UPDATE: "Update",
    _DELETE: "Delete",
}
_ACTIVITIES: Final = (
    (("Create", "Generate", "Replicate", "Import", "Upload", "Copy", "Complete"), _CREATE),
    (
        ("Delete", "Schedule", "Revoke", "Retire", "Remove", "Abort", "Expire", "Prune", "Deactivate"),
        _DELETE,
    ),
    (
        (
            "Put",
            "Update",
            "Enable",
            "Disable",
            "Rotate",
            "Tag",
            "Untag",
            "Cancel",
            "Attach",
            "Detach",
            "Add",
            "Set",
            "Change",
            "Move",
            "Resync",
            "Synchronize",
            "Start",
            "Stop",
            "Connect",
            "Disconnect",
        ),
        _UPDATE,
    ),
)
"""How the names of operations begin that change something, and which activity that is; reading is told by readOnly."""

_GAPS: Final[tuple[object, ...]] = (None, {}, [])
_MAPPED: Final = frozenset(
    {
        "eventVersion",
        "userIdentity",
        "eventTime",
        "eventSource",
        "eventName",
        "awsRegion",
        "sourceIPAddress",
        "userAgent",
        "errorCode",
        "errorMessage",
        "requestParameters",
        "responseElements",
        "requestID",
        "eventID",
        "resources",
        "recipientAccountId",
    }
)


def write_ocsf(events: Iterable[bytes], file: BinaryIO) -> int:
    """How many events were written, each as a JSON object on a line."""
    count = 0
    for event in events:
        file.write(msgspec.json.encode(ocsf(msgspec.json.decode(event))) + b"\n")
        count += 1
    return count


def ocsf(event: dict[str, Any]) -> dict[str, Any]:
    """The event as OCSF has it."""
    activity = _activity(event)
    failed = "errorCode" in event
    shown = {
        "activity_id": activity,
        "activity_name": _ACTIVITY_NAMES[activity],
        "category_uid": _CATEGORY,
        "category_name": "Application Activity",
        "class_uid": _CLASS,
        "class_name": "API Activity",
        "type_uid": _CLASS * 100 + activity,
        "type_name": f"API Activity: {_ACTIVITY_NAMES[activity]}",
        "severity_id": 1,
        "severity": "Informational",
        "status_id": 2 if failed else 1,
        "status": "Failure" if failed else "Success",
        "status_code": event.get("errorCode"),
        "status_detail": event.get("errorMessage"),
        "time": seconds_of(event["eventTime"]) * 1000,
        "metadata": _metadata(event),
        "cloud": {"provider": "Keystead", "region": event.get("awsRegion"), "account": _account(event)},
        "api": _api(event),
        "actor": _actor(event.get("userIdentity") or {}),
        "src_endpoint": _endpoint(event.get("sourceIPAddress")),
        "http_request": {"user_agent": event.get("userAgent")},
        "resources": [_resource(resource) for resource in event.get("resources") or ()],
        "unmapped": _unmapped(event),
    }
    return {name: kept for name, value in shown.items() if (kept := _without_gaps(value)) not in _GAPS}


def _activity(event: dict[str, Any]) -> int:
    if event.get("readOnly"):
        return _READ
    name = event["eventName"]
    return next((activity for starts, activity in _ACTIVITIES if name.startswith(starts)), _OTHER)


def _metadata(event: dict[str, Any]) -> dict[str, Any]:
    return {
        "version": VERSION,
        "profiles": ["cloud"],
        "product": {
            "name": "Keystead",
            "vendor_name": "Keystead",
            "feature": {"name": event.get("eventCategory")},
        },
        "uid": event["eventID"],
        "event_code": event.get("eventType"),
        "log_name": "CloudTrail",
        "log_version": event.get("eventVersion"),
        "original_time": event["eventTime"],
    }


def _account(event: dict[str, Any]) -> dict[str, Any]:
    return {"uid": event.get("recipientAccountId"), "type": "AWS Account", "type_id": 10}


def _api(event: dict[str, Any]) -> dict[str, Any]:
    failure = {"error": event.get("errorCode"), "error_message": event.get("errorMessage")}
    return {
        "operation": event["eventName"],
        "service": {"name": event.get("eventSource")},
        "request": {"uid": event.get("requestID"), "data": event.get("requestParameters")},
        "response": {**failure, "data": event.get("responseElements")},
    }


def _actor(identity: dict[str, Any]) -> dict[str, Any]:
    session = identity.get("sessionContext") or {}
    attributes = session.get("attributes") or {}
    issuer = session.get("sessionIssuer") or {}
    created = attributes.get("creationDate")
    user = {
        "name": identity.get("userName"),
        "uid": identity.get("principalId"),
        "uid_alt": identity.get("arn"),
        "credential_uid": identity.get("accessKeyId"),
        "account": {"uid": identity.get("accountId")},
    }
    return {
        # A user has a name, an id or an account: a service that calls for itself is told by `invoked_by` alone.
        "user": {"type": identity.get("type"), **user} if _without_gaps(user) else None,
        "session": {
            "created_time": None if created is None else seconds_of(created) * 1000,
            "issuer": issuer.get("arn"),
            "is_mfa": None if not attributes else attributes.get("mfaAuthenticated") == "true",
        },
        "idp": {"name": identity.get("identityProvider")},
        "invoked_by": identity.get("invokedBy"),
    }


def _unmapped(event: dict[str, Any]) -> dict[str, Any]:
    """The members that have no place of their own; of a session also what its creator and issuer are told by."""
    rest = {name: value for name, value in event.items() if name not in _MAPPED}
    session = (event.get("userIdentity") or {}).get("sessionContext")
    return rest | ({"userIdentity": {"sessionContext": session}} if session else {})


def _endpoint(source: str | None) -> dict[str, Any]:
    """An address as `ip`; the name of a service that called, as `svc_name`."""
    text = source or ""
    is_address = ":" in text or text.replace(".", "").isdigit()
    return {"ip": text} if is_address else {"svc_name": text or "unknown"}


def _resource(resource: dict[str, Any]) -> dict[str, Any]:
    return {
        "uid": resource.get("ARN"),
        "type": resource.get("type"),
        "owner": {"account": {"uid": resource.get("accountId")}},
    }


def _without_gaps(value: Any) -> Any:
    """The value without members that are null or empty objects; what requests and answers hold stays whole."""
    if not isinstance(value, dict):
        return [_without_gaps(item) for item in value] if isinstance(value, list) else value
    kept = {
        name: member if name in {"data", "unmapped"} else _without_gaps(member)
        for name, member in value.items()
    }
    return {name: member for name, member in kept.items() if member not in _GAPS}
