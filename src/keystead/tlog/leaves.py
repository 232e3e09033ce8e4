"""The leaves of many events at once: what `entry2` gives for them, in a fraction of the time.

A leaf is put together of what is known of its events' parts (`moulds`), of the ids and of the commitments. Events in a row that
differ in their ids alone share a leaf, and all else of them is looked at once (`Alike`). An event that is not of the form in which
these are cut is left to `entry2`, which says what a leaf is.
"""

from __future__ import annotations

from binascii import b2a_base64, unhexlify
from collections.abc import Sequence
from hashlib import sha256
from itertools import groupby
from operator import attrgetter
from struct import unpack
from typing import Final, NamedTuple

from keystead.tlog.alike import BETWEEN, ID, Alike, Stretch, events_of
from keystead.tlog.commitments import SALT_BYTES, Salts
from keystead.tlog.entry2 import (
    CALLER,
    FIRST_PAIR,
    PARAMETERS,
    RESOURCES,
    RESPONSE,
    TOGETHER,
    VERSIONS,
    WHOLE,
    event_leaf,
)
from keystead.tlog.moulds import Cut, Cutting, Mould
from keystead.tlog.together import MEMBER, MOST, packed

_DIGITS: Final = bytes.maketrans(b"0123456789abcdef", b"0" * 16)
_ID_SHAPE: Final = b"00000000-0000-0000-0000-000000000000"
_SHAPE: Final = _ID_SHAPE + BETWEEN.translate(_DIGITS) + _ID_SHAPE

_OWN: Final = b'"eventID":"'
_ASKED: Final = b'"requestID":"'
_EVENTS: Final = b'"%b":"' % MEMBER.encode()
_NEXT: Final = b'",'
_ALONE: Final = b"%d}" % VERSIONS[-1]
_TOGETHER: Final = b"%d}" % TOGETHER

_MOULD: Final = attrgetter("mould")
_NOTHING: Final = (b"",)


class _Segment(NamedTuple):
    """Events in a row with what they have alike, None of one that has not the form in which it is cut; and what differs."""

    mould: Mould | None
    middles: Sequence[bytes]


def event_leaves(stretches: Sequence[Stretch], journal: str, first: int, salts: Salts) -> list[bytes]:
    """The leaves of events that are the records from number `first` on of a worker's `journal`: of one event, or of several."""
    segments = _segments(stretches)
    if _sound(segments):
        return _made(_rows(segments, first), journal, salts)
    return _made_apart([event for each in stretches for event in events_of(each)], journal, first, salts)


def _made_apart(events: Sequence[bytes], journal: str, first: int, salts: Salts) -> list[bytes]:
    """The same, where not all of the events have the form in which they are cut."""
    segments = [each if _sound([each]) else _Segment(None, each.middles) for each in _segments([events])]
    rows = _rows(segments, first)
    made = dict(zip([row.first for row in rows], _made(rows, journal, salts), strict=True))
    made |= {
        number: event_leaf(event, journal, number, salts)
        for number, (event, each) in enumerate(zip(events, segments, strict=True), first)
        if each.mould is None
    }
    return [leaf for _, leaf in sorted(made.items())]


def _segments(stretches: Sequence[Stretch]) -> list[_Segment]:
    """What the events are made of; those that are told by what differs are looked at once."""
    found, cut, number = list[_Segment](), Cutting().cut, 0
    by_themselves: dict[int, Cut] = {}
    for stretch in stretches:
        if isinstance(stretch, Alike):
            like = by_themselves.get(stretch.like)
            if like is not None and stretch.own == like[1] and stretch.differ_in_ids():
                found.append(_Segment(like[0], stretch.middles))
                number += len(stretch.middles)
                continue
        for one in cut(events_of(stretch)):
            found.append(_Segment(None, _NOTHING) if one is None else _Segment(one[0], [one[1]]))
            if one is not None:
                by_themselves[number] = one
            number += 1
    return found


def _sound(segments: Sequence[_Segment]) -> bool:
    """Whether all are cut, and all ids have the shape of one; what is between two is known to be so."""
    middles = [middle for each in segments for middle in each.middles]
    shape = b"".join(middles).translate(_DIGITS) == _SHAPE * len(middles)
    return shape and not any(each.mould is None for each in segments)


class _Row(NamedTuple):
    """Events in a row that share a leaf, the first of which is record number `first`."""

    first: int
    mould: Mould
    middles: Sequence[bytes]


def _rows(segments: Sequence[_Segment], first: int) -> list[_Row]:
    """Those of the events that are cut; the first of them all is record number `first`."""
    rows = list[_Row]()
    for mould, group in groupby(segments, _MOULD):
        middles = [middle for each in group for middle in each.middles]
        if mould is not None:
            rows += [_Row(first + at, mould, middles[at : at + MOST]) for at in range(0, len(middles), MOST)]
        first += len(middles)
    return rows


def _made(rows: Sequence[_Row], journal: str, salts: Salts) -> list[bytes]:
    """The leaves of the events, put together."""
    seeds = unhexlify(b"".join([row.middles[0][-ID:] for row in rows]).translate(None, b"-"))
    dealt = [
        _split(salts.at(place, seeds)) for place in (WHOLE, CALLER, PARAMETERS, FIRST_PAIR, FIRST_PAIR + 1)
    ]
    named = b',"journal":"%b",' % journal.encode()
    leaves, sha, join, base64 = list[bytes](), sha256, b"".join, b2a_base64
    for (first, mould, middles), salt, salt_1, salt_2, salt_3, salt_4 in zip(rows, *dealt, strict=True):
        region, whole, caller, parameters, pair, second, error, name, kind, keys, shared, more = mould
        commitments = (
            sha(salt + whole).digest() + sha(salt_1 + caller).digest() + sha(salt_2 + parameters).digest()
        )
        if pair:
            commitments += sha(salt_3 + pair).digest()
            if second:
                commitments += sha(salt_4 + second).digest()
        others = b""
        if more is not None:
            own = middles[0][-ID:]
            commitments += _more_pairs(more[0], own, salts)
            others = _others(more[1], more[2], own, salts)
        text, number = base64(commitments, newline=False), b"%d" % first
        if len(middles) == 1:
            request, own = middles[0][:ID], middles[0][-ID:]
            told = join((error, _OWN, own, _NEXT, name))
            behind = join((_ASKED, request, _NEXT, others, shared, _ALONE))
        else:
            told = join((error, name, _EVENTS, packed(middles), _NEXT))
            behind = join((others, shared, _TOGETHER))
        leaves.append(join((region, text, told, kind, number, named, keys, behind)))
    return leaves


def _split(salts: bytes) -> tuple[bytes, ...]:
    return unpack(f"{SALT_BYTES}s" * (len(salts) // SALT_BYTES), salts)


def _more_pairs(pairs: Sequence[bytes], own: bytes, salts: Salts) -> bytes:
    """The commitments to the pairs behind the second."""
    seed = unhexlify(own.replace(b"-", b""))
    return b"".join(
        [sha256(salts.at(place, seed) + told).digest() for place, told in enumerate(pairs, FIRST_PAIR + 2)]
    )


def _others(response: bytes, resources: bytes, own: bytes, salts: Salts) -> bytes:
    """The commitments to resources and the answer, each with a comma behind it."""
    seed = unhexlify(own.replace(b"-", b""))
    told = ((RESOURCES, b"resources", resources), (RESPONSE, b"responseElements", response))
    return b"".join(
        b'"%b":"%b",' % (name, b2a_base64(sha256(salts.at(place, seed) + value).digest(), newline=False))
        for place, name, value in told
        if value
    )
