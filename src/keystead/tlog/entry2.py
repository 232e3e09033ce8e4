"""Entries of versions 2 to 4: what of a journal's event the log publishes, and what it only commits to.

A leaf is canonical JSON (members sorted by name, no spaces, UTF-8). By an allow-list it shows what names nobody: which
operation, when, where, with what outcome, on which KMS keys (`shapes`). Everything else of the event is there as
salted commitments (`commitments`), in which alone versions 2 and 3 differ, so its owner can later show one of them and
prove that it was recorded then:

* `commitments`, one after the other: to the whole event, to the caller, to the parameters, to each pair of
  an encryption context;
* `resources` and `responseElements`, where there are resources that are no keys, and where there is a response.

The caller is one value, `{"sourceIPAddress":…,"userAgent":…,"userIdentity":…}`, of the texts that the event has. All
values are texts, byte for byte as the journal has them; a pair is `["name","value"]`. Each has a pointer, which for pairs
holds their place in the order of names instead of the name.

An entry of version 4 is of several events in a row that differ in their ids alone. It is that of version 3 of the first of them, but
that the ids of all (`together`) are in the place of its own: what all have alike is committed to once.

This module says what a leaf is; `leaves` makes the same of many events at once, several times as fast.
"""

from __future__ import annotations

import re
from binascii import b2a_base64
from collections.abc import Mapping, Sequence
from hashlib import sha256
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from msgspec import UNSET

from keystead.errors import LogError
from keystead.tlog.alike import BETWEEN
from keystead.tlog.commitments import SEED_BYTES, Ids, Salts, commitment_2, commitment_3, parted
from keystead.tlog.digests import Write
from keystead.tlog.shapes import (
    CONTEXT,
    MOST_COMMITMENTS,
    PLAIN,
    UNREADABLE,
    Event,
    context_pairs,
    encode,
    identity_type,
    key_arns,
    seen_in,
    shown,
)
from keystead.tlog.tile import LONGEST_ENTRY
from keystead.tlog.together import IDS, MEMBER, MOST, ids_of, packed

VERSIONS: Final = (2, 3)
"""Of an event by itself."""
TOGETHER: Final = 4
"""Of events in a row."""

WHOLE, CALLER, PARAMETERS, RESOURCES, RESPONSE, FIRST_PAIR = range(6)
"""Places: each has salts of its own. Pair number n has place `FIRST_PAIR + n`."""

POINTERS: Final = ("", "/caller", "/requestParameters", "/resources", "/responseElements")
"""The pointers of places; pairs have `…/encryptionContext/n`."""
_OWN: Final = {RESOURCES: "resources", RESPONSE: "responseElements"}
"""Places whose commitments are members of the leaf."""

_PLACED: Final = POINTERS[:RESOURCES]
_PAIRS_FROM: Final = len(_PLACED)
_NO_IDS: Final = (None, None)
_DECIMAL: Final = re.compile(r"0|[1-9][0-9]{0,3}")

DIGEST_BYTES: Final = 32


class Value(NamedTuple):
    """What is committed to by itself, and where."""

    place: int
    pointer: str
    text: bytes


def event_leaf(
    event: bytes,
    journal: str,
    index: int,
    salts: Salts,
    writes: Sequence[Write] = (),
    commit: Mapping[str, int] = MappingProxyType({}),
    version: int = VERSIONS[-1],
) -> bytes:
    """The leaf of an event, record number `index` of a worker's `journal`, in one of `VERSIONS`.

    An event of more than 200 values, or that would make the leaf longer than 65,535 bytes, is *folded*: there is only
    the commitment to the whole of it. So is one that has not the form of an event, and it shows nothing. `writes`
    that do not fit even then are told by the SHA-256 of their JSON. `commit` says which commit of the store
    they were made by: `commit`, or `commitUpTo` where only that is known.
    """
    seen = seen_in(event)
    leaf = {"index": index, "journal": journal, "v": version, **_shown(seen)}
    if writes:
        leaf |= {"writes": writes, **commit}
    values = values_of(event, seen)
    if seen is not UNREADABLE and len(values) <= MOST_COMMITMENTS:
        encoded = encode(leaf | _commitments(values, seed_of(event, seen, journal, index), salts, leaf))
        if len(encoded) <= LONGEST_ENTRY:
            return encoded
    leaf |= {"folded": True, **_commitments(values[:1], seed_of(event, seen, journal, index), salts, leaf)}
    if len(encoded := encode(leaf)) > LONGEST_ENTRY:
        leaf["writesDigest"] = sha256(encode(leaf.pop("writes"))).digest()
        encoded = encode(leaf)
    return encoded


