"""The ids of events in a row that share an entry: 32 bytes for each, the id of its request and its own, in Base64."""

from __future__ import annotations

from binascii import b2a_base64, unhexlify
from collections.abc import Mapping, Sequence
from struct import Struct
from typing import Any, Final

from keystead.errors import LogError
from keystead.tlog.alike import BETWEEN
from keystead.tlog.checkpoint import decode64

MEMBER: Final = "events"
"""The member of an entry that holds them."""
MOST: Final = 16
"""Events of one entry: another one would make it little cheaper for each, and receipts, which hold an entry, longer."""

IDS: Final = ("requestID", "eventID")
"""The members of an entry of one event in whose place it is."""

_PAIR: Final = Struct("16s16s")


def packed(middles: Sequence[bytes]) -> bytes:
    """The member's text, of what stands in each event from the one id's beginning to the other one's end."""
    digits = b"".join(middles).replace(BETWEEN, b"").translate(None, b"-")
    return b2a_base64(unhexlify(digits), newline=False)


def pairs_in(told: str) -> list[tuple[bytes, bytes]]:
    """The ids that the member's text tells, 16 bytes each: that of the request and of the event itself, of each event in order.

    Raises:
        LogError: it tells none, or has not the form.
    """
    data = decode64(told)
    if not data or len(data) % _PAIR.size:
        raise LogError("an entry of the log is damaged: it tells no ids of events")
    return list(_PAIR.iter_unpack(data))


def ids_of(leaf: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The same as texts, of the events of an entry with these members.

    Raises:
        LogError: the entry is of no events in a row, or has not the form.
    """
    told = leaf.get(MEMBER)
    pairs = pairs_in(told if isinstance(told, str) else "")
    return [(_text(request), _text(own)) for request, own in pairs]


def records_of(index: int, told: str) -> range:
    """The numbers of an entry's records, the first of which is `index`; the member's text is empty if there is but one.

    Raises:
        LogError: the text has not the form.
    """
    return range(index, index + (len(pairs_in(told)) if told else 1))


def _text(packed_id: bytes) -> str:
    told = packed_id.hex()
    return f"{told[:8]}-{told[8:12]}-{told[12:16]}-{told[16:20]}-{told[20:]}"
