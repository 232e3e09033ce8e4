"""Entries: what of a journal's record the log publishes, and what it only commits to.

A leaf is canonical JSON (members sorted by name, no spaces, UTF-8). By an allow-list it shows what names nobody: which
operation, when, where, with what outcome, on which KMS keys. Everything else of the event is there as salted
commitments: one to the whole event, one to each member that may name somebody, one to each pair of an encryption
context. So its owner can later show one of them and prove that it was recorded then.

A commitment (`commitments`) is to a value's JSON pointer (RFC 6901), empty for the whole event, and to its text, byte
for byte as the journal has it. Pair number n of an encryption context, sorted by name, has the pointer
`…/encryptionContext/n`, which does not show the name, and the value `["name","value"]`. Salts are dealt out in the
order whole event, members by name, pairs after theirs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from itertools import count
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import UNSET, Raw, UnsetType

from keystead.errors import LogError
from keystead.tlog.commitments import Salts, committed
from keystead.tlog.digests import Write
from keystead.tlog.tile import LONGEST_ENTRY

VERSION: Final = 1
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

COMMITTED: Final = (
    "requestParameters",
    "resources",
    "responseElements",
    "sourceIPAddress",
    "userAgent",
    "userIdentity",
)
"""Members that are committed to by themselves, if there is anything in them; `resources` if not all are KMS keys."""

_KEY_ARN: Final = re.compile(
    rf"arn:aws[a-z-]{{0,16}}:kms:{_REGION}:[0-9]{{12}}:key/(?:{_UUID}|mrk-[0-9a-f]{{32}})"
)
_IDENTITY_TYPE: Final = re.compile(_WORD)
_PARAMETERS: Final = "/requestParameters"
_CONTEXT: Final = "/requestParameters/encryptionContext/"

_encode: Final = msgspec.json.Encoder(order="deterministic").encode


# ------------------------------------------------------------------------------ leaves


class _Event(msgspec.Struct, frozen=True, gc=False):
    """What a leaf is made of; what an event tells otherwise is committed to with the whole of it."""

    awsRegion: str | UnsetType = UNSET  # noqa: N815  CloudTrail's names, here and below
    errorCode: str | UnsetType = UNSET  # noqa: N815
    eventID: str | UnsetType = UNSET  # noqa: N815
    eventName: str | UnsetType = UNSET  # noqa: N815
    eventSource: str | UnsetType = UNSET  # noqa: N815
    eventTime: str | UnsetType = UNSET  # noqa: N815
    eventType: str | UnsetType = UNSET  # noqa: N815
    readOnly: bool | UnsetType = UNSET  # noqa: N815
    recipientAccountId: str | UnsetType = UNSET  # noqa: N815
    requestID: str | UnsetType = UNSET  # noqa: N815
    sharedEventID: str | UnsetType = UNSET  # noqa: N815
    requestParameters: Raw = Raw()  # noqa: N815
    resources: Raw = Raw()
    responseElements: Raw = Raw()  # noqa: N815
    sourceIPAddress: Raw = Raw()  # noqa: N815
    userAgent: Raw = Raw()  # noqa: N815
    userIdentity: Raw = Raw()  # noqa: N815


class _Leaf(msgspec.Struct, gc=False, kw_only=True):
    """The members of an event's leaf, sorted by name as they are written; UNSET ones are left out."""

    awsRegion: str | UnsetType  # noqa: N815
    commit: int | UnsetType = UNSET
    commitUpTo: int | UnsetType = UNSET  # noqa: N815
    commitments: dict[str, bytes] | UnsetType = UNSET
    errorCode: str | UnsetType  # noqa: N815
    event: bytes
    eventID: str | UnsetType = UNSET  # noqa: N815
    eventName: str | UnsetType  # noqa: N815
    eventSource: str | UnsetType  # noqa: N815
    eventTime: str | UnsetType  # noqa: N815
    eventType: str | UnsetType  # noqa: N815
    folded: bool | UnsetType = UNSET
    identityType: str | UnsetType  # noqa: N815
    index: int
    journal: str
    keys: tuple[str, ...]
    readOnly: bool | UnsetType  # noqa: N815
    recipientAccountId: str | UnsetType  # noqa: N815
    requestID: str | UnsetType = UNSET  # noqa: N815
    sharedEventID: str | UnsetType = UNSET  # noqa: N815
    v: int = VERSION
    writes: Sequence[Write] | UnsetType = UNSET
    writesDigest: bytes | UnsetType = UNSET  # noqa: N815