def together_leaf(events: Sequence[bytes], journal: str, index: int, salts: Salts) -> bytes:
    """The leaf of events in a row, records from number `index` on of a worker's `journal`.

    Raises:
        LogError: they differ in more than their ids, or cannot share an entry.
    """
    first, seen = events[0], seen_in(events[0])
    shows = _shown(seen)
    ids = [_own_ids(event) for event in events]
    parts = {parted(event, own) for event, own in zip(events, ids, strict=True)}
    values = values_of(first, seen)
    if len(parts) != 1 or not parts.pop()[1] or len(values) > MOST_COMMITMENTS:
        raise LogError("records that share an entry differ in more than their ids")
    told = packed([BETWEEN.join((request.encode(), own.encode())) for request, own in ids if request and own])
    leaf = {name: value for name, value in shows.items() if name not in IDS}
    leaf |= {"index": index, "journal": journal, "v": TOGETHER, MEMBER: told.decode()}
    encoded = encode(leaf | _commitments(values, seed_of(first, seen, journal, index), salts, leaf))
    if len(encoded) > LONGEST_ENTRY or not 1 < len(events) <= MOST:
        raise LogError("so many records, or such long ones, share no entry")
    return encoded


def shown_of(event: bytes) -> dict[str, Any]:
    """The members that a leaf of the event takes from it as they are."""
    return _shown(seen_in(event))


def _shown(seen: Event) -> dict[str, Any]:
    keys, _ = key_arns(bytes(seen.resources))
    plain = {name: shown(name, getattr(seen, name)) for name in PLAIN}
    told = {**plain, "identityType": identity_type(bytes(seen.userIdentity)), "readOnly": seen.readOnly}
    return {"keys": keys, **{name: value for name, value in told.items() if value is not UNSET}}


# ------------------------------------------------------------------------- commitments


def values_of(event: bytes, seen: Event) -> list[Value]:
    """All that a leaf of the event commits to, the whole of it first."""
    parameters, response = bytes(seen.requestParameters), bytes(seen.responseElements)
    resources = b"" if key_arns(bytes(seen.resources))[1] else bytes(seen.resources)
    found = [
        (WHOLE, event),
        (CALLER, caller_of(bytes(seen.sourceIPAddress), bytes(seen.userAgent), bytes(seen.userIdentity))),
        (PARAMETERS, parameters or b"null"),
        *enumerate(context_pairs(parameters), FIRST_PAIR),
        *((place, text) for place, text in ((RESOURCES, resources), (RESPONSE, response)) if _has(text)),
    ]
    return [Value(place, pointer_of(place), text) for place, text in found]


def caller_of(address: bytes, agent: bytes, identity: bytes) -> bytes:
    """The caller as one value, of the texts of its members."""
    parts = (address or b"null", agent or b"null", identity or b"null")
    return b'{"sourceIPAddress":%b,"userAgent":%b,"userIdentity":%b}' % parts


def _has(text: bytes) -> bool:
    return text not in {b"", b"null"}


def pointer_of(place: int) -> str:
    """The pointer of the value at a place."""
    return POINTERS[place] if place < FIRST_PAIR else f"{CONTEXT}{place - FIRST_PAIR}"


def seed_of(event: bytes, seen: Event, journal: str, index: int) -> bytes:
    """What tells an event's salts from those of others: its id, or else what is its own in the log."""
    told = shown("eventID", seen.eventID)
    if isinstance(told, str):
        return bytes.fromhex(told.replace("-", ""))
    return sha256(b"%b\0%d\0%b" % (journal.encode(), index, event)).digest()[:SEED_BYTES]


def _commitments(
    values: Sequence[Value], seed: bytes, salts: Salts, leaf: Mapping[str, Any]
) -> dict[str, str]:
    """The members that hold commitments, of a leaf with these others."""
    made = {place: committed(leaf, salts.at(place, seed), pointer, text) for place, pointer, text in values}
    together = b"".join([made[place] for place in made if place not in _OWN])
    own = {name: base64(made[place]) for place, name in _OWN.items() if place in made}
    return {"commitments": base64(together), **own}


def committed(leaf: Mapping[str, Any], salt: bytes, pointer: str, text: bytes) -> bytes:
    """The commitment to a value that a leaf of these members holds, which say its version, too.

    Raises:
        LogError: the leaf has not the form of one.
    """
    if leaf.get("v") == VERSIONS[0]:
        return commitment_2(salt, pointer, text)
    return commitment_3(salt, pointer, text, _NO_IDS if pointer else ids_in(leaf, text))


def ids_in(leaf: Mapping[str, Any], event: bytes) -> Ids:
    """The ids that the leaf shows of the event: of one that is none of several, none.

    Raises:
        LogError: the leaf has not the form of one.
    """
    if leaf.get("v") != TOGETHER:
        return leaf.get("requestID"), leaf.get("eventID")
    own = _own_ids(event)
    return own if own in ids_of(leaf) else _NO_IDS


def _own_ids(event: bytes) -> Ids:
    """Those of the event's request and its own, None where it has none of their shape."""
    seen = seen_in(event)
    request, own = (shown(name, getattr(seen, name)) for name in IDS)
    return (request, own) if isinstance(request, str) and isinstance(own, str) else _NO_IDS


def base64(data: bytes) -> str:
    """The data as it stands in a leaf."""
    return b2a_base64(data, newline=False).decode()


def number_of(pointer: str, count: int) -> int | None:
    """Which of `count` commitments one after the other is that of the value at the pointer; None if there is none."""
    if pointer.startswith(CONTEXT):
        told = pointer[len(CONTEXT) :]
        number = _PAIRS_FROM + int(told) if _DECIMAL.fullmatch(told) else count
    else:
        number = _PLACED.index(pointer) if pointer in _PLACED else count
    return number if number < count else None
