"""Entries: what of a journal's record the log publishes, and what it only commits to.

A leaf is canonical JSON (members sorted by name, no spaces, UTF-8). By an allow-list it shows what names nobody: which
operation, when, where, with what outcome, on which KMS keys. Everything else of the event is there as a salted
commitment for each value, so that its owner can later show one value and prove that it was recorded then.

    commitment = SHA-256("keystead commitment 1" || 0x00 || salt || pointer || 0x00 || value)
    salt       = keyed BLAKE2b-256 (RFC 7693) of eventID || 0x00 || pointer under the salt key

`pointer` is the value's JSON pointer (RFC 6901), empty for the whole event; `value` is the value's canonical JSON, for
the whole event its bytes as the journal has them. Where names within a map are the caller's own (an
encryption context) the pointer must not show them: pair number n, sorted by name, has the pointer `…/n` and the
value `[name, value]`.
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b, sha256
from types import MappingProxyType
from typing import Any, Final

import msgspec

from keystead.crypto.derive import subkey
from keystead.crypto.secret import SECRET_ACCESS, Opaque, Secret
from keystead.errors import LogError
from keystead.tlog.tile import LONGEST_ENTRY

VERSION: Final = 1
MOST_COMMITMENTS: Final = 200
PLACE_BYTES: Final = 16

_COMMITMENT: Final = b"keystead commitment 1\0"
_STATE: Final = "keystead state 1"
_UUID: Final = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
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
"""Members that a leaf shows if they have this shape; one of another shape is committed to instead."""

COMMITTED: Final = (
    "requestParameters",
    "resources",
    "responseElements",
    "sourceIPAddress",
    "userAgent",
    "userIdentity",
)
"""Members whose values are committed to one by one."""

_KEY_ARN: Final = re.compile(
    rf"arn:aws[a-z-]{{0,16}}:kms:{_REGION}:[0-9]{{12}}:key/(?:{_UUID}|mrk-[0-9a-f]{{32}})"
)
_IDENTITY_TYPE: Final = re.compile(_WORD)
_CALLERS_NAMES: Final = re.compile(r".*[eE]ncryptionContext.*")
_API_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9]{0,63}")

_canonical: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode
_encode: Final = msgspec.json.Encoder(order="deterministic").encode

Write = tuple[bytes, bytes]
"""A record that a change wrote: its place and the digest of its value, by `StateDigests`; empty for a deletion."""


class Salts(Opaque):
    """The salts of commitments; whoever has the salt key can open every commitment of an event they know."""

    __slots__ = ("_key",)

    def __init__(self, key: Secret) -> None:
        self._key = key.expose(SECRET_ACCESS)

    def salt(self, event_id: str, pointer: str) -> bytes:
        """The 32-byte salt of one value of one event."""
        # Keyed BLAKE2b: an event has a dozen salts, and HMAC by OpenSSL takes ten times as long for so few bytes.
        return blake2b(f"{event_id}\0{pointer}".encode(), key=self._key, digest_size=32).digest()


class StateDigests(Opaque):
    """What a leaf says of records that a change wrote, so that the store can be held against the log later."""

    __slots__ = ("_key",)

    def __init__(self, salt_key: Secret) -> None:
        self._key = subkey(salt_key.expose(SECRET_ACCESS), _STATE)

    def place(self, table: str, key: bytes) -> bytes:
        """16 bytes that stand for a record's table and key."""
        return hmac.digest(self._key, table.encode() + b"\0" + key, "sha256")[:PLACE_BYTES]

    def write(self, table: str, key: bytes, value: bytes | None) -> Write:
        """The record's place and the digest of its encoded value, None if it was deleted."""
        if value is None:
            return self.place(table, key), b""
        digest = hmac.digest(self._key, table.encode() + b"\0" + key + b"\0" + value, "sha256")
        return self.place(table, key), digest


class Opening(msgspec.Struct, frozen=True):
    """One value of the event that is the log's entry number `index`, with what proves it: a line of openings.jsonl.

    For the whole event the pointer is empty and the value is the event's bytes as a string.
    """

    index: int
    pointer: str
    salt: bytes
    value: Any


def commitment(salt: bytes, pointer: str, value: bytes) -> bytes:
    """The 32 bytes that a leaf holds for a value, which are of no use without the salt."""
    return sha256(_COMMITMENT + salt + pointer.encode() + b"\0" + value).digest()


def canonical(value: Any) -> bytes:
    """The value's canonical JSON.

    Numbers with a fraction are written as Python writes them: the shortest form that reads back as the same.
    """
    return _canonical(value).encode()


