"""One pass over all entries: the tree is built again from them and held against every tile and every checkpoint."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from keystead_verify.findings import (
    DELETED,
    EDITED,
    FORKED,
    INSERTED,
    MALFORMED,
    REORDERED,
    TRUNCATED,
    Malformed,
    Report,
)
from keystead_verify.hashing import WIDTH, Tree
from keystead_verify.leaves import Order, parse_leaf
from keystead_verify.notes import Checkpoint
from keystead_verify.pruned import Pruned
from keystead_verify.source import Source, read
from keystead_verify.tiles import ENTRIES, load, name, split_bundle, split_tile, versions, width_of

_MOST_LISTED: Final = 10

Visitor = Callable[[int, dict[str, Any]], None]
"""Called for each entry: its number and its members."""


@dataclass(frozen=True)
class _Suspicion:
    """Something that differs. What it means may depend on the root: `certain` is what does not."""

    kind: str
    where: str
    detail: str
    certain: bool = False


class Walk:
    """The pass. `older` are checkpoints that the same log signed before `head`.

    Of what is `pruned` the hashes are there, and the tree is built from them.

    Memory is bounded: one bundle, the right edge of the tree, and one number for each journal.
    """

    def __init__(
        self,
        source: Source,
        head: Checkpoint,
        older: Sequence[Checkpoint],
        report: Report,
        order: Order,
        pruned: Pruned,
    ) -> None:
        self._source = source
        self._head = head
        self._older = sorted(older, key=lambda checkpoint: checkpoint.size)
        self._report = report
        self._order = order
        self._pruned = pruned
        self._there = versions(source)
        self._tree = Tree(self._check_tile)
        self._in_entries: list[_Suspicion] = []
        self._in_tiles: list[_Suspicion] = []
        self._forks: list[_Suspicion] = []
        self.entries = 0

    def run(self, visit: Visitor) -> None:
        """None; everything that was found is in the report."""
        whole = True
        for number in range(-(-self._head.size // WIDTH)):
            hashes = self._bundle(number, visit)
            if hashes is None:
                whole = False
                break
            self._check_older(number * WIDTH, hashes)
            self._tree.add(hashes)
        if whole:
            self._tree.finish()
        self._conclude(whole and self._tree.root() == self._head.root, self._order.finish())

    # ------------------------------------------------------------------------ a bundle

    def _bundle(self, number: int, visit: Visitor) -> list[bytes] | None:
        """The hashes that the tree goes on with; None if there is nothing to go on with."""
        width = min(WIDTH, self._head.size - number * WIDTH)
        if number < self._pruned.bundles and (ENTRIES, number) not in self._there:
            return self._hashes(number)
        entries = self._entries(number, width)
        hashes = [sha256(b"\x00" + entry).digest() for entry in entries]
        tile = self._tile(0, number, width)
        if hashes != tile:
            self._compare(number, width, hashes, tile)
        self._read(number * WIDTH, entries, visit)
        self.entries += len(entries)
        if len(hashes) == width:
            return hashes
        return tile if tile is not None and len(tile) == width else None

    def _hashes(self, number: int) -> list[bytes] | None:
        """The hashes of a bundle that is pruned; None with a finding if they are not there."""
        tile = self._tile(0, number, WIDTH)
        if tile is None or len(tile) != WIDTH:
            self._report.find(DELETED, name("0", number), "hashes are never pruned, and these are missing")
            return None
        return tile

    def _entries(self, number: int, width: int) -> list[bytes]:
        try:
            data = load(self._source, ENTRIES, number, width, self._there)
            if data is None:  # a narrower one is what is left when newer entries were taken away
                narrower = [found for found in self._there.get((ENTRIES, number), ()) if found < width]
                data = read(self._source, name(ENTRIES, number, narrower[-1])) if narrower else None
            return split_bundle(data) if data else []
        except Malformed as error:
            self._report.find(MALFORMED, name(ENTRIES, number, width), str(error))
            return []

    def _read(self, start: int, entries: Sequence[bytes], visit: Visitor) -> None:
        see = self._order.see
        for number, entry in enumerate(entries, start):
            try:
                leaf = parse_leaf(entry)
            except Malformed as error:
                self._report.find(MALFORMED, f"entry {number}", str(error))
            else:
                if number >= self._pruned.entries:
                    see(number, leaf)
                visit(number, leaf)

    # -------------------------------------------------------------------------- tiles

    def _tile(self, level: int, number: int, width: int) -> list[bytes] | None:
        try:
            data = load(self._source, str(level), number, width, self._there)
            return None if data is None else split_tile(data)
        except Malformed:
            return []

    def _check_tile(self, level: int, number: int, hashes: Sequence[bytes]) -> None:
        """None; the tile and its narrower versions begin as the tree rebuilt from the entries says."""
        need = width_of(level, number, self._head.size)
        for width in self._there.get((str(level), number), ()):
            held = read(self._source, name(str(level), number, width))
            if held != b"".join(hashes[:width]) and width <= need:
                self._suspect_tile(name(str(level), number, width))
        if need not in self._there.get((str(level), number), ()) and self._tile(level, number, need) is None:
            self._suspect_tile(name(str(level), number, need))

    def _suspect_tile(self, file: str) -> None:
        self._in_tiles.append(_Suspicion(EDITED, file, "the tile is not that of its entries, or is missing"))

    def _compare(self, number: int, width: int, hashes: list[bytes], tile: list[bytes] | None) -> None:
        """None; what differs between a bundle and the leaf hashes of its tile is remembered."""
        start = number * WIDTH
        at = start + len(hashes)
        if len(hashes) < width and (tile is None or hashes == tile[: len(hashes)]):
            if start + width == self._head.size or self._nothing_after(number):
                lost = self._head.size - at
                self._suspect(
                    TRUNCATED, f"entry {at}", f"the newest {lost} entries are missing", certain=True
                )
            else:
                lost = width - len(hashes)
                self._suspect(
                    DELETED, f"entry {at}", f"{lost} entries are missing from here on", certain=True
                )
        elif tile is not None:
            self._classify(start, hashes, tile)

    def _nothing_after(self, number: int) -> bool:
        return not any(level == ENTRIES and other > number for level, other in self._there)

    def _classify(self, start: int, hashes: list[bytes], tile: list[bytes]) -> None:
        differ = [at for at, pair in enumerate(zip(hashes, tile, strict=False)) if pair[0] != pair[1]]
        first = f"entry {start + (differ[0] if differ else min(len(hashes), len(tile)))}"
        if len(hashes) < len(tile):
            lost = Counter(tile) - Counter(hashes)
            which = _listed(start + at for at, held in enumerate(tile) if held in lost)
            self._suspect(DELETED, first, f"missing: {which}", certain=True)
        elif len(hashes) > len(tile):
            detail = f"{len(hashes) - len(tile)} entries too many in its bundle"
            self._suspect(INSERTED, first, detail, certain=True)
        elif Counter(hashes) == Counter(tile):
            self._suspect(
                REORDERED, first, f"these have changed places: {_listed(start + at for at in differ)}"
            )
        else:
            for at in differ:
                self._suspect(EDITED, f"entry {start + at}", "it is not the entry that was logged")

    def _suspect(self, kind: str, where: str, detail: str, *, certain: bool = False) -> None:
        self._in_entries.append(_Suspicion(kind, where, detail, certain))

    # ---------------------------------------------------------------------- conclusions

    def _check_older(self, start: int, hashes: Sequence[bytes]) -> None:
        """None; the tree had the root of each older checkpoint when it had its size."""
        while self._older and self._older[0].size <= start + len(hashes):
            checkpoint = self._older.pop(0)
            if self._tree.root(hashes[: checkpoint.size - start]) != checkpoint.root:
                detail = "the entries do not give the root that the log signed before at this size"
                self._forks.append(_Suspicion(FORKED, f"size {checkpoint.size}", detail))

    def _conclude(self, root_is_right: bool, missing: int) -> None:
        """None; the signed root tells whether entries or tiles were changed.

        `missing` records of journals are told already: as many entries fewer at the end are no news.
        """
        if root_is_right:
            suspicions = [s for s in self._in_entries if s.certain] + self._in_tiles + self._forks
        else:
            suspicions = [s for s in self._in_entries if not (missing and s.kind == TRUNCATED)]
        for suspicion in suspicions:
            self._report.find(suspicion.kind, suspicion.where, suspicion.detail)
        if not root_is_right and not self._report.findings:
            self._unplaced()

    def _unplaced(self) -> None:
        """None; all that is there fits together, but not with the signature."""
        where = self._in_tiles[0].where if self._in_tiles else f"size {self._head.size}"
        detail = "an entry was changed: the tree of all entries has another root than the log signed"
        self._report.find(EDITED, where, detail)


def _listed(numbers: Iterable[int]) -> str:
    """The numbers, the first few of many."""
    found = list(numbers)
    return ", ".join(map(str, found[:_MOST_LISTED])) + (", …" if len(found) > _MOST_LISTED else "")
