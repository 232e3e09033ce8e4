"""The leaves of many events at once: what `entry2.event_leaf` gives for each, in a sixth of the time.

An event is cut where the server writes what many events have alike (`audit.form.WrittenEvent`): who; what and from where;
the parameters and the answer; the rest. Each part is looked at once, and a leaf is put together of what
is known of its event's parts, of the ids and of the commitments. A part is taken for what it is called only if it
is made of its own members and no other, and the parts of an event follow each other without a gap: so nothing that
a caller chose can pass for a member. Any other event is left to `entry2`, which says what a leaf is.
"""

from __future__ import annotations

from binascii import b2a_base64, unhexlify
from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from struct import unpack
from typing import Final, NamedTuple

import msgspec
from msgspec import UNSET, Raw, UnsetType

from keystead.tlog.commitments import EVENT, SALT_BYTES, Salts, before, digest
from keystead.tlog.entry2 import (
    CALLER,
    FIRST_PAIR,
    PARAMETERS,
    POINTERS,
    RESOURCES,
    RESPONSE,
    VERSION,
    WHOLE,
    caller_of,
    event_leaf,
    pointer_of,
)
from keystead.tlog.shapes import PLAIN, Text, context_pairs, encode, identity_type, key_arns, shown

_TIME: Final = b',"eventTime":"'
_ASKED: Final = b',"requestParameters":'
_REQUEST: Final = b',"requestID":"'
_EVENT: Final = b'","eventID":"'
_WHEN: Final = len(_TIME)
_WHAT: Final = _WHEN + len("YYYY-MM-DDTHH:MM:SSZ")
_ID: Final = len("xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx")
_FIRST: Final = len(_REQUEST)
_BETWEEN: Final = _FIRST + _ID
_SECOND: Final = _BETWEEN + len(_EVENT)
_REST: Final = _SECOND + _ID
_LONG: Final = len(_ASKED)
_NEVER: Final = b"\0"
"""With which no event begins or ends."""

_FEW_PAIRS: Final = 16
_SHORT: Final = 16 << 10
"""Bytes of resources, of which what is shown of a part surely fits into an entry."""

_PARAMETERS_HEAD: Final = before(POINTERS[PARAMETERS])
_PAIR_HEADS: Final = tuple(before(pointer_of(FIRST_PAIR + number)) for number in range(_FEW_PAIRS))
"""What is hashed before the texts of values."""

_DIGITS: Final = bytes.maketrans(b"0123456789abcdef", b"0" * 16)
_ID_SHAPE: Final = b"00000000-0000-0000-0000-000000000000"
_END: Final = b'"v":%d}' % VERSION


def event_leaves(events: Sequence[bytes], journal: str, first: int, salts: Salts) -> list[bytes]:
    """The leaves of events that are the records from number `first` on of a worker's `journal`, of version 2."""
    found = cut(events)
    cuts = [one for one in found if one is not None]
    if len(cuts) < len(events) or not _have_ids(cuts):
        return _made_apart(events, found, journal, first, salts)
    return _made(range(first, first + len(events)), events, cuts, journal, salts)


def _made_apart(
    events: Sequence[bytes], found: Sequence[_Cut | None], journal: str, first: int, salts: Salts
) -> list[bytes]:
    """The same, where not all of the events have the form in which they are cut."""
    cuts = {number: one for number, one in enumerate(found, first) if one is not None}
    if not _have_ids(list(cuts.values())):
        cuts = {number: one for number, one in cuts.items() if _have_ids([one])}
    known = [events[number - first] for number in cuts]
    made = dict(zip(cuts, _made(list(cuts), known, list(cuts.values()), journal, salts), strict=True))
    return [
        made.get(number) or event_leaf(event, journal, number, salts)
        for number, event in enumerate(events, first)
    ]


class _Who(NamedTuple):
    """An event's beginning: the caller's identity, and what a leaf shows of it."""

    identity: bytes
    kind: bytes


class _What(NamedTuple):
    """What was called, where and from where: pieces of a leaf, with what is between them; and the caller's other members."""

    region: bytes
    error: bytes
    name: bytes
    address: bytes
    agent: bytes


class _Rest(NamedTuple):
    """An event's end: pieces of a leaf, and the digest of resources if not all are keys."""

    kind: bytes
    keys: bytes
    shared: bytes
    resources: bytes


_Head = tuple[bytes, bytes, bytes, bytes, bytes]
"""All that stands before an event's parameters: the region, an error, what was called and when, by whom; and the caller's digest."""

_Frame = tuple[bytes, bytes, bytes, _Rest, bytes]
"""What events with the same beginning and the same end have alike: pieces of a leaf, and the caller's digest."""

_Asked = tuple[bytes, list[bytes], bytes]
"""Digests of parameters, of the pairs of an encryption context, and of the answer if there is one."""

_Cut = tuple[_Frame, _Asked, bytes, bytes]
"""What an event is made of: what it has alike with others, its parameters, and the ids of its request and its own."""