# ------------------------------------------------------------------------------ leaves


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
    the commitment to the whole of it. `writes` that do not fit even then are told by the SHA-256 of their JSON.
    `commit` says which commit of the store they were made by: `commit`, or `commitUpTo` where only that is known.
    """
    members = _members(event)
    event_id = _event_id(members)
    leaf = _shown(members) | {
        "v": VERSION,
        "journal": journal,
        "index": index,
        "keys": _keys(members),
        "event": commitment(salts.salt(event_id, ""), "", event),
    }
    if writes:
        leaf |= {"writes": writes, **commit}
    values = list(_committed(members))
    if len(values) <= MOST_COMMITMENTS:
        commitments = {
            pointer: commitment(salts.salt(event_id, pointer), pointer, canonical(value))
            for pointer, value in values
        }
        whole = _encode(leaf | {"commitments": commitments})
        if len(whole) <= LONGEST_ENTRY:
            return whole
    return _folded(leaf)


def _folded(leaf: dict[str, Any]) -> bytes:
    leaf["folded"] = True
    encoded = _encode(leaf)
    if len(encoded) > LONGEST_ENTRY:
        leaf["writesDigest"] = sha256(_encode(leaf.pop("writes"))).digest()
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
    members = _members(note)
    written = {"writes": writes, **commit} if writes else {}
    leaf = _encode({"v": VERSION, "journal": journal, "index": index, "note": members, **written})
    if not members or len(leaf) > LONGEST_ENTRY:
        raise LogError("a journal's note is a JSON object")
    return leaf


def _members(record: bytes) -> dict[str, Any]:
    """The members of the record, none if it is no JSON object: then the leaf has nothing to show."""
    try:
        return msgspec.json.decode(record, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return {}


def _event_id(members: Mapping[str, Any]) -> str:
    event_id = members.get("eventID")
    return event_id if isinstance(event_id, str) else ""


def _shown(members: Mapping[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {name: members[name] for name in PLAIN if _is_plain(members, name)}
    if isinstance(members.get("readOnly"), bool):
        shown["readOnly"] = members["readOnly"]
    identity = members.get("userIdentity")
    kind = identity.get("type") if isinstance(identity, dict) else None
    if isinstance(kind, str) and _IDENTITY_TYPE.fullmatch(kind):
        shown["identityType"] = kind
    return shown


def _is_plain(members: Mapping[str, Any], name: str) -> bool:
    value = members.get(name)
    return isinstance(value, str) and PLAIN[name].fullmatch(value) is not None


def _keys(members: Mapping[str, Any]) -> list[str]:
    """The ARNs of the KMS keys among the event's resources, each once, in their order."""
    resources = members.get("resources")
    found = [_key_arn(resource) for resource in resources] if isinstance(resources, list) else []
    return list(dict.fromkeys(arn for arn in found if arn))


def _key_arn(resource: Any) -> str:
    arn = resource.get("ARN") if isinstance(resource, dict) else None
    return arn if isinstance(arn, str) and _KEY_ARN.fullmatch(arn) else ""


# ------------------------------------------------------------------------- commitments


def _committed(members: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """(pointer, value) of all that is committed to by itself."""
    for name in PLAIN:
        if name in members and not _is_plain(members, name):
            yield f"/{name}", members[name]
    for name in COMMITTED:
        value = members.get(name)
        if name == "resources" and isinstance(value, list):
            for number, resource in enumerate(value):
                if not _key_arn(resource):
                    yield from _values(f"/resources/{number}", resource)
        elif value is not None:
            yield from _values(f"/{name}", value)


def _values(pointer: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        names = sorted(value)
        if _are_callers(pointer.rpartition("/")[2], tuple(names)):
            yield from ((f"{pointer}/{number}", [name, value[name]]) for number, name in enumerate(names))
        else:
            for name in names:
                yield from _values(f"{pointer}/{name}", value[name])
    elif isinstance(value, list) and value:
        for number, element in enumerate(value):
            yield from _values(f"{pointer}/{number}", element)
    else:
        yield pointer, value


@lru_cache(maxsize=4096)
def _are_callers(name: str, within: tuple[str, ...]) -> bool:
    """Whether the names within a member called `name` are, or may be, the caller's own choice."""
    return _CALLERS_NAMES.fullmatch(name) is not None or not all(map(_API_NAME.fullmatch, within))


def openings(event: bytes, index: int, salts: Salts) -> list[Opening]:
    """The whole event and each of its committed values with their salts: choose which of them to show.

    `index` is the number of the event's entry in the log.
    """
    members = _members(event)
    event_id = _event_id(members)
    values = [("", event.decode("utf-8", "replace")), *_committed(members)]
    return [Opening(index, pointer, salts.salt(event_id, pointer), value) for pointer, value in values]


def check_opening(leaf: bytes, opening: Opening) -> None:
    """Nothing, if the opening's value is what the leaf committed to at its pointer.

    Raises:
        LogError: it is not, or the leaf has no commitment there.
    """
    members = _members(leaf)
    held = (
        members.get("event") if not opening.pointer else members.get("commitments", {}).get(opening.pointer)
    )
    value = opening.value.encode() if not opening.pointer else canonical(opening.value)
    expected = msgspec.to_builtins(commitment(opening.salt, opening.pointer, value))
    if held is None or held != expected:
        raise LogError("the value is not what the entry committed to")
