"""The leaves of many events at once: what `entry2.event_leaf` gives for each, in a sixth of the time.

A leaf is put together of what is known of its event's parts (`moulds`), of the ids and of the commitments. An event that is
not of the form in which these are cut is left to `entry2`, which says what a leaf is. Of events in a row that differ in
their ids alone all else is looked at once (`Alike`).
"""

from __future__ import annotations

from binascii import b2a_base64, unhexlify
from collections.abc import Sequence
from hashlib import sha256
from struct import unpack
from typing import Final

from keystead.tlog.alike import BETWEEN, ID, Alike, Stretch, events_of
from keystead.tlog.commitments import SALT_BYTES, Salts
from keystead.tlog.entry2 import CALLER, FIRST_PAIR, PARAMETERS, RESOURCES, RESPONSE, WHOLE, event_leaf
from keystead.tlog.moulds import Cut, cut

_DIGITS: Final = bytes.maketrans(b"0123456789abcdef", b"0" * 16)
_ID_SHAPE: Final = b"00000000-0000-0000-0000-000000000000"


def event_leaves(stretches: Sequence[Stretch], journal: str, first: int, salts: Salts) -> list[bytes]:
    """The leaves of events that are the records from number `first` on of a worker's `journal`, of version 3."""
    found = list[Cut | None]()
    for stretch in stretches:
        found += _cut_alike(stretch, found) if isinstance(stretch, Alike) else cut(stretch)
    cuts = [one for one in found if one is not None]
    if len(cuts) == len(found) and _have_ids(cuts):
        return _made(range(first, first + len(cuts)), cuts, journal, salts)
    return _made_apart(stretches, found, journal, first, salts)


def _made_apart(
    stretches: Sequence[Stretch], found: Sequence[Cut | None], journal: str, first: int, salts: Salts
) -> list[bytes]:
    """The same, where not all of the events have the form in which they are cut."""
    events = [event for each in stretches for event in events_of(each)]
    cuts = {number: one for number, one in enumerate(found, first) if one is not None and _have_ids([one])}
    made = dict(zip(cuts, _made(list(cuts), list(cuts.values()), journal, salts), strict=True))
    return [
        made.get(number) or event_leaf(event, journal, number, salts)
        for number, event in enumerate(events, first)
    ]


def _cut_alike(alike: Alike, earlier: Sequence[Cut | None]) -> Sequence[Cut | None]:
    """As `cut`; of what the earlier events are made is known."""
    like = earlier[alike.like] if 0 <= alike.like < len(earlier) else None
    if like is None or alike.own != like[-2] + BETWEEN + like[-1] or not alike.differ_in_ids():
        return cut(alike.events())
    mould = like[0]
    return [(mould, middle[:ID], middle[-ID:]) for middle in alike.middles]


def _have_ids(cuts: Sequence[Cut]) -> bool:
    """Whether all ids have the shape of one."""
    texts = b"".join([one[-1] for one in cuts]) + b"".join([one[-2] for one in cuts])
    return texts.translate(_DIGITS) == _ID_SHAPE * (2 * len(cuts))


def _made(numbers: Sequence[int], cuts: Sequence[Cut], journal: str, salts: Salts) -> list[bytes]:
    """The leaves of the events, put together."""
    seeds = unhexlify(b"".join([own for *_, own in cuts]).translate(None, b"-"))
    dealt = [
        _split(salts.at(place, seeds)) for place in (WHOLE, CALLER, PARAMETERS, FIRST_PAIR, FIRST_PAIR + 1)
    ]
    named = b',"journal":"%b",' % journal.encode()
    leaves, sha, join, base64 = list[bytes](), sha256, b"".join, b2a_base64
    for index, (mould, request, own), salt, salt_1, salt_2, salt_3, salt_4 in zip(
        numbers, cuts, *dealt, strict=True
    ):
        region, whole, caller, parameters, pair, second, error, told, keys, shared, more = mould
        commitments = (
            sha(salt + whole).digest() + sha(salt_1 + caller).digest() + sha(salt_2 + parameters).digest()
        )
        if pair:
            commitments += sha(salt_3 + pair).digest()
            if second:
                commitments += sha(salt_4 + second).digest()
        behind = b'",'
        if more is not None:
            commitments += _more_pairs(more[0], own, salts)
            behind = _others(more[1], more[2], own, salts)
        text = base64(commitments, newline=False)
        leaves.append(
            join((region, text, error, own, told, b"%d" % index, named, keys, request, behind, shared))
        )
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
    """The commitments to resources and the answer, behind the id of the request."""
    seed = unhexlify(own.replace(b"-", b""))
    told = ((RESOURCES, b"resources", resources), (RESPONSE, b"responseElements", response))
    return b'",' + b"".join(
        b'"%b":"%b",' % (name, b2a_base64(sha256(salts.at(place, seed) + value).digest(), newline=False))
        for place, name, value in told
        if value
    )