def cut(events: Sequence[bytes]) -> list[_Cut | None]:
    """Of what each event is made; None of one that has not the form in which it is cut.

    What an event has alike with the one before it is not looked up again: it begins, or ends, with the same bytes. What it has
    alike with an earlier one is found by these bytes: events of several operations take turns.
    """
    begin = behind = written = _NEVER
    head, rest, asked, frame = None, None, None, None
    found = list[_Cut | None]()
    for event in events:
        if not event.startswith(begin):
            asks = event.find(_ASKED)
            begin = event[: asks + _LONG] if asks > 0 else _NEVER
            head, frame = _head(begin), None
        start = len(begin) - _LONG
        if not event.endswith(behind):
            ids = event.find(_REQUEST, start)
            behind = event[ids + _REST :] or _NEVER
            rest, frame = _rest(behind), None
        ids = len(event) - len(behind) - _REST
        if head is None or rest is None or not start < ids or not event.startswith(_REQUEST, ids):
            found.append(None)
            continue
        if frame is None:
            region, error, name, kind, caller = head
            frame = region, error, name + rest.kind + kind, rest, caller
        middle = event[start:ids]
        if middle != written:
            written, asked = middle, _asked(middle)
        if asked is None or event[ids + _BETWEEN : ids + _SECOND] != _EVENT:
            found.append(None)
        else:
            request, own = event[ids + _FIRST : ids + _BETWEEN], event[ids + _SECOND : ids + _REST]
            found.append((frame, asked, request, own))
    return found


@lru_cache(maxsize=4096)
def _head(begin: bytes) -> _Head | None:
    """What an event tells that begins so, up to its parameters; None of one that has not that form."""
    time, end = begin.find(_TIME), len(begin) - _LONG
    who, what = _who(begin[:time]), _what(begin[time + _WHAT : end])
    when = _when(begin[time + _WHEN : time + _WHAT])
    if time < 0 or who is None or what is None or when is None:
        return None
    region, error, name, *_ = what
    return region, error, name + when, who.kind, _caller(who, what)


def _have_ids(cuts: Sequence[_Cut]) -> bool:
    """Whether all ids have the shape of one."""
    texts = b"".join([one[-1] for one in cuts]) + b"".join([one[-2] for one in cuts])
    return texts.translate(_DIGITS) == _ID_SHAPE * (2 * len(cuts))


def _made(
    numbers: Sequence[int], events: Sequence[bytes], cuts: Sequence[_Cut], journal: str, salts: Salts
) -> list[bytes]:
    """The leaves of the events, put together."""
    seeds = unhexlify(b"".join([own for *_, own in cuts]).translate(None, b"-"))
    dealt = [
        _split(salts.at(place, seeds)) for place in (WHOLE, CALLER, PARAMETERS, FIRST_PAIR, FIRST_PAIR + 1)
    ]
    named = b',"journal":"%b",' % journal.encode()
    leaves, sha, join, base64 = list[bytes](), sha256, b"".join, b2a_base64
    for index, event, parts, salt, salt_1, salt_2, salt_3, salt_4 in zip(
        numbers, events, cuts, *dealt, strict=True
    ):
        (region, error, told, (_, keys, shared, resources), caller), asked, request, own = parts
        parameters, pairs, response = asked
        commitments = (
            sha(EVENT + salt + event).digest()
            + sha(salt_1 + caller).digest()
            + sha(salt_2 + parameters).digest()
        )
        if pairs:
            commitments += sha(salt_3 + pairs[0]).digest()
            if len(pairs) > 1:
                commitments += sha(salt_4 + pairs[1]).digest() + _more_pairs(pairs[2:], own, salts)
        others = _others(response, resources, own, salts) if response or resources else b'",'
        before_index = (region, base64(commitments, newline=False), error, own, told)
        leaves.append(join((*before_index, b"%d" % index, named, keys, request, others, shared)))
    return leaves


