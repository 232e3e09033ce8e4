"""Pruning: which of the evidence may go by its age, and its going, in an order in which a crash does no harm.

Journals go segment by segment and the log's entries bundle by bundle, each from the oldest on, as far as every
record is older than asked, held by nobody, in the log, and read by all who follow. Hashes stay, so the tree is the same
and what is left is proved as before. First the note that tells what is pruned is durable, then bundles go, then
segments; who stops in between has lost nothing that the note does not tell, and the next run goes on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

import msgspec

from keystead.audit import reader
from keystead.audit.archive import Archived
from keystead.audit.disk import Disk
from keystead.audit.event import event_time
from keystead.audit.followers import Follower
from keystead.audit.holds import Hold, covering, record_of
from keystead.audit.logfiles import Head, LogFiles
from keystead.audit.published import Named, Published
from keystead.audit.segment import Frame, Header, Kind
from keystead.errors import LogError
from keystead.tlog import Pruned, Start, Tile, leaf_hash
from keystead.tlog.tile import ENTRIES, WIDTH, decode_bundle

_NEVER: Final = float("-inf")


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What may go: events before `before` (epoch seconds) that no hold covers and that nobody needs any more.

    With `archived`, only what is there.
    """

    before: float
    holds: tuple[Hold, ...]
    followers: tuple[Follower, ...]
    archived: Archived | None = None


class Kept(msgspec.Struct, frozen=True):
    """Why a journal stays from this segment on."""

    worker: str
    segment: str
    reason: str


class Plan(msgspec.Struct, frozen=True):
    """What is to go: bundles from the first number up to the second, and segments (worker, name), oldest first.

    `size` is the log's, `pruned` what is to be told, `known` what has been told before; `kept` says what stands in
    the way of more.
    """

    size: int
    known: Pruned
    pruned: Pruned
    bundles: tuple[int, int]
    segments: tuple[tuple[str, str], ...]
    kept: tuple[Kept, ...]

    @property
    def empty(self) -> bool:
        """Whether nothing goes."""
        return self.bundles[0] >= self.bundles[1] and not self.segments

    @property
    def news(self) -> bool:
        """Whether more goes than has been told."""
        return msgspec.structs.replace(self.pruned, time=self.known.time) != self.known


class _Free(msgspec.Struct, frozen=True):
    """Of a journal: the first record that must stay, the segments that may go, the first that stays, and why."""

    index: int
    segments: tuple[Header, ...]
    start: Header
    kept: Kept


class _Leaf(Named, frozen=True, gc=False):
    eventTime: str = ""  # noqa: N815  as the leaf has it


_read_leaf: Final = msgspec.json.Decoder(_Leaf).decode


def plan(
    directory: Path, files: LogFiles, disk: Disk, known: Pruned, rules: Rules, now: float
) -> Plan | None:
    """What may go now; None if there is no log yet.

    Raises:
        errors.JournalError: a journal is damaged; nothing may go before somebody has looked.
        LogError: the log is.
    """
    head = files.head()
    if head is None:
        return None
    workers = sorted(entry.name for entry in (directory / "journal").iterdir() if entry.is_dir())
    free = {
        worker: found
        for worker in workers
        if (found := _journal(directory, disk, worker, head, rules)) is not None
    }
    bundles, pruned = _bundles(files, head, known, free, rules.archived)
    starts = {
        worker: Start(found.start.sequence, found.start.first_index, found.start.chain)
        for worker, found in free.items()
        if found.start.sequence > 0
    }
    for worker, start in known.journals.items():
        if worker not in starts or starts[worker].segment < start.segment:
            starts[worker] = start  # some of what was told is still there, and is held by now
    segments = tuple((worker, header.name) for worker, found in free.items() for header in found.segments)
    told = msgspec.structs.replace(pruned, time=event_time(int(now)), journals=starts)
    return Plan(
        Published(files, head).size,
        known,
        told,
        bundles,
        segments,
        tuple(found.kept for found in free.values()),
    )