_read: Final = msgspec.json.Decoder(_Event).decode
_UNREADABLE: Final = _Event()

_Text = str | UnsetType
Value = tuple[str, bytes]
"""The pointer of a value that is committed to by itself; and what is hashed: the pointer, 0x00, and the value's text."""


def event_leaf(
    event: bytes,
    journal: str,
    index: int,
    salts: Salts,
    writes: Sequence[Write] = (),
    commit: Mapping[str, int] = MappingProxyType({}),
) -> bytes:
    """The leaf of an event, record number `index` of a worker's `journal`.

    An event of more than 200 values, or that would make the leaf longer than 65,535 bytes, is *folded*: there is only
    the commitment to the whole of it. So is one that has not the form of an event, and it shows nothing. `writes`
    that do not fit even then are told by the SHA-256 of their JSON. `commit` says which commit of the store
    they were made by: `commit`, or `commitUpTo` where only that is known.
    """
    seen = seen_in(event)
    alike = _alike_of(seen)
    values = _values(seen, alike)
    fits = 0 < len(values) <= MOST_COMMITMENTS
    salt, *others = salts.salts(seen.eventID or "", 1 + len(values) if fits else 1)
    leaf = _leaf(seen, alike, journal, index, committed(salt, b"\0" + event))
    if writes:
        leaf.writes = writes
        leaf.commit, leaf.commitUpTo = commit.get("commit", UNSET), commit.get("commitUpTo", UNSET)
    if fits:
        leaf.commitments = {
            pointer: committed(salt, told) for salt, (pointer, told) in zip(others, values, strict=True)
        }
        whole = _encode(leaf)
        if len(whole) <= LONGEST_ENTRY:
            return whole
    return _folded(leaf)


def seen_in(event: bytes) -> _Event:
    """What can be shown of the record, nothing if it has not the form of an event."""
    try:
        return _read(event)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return _UNREADABLE


def shown_of(event: bytes) -> dict[str, Any]:
    """The members that a leaf of the event shows, and some of its own."""
    seen = seen_in(event)
    return members_of(_encode(_leaf(seen, _alike_of(seen), "", 0, b"")))


def _leaf(seen: _Event, alike: _Alike, journal: str, index: int, whole: bytes) -> _Leaf:
    leaf: _Leaf = alike.leaf.__copy__()  # type: ignore[attr-defined]  # its stubs leave it out; copy() takes ten times as long
    leaf.event, leaf.index, leaf.journal = whole, index, journal
    leaf.eventID, leaf.requestID = _shown("eventID", seen.eventID), _shown("requestID", seen.requestID)
    leaf.sharedEventID = _shown("sharedEventID", seen.sharedEventID)
    return leaf


class _Alike(NamedTuple):
    """What many events have alike: a leaf to be copied, and values, those before the response's and those behind it."""

    leaf: _Leaf
    before: tuple[Value, ...]
    behind: tuple[Value, ...]


def _alike_of(seen: _Event) -> _Alike:
    return _alike(
        seen.awsRegion,
        seen.errorCode,
        seen.eventName,
        seen.eventSource,
        seen.eventTime,
        seen.eventType,
        seen.recipientAccountId,
        seen.readOnly,
        bytes(seen.resources),
        bytes(seen.sourceIPAddress),
        bytes(seen.userAgent),
        bytes(seen.userIdentity),
    )


