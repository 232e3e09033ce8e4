"""The server without evidence that waits for the disk as with it, for measuring only: `synced_only.py dev …`, as `keystead dev …`.

As `without_evidence.py`, but before a group of uses is answered, as many bytes as their records have are written and
synced on the event loop: what the disk alone adds to a request. Nothing in the project can be told to do so.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Callable

from without_evidence import leave_out

from keystead.audit.commit import Committer, Submission
from keystead.audit.disk import OsFile
from keystead.cli.main import main

RECORD, ALIKE, SECTOR, SIZE = 1250, 86, 512, 16 << 20
"""Bytes of a group's first record, and of each that is like it; of a sector; of what is written to."""


def group_bytes(uses: int) -> int:
    """Bytes of the journal that so many uses of one client with one key take together."""
    return RECORD + ALIKE * (uses - 1)


class Writes:
    """Groups of uses, each answered after its write."""

    def __init__(self) -> None:
        self._descriptor, path = tempfile.mkstemp()
        self._file, self._at = OsFile(self._descriptor), 0
        self._bytes = os.urandom(SIZE)
        self._file.write(self._bytes, 0)
        os.fsync(self._descriptor)
        os.unlink(path)  # noqa: PTH108  nobody else opens it
        self._waiting: list[Callable[[None], None]] = []

    def add(self, _committer: Committer, submission: Submission) -> None:
        """None; the call is answered with its group, at the loop's next turn."""
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._answer)
        self._waiting.append(submission.done)

    def _answer(self) -> None:
        group, self._waiting = self._waiting, []
        length = group_bytes(len(group))
        if self._at + length > SIZE:
            self._at = 0
        self._file.write_through(self._bytes[:length], self._at)
        self._at += -(-length // SECTOR) * SECTOR
        for done in group:
            done(None)


if __name__ == "__main__":
    leave_out(Writes().add)
    main()
