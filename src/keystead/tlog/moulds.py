"""What events are made of, as their leaves are: each part of an event is looked at once, however many have it alike.

An event is cut where the server writes what many events have alike (`audit.form.WrittenEvent`): who; what and from where;
the parameters and the answer; the rest. A part is taken for what it is called only if it is made of its own members and no
other, and the parts of an event follow each other without a gap: so nothing that a caller chose can pass for a member.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from typing import Final, NamedTuple

import msgspec
from msgspec import UNSET, Raw, UnsetType

from keystead.tlog.alike import BETWEEN, ID, REQUEST
from keystead.tlog.commitments import before, digest, whole_digest
from keystead.tlog.entry2 import (
    CALLER,
    FIRST_PAIR,
    PARAMETERS,
    POINTERS,
    RESOURCES,
    RESPONSE,
    caller_of,
    pointer_of,
)
from keystead.tlog.shapes import PLAIN, Text, context_pairs, encode, identity_type, key_arns, shown

_TIME: Final = b',"eventTime":"'
_ASKED: Final = b',"requestParameters":'
_WHEN: Final = len(_TIME)
_WHAT: Final = _WHEN + len("YYYY-MM-DDTHH:MM:SSZ")
_FIRST: Final = len(REQUEST)
_BEHIND_FIRST: Final = _FIRST + ID
_SECOND: Final = _BEHIND_FIRST + len(BETWEEN)
_REST: Final = _SECOND + ID
_LONG: Final = len(_ASKED)
_NEVER: Final = b"\0"
"""With which no event begins or ends."""

_FEW_PAIRS: Final = 16
_SHORT: Final = 16 << 10
"""Bytes of resources, of which what is shown of a part surely fits into an entry."""

_PARAMETERS_HEAD: Final = before(POINTERS[PARAMETERS])
_PAIR_HEADS: Final = tuple(before(pointer_of(FIRST_PAIR + number)) for number in range(_FEW_PAIRS))
"""What is hashed before the texts of values."""

_VERSION: Final = b'"v":'


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

_Asked = tuple[bytes, list[bytes], bytes]
"""Digests of parameters, of the pairs of an encryption context, and of the answer if there is one."""


class Mould(NamedTuple):
    """What events have alike that differ in their ids alone: pieces of a leaf in their order, and the digests that it commits to.

    `more`: of pairs behind the second, of the answer and of resources, which few events have.
    """

    region: bytes
    whole: bytes
    caller: bytes
    parameters: bytes
    pair: bytes
    second: bytes
    error: bytes
    name: bytes
    kind: bytes
    keys: bytes
    shared: bytes
    more: tuple[list[bytes], bytes, bytes] | None


_Known = tuple[bytes, bytes, bytes, _Head | None, _Rest | None, _Asked | None, Mould | None]
"""The beginning, the end and the parameters of an event, and what they are made into."""

Cut = tuple[Mould, bytes]
"""What an event is made of: what it has alike with others, and what stands from the id of its request to the end of its own."""


class Cutting:
    """Cuts events in a row, of which it is given some at a time: what they have alike is not looked up again."""

    def __init__(self) -> None:
        self._known: _Known = _NEVER, _NEVER, _NEVER, None, None, None, None

    def cut(self, events: Sequence[bytes]) -> list[Cut | None]:
        """Of what each event is made; None of one that has not the form in which it is cut.

        What an event has alike with the one before it is found by its bytes: it begins, or ends, with the same. What it has
        alike with an earlier one is looked up by these: events of several operations take turns.
        """
        begin, behind, written, head, rest, asked, mould = self._known
        found = list[Cut | None]()
        for event in events:
            if not event.startswith(begin):
                asks = event.find(_ASKED)
                begin = event[: asks + _LONG] if asks > 0 else _NEVER
                head, mould = _head(begin), None
            start = len(begin) - _LONG
            if not event.endswith(behind):
                ids = event.find(REQUEST, start)
                behind = event[ids + _REST :] or _NEVER
                rest, mould = _rest(behind), None
            ids = len(event) - len(behind) - _REST
            if head is None or rest is None or not start < ids or not event.startswith(REQUEST, ids):
                found.append(None)
                continue
            middle = event[start:ids]
            if middle != written:
                written, asked, mould = middle, _asked(middle), None
            if asked is None or event[ids + _BEHIND_FIRST : ids + _SECOND] != BETWEEN:
                found.append(None)
                continue
            if mould is None:
                mould = _mould(head, asked, rest, whole_digest(event[: ids + _FIRST], behind))
            found.append((mould, event[ids + _FIRST : ids + _REST]))
        self._known = begin, behind, written, head, rest, asked, mould
        return found


def _mould(head: _Head, asked: _Asked, rest: _Rest, whole: bytes) -> Mould:
    region, error, name, kind, caller = head
    parameters, pairs, response = asked
    pair, second = (*pairs, b"", b"")[:2]
    others = pairs[2:]
    more = (others, response, rest.resources) if others or response or rest.resources else None
    return Mould(
        region,
        whole,
        caller,
        parameters,
        pair,
        second,
        error,
        name + rest.kind,
        kind,
        rest.keys,
        rest.shared,
        more,
    )


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
        b'",' + error,
        name + source + b'"eventTime":"',
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
        _piece("keys", keys) + _piece("readOnly", members.readOnly) + account,
        _piece("sharedEventID", shown("sharedEventID", members.sharedEventID)) + _VERSION,
        b"" if all_keys else _digest(RESOURCES, resources),
    )


def _digest(place: int, text: bytes) -> bytes:
    """The digest of a value, empty if there is nothing in it."""
    return b"" if text in {b"", b"null"} else digest(POINTERS[place], text)


@lru_cache(maxsize=64)
def _when(time: bytes) -> bytes | None:
    """The time, if it is one."""
    return time if PLAIN["eventTime"].fullmatch(time.decode("ascii", "replace")) else None