@lru_cache(maxsize=1024)
def _alike(
    region: _Text,
    error: _Text,
    name: _Text,
    source: _Text,
    time: _Text,
    kind: _Text,
    account: _Text,
    read_only: bool | UnsetType,
    resources: bytes,
    address: bytes,
    agent: bytes,
    identity: bytes,
) -> _Alike:
    keys, only_keys = _resources(resources)
    leaf = _Leaf(
        awsRegion=_shown("awsRegion", region),
        errorCode=_shown("errorCode", error),
        event=b"",
        eventName=_shown("eventName", name),
        eventSource=_shown("eventSource", source),
        eventTime=_shown("eventTime", time),
        eventType=_shown("eventType", kind),
        identityType=_identity_type(identity),
        index=0,
        journal="",
        keys=keys,
        readOnly=read_only,
        recipientAccountId=_shown("recipientAccountId", account),
    )
    behind = (
        *_value("/sourceIPAddress", address),
        *_value("/userAgent", agent),
        *_value("/userIdentity", identity),
    )
    return _Alike(leaf, () if only_keys else _value("/resources", resources), behind)


def _folded(leaf: _Leaf) -> bytes:
    leaf.folded, leaf.commitments = True, UNSET
    encoded = _encode(leaf)
    if len(encoded) > LONGEST_ENTRY:
        leaf.writesDigest, leaf.writes = sha256(_encode(leaf.writes)).digest(), UNSET
        encoded = _encode(leaf)
    return encoded


def note_leaf(
    note: bytes,
    journal: str,
    index: int,
    writes: Sequence[Write] = (),
    commit: Mapping[str, int] = MappingProxyType({}),
) -> bytes:
    """The leaf of a journal's note (that it was closed, cut at a start, …), so that no number of it is missing.

    A change that no call made has a note, and `writes` and `commit` as in `event_leaf`.

    Raises:
        LogError: the note is no JSON object, or too long.
    """
    members = members_of(note)
    written = {"writes": writes, **commit} if writes else {}
    leaf = _encode({"v": VERSION, "journal": journal, "index": index, "note": members, **written})
    if not members or len(leaf) > LONGEST_ENTRY:
        raise LogError("a journal's note is a JSON object")
    return leaf


def members_of(record: bytes) -> dict[str, Any]:
    """The members of the record, none if it is no JSON object."""
    try:
        return msgspec.json.decode(record, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return {}


def _shown(name: str, value: str | UnsetType) -> str | UnsetType:
    """The member, if there is one and it has its shape."""
    return value if isinstance(value, str) and PLAIN[name].fullmatch(value) else UNSET


@lru_cache(maxsize=1024)
def _identity_type(identity: bytes) -> str | UnsetType:
    kind = members_of(identity).get("type")
    return kind if isinstance(kind, str) and _IDENTITY_TYPE.fullmatch(kind) else UNSET


@lru_cache(maxsize=4096)
def _resources(listed: bytes) -> tuple[tuple[str, ...], bool]:
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


# ------------------------------------------------------------------------- commitments


def committed_in(seen: _Event) -> list[Value]:
    """All that is committed to by itself, in the order of its salts."""
    return _values(seen, _alike_of(seen))


def _values(seen: _Event, alike: _Alike) -> list[Value]:
    parameters = bytes(seen.requestParameters)
    found = [*_value(_PARAMETERS, parameters)]
    if b'"encryptionContext"' in parameters:
        found += _pairs(parameters)
    return [*found, *alike.before, *_value("/responseElements", bytes(seen.responseElements)), *alike.behind]


def _value(pointer: str, text: bytes) -> tuple[Value, ...]:
    """The value, if there is anything in it."""
    return () if text in {b"", b"null"} else ((pointer, b"%b\0%b" % (pointer.encode(), text)),)


class _Parameters(msgspec.Struct, frozen=True, gc=False):
    encryptionContext: dict[str, Any] | None = None  # noqa: N815


_read_parameters: Final = msgspec.json.Decoder(_Parameters).decode


def _pairs(parameters: bytes) -> list[Value]:
    try:
        context = _read_parameters(parameters).encryptionContext
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return []
    places = map(_place, count())
    pairs = zip(places, sorted((context or {}).items()), strict=False)
    return [(pointer, head + _encode(pair)) for (pointer, head), pair in pairs]


@lru_cache(maxsize=MOST_COMMITMENTS)
def _place(number: int) -> Value:
    """A pair's pointer, and what is hashed before its text."""
    pointer = f"{_CONTEXT}{number}"
    return pointer, pointer.encode() + b"\0"
