"""The shapes of the operations that AWS has not. Their names are no names of AWS's; clients sign for `keystead`.

They speak the JSON protocol, so that any client that signs can call them: `X-Amz-Target: Keystead.GetAdvice`.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec import field

from keystead.wire.model import Member, OperationShape, Rule, Service, Shape

NEEDS: Final = ("granularity", "compliance", "resilience", "sharing", "disposal")
MOST_LOOKED_AT: Final = 100_000
"""Events of each key, and versions of objects, that one request may have looked at."""

_key_id = Rule("string", minimum=1, maximum=2048)
_arn = Rule(
    "string", minimum=20, maximum=2048, pattern="arn:[a-z-]+:iam::[0-9]{12}:(user|role)/[\\w+=,.@/-]+"
)
_most = Rule("integer", minimum=0, maximum=MOST_LOOKED_AT)


class GetAdviceRequest(Shape, frozen=True, kw_only=True):
    MEMBERS = (
        Member("key_id", "KeyId", "keyId", _key_id),
        Member("needs", "Needs", "needs", Rule("list", maximum=5, item=Rule("string", enum=NEEDS))),
        Member("admin", "Admin", "admin", _arn),
        Member("users", "Users", "users", Rule("list", maximum=50, item=_arn)),
        Member("days", "Days", "days", Rule("integer", minimum=1, maximum=36_500)),
        Member("max_events", "MaxEvents", "maxEvents", _most),
        Member("max_versions", "MaxVersions", "maxVersions", _most),
        Member("marker", "Marker", "marker", Rule("string", maximum=128, pattern="[A-Za-z0-9-]+")),
    )
    key_id: str | None = field(default=None, name="KeyId")
    needs: list[str] | None = field(default=None, name="Needs")
    admin: str | None = field(default=None, name="Admin")
    users: list[str] | None = field(default=None, name="Users")
    days: int | None = field(default=None, name="Days")
    max_events: int | None = field(default=None, name="MaxEvents")
    max_versions: int | None = field(default=None, name="MaxVersions")
    marker: str | None = field(default=None, name="Marker")


class GetAdviceResponse(Shape, frozen=True, kw_only=True):
    """`advice` is what `keystead advise --output json` prints; the event does not tell it."""

    MEMBERS = (
        Member("next_marker", "NextMarker", "nextMarker", Rule("string")),
        Member("truncated", "Truncated", "truncated", Rule("boolean")),
    )
    advice: Any = field(default=None, name="Advice")
    next_marker: str | None = field(default=None, name="NextMarker")
    truncated: bool | None = field(default=None, name="Truncated")


OPERATIONS: Final = {
    "GetAdvice": OperationShape(
        "GetAdvice", GetAdviceRequest, GetAdviceResponse, ("NotFoundException", "InvalidArnException")
    ),
}
SERVICE: Final = Service("keystead", "json", "2026-01-01", "Keystead", "", OPERATIONS)