def _split(salts: bytes) -> tuple[bytes, ...]:
    return unpack(f"{SALT_BYTES}s" * (len(salts) // SALT_BYTES), salts)


def _more_pairs(pairs: Sequence[bytes], own: bytes, salts: Salts) -> bytes:
    """The commitments to the pairs behind the second."""
    if not pairs:
        return b""
    seed = unhexlify(own.replace(b"-", b""))
    return b"".join(
        [sha256(salts.at(place, seed) + told).digest() for place, told in enumerate(pairs, FIRST_PAIR + 2)]
    )


def _others(response: bytes, resources: bytes, own: bytes, salts: Salts) -> bytes:
    """The commitments to resources and the answer, behind the id of the request."""
    seed = unhexlify(own.replace(b"-", b""))
    told = ((RESOURCES, b"resources", resources), (RESPONSE, b"responseElements", response))
    return b'",' + b"".join(
        b'"%b":"%b",' % (name, b2a_base64(sha256(salts.at(place, seed) + value).digest(), newline=False))
        for place, name, value in told
        if value
    )


@lru_cache(maxsize=4096)
def _caller(who: _Who, what: _What) -> bytes:
    """The digest of the caller."""
    return digest(POINTERS[CALLER], caller_of(what.address, what.agent, who.identity))


# ------------------------------------------------------------------------------- parts


class _WhoMembers(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    eventVersion: Raw = Raw()  # noqa: N815  CloudTrail's names, here and below
    userIdentity: Raw = Raw()  # noqa: N815


class _WhatMembers(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    eventSource: Text = UNSET  # noqa: N815
    eventName: Text = UNSET  # noqa: N815
    awsRegion: Text = UNSET  # noqa: N815
    sourceIPAddress: Raw = Raw()  # noqa: N815
    userAgent: Raw = Raw()  # noqa: N815
    errorCode: Text = UNSET  # noqa: N815
    errorMessage: Raw = Raw()  # noqa: N815


class _AskedMembers(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    requestParameters: Raw = Raw()  # noqa: N815
    responseElements: Raw = Raw()  # noqa: N815
    additionalEventData: Raw = Raw()  # noqa: N815


class _RestMembers(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    readOnly: bool | UnsetType = UNSET  # noqa: N815
    resources: Raw = Raw()
    eventType: Text = UNSET  # noqa: N815
    managementEvent: Raw = Raw()  # noqa: N815
    recipientAccountId: Text = UNSET  # noqa: N815
    sharedEventID: Text = UNSET  # noqa: N815
    eventCategory: Raw = Raw()  # noqa: N815
    tlsDetails: Raw = Raw()  # noqa: N815


_read_who: Final = msgspec.json.Decoder(_WhoMembers).decode
_read_what: Final = msgspec.json.Decoder(_WhatMembers).decode
_read_asked: Final = msgspec.json.Decoder(_AskedMembers).decode
_read_rest: Final = msgspec.json.Decoder(_RestMembers).decode


def _piece(name: str, value: object) -> bytes:
    """A member of a leaf and a comma, nothing of one that is not shown."""
    return b"" if value is UNSET else b'"%b":%b,' % (name.encode(), encode(value))


@lru_cache(maxsize=1024)
def _who(part: bytes) -> _Who | None:
    try:
        members = _read_who(part + b"}")
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    identity = bytes(members.userIdentity)
    return _Who(identity, _piece("identityType", identity_type(identity)) + b'"index":')


@lru_cache(maxsize=1024)
def _what(part: bytes) -> _What | None:
    if not part.startswith(b'",'):
        return None
    try:
        members = _read_what(b"{" + part[2:] + b"}")
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    region, error, name, source = (
        _piece(name, shown(name, getattr(members, name)))
        for name in ("awsRegion", "errorCode", "eventName", "eventSource")
    )
    return _What(
        b"{" + region + b'"commitments":"',
        b'",' + error + b'"eventID":"',
        b'",' + name + source + b'"eventTime":"',
        bytes(members.sourceIPAddress),
        bytes(members.userAgent),
    )


@lru_cache(maxsize=4096)
def _asked(part: bytes) -> _Asked | None:
    try:
        members = _read_asked(b"{" + part[1:] + b"}")
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    parameters, response = bytes(members.requestParameters), bytes(members.responseElements)
    pairs = context_pairs(parameters)
    if len(pairs) > _FEW_PAIRS:
        return None
    digests = [sha256(head + pair).digest() for head, pair in zip(_PAIR_HEADS, pairs, strict=False)]
    answer = b"" if response == b"null" else _digest(RESPONSE, response)
    return sha256(_PARAMETERS_HEAD + parameters).digest(), digests, answer


@lru_cache(maxsize=4096)
def _rest(part: bytes) -> _Rest | None:
    if not part.startswith(b'",'):
        return None
    try:
        members = _read_rest(b"{" + part[2:])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    resources = bytes(members.resources)
    if len(resources) > _SHORT:
        return None
    keys, all_keys = key_arns(resources)
    account = _piece("recipientAccountId", shown("recipientAccountId", members.recipientAccountId))
    return _Rest(
        b'",' + _piece("eventType", shown("eventType", members.eventType)),
        _piece("keys", keys) + _piece("readOnly", members.readOnly) + account + b'"requestID":"',
        _piece("sharedEventID", shown("sharedEventID", members.sharedEventID)) + _END,
        b"" if all_keys else _digest(RESOURCES, resources),
    )


def _digest(place: int, text: bytes) -> bytes:
    """The digest of a value, empty if there is nothing in it."""
    return b"" if text in {b"", b"null"} else digest(POINTERS[place], text)


@lru_cache(maxsize=64)
def _when(time: bytes) -> bytes | None:
    """The time, if it is one."""
    return time if PLAIN["eventTime"].fullmatch(time.decode("ascii", "replace")) else None
