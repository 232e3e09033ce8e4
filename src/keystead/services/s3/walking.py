"""Records of a bucket in order, read as far as they are asked for; what begins alike is passed over unread."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from operator import itemgetter
from typing import Final, Generic

from keystead.services.s3.tables import Bucket, object_place
from keystead.storage import Table, Transaction
from keystead.storage.table import R

MOST: Final = 1000
"""Records that are read at a time."""
FEWEST: Final = 16
"""The same, where others may have to be passed over: it grows while none are."""
_FIRST_SURROGATE: Final = 0xD800
_AFTER_SURROGATES: Final = 0xE000
_LAST: Final = chr(0x10FFFF)


class Walk(Generic[R]):
    """A bucket's records in a table, by the part of their keys behind the bucket: those that begin with `prefix`.

    `after` is what the caller has had already, `start` where it wants to go on; the first batch has `size` records.
    """

    def __init__(
        self,
        tx: Transaction,
        table: Table[R],
        bucket: Bucket,
        prefix: str,
        *,
        after: str | None = None,
        start: str | None = None,
        size: int = FEWEST,
    ) -> None:
        self._tx = tx
        self._table = table
        self._bucket = bucket.id
        self._prefix = prefix
        self._after = after
        self._start = start
        self._size = size
        self._past = ""

    def skip(self, prefix: str) -> None:
        """None; no more that begins with `prefix` comes."""
        self._past = prefix

    def passes(self, text: str) -> bool:
        """Whether `text` is passed over."""
        return bool(self._past) and text.startswith(self._past)

    def __iter__(self) -> Iterator[tuple[str, R]]:
        cut, more = len(self._bucket) + 1, True
        while more:
            rows = self._read()
            for place, record in rows:
                text = place[cut:]
                if not self.passes(text):
                    yield text, record
            more = len(rows) >= self._size and self._go_on(rows[-1][0][cut:])

    def _read(self) -> list[tuple[str, R]]:
        after, start = (
            None if text is None else object_place(self._bucket, text) for text in (self._after, self._start)
        )
        whole = object_place(self._bucket, self._prefix)
        return self._tx.scan(self._table, whole, after=after, limit=self._size, start=start)

    def _go_on(self, last: str) -> bool:
        """Whether there may be more behind `last`, which the next batch then begins with."""
        if not self.passes(last):
            self._after, self._start, self._size = last, None, min(2 * self._size, MOST)
            return True
        self._after, self._start, self._size = None, _behind(self._past), FEWEST
        return self._start is not None


class Merged(Generic[R]):
    """Walks of several tables as one, in the order of their keys. A key that changes its table meanwhile is told once."""

    def __init__(self, *walks: Walk[R]) -> None:
        self._walks = walks

    def skip(self, prefix: str) -> None:
        """None; no more that begins with `prefix` comes."""
        for walk in self._walks:
            walk.skip(prefix)

    def passes(self, text: str) -> bool:
        """Whether `text` is passed over."""
        return any(walk.passes(text) for walk in self._walks)

    def __iter__(self) -> Iterator[tuple[str, R]]:
        last: str | None = None
        for text, record in heapq.merge(*self._walks, key=itemgetter(0)):
            # One of each walk is read ahead, so it may be passed over since.
            if text != last and not self.passes(text):
                last = text
                yield text, record


def _behind(prefix: str) -> str | None:
    """The least text greater than all that begin with `prefix`; None if there is none."""
    trimmed = prefix.rstrip(_LAST)
    if not trimmed:
        return None
    code = ord(trimmed[-1]) + 1
    return trimmed[:-1] + chr(_AFTER_SURROGATES if code == _FIRST_SURROGATE else code)


def common_prefix(key: str, prefix: str, delimiter: str) -> str | None:
    """What a key has in common with others up to the first delimiter behind `prefix`, None if it has none."""
    end = key.find(delimiter, len(prefix)) if delimiter else -1
    return None if end < 0 else key[: end + len(delimiter)]


def told_before(after: str, prefix: str, delimiter: str) -> str | None:
    """The common prefix that a page told which ended with `after`, None if it ended with a key of its own."""
    return common_prefix(after, prefix, delimiter) if after.startswith(prefix) else None