def carry_out(directory: Path, files: LogFiles, disk: Disk, doing: Plan) -> None:
    """Nothing, once all that the plan says is gone. What it says has been told before.

    Raises:
        OSError: the disk refuses; the next run goes on.
    """
    for number in range(*doing.bundles):
        files.remove(Tile(ENTRIES, number))
        # A crash here: the bundle's hashes stay, and the note tells that its entries may be gone.
    for worker, name in doing.segments:
        disk.remove(reader.directory_of(directory, worker) / name)
        # A crash here: the journal begins with the next segment, no later than the note tells.


# ----------------------------------------------------------------------------- journals


def _journal(directory: Path, disk: Disk, worker: str, head: Head, rules: Rules) -> _Free | None:
    place = reader.directory_of(directory, worker)
    headers = reader.headers(disk, place, worker)
    if not headers:
        return None
    *_, newest = headers
    gone: list[Header] = []
    for header, following in pairwise(headers):
        frames = reader.segment_frames(disk, place, header, following.start)
        reason = _unarchived(rules.archived, header) or _reason(
            worker, frames, following.first_index, head, rules
        )
        if reason:
            return _Free(header.first_index, tuple(gone), header, Kept(worker, header.name, reason))
        gone.append(header)
    end = reader.tail(disk, place, newest).at
    reason = _reason(worker, reader.frames(disk, place, [newest], end), end.index, head, rules)
    index = newest.first_index if reason else end.index
    kept = Kept(worker, newest.name, reason or "it is the newest segment, which always stays")
    return _Free(index, tuple(gone), newest, kept)


def _unarchived(archived: Archived | None, header: Header) -> str:
    missing = archived is not None and archived.journals.get(header.worker, 0) <= header.sequence
    return "it is not archived yet" if missing else ""


def _reason(worker: str, frames: Iterable[Frame], end: int, head: Head, rules: Rules) -> str:
    """Why these records must stay; empty if they need not. Reads no further than it must."""
    if head.journals.get(worker, 0) < end:
        return "not all of it is in the log yet"
    newest, events_end = _NEVER, 0
    for frame in frames:
        record = record_of(frame)
        hold = covering(rules.holds, record)
        if hold is not None:
            return f"the hold {hold.name} covers record {frame.index}"
        if record.time is not None and record.time >= rules.before:
            return f"record {frame.index} is of {event_time(record.time)}"
        newest = max(newest, _NEVER if record.time is None else record.time)
        events_end = frame.index + 1 if frame.kind is Kind.EVENT else events_end
    waiting = (follower.name for follower in rules.followers if follower.needs(worker, events_end, newest))
    reader_of_it = next(waiting, "")
    return f"{reader_of_it} has not read all of it yet" if reader_of_it else ""


# ------------------------------------------------------------------------------ bundles


def _bundles(
    files: LogFiles, head: Head, known: Pruned, free: dict[str, _Free], archived: Archived | None
) -> tuple[tuple[int, int], Pruned]:
    """The bundles that may go, and what is to be told of them."""
    first = known.bundles
    while first and files.exists(Tile(ENTRIES, first - 1)):
        first -= 1  # a run did not finish
    full = Published(files, head).size // WIDTH
    until = min(full, full if archived is None else archived.tiles.get(str(ENTRIES), 0))
    following, newest, number = dict(known.following), known.newest, first
    for leaves in _leaves(files, first, until):
        behind = {leaf.journal: leaf.records.stop for leaf in leaves}
        if any(worker not in free or index > free[worker].index for worker, index in behind.items()):
            break
        following |= {worker: max(index, following.get(worker, 0)) for worker, index in behind.items()}
        newest = max(newest, *(leaf.eventTime for leaf in leaves))
        number += 1
    bundles = max(known.bundles, number)
    return (first, number), Pruned(time="", bundles=bundles, following=following, newest=newest)


def _leaves(files: LogFiles, first: int, until: int) -> Iterator[Sequence[_Leaf]]:
    """The entries of each bundle, held against its tile: what was tampered with is not done away with."""
    for number in range(first, until):
        entries = decode_bundle(files.read(Tile(ENTRIES, number)), WIDTH)
        if b"".join(map(leaf_hash, entries)) != files.read(Tile(0, number)):
            raise LogError(f"log/{Tile(ENTRIES, number).path} is not what its tile says")
        try:
            yield [_read_leaf(entry) for entry in entries]
        except msgspec.MsgspecError:
            raise LogError(f"log/{Tile(ENTRIES, number).path} holds what is no entry") from None
