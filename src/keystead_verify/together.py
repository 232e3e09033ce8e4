"""Entries of version 4, of several events in a row that differ in their ids alone: what such an entry tells of each."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable, Mapping
from typing import Any, Final
from uuid import UUID

from keystead_verify.findings import Malformed
from keystead_verify.notes import base64

VERSION: Final = 4
MOST: Final = 16
"""Events, and so records of a journal, of one entry."""

_MEMBER: Final = "events"
_TOLD: Final = re.compile(b'"events":"((?:[A-Za-z0-9+/]{4})+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?)"')
_ID: Final = 16
_PAIR: Final = 2 * _ID
"""Bytes of an id, and of both that an event has."""
_OF_ONE: Final = frozenset({"eventID", "requestID", "note", "writes", "writesDigest"})
"""Members of entries of one record."""

Ids = tuple[str, str]
"""Those of an event's request and of the event itself."""


def check_together(leaf: Mapping[str, Any]) -> None:
    """None.

    Raises:
        Malformed: the entry is of several events and has not the form of that, or has it of one record.
    """
    if leaf["v"] != VERSION:
        if _MEMBER in leaf:
            raise Malformed("it tells the ids of several events, and is of a version of one")
        return
    told = leaf.get(_MEMBER)
    count, rest = divmod(len(base64(told)), _PAIR) if type(told) is str else (0, 0)
    if rest or not 1 < count <= MOST:
        raise Malformed(f"it does not tell the ids of 2 to {MOST} events")
    if not _OF_ONE.isdisjoint(leaf):
        raise Malformed("it is of several events, and tells what only one has")


def count_of(leaf: Mapping[str, Any]) -> int:
    """Of how many records of its journal an entry is, which has the form of one."""
    return len(base64(leaf[_MEMBER])) // _PAIR if leaf["v"] == VERSION else 1


def ids_of(leaf: Mapping[str, Any]) -> list[Ids]:
    """The ids of each event of an entry of several, in their order."""
    data = base64(leaf[_MEMBER])
    ids = [str(UUID(bytes=data[at : at + _ID])) for at in range(0, len(data), _ID)]
    return list(zip(ids[::2], ids[1::2], strict=True))


def told_in(event_id: str) -> Callable[[bytes], bool]:
    """What says of an entry, or of many one after the other, whether the id of an event seems to be there."""
    alone = b'"eventID":"%b"' % event_id.encode()
    digits = event_id.encode().replace(b"-", b"")

    def told(data: bytes) -> bool:
        return alone in data or any(digits in _own_ids(found[1]) for found in _TOLD.finditer(data))

    return told


def _own_ids(told: bytes) -> list[bytes]:
    """The ids of events themselves, as 32 hexadecimal digits."""
    digits = b64decode(told).hex().encode()
    return [digits[at : at + 2 * _ID] for at in range(2 * _ID, len(digits), 2 * _PAIR)]


def each_of(leaf: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The entry as it would be of each of its events by itself, with the event's own number and ids."""
    if leaf["v"] != VERSION:
        return [dict(leaf)]
    alike = {name: value for name, value in leaf.items() if name != _MEMBER}
    return [
        {**alike, "index": index, "requestID": request, "eventID": own}
        for index, (request, own) in enumerate(ids_of(leaf), leaf["index"])
    ]


def shown(number: int, leaf: Mapping[str, Any]) -> dict[str, Any]:
    """The entry as a report has it; one of several events with the number and the ids of each, to be read."""
    entry = {"number": number, "content": dict(leaf)}
    if leaf["v"] != VERSION:
        return entry
    told = [{name: each[name] for name in ("index", "requestID", "eventID")} for each in each_of(leaf)]
    return {**entry, _MEMBER: told}
