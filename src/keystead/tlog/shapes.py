"""What of an event an entry may show, by an allow-list of members and their shapes; all versions of entries go by it."""

from __future__ import annotations

import re
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

import msgspec
from msgspec import UNSET, Raw, UnsetType

MOST_COMMITMENTS: Final = 200

_UUID: Final = (
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"  # repeated groups cost four times as much
)
_REGION: Final = r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?"
_WORD: Final = r"[A-Za-z][A-Za-z0-9.]{0,127}"

PLAIN: Final = MappingProxyType(
    {
        name: re.compile(pattern)
        for name, pattern in {
            "awsRegion": _REGION,
            "errorCode": _WORD,
            "eventID": _UUID,
            "eventName": _WORD,
            "eventSource": r"[a-z0-9-]{1,64}\.amazonaws\.com",
            "eventTime": r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z",
            "eventType": _WORD,
            "recipientAccountId": r"[0-9]{12}",
            "requestID": _UUID,
            "sharedEventID": _UUID,
        }.items()
    }
)
"""Members that a leaf shows if they have this shape."""

_KEY_ARN: Final = re.compile(
    rf"arn:aws[a-z-]{{0,16}}:kms:{_REGION}:[0-9]{{12}}:key/(?:{_UUID}|mrk-[0-9a-f]{{32}})"
)
_IDENTITY_TYPE: Final = re.compile(_WORD)

CONTEXT: Final = "/requestParameters/encryptionContext/"
"""Of a pair's pointer, what is before its number."""

Text = str | UnsetType

encode: Final = msgspec.json.Encoder(order="deterministic").encode
"""A value as canonical JSON: members sorted by name, no spaces."""


class Event(msgspec.Struct, frozen=True, gc=False):
    """What a leaf is made of; what an event tells otherwise is committed to with the whole of it."""

    awsRegion: Text = UNSET  # noqa: N815  CloudTrail's names, here and below
    errorCode: Text = UNSET  # noqa: N815
    eventID: Text = UNSET  # noqa: N815
    eventName: Text = UNSET  # noqa: N815
    eventSource: Text = UNSET  # noqa: N815
    eventTime: Text = UNSET  # noqa: N815
    eventType: Text = UNSET  # noqa: N815
    readOnly: bool | UnsetType = UNSET  # noqa: N815
    recipientAccountId: Text = UNSET  # noqa: N815
    requestID: Text = UNSET  # noqa: N815
    sharedEventID: Text = UNSET  # noqa: N815
    requestParameters: Raw = Raw()  # noqa: N815
    resources: Raw = Raw()
    responseElements: Raw = Raw()  # noqa: N815
    sourceIPAddress: Raw = Raw()  # noqa: N815
    userAgent: Raw = Raw()  # noqa: N815
    userIdentity: Raw = Raw()  # noqa: N815


_read: Final = msgspec.json.Decoder(Event).decode
UNREADABLE: Final = Event()


def seen_in(event: bytes) -> Event:
    """What can be shown of the record; `UNREADABLE` itself if it has not the form of an event."""
    try:
        return _read(event)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return UNREADABLE


def members_of(record: bytes) -> dict[str, Any]:
    """The members of the record, none if it is no JSON object."""
    try:
        return msgspec.json.decode(record, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return {}


def shown(name: str, value: Text) -> Text:
    """The member, if there is one and it has its shape."""
    return value if isinstance(value, str) and PLAIN[name].fullmatch(value) else UNSET


@lru_cache(maxsize=1024)
def identity_type(identity: bytes) -> Text:
    """The kind of a caller, by its identity's text."""
    kind = members_of(identity).get("type")
    return kind if isinstance(kind, str) and _IDENTITY_TYPE.fullmatch(kind) else UNSET


@lru_cache(maxsize=4096)
def key_arns(listed: bytes) -> tuple[tuple[str, ...], bool]:
    """The ARNs of the KMS keys among the event's resources, each once, and whether there is nothing else."""
    try:
        resources = msgspec.json.decode(listed, type=list[Any]) if listed else []
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return (), False
    found = [_key_arn(resource) for resource in resources]
    return tuple(dict.fromkeys(arn for arn in found if arn)), all(found)


def _key_arn(resource: Any) -> str:
    arn = resource.get("ARN") if isinstance(resource, dict) else None
    return arn if isinstance(arn, str) and _KEY_ARN.fullmatch(arn) else ""


class _Parameters(msgspec.Struct, frozen=True, gc=False):
    encryptionContext: dict[str, Any] | None = None  # noqa: N815


_read_parameters: Final = msgspec.json.Decoder(_Parameters).decode


def context_pairs(parameters: bytes) -> list[bytes]:
    """The pairs of the encryption context, sorted by name, each as `["name","value"]`."""
    if b'"encryptionContext"' not in parameters:
        return []
    try:
        context = _read_parameters(parameters).encryptionContext
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return []
    return [encode(pair) for pair in sorted(context.items())] if context else []
