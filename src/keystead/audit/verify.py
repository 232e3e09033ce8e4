"""Holding the log against the journals that it was made of: every entry, every tile, every signature."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import msgspec

from keystead.audit.counterparts import Counterparts, told
from keystead.audit.logfiles import Head, LogFiles
from keystead.audit.logkeys import LogKeys
from keystead.audit.pruned import NOTHING, known_pruned
from keystead.audit.remade import fits, remade
from keystead.audit.segment import Frame
from keystead.errors import LogError
from keystead.tlog import Checkpoint, Pruned, Tile, leaf_hash, open_checkpoint
from keystead.tlog.rebuild import Rebuilt
from keystead.tlog.tile import ENTRIES, WIDTH, decode_bundle, split_hashes
from keystead.tlog.together import MOST, records_of


class Leaf(msgspec.Struct, frozen=True, gc=False):
    """Which record an entry says that it is of, in which version, and what its change wrote; or which it begins with."""

    v: int
    journal: str
    index: int
    eventName: str = ""  # noqa: N815  named as in the entry
    writes: list[tuple[bytes, bytes]] = []
    commit: int | None = None
    commitUpTo: int | None = None  # noqa: N815  as above
    events: str = ""


class LogChecked(msgspec.Struct, frozen=True):
    """What was held against each other, and a line for each thing that is not as it must be.

    `waiting` records of journals are not in the log yet; the records of `pruned` entries are not kept any more.
    """

    entries: int
    waiting: int
    pruned: int
    findings: tuple[str, ...]


Visitor = Callable[[int | None, str, Leaf | None, Frame | None], None]
"""Hears of each record: its entry's number (None: it waits, or the entry is lost), its journal, its entry, and itself
(None: pruned). Records may share an entry."""


def _unheard(_number: int | None, _journal: str, _leaf: Leaf | None, _frame: Frame | None) -> None:
    """The visitor where nobody wants to hear."""


def check_log(
    directory: Path,
    keys: LogKeys,
    *,
    kept: Mapping[str, str] = MappingProxyType({}),
    pruned: Mapping[str, int] = MappingProxyType({}),
    visit: Visitor = _unheard,
) -> LogChecked:
    """What the log in the data directory holds and how far it is right; before there is one, all records wait.

    Works beside a server that goes on: what is checked is the log as it was at the beginning, which only grows.

    Args:
        directory: the data directory.
        keys: the log's own; its signatures and commitments are checked by them.
        kept: checkpoints of this log that somebody kept elsewhere, by a name for messages.
        pruned: of each journal, below which index records need not be there any more, besides those that the log
            itself tells of.
        visit: hears of every record, those that are not in the log yet last.

    Raises:
        OSError: a file of the log cannot be read.
    """
    check = _LogCheck(directory, keys, pruned, visit)
    return check.run(kept)


class _LogCheck:
    """One pass. Memory is bounded: one bundle, the right edge of the tree, one record of each journal, those of one entry."""

    def __init__(self, directory: Path, keys: LogKeys, pruned: Mapping[str, int], visit: Visitor) -> None:
        self._directory = directory
        self._files = LogFiles(directory)
        self._key = keys.signer(keys.origin(None)).key
        self._salts = keys.salts
        self._visit = visit
        self._findings: list[str] = []
        self._told = self._pruned(keys)
        starts = {worker: start.index for worker, start in self._told.journals.items()}
        self._journals = Counterparts(directory, {**starts, **pruned}, self._find, self._pass)
        self._gone = 0
        self._older: list[tuple[int, bytes, str]] = []
        self._tree: Rebuilt | None = Rebuilt(self._check_tile)

    def _find(self, text: str) -> None:
        self._findings.append(text)

    def _pass(self, worker: str, frame: Frame) -> None:
        self._visit(None, worker, None, frame)

    def _pruned(self, keys: LogKeys) -> Pruned:
        try:
            return known_pruned(self._files, keys)
        except LogError as error:
            self._find(f"log/pruned: {error}")
            return NOTHING

    def run(self, kept: Mapping[str, str]) -> LogChecked:
        """What `check_log` returns."""
        # Asked first: a server that begins its log beside this makes the head before all else.
        written = self._files.written
        try:
            shown, head = self._published()
        except LogError as error:
            return self._result(0, str(error))
        if head is None:
            return self._without_head(shown) if written else self._result(0)
        try:
            checkpoint = open_checkpoint(head.checkpoint, [self._key])
        except LogError as error:
            return self._result(0, f"log/head: {error}")
        if shown is not None or checkpoint.size:  # a crash right after the first head leaves no public copy
            self._expect("log/checkpoint", shown, checkpoint)
        for name, note in kept.items():
            self._expect(name, note, checkpoint)
        self._older.sort()
        for number in range(-(-checkpoint.size // WIDTH)):
            self._bundle(number, min(WIDTH, checkpoint.size - number * WIDTH))
        self._conclude(head, checkpoint)
        return self._result(checkpoint.size)

    def _published(self) -> tuple[str | None, Head | None]:
        """The public copy and the head; the copy is read first, for the head is never behind it.

        Beside a server that begins its log just now the copy may follow at once, hence the second look.
        """
        for _ in range(2):
            shown = self._files.shown()
            head = self._files.head()
            if shown is not None or head is None:
                break
        return shown, head

    def _result(self, entries: int, *findings: str) -> LogChecked:
        waiting = 0
        for worker, frame in self._journals.rest(self._workers()):
            waiting += 1
            self._pass(worker, frame)
        self._findings += findings
        return LogChecked(entries, waiting, self._journals.pruned + self._gone, tuple(self._findings))

    def _workers(self) -> list[str]:
        try:
            return sorted(entry.name for entry in (self._directory / "journal").iterdir() if entry.is_dir())
        except FileNotFoundError:
            return []

    # --------------------------------------------------------------------- checkpoints

    def _without_head(self, shown: str | None) -> LogChecked:
        if shown is None:
            return self._result(0, "log/head and log/checkpoint are missing, though there are tiles")
        return self._result(0, "log/head is missing, though there is a log")

    def _expect(self, name: str, note: str | None, head: Checkpoint) -> None:
        """Nothing; the tree must have had what the note says when it had the size that it says."""
        if note is None:
            self._find(f"{name} is missing")
            return
        try:
            known = open_checkpoint(note, [self._key])
        except LogError as error:
            self._find(f"{name}: {error}")
            return
        if known.size > head.size:
            self._find(
                f"{name} is of {known.size} entries, log/head of {head.size}: the newest were cut off, or put back"
            )
        elif known.size == head.size:
            if known.root != head.root:
                self._find(f"{name} has another root than log/head: the log was forked")
        elif known.size:
            self._older.append((known.size, known.root, name))

    def _check_older(self, start: int, hashes: Sequence[bytes]) -> None:
        while self._older and self._older[0][0] <= start + len(hashes):
            size, root, name = self._older.pop(0)
            if self._tree is not None and self._tree.root(hashes[: size - start]) != root:
                self._find(f"{name}: the first {size} entries do not have its root: the log was forked")

    def _conclude(self, head: Head, checkpoint: Checkpoint) -> None:
        if self._tree is not None:
            self._tree.finish()
            if self._tree.root() != checkpoint.root:
                self._find("the tree of all entries has another root than log/head signed")
        self._journals.finish(head)

    # -------------------------------------------------------------------------- tiles

    def _bundle(self, number: int, width: int) -> None:
        start = number * WIDTH
        tile, entries = Tile(ENTRIES, number, width), None
        held = self._hashes(Tile(0, number, width))
        gone = number < self._told.bundles and not self._files.exists(tile)
        data = None if gone else self._read(tile)
        if data is not None:
            try:
                entries = decode_bundle(data, width)
            except LogError as error:
                self._find(f"log/{tile.path}: {error}: entries {start} to {start + width - 1} cannot be read")
        hashes = held if entries is None else [leaf_hash(entry) for entry in entries]
        if gone:
            self._gone += width
            self._journals.pass_over(self._told.following)
        elif entries is None:
            self._journals.lose_track()
        else:
            self._entries(tile, entries, held)
        if hashes is None:
            if self._tree is not None:
                last = start + width - 1
                self._find(
                    f"entries {start} to {last} and their hashes are lost: there is no root to compare"
                )
            self._tree = None
        elif self._tree is not None:
            self._check_older(start, hashes)
            self._tree.add(hashes)

    def _hashes(self, tile: Tile) -> list[bytes] | None:
        data = self._read(tile)
        try:
            return None if data is None else split_hashes(data, tile.width)
        except LogError as error:
            self._find(f"log/{tile.path}: {error}")
            return None

    def _check_tile(self, tile: Tile, hashes: Sequence[bytes]) -> None:
        held = self._hashes(tile)
        if held is not None and held != hashes:
            at = next(at for at, pair in enumerate(zip(held, hashes, strict=True)) if pair[0] != pair[1])
            self._find(f"log/{tile.path}: hash {at} is not that of what is below it")

    def _read(self, tile: Tile) -> bytes | None:
        """The file's bytes; of a partial one that a fuller one has followed meanwhile, as many as it had."""
        try:
            return self._files.read(tile)
        except LogError as error:
            fuller = next((data for other in self._fuller(tile) if (data := self._try(other))), None)
            if fuller is None:
                self._find(str(error))
                return None
            return _beginning(fuller, tile)

    def _fuller(self, tile: Tile) -> Iterator[Tile]:
        if tile.width < WIDTH:
            yield Tile(tile.level, tile.index)
            directory = (self._files.root / tile.path).parent
            names = (entry.name for entry in directory.iterdir()) if directory.is_dir() else ()
            widths = sorted(int(name) for name in names if name.isdecimal())
            yield from (Tile(tile.level, tile.index, width) for width in widths if width > tile.width)

    def _try(self, tile: Tile) -> bytes | None:
        try:
            return self._files.read(tile)
        except LogError:
            return None

    # ------------------------------------------------------------------------- entries

    def _entries(self, bundle: Tile, entries: Sequence[bytes], hashes: Sequence[bytes] | None) -> None:
        for inner, entry in enumerate(entries):
            self._entry(bundle, inner, entry, hashes[inner] if hashes is not None else None)

    def _entry(self, bundle: Tile, inner: int, entry: bytes, held: bytes | None) -> None:
        number = bundle.index * WIDTH + inner
        place = f"entry {number} (number {inner} in log/{bundle.path})"
        intact = held is None or leaf_hash(entry) == held
        try:
            leaf = msgspec.json.decode(entry, type=Leaf)
            records = records_of(leaf.index, leaf.events)
        except (LogError, msgspec.MsgspecError, UnicodeDecodeError):
            self._find(f"{place} is not an entry")
            return
        if len(records) > MOST:
            self._find(f"{place} is of {len(records)} records, no entry is of more than {MOST}")
            return
        before = len(self._findings)
        frames = self._journals.take(number, leaf.journal, records)
        in_order = len(self._findings) == before
        there = [frame for frame in frames if frame is not None]
        whole = len(there) == len(frames)
        expected = remade(there, leaf.journal, self._salts, leaf.v) if whole else None
        odd: Sequence[int] = ()
        if there and expected != entry:
            odd = [frame.index for frame in there if not fits(frame, entry, number, self._salts)]
            odd = odd or (records if whole else ())
        if odd:
            genuine = expected is not None and leaf_hash(expected) == held
            changed = "the entry was changed" if genuine else "one of them was changed"
            self._find(f"{place} is not what record {told(odd)} of journal {leaf.journal} gives: {changed}")
        elif not intact:
            genuine = expected is not None and in_order
            changed = "the tile was changed" if genuine else "one of them was changed"
            tile = Tile(0, bundle.index, bundle.width)
            self._find(f"{place} has another hash than log/{tile.path} holds: {changed}")
        for frame in frames:
            self._visit(number, leaf.journal, leaf, frame)


def _beginning(data: bytes, tile: Tile) -> bytes:
    """As much of a fuller tile or bundle as a narrower one holds."""
    if tile.level != ENTRIES:
        return data[: 32 * tile.width]
    at = 0
    for _ in range(tile.width):
        at += 2 + int.from_bytes(data[at : at + 2], "big")
    return data[:at]
