"""How far a journal's records are known to stay: told by its writer, read by whoever sequences, in another process.

A group that was written may be seen by others before it is synced, and if the sync fails it is given up and its
indexes are used again. So nobody may take records into the log only because they can be read.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from keystead.audit.reader import directory_of

FILE: Final = "acknowledged"
_BYTES: Final = 8


class Acknowledged:
    """The writer's side: a file of eight bytes, which outlives the process and need not outlive the machine."""

    def __init__(self, directory: Path) -> None:
        """Open the file, which is made if it is missing.

        Raises:
            OSError: it cannot be.
        """
        self._descriptor = os.open(directory / FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def tell(self, index: int) -> None:
        """Nothing; records below `index` are durable and stay. It is written in one piece, and not synced.

        Whoever reads an older number waits; the next call makes up for one that failed.
        """
        with suppress(OSError):  # the evidence is durable, whoever is told
            os.pwrite(self._descriptor, index.to_bytes(_BYTES, "big"), 0)

    def close(self) -> None:
        """Nothing; the file stays."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def acknowledged(root: Path, worker: str) -> int:
    """Below which index the records of a worker's journal are known to stay; 0 if nobody has told.

    After the machine stopped it may be less than what is durable, until the journal is opened again.

    Raises:
        OSError: it cannot be read.
    """
    try:
        return int.from_bytes((directory_of(root, worker) / FILE).read_bytes()[:_BYTES], "big")
    except FileNotFoundError:
        return 0
