"""Entries made anew of the records that they say they are of, and whether a record is what its entry says."""

from __future__ import annotations

from collections.abc import Sequence

from keystead.audit.log import leaf_of
from keystead.audit.segment import Frame, Kind
from keystead.errors import LogError
from keystead.tlog import Salts, ids_of, openings, together_leaf
from keystead.tlog.entry2 import TOGETHER
from keystead.tlog.opening import check_event, check_opening
from keystead.tlog.shapes import members_of


def remade(frames: Sequence[Frame], journal: str, salts: Salts, version: int) -> bytes | None:
    """The entry of these records in that version; None if they give none that they share."""
    first = frames[0]
    if version != TOGETHER:
        return leaf_of(first, journal, salts, version) if len(frames) == 1 else None
    if not all(map(_sharing, frames)):
        return None
    try:
        return together_leaf([frame.payload for frame in frames], journal, first.index, salts)
    except LogError:
        return None


def fits(frame: Frame, entry: bytes, number: int, salts: Salts) -> bool:
    """Whether the record is one of those that share the entry, which has that number in the log, and in its place."""
    members = members_of(entry)
    try:
        _, own = ids_of(members)[frame.index - members["index"]]
        whole = openings(frame.payload, entry, number, salts)[0]
        check_opening(entry, whole)
        return _sharing(frame) and check_event(entry, whole.value).get("eventID") == own
    except LogError:
        return False


def _sharing(frame: Frame) -> bool:
    return frame.kind is Kind.EVENT and frame.change is None
