"""The events of a journal without a look at their hashes: for questions about use, several times as fast.

Where a segment ends the next one's header tells; only the newest is walked with its hashes. Whoever must know that nothing
was changed verifies (`audit.verify`).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Final

from keystead.audit.change import split
from keystead.audit.disk import OsDisk
from keystead.audit.reader import directory_of, headers, tail
from keystead.audit.runs import MARK
from keystead.audit.segment import LONGEST_PAYLOAD, MARKER, PREFIX, SECTOR, Header, Kind, align, run_of
from keystead.errors import JournalError


def events(root: Path, worker: str) -> Iterator[bytes]:
    """Every event of a worker's journal, oldest first; also beside a running writer.

    Raises:
        JournalError: a header is damaged, a segment ends too early, or the newest one's chain is broken.
    """
    disk, directory = OsDisk(), directory_of(root, worker)
    segments = headers(disk, directory, worker)
    for header, following in pairwise(segments):
        yield from _skimmed(directory / header.name, header, following.first_index)
    if segments:
        end = tail(disk, directory, segments[-1]).at
        yield from _skimmed(directory / segments[-1].name, segments[-1], end.index)


_BRACE: Final = ord("{")
"""With which an event begins that stands alone; one beside a change has a head before it."""


def _skimmed(path: Path, header: Header, stop: int) -> Iterator[bytes]:
    """The events of a segment whose records end before number `stop`."""
    data = path.read_bytes()
    offset, index = SECTOR, header.first_index
    while index < stop:
        at, end = _group(data, offset, header, stop)
        texts = dict[int, bytes]()
        while at < end and index < stop:
            word, _ = PREFIX.unpack_from(data, at)
            start = at + PREFIX.size
            at = start + (word & LONGEST_PAYLOAD)
            index += 1
            if word >> 28 != Kind.EVENT:
                continue
            if data[start] == _BRACE:
                texts[start] = data[start:at]
                yield texts[start]
            elif data[start] == MARK[0]:
                alike = run_of(data[start:at], start, texts)
                index += max(0, len(alike) - 1)
                yield from alike
            else:
                yield split(data[start:at])[0]
        offset = align(end)


def _group(data: bytes, offset: int, header: Header, stop: int) -> tuple[int, int]:
    """Where the first record of the group at `offset` begins, and where the group ends."""
    start = offset + PREFIX.size
    if start + MARKER.size <= len(data):
        word, _ = PREFIX.unpack_from(data, offset)
        _, _, length, _ = MARKER.unpack_from(data, start)
        end = offset + length
        if word >> 28 == Kind.MARKER and start + MARKER.size < end <= len(data):
            return start + MARKER.size, end
    raise JournalError(f"journal segment {header.name}: ends before record {stop}")
