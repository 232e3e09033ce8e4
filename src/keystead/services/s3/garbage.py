"""Blobs that no version names any more: noted in the batch that drops the version, deleted a while later.

The while lets answers that are being sent from a blob come to their end. A crash loses nothing: the note is
durable with the change, and deleting twice does no harm.
"""

from __future__ import annotations

from typing import Final

import msgspec

from keystead.api import Call
from keystead.services.s3.tables import Piece, Version
from keystead.storage import Table

GRACE: Final = 600
"""Seconds."""
_DIGITS: Final = 12


class Garbage(msgspec.Struct, frozen=True):
    """A blob that is to be deleted."""

    blob: str


GARBAGE: Table[Garbage] = Table("s3_garbage", Garbage, evident=False)  # a note of work to do
"""when it is due in epoch seconds (12 digits)/blob"""


def discard(call: Call, version: Version) -> None:
    """Have the version's blobs deleted, once the call is durable."""
    discard_pieces(call, version.pieces)


def discard_pieces(call: Call, pieces: tuple[Piece, ...]) -> None:
    """The same for the pieces of an object that never was."""
    due = int(call.now) + GRACE
    for piece in pieces:
        call.tx.put(GARBAGE, f"{due:0{_DIGITS}d}/{piece.blob}", Garbage(piece.blob))


def is_due(place: str, now: float) -> bool:
    """Whether the blob with this record may be deleted."""
    return int(place[:_DIGITS]) <= now
