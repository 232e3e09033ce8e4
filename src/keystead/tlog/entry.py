"""Entries of the log, of the records of journals: events, by themselves or several in a row, and notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from keystead.errors import LogError
from keystead.tlog import entry1, entry2
from keystead.tlog.commitments import Salts
from keystead.tlog.digests import Write
from keystead.tlog.shapes import encode, members_of
from keystead.tlog.tile import LONGEST_ENTRY

VERSION: Final = entry2.VERSIONS[-1]
"""That of the entries which are made today of an event by itself."""
VERSIONS: Final = (entry1.VERSION, *entry2.VERSIONS, entry2.TOGETHER)

_NOTE: Final = 1
"""The version of entries of notes, which commit to nothing."""


def event_leaf(
    event: bytes,
    journal: str,
    index: int,
    salts: Salts,
    writes: Sequence[Write] = (),
    commit: Mapping[str, int] = MappingProxyType({}),
    version: int = VERSION,
) -> bytes:
    """The leaf of an event, record number `index` of a worker's `journal`, in one of the versions of an event by itself.

    For another version it is the newest of these.
    """
    if version == entry1.VERSION:
        return entry1.event_leaf(event, journal, index, salts, writes, commit)
    known = version if version in entry2.VERSIONS else VERSION
    return entry2.event_leaf(event, journal, index, salts, writes, commit, known)


def shown_of(event: bytes, version: int) -> dict[str, Any]:
    """The members that a leaf of the event shows, and perhaps some of its own."""
    return entry1.shown_of(event) if version == entry1.VERSION else entry2.shown_of(event)


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
    leaf = encode({"v": _NOTE, "journal": journal, "index": index, "note": members, **written})
    if not members or len(leaf) > LONGEST_ENTRY:
        raise LogError("a journal's note is a JSON object")
    return leaf
