"""Openings: values of events that are shown, and whether an entry committed to them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any, Final

from keystead_verify.findings import FALSE_OPENING, Malformed, Report
from keystead_verify.notes import base64
from keystead_verify.together import VERSION as TOGETHER
from keystead_verify.together import each_of

_DIGEST_BYTES: Final = 32
_SALT_BYTES: Final = 16
_TOGETHER: Final = ("", "/caller", "/requestParameters")
"""Pointers of what `commitments` begins with; pairs of an encryption context follow."""
_OWN: Final = frozenset({"/resources", "/responseElements"})
"""Pointers of what entries of version 2 commit to in members of their own."""
_PAIR: Final = re.compile("/requestParameters/encryptionContext/(0|[1-9][0-9]{0,3})")

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
        Malformed: its salt or what the entry holds is not Base64, or it is no text.
    """
    where, pointer, value = f"entry {opening['index']}", opening["pointer"], opening["value"]
    hold, commit = _VERSIONS[leaf["v"]]
    if not pointer and leaf["v"] == TOGETHER:
        alone = _alone(leaf, _members(value))
        if alone is None:
            report.find(FALSE_OPENING, where, "the whole event is none of those that share the entry")
            return
        leaf = alone
    try:
        expected = commit(base64(opening["salt"]), pointer.encode(), value.encode(), leaf)
    except UnicodeEncodeError:
        raise Malformed("an opening is UTF-8") from None
    if hold(leaf, pointer) != expected:
        detail = f"the value at {pointer or 'the whole event'} is not what was committed to"
        report.find(FALSE_OPENING, where, detail)
    elif not pointer:
        for name in _contradictions(_members(value), leaf):
            report.find(FALSE_OPENING, where, f"it shows another {name} than its event has")


# ----------------------------------------------------------------------- commitments


def _commitment_1(salt: bytes, pointer: bytes, value: bytes, _leaf: Mapping[str, Any]) -> bytes:
    return sha256(b"".join((b"keystead commitment 1\0", salt, pointer, b"\0", value))).digest()


def _commitment_2(salt: bytes, pointer: bytes, value: bytes, _leaf: Mapping[str, Any]) -> bytes:
    """That to the whole event is another than those to values in it, of which digests are hashed."""
    if not pointer:
        return sha256(b"keystead event 2\0" + _salt(salt) + value).digest()
    return sha256(_salt(salt) + _digest(pointer, value)).digest()


def _commitment_3(salt: bytes, pointer: bytes, value: bytes, leaf: Mapping[str, Any]) -> bytes:
    """That to the whole event is to what it is without the ids that the entry shows, if these stand side by side."""
    digest = _digest(pointer, value) if pointer else _whole_digest(value, leaf)
    return sha256(_salt(salt) + digest).digest()


def _digest(pointer: bytes, value: bytes) -> bytes:
    return sha256(b"".join((b"keystead commitment 2\0", pointer, b"\0", value))).digest()


def _whole_digest(event: bytes, leaf: Mapping[str, Any]) -> bytes:
    name, between = b',"requestID":"', b'","eventID":"'
    before, behind = event, b""
    request, own = leaf.get("requestID"), leaf.get("eventID")
    if isinstance(request, str) and isinstance(own, str):
        told = name + request.encode() + between + own.encode() + b'"'
        at = event.rfind(told)
        if at >= 0:
            before, behind = event[: at + len(name)], event[at + len(told) - 1 :]
    return sha256(b"".join((b"keystead event 3\0", len(before).to_bytes(4, "big"), before, behind))).digest()


def _salt(salt: bytes) -> bytes:
    if len(salt) != _SALT_BYTES:
        raise Malformed("a salt is 16 bytes")
    return salt


def _held_1(leaf: Mapping[str, Any], pointer: str) -> bytes | None:
    commitments = leaf.get("commitments") if pointer else {"": leaf.get("event")}
    return _decoded(commitments.get(pointer)) if isinstance(commitments, dict) else None


def _held_2(leaf: Mapping[str, Any], pointer: str) -> bytes | None:
    if pointer in _OWN:
        return _decoded(leaf.get(pointer[1:]))
    together = _decoded(leaf.get("commitments")) or b""
    number = _number(pointer)
    found = b"" if number is None else together[_DIGEST_BYTES * number : _DIGEST_BYTES * (number + 1)]
    return found if len(found) == _DIGEST_BYTES else None


def _number(pointer: str) -> int | None:
    """Which commitment of those that stand together is the pointer's."""
    pair = _PAIR.fullmatch(pointer)
    if pair is not None:
        return len(_TOGETHER) + int(pair[1])
    return _TOGETHER.index(pointer) if pointer in _TOGETHER else None


def _decoded(held: Any) -> bytes | None:
    return base64(held) if isinstance(held, str) else None


_VERSIONS: Final = {
    1: (_held_1, _commitment_1),
    2: (_held_2, _commitment_2),
    3: (_held_2, _commitment_3),
    TOGETHER: (_held_2, _commitment_3),
}
"""Version of an entry: what it holds at a pointer, and how that is made."""


# ------------------------------------------------------------------------------ events


def _members(event: str) -> dict[str, Any]:
    try:
        members = json.loads(event)
    except (ValueError, RecursionError):
        members = None
    return members if isinstance(members, dict) else {}


def _alone(leaf: Mapping[str, Any], event: Mapping[str, Any]) -> dict[str, Any] | None:
    """The entry of several events as of that one which tells the same ids; None if none of them does."""
    told = event.get("requestID"), event.get("eventID")
    return next((each for each in each_of(leaf) if (each["requestID"], each["eventID"]) == told), None)


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
