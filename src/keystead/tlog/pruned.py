"""What a log no longer holds in full, as a note that it signs: pruning cannot be told from deletion otherwise.

The text of the note is three lines: the log's origin, `keystead pruned 1`, and canonical JSON. It is no
checkpoint, whose second line is a number. Hashes are never pruned, so proofs of what is left stay whole.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from keystead.errors import LogError
from keystead.tlog.checkpoint import Signer, VerifierKey, parse_note, verify

_KIND: Final = "keystead pruned 1"
_LINES: Final = 3
_encode: Final = msgspec.json.Encoder(order="deterministic").encode


class Start(msgspec.Struct, frozen=True):
    """Where a journal's files begin now: its first segment, the first record in it, and the chain's hash before that."""

    segment: int
    index: int
    chain: bytes


class Pruned(msgspec.Struct, frozen=True, kw_only=True):
    """What may be gone.

    Attributes:
        time: when it was decided, `YYYY-MM-DDTHH:MM:SSZ`.
        bundles: so many bundles of entries, from number 0 on; 256 entries each.
        following: of each journal, the number of its first record that is in none of these.
        newest: the latest time that one of their events tells, empty if none does.
        journals: where the journals that had more before begin now.
    """

    time: str
    bundles: int = 0
    following: dict[str, int] = {}
    newest: str = ""
    journals: dict[str, Start] = {}


def sign_pruned(pruned: Pruned, origin: str, signer: Signer) -> str:
    """The note that tells it."""
    text = f"{origin}\n{_KIND}\n{_encode(pruned).decode()}\n"
    return f"{text}\n{signer.sign(text)}"


def open_pruned(note: str, origin: str, keys: Iterable[VerifierKey]) -> Pruned:
    """What the note tells of the log of that origin, once it is known that one of `keys` signed it.

    Raises:
        LogError: it is malformed, of another log, or not signed so.
    """
    parsed = parse_note(note)
    verify(parsed, keys)
    lines = parsed.text.removesuffix("\n").split("\n")
    if len(lines) != _LINES or lines[:2] != [origin, _KIND]:
        raise LogError("log/pruned is of another log or form")
    try:
        return msgspec.json.decode(lines[2], type=Pruned)
    except msgspec.MsgspecError:
        raise LogError("log/pruned does not tell what is pruned") from None
