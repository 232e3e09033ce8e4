"""Filling the index again and again, by one thread that keeps the file open meanwhile."""

from __future__ import annotations

import sqlite3
from contextlib import ExitStack

from keystead.audit.index import Index, Intake, Progress, Source
from keystead.errors import IndexUnavailable


class Filling:
    """Belongs to one thread.

    The end of the last connection makes SQLite write everything to the file, and the next one begins without a cache.
    """

    def __init__(self, index: Index, source: Source | None = None) -> None:
        """`source` tells what the journals have, instead of the journals."""
        self._index = index
        self._source = source
        self._kept = ExitStack()
        self._intake: Intake | None = None
        self._identity = (0, 0)

    def catch_up(self, most: int) -> Progress:
        """As `Index.catch_up`.

        Raises:
            errors.IndexUnavailable: the file cannot be written; it is opened again the next time.
            errors.JournalError: a journal cannot be read.
        """
        try:
            return self._index.take_in(self._opened(), most, self._source)
        except (sqlite3.Error, OSError) as error:
            self.close()
            raise IndexUnavailable(f"the index {self._index.path} cannot be used: {error}") from error

    def close(self) -> None:
        """Nothing; the file is opened again when it is needed."""
        self._intake = None
        self._kept.close()

    def _opened(self) -> Intake:
        place = self._place()
        if self._intake is None or place != self._identity:  # else it may be a file that was removed
            self.close()
            self._identity = (
                place  # as it was before: if another file is opened than this, the next call opens it anew
            )
            self._intake = Intake(self._kept.enter_context(self._index.connected()))
        return self._intake

    def _place(self) -> tuple[int, int]:
        try:
            found = self._index.path.stat()
        except FileNotFoundError:
            return 0, 0
        return found.st_dev, found.st_ino
