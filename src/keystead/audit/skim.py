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
from keystead.audit.segment import LONGEST_PAYLOAD, PREFIX, SECTOR, Header, Kind, align
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
    unpack, prefix = PREFIX.unpack_from, PREFIX.size
    offset, index = SECTOR, header.first_index
    while index < stop:
        if offset + prefix > len(data):
            raise JournalError(f"journal segment {header.name}: ends before record {stop}")
        word, _ = unpack(data, offset)
        if not word:  # behind a group
            offset = align(offset + 1)
            continue
        kind, start = word >> 28, offset + prefix
        offset = start + (word & LONGEST_PAYLOAD)
        if kind == Kind.MARKER:
            continue
        index += 1
        if kind == Kind.EVENT:
            yield data[start:offset] if data[start] == _BRACE else split(data[start:offset])[0]
