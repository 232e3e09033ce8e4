"""Openings: values of events that are shown, and whether an entry committed to them."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any, Final

from keystead_verify.findings import FALSE_OPENING, Malformed, Report
from keystead_verify.notes import base64

_FORM: Final = {"index": int, "pointer": str, "salt": str, "value": str}
_UUID: Final = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_WORD: Final = "[A-Za-z][A-Za-z0-9.]{0,127}"

_PLAIN: Final = {
    "awsRegion": "[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?",
    "errorCode": _WORD,
    "eventID": _UUID,
    "eventName": _WORD,
    "eventSource": "[a-z0-9-]{1,64}[.]amazonaws[.]com",
    "eventTime": "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z",
    "eventType": _WORD,
    "recipientAccountId": "[0-9]{12}",
    "requestID": _UUID,
    "sharedEventID": _UUID,
}
"""Members that an entry shows as its event has them, if they have this shape."""

_KEY_ARN: Final = re.compile(
    f"arn:aws[a-z-]{{0,16}}:kms:{_PLAIN['awsRegion']}:[0-9]{{12}}:key/(?:{_UUID}|mrk-[0-9a-f]{{32}})"
)


def load_opening(text: bytes | str) -> dict[str, Any]:
    """The opening in a line.

    Raises:
        Malformed: it is none.
    """
    try:
        return check_form(json.loads(text))
    except (ValueError, RecursionError):
        raise Malformed("it is not JSON") from None


def check_form(opening: Any) -> dict[str, Any]:
    """`opening` itself.

    Raises:
        Malformed: it is none.
    """
    if not isinstance(opening, dict) or not all(
        type(opening.get(name)) is kind for name, kind in _FORM.items()
    ):
        raise Malformed("an opening has an index, a pointer, a salt and a value")
    return opening


def check_opening(opening: Mapping[str, Any], leaf: Mapping[str, Any], report: Report) -> None:
    """None; what is wrong with an opening of the entry is in the report.

    Raises:
        Malformed: its salt is not Base64, or it is no text.
    """
    where, pointer, value = f"entry {opening['index']}", opening["pointer"], opening["value"]
    held = leaf.get("commitments", {}).get(pointer) if pointer else leaf.get("event")
    try:
        texts = pointer.encode(), b"\0", value.encode()
    except UnicodeEncodeError:
        raise Malformed("an opening is UTF-8") from None
    parts = (b"keystead commitment 1\0", base64(opening["salt"]), *texts)
    if held != b64encode(sha256(b"".join(parts)).digest()).decode():
        detail = f"the value at {pointer or 'the whole event'} is not what was committed to"
        report.find(FALSE_OPENING, where, detail)
    elif not pointer:
        for name in _contradictions(_members(value), leaf):
            report.find(FALSE_OPENING, where, f"it shows another {name} than its event has")


def _members(event: str) -> dict[str, Any]:
    try:
        members = json.loads(event)
    except (ValueError, RecursionError):
        members = None
    return members if isinstance(members, dict) else {}


def _contradictions(event: Mapping[str, Any], leaf: Mapping[str, Any]) -> Iterator[str]:
    """The members that an entry shows otherwise than the event that it commits to."""
    for name, shape in _PLAIN.items():
        value = event.get(name)
        if leaf.get(name) != (value if isinstance(value, str) and re.fullmatch(shape, value) else None):
            yield name
    if leaf.get("readOnly") != event.get("readOnly"):
        yield "readOnly"
    identity = event.get("userIdentity")
    kind = identity.get("type") if isinstance(identity, dict) else None
    if leaf.get("identityType") != (kind if isinstance(kind, str) and re.fullmatch(_WORD, kind) else None):
        yield "identityType"
    if leaf["keys"] != list(dict.fromkeys(_keys(event.get("resources")))):
        yield "keys"


def _keys(resources: Any) -> Iterator[str]:
    for resource in resources if isinstance(resources, list) else ():
        arn = resource.get("ARN") if isinstance(resource, dict) else None
        if isinstance(arn, str) and _KEY_ARN.fullmatch(arn):
            yield arn
