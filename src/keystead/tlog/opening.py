"""Openings: single values of events, shown beside what an entry committed to."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import UNSET

from keystead.errors import LogError
from keystead.tlog import entry1, entry2
from keystead.tlog.checkpoint import decode64
from keystead.tlog.commitments import SALT_BYTES, Salts, commitment
from keystead.tlog.entry import shown_of
from keystead.tlog.shapes import PLAIN, members_of, seen_in
from keystead.tlog.together import IDS, pairs_in

_OPEN: Final = (*PLAIN, "readOnly", "identityType", "keys")
"""Members that a leaf takes from its event as they are."""


class Opening(msgspec.Struct, frozen=True):
    """One value of the event that is the log's entry number `index`, with what proves it: a line of openings.jsonl.

    `value` is the value's JSON text as the journal has it.
    """

    index: int
    pointer: str
    salt: bytes
    value: str


class _Which(msgspec.Struct, frozen=True, gc=False):
    """Of which record a leaf is, and in which version."""

    v: int
    journal: str
    index: int
    events: str = ""


def openings(event: bytes, leaf: bytes, index: int, salts: Salts) -> list[Opening]:
    """The whole event and each of its committed values with their salts: choose which of them to show.

    `leaf` is the event's entry in the log, `index` the entry's number. Of an entry of several events `event` may be any; their
    salts are the same.

    Raises:
        LogError: the leaf is none.
    """
    try:
        which = msgspec.json.decode(leaf, type=_Which)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise LogError("an entry of the log is damaged") from None
    make = _openings_1 if which.v == entry1.VERSION else _openings_2
    return [
        Opening(index, pointer, salt, text.decode("utf-8", "replace"))
        for salt, pointer, text in make(event, which, salts)
    ]


_Parts = list[tuple[bytes, str, bytes]]


def _openings_1(event: bytes, _which: _Which, salts: Salts) -> _Parts:
    seen = seen_in(event)
    values: list[entry1.Value] = [("", b"\0" + event), *entry1.committed_in(seen)]
    dealt = salts.salts(seen.eventID or "", len(values))
    return [
        (salt, pointer, told[len(pointer) + 1 :]) for salt, (pointer, told) in zip(dealt, values, strict=True)
    ]


def _openings_2(event: bytes, which: _Which, salts: Salts) -> _Parts:
    seen = seen_in(event)
    if which.v == entry2.TOGETHER:
        (_, seed), *_ = pairs_in(which.events)
    else:
        seed = entry2.seed_of(event, seen, which.journal, which.index)
    return [(salts.at(place, seed), pointer, text) for place, pointer, text in entry2.values_of(event, seen)]


def check_opening(leaf: bytes, opening: Opening) -> None:
    """Nothing, if the opening's value is what the leaf committed to at its pointer.

    Raises:
        LogError: it is not, or the leaf has no commitment there.
    """
    members, salt, value = members_of(leaf), opening.salt, opening.value.encode()
    if members.get("v") == entry1.VERSION:
        held = _held_1(members, opening.pointer)
        expected = commitment(salt, opening.pointer.encode(), value)
    else:
        held = _held_2(members, opening.pointer) if len(salt) == SALT_BYTES else None
        expected = entry2.committed(members, salt, opening.pointer, value)
    if held != expected:
        raise LogError("the value is not what the entry committed to")


def _held_1(members: dict[str, Any], pointer: str) -> bytes | None:
    held = members.get("event") if not pointer else members.get("commitments", {}).get(pointer)
    return decode64(held) if isinstance(held, str) else None


def _held_2(members: dict[str, Any], pointer: str) -> bytes | None:
    if pointer in entry2.POINTERS[entry2.RESOURCES : entry2.FIRST_PAIR]:
        own = members.get(pointer[1:])
        return decode64(own) if isinstance(own, str) else None
    together = members.get("commitments")
    data = decode64(together) if isinstance(together, str) else b""
    size = entry2.DIGEST_BYTES
    at = entry2.number_of(pointer, len(data) // size)
    return None if at is None else data[at * size : (at + 1) * size]


def check_event(leaf: bytes, event: str) -> dict[str, Any]:
    """The members of the whole event, if what the leaf shows in plain is what they say.

    That the leaf commits to the event is checked by `check_opening`.

    Raises:
        LogError: the leaf shows something else.
    """
    data = event.encode()
    members = members_of(leaf)
    expected = shown_of(data, members.get("v", entry1.VERSION))
    if members.get("v") == entry2.TOGETHER:
        members |= dict(zip(IDS, entry2.ids_in(members, data), strict=True))
    if any(_told(members, name) != _told(expected, name) for name in _OPEN):
        raise LogError("the entry shows something else than its event says")
    return members_of(data)


def _told(members: dict[str, Any], name: str) -> Any:
    value = members.get(name, UNSET)
    return list(value) if isinstance(value, tuple) else value
