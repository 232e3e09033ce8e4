"""Openings: single values of events, shown beside what an entry committed to."""

from __future__ import annotations

from base64 import b64encode
from typing import Any, Final

import msgspec
from msgspec import UNSET

from keystead.errors import LogError
from keystead.tlog.commitments import Salts, commitment
from keystead.tlog.entry import PLAIN, Value, committed_in, members_of, seen_in, shown_of

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


def openings(event: bytes, index: int, salts: Salts) -> list[Opening]:
    """The whole event and each of its committed values with their salts: choose which of them to show.

    `index` is the number of the event's entry in the log.
    """
    seen = seen_in(event)
    values: list[Value] = [("", b"\0" + event), *committed_in(seen)]
    return [
        Opening(index, pointer, salt, told[len(pointer) + 1 :].decode("utf-8", "replace"))
        for salt, (pointer, told) in zip(salts.salts(seen.eventID or "", len(values)), values, strict=True)
    ]


def check_opening(leaf: bytes, opening: Opening) -> None:
    """Nothing, if the opening's value is what the leaf committed to at its pointer.

    Raises:
        LogError: it is not, or the leaf has no commitment there.
    """
    members = members_of(leaf)
    held = (
        members.get("event") if not opening.pointer else members.get("commitments", {}).get(opening.pointer)
    )
    expected = commitment(opening.salt, opening.pointer.encode(), opening.value.encode())
    if held is None or held != b64encode(expected).decode():
        raise LogError("the value is not what the entry committed to")


def check_event(leaf: bytes, event: str) -> dict[str, Any]:
    """The members of the whole event, if what the leaf shows in plain is what they say.

    That the leaf commits to the event is checked by `check_opening`.

    Raises:
        LogError: the leaf shows something else.
    """
    data = event.encode()
    shown, expected = members_of(leaf), shown_of(data)
    if any(shown.get(name, UNSET) != expected.get(name, UNSET) for name in _OPEN):
        raise LogError("the entry shows something else than its event says")
    return members_of(data)
