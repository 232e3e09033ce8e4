"""The ids of events in a row that share an entry: 32 bytes for each, the id of its request and its own, in Base64."""

from __future__ import annotations

from binascii import b2a_base64, unhexlify
from collections.abc import Mapping, Sequence
from typing import Any, Final

from keystead.errors import LogError
from keystead.tlog.alike import BETWEEN
from keystead.tlog.checkpoint import decode64

MEMBER: Final = "events"
"""The member of an entry that holds them."""
MOST: Final = 16
"""Events of one entry: another one would make it little cheaper for each, and receipts, which hold an entry, longer."""

ID_BYTES: Final = 16
_PAIR_BYTES: Final = 2 * ID_BYTES
"""Of an id, and of both ids of an event."""


def packed(middles: Sequence[bytes]) -> bytes:
    """The member's text, of what stands in each event from the one id's beginning to the other one's end."""
    digits = b"".join(middles).replace(BETWEEN, b"").translate(None, b"-")
    return b2a_base64(unhexlify(digits), newline=False)


def ids_of(leaf: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The ids of the request and of the event itself, of each event that the entry with these members is of, in their order.

    Raises:
        LogError: the entry is of no events in a row, or has not the form.
    """
    told = leaf.get(MEMBER)
    data = decode64(told) if isinstance(told, str) else b""
    if not data or len(data) % _PAIR_BYTES:
        raise LogError("the entry tells no ids of events")
    ids = [_text(data[at : at + ID_BYTES]) for at in range(0, len(data), ID_BYTES)]
    return list(zip(ids[::2], ids[1::2], strict=True))


def _text(packed_id: bytes) -> str:
    told = packed_id.hex()
    return f"{told[:8]}-{told[8:12]}-{told[12:16]}-{told[16:20]}-{told[20:]}"


def count_of(leaf: Mapping[str, Any]) -> int:
    """How many records the entry with these members is of.

    Raises:
        LogError: as `ids_of`.
    """
    return len(ids_of(leaf)) if MEMBER in leaf else 1
