"""What a store of blobs holds, compared with what records say it should hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from keystead.objects.blobs import Stored


class Findings(msgspec.Struct, frozen=True):
    """What does not agree, by name.

    Attributes:
        blobs: how many whole blobs the store holds, with `size` bytes together.
        orphans: whole, and no record names them: a crash came between the blob and its record, or a deletion failed.
        unfinished: what is left of puts that were broken off.
        missing: a record names them, and they are not there: something of an object is lost.
        resized: they have not the size that they were sealed with: cut off, or added to.
        recent: unknown or unfinished, and too young to be told from uploads that are under way.
    """

    blobs: int
    size: int
    orphans: tuple[Stored, ...]
    unfinished: tuple[Stored, ...]
    missing: tuple[str, ...]
    resized: tuple[Stored, ...]
    recent: int

    @property
    def is_damaged(self) -> bool:
        """Whether anything is lost, as against left over."""
        return bool(self.missing or self.resized)


def compare(stored: Iterable[Stored], known: Mapping[str, int | None], before: float) -> Findings:
    """What does not agree between the store and `known`: the size of each blob that records name, None if not known.

    `known` must have been read before the listing began: what is put meanwhile is then younger than `before` (epoch
    seconds), and what is deleted meanwhile shows as missing, so ask the records again about that. An upload may take
    until `before` from when it last wrote.
    """
    blobs = size = recent = 0
    orphans: list[Stored] = []
    unfinished: list[Stored] = []
    resized: list[Stored] = []
    seen: set[str] = set()
    for entry in stored:
        if entry.whole:
            blobs, size = blobs + 1, size + entry.size
        if entry.whole and entry.name in known:
            seen.add(entry.name)
            if known[entry.name] not in (None, entry.size):
                resized.append(entry)
        elif entry.changed >= before:
            recent += 1
        else:
            (orphans if entry.whole else unfinished).append(entry)
    missing = tuple(sorted(name for name, held in known.items() if name not in seen and held is not None))
    return Findings(blobs, size, tuple(orphans), tuple(unfinished), missing, tuple(resized), recent)
