"""Entries of version 1, as logs have them that were begun before version 2: they are read and made again for ever.

A leaf is canonical JSON (members sorted by name, no spaces, UTF-8). Beside what it shows (`shapes`) there are salted
commitments: one to the whole event, one to each member that may name somebody, one to each pair of an encryption
context.

A commitment (`commitments`) is to a value's JSON pointer (RFC 6901), empty for the whole event, and to its text, byte
for byte as the journal has it. Pair number n of an encryption context, sorted by name, has the pointer
`…/encryptionContext/n`, which does not show the name, and the value `["name","value"]`. Salts are dealt out in the
order whole event, members by name, pairs after theirs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from itertools import count
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from keystead.tlog.commitments import Salts, committed
from keystead.tlog.digests import Write
from keystead.tlog.shapes import (
    CONTEXT,
    MOST_COMMITMENTS,
    Event,
    Text,
    context_pairs,
    encode,
    identity_type,
    key_arns,
    members_of,
    seen_in,
    shown,
)
from keystead.tlog.tile import LONGEST_ENTRY

VERSION: Final = 1

_PARAMETERS: Final = "/requestParameters"


class _Leaf(msgspec.Struct, gc=False, kw_only=True):
    """The members of an event's leaf, sorted by name as they are written; UNSET ones are left out."""

    awsRegion: Text  # noqa: N815
    commit: int | UnsetType = UNSET
    commitUpTo: int | UnsetType = UNSET  # noqa: N815
    commitments: dict[str, bytes] | UnsetType = UNSET
    errorCode: Text  # noqa: N815
    event: bytes
    eventID: Text = UNSET  # noqa: N815
    eventName: Text  # noqa: N815
    eventSource: Text  # noqa: N815
    eventTime: Text  # noqa: N815
    eventType: Text  # noqa: N815
    folded: bool | UnsetType = UNSET
    identityType: Text  # noqa: N815
    index: int
    journal: str
    keys: tuple[str, ...]
    readOnly: bool | UnsetType  # noqa: N815
    recipientAccountId: Text  # noqa: N815
    requestID: Text = UNSET  # noqa: N815
    sharedEventID: Text = UNSET  # noqa: N815
    v: int = VERSION
    writes: Sequence[Write] | UnsetType = UNSET
    writesDigest: bytes | UnsetType = UNSET  # noqa: N815


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
    """The leaf of an event, folded where `entry2.event_leaf` says so."""
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
        whole = encode(leaf)
        if len(whole) <= LONGEST_ENTRY:
            return whole
    return _folded(leaf)


def shown_of(event: bytes) -> dict[str, Any]:
    """The members that a leaf of the event shows, and some of its own."""
    seen = seen_in(event)
    return members_of(encode(_leaf(seen, _alike_of(seen), "", 0, b"")))


def _leaf(seen: Event, alike: _Alike, journal: str, index: int, whole: bytes) -> _Leaf:
    leaf: _Leaf = alike.leaf.__copy__()  # type: ignore[attr-defined]  # its stubs leave it out; copy() takes ten times as long
    leaf.event, leaf.index, leaf.journal = whole, index, journal
    leaf.eventID, leaf.requestID = shown("eventID", seen.eventID), shown("requestID", seen.requestID)
    leaf.sharedEventID = shown("sharedEventID", seen.sharedEventID)
    return leaf


class _Alike(NamedTuple):
    """What many events have alike: a leaf to be copied, and values, those before the response's and those behind it."""

    leaf: _Leaf
    before: tuple[Value, ...]
    behind: tuple[Value, ...]


def _alike_of(seen: Event) -> _Alike:
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
    region: Text,
    error: Text,
    name: Text,
    source: Text,
    time: Text,
    kind: Text,
    account: Text,
    read_only: bool | UnsetType,
    resources: bytes,
    address: bytes,
    agent: bytes,
    identity: bytes,
) -> _Alike:
    keys, only_keys = key_arns(resources)
    leaf = _Leaf(
        awsRegion=shown("awsRegion", region),
        errorCode=shown("errorCode", error),
        event=b"",
        eventName=shown("eventName", name),
        eventSource=shown("eventSource", source),
        eventTime=shown("eventTime", time),
        eventType=shown("eventType", kind),
        identityType=identity_type(identity),
        index=0,
        journal="",
        keys=keys,
        readOnly=read_only,
        recipientAccountId=shown("recipientAccountId", account),
    )
    behind = (
        *_value("/sourceIPAddress", address),
        *_value("/userAgent", agent),
        *_value("/userIdentity", identity),
    )
    return _Alike(leaf, () if only_keys else _value("/resources", resources), behind)


def _folded(leaf: _Leaf) -> bytes:
    leaf.folded, leaf.commitments = True, UNSET
    encoded = encode(leaf)
    if len(encoded) > LONGEST_ENTRY:
        leaf.writesDigest, leaf.writes = sha256(encode(leaf.writes)).digest(), UNSET
        encoded = encode(leaf)
    return encoded


# ------------------------------------------------------------------------- commitments


def committed_in(seen: Event) -> list[Value]:
    """All that is committed to by itself, in the order of its salts."""
    return _values(seen, _alike_of(seen))


def _values(seen: Event, alike: _Alike) -> list[Value]:
    parameters = bytes(seen.requestParameters)
    found = [*_value(_PARAMETERS, parameters), *_pairs(parameters)]
    return [*found, *alike.before, *_value("/responseElements", bytes(seen.responseElements)), *alike.behind]


def _value(pointer: str, text: bytes) -> tuple[Value, ...]:
    """The value, if there is anything in it."""
    return () if text in {b"", b"null"} else ((pointer, b"%b\0%b" % (pointer.encode(), text)),)


def _pairs(parameters: bytes) -> list[Value]:
    places = map(_place, count())
    return [
        (pointer, head + pair)
        for (pointer, head), pair in zip(places, context_pairs(parameters), strict=False)
    ]


@lru_cache(maxsize=MOST_COMMITMENTS)
def _place(number: int) -> Value:
    """A pair's pointer, and what is hashed before its text."""
    pointer = f"{CONTEXT}{number}"
    return pointer, pointer.encode() + b"\0"
