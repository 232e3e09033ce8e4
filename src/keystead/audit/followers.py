"""Those who read the journals for themselves: nothing is pruned that one of them has not read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from keystead.audit.alarms import State
from keystead.audit.index import Index
from keystead.audit.outbox import OUTBOX
from keystead.errors import JournalError
from keystead.storage.store import Store

_ALL: Final = 1 << 62


class Follower(msgspec.Struct, frozen=True, kw_only=True):
    """Of each journal it has read every event below `positions`; of a journal not named there, none.

    `since` is the time (epoch seconds) of the oldest event that it has any use for.
    """

    name: str
    positions: Mapping[str, int]
    since: float = 0.0

    def needs(self, worker: str, end: int, newest: float) -> bool:
        """Whether it has still to read one of the journal's events below `end`, of which `newest` is the latest."""
        return newest >= self.since and self.positions.get(worker, 0) < end


def index_follower(index: Index) -> Follower:
    """The index, which gives way to calls and so may be behind.

    Raises:
        errors.IndexUnavailable: it cannot be used.
    """
    positions = {worker: cursor.index for worker, cursor in index.positions().items()}
    return Follower(name="the index", positions=positions)


def alarms_follower(directory: Path, *, configured: bool) -> Follower | None:
    """The watch for alarms: whoever has ever watched, or is to; None if nobody does.

    Raises:
        JournalError: its file cannot be read.
    """
    path = directory / "alarms" / "state.json"
    name = f"the alarms ({path}; remove it if there are to be no alarms any more)"
    try:
        cursors = msgspec.json.decode(path.read_bytes(), type=State).cursors
    except FileNotFoundError:
        return Follower(name="the alarms", positions={}) if configured else None
    except (OSError, msgspec.MsgspecError) as error:
        raise JournalError(f"{path} cannot be read: {error}") from error
    return Follower(name=name, positions={worker: cursor.index for worker, cursor in cursors.items()})


def outbox_follower(store: Store, workers: list[str]) -> Follower:
    """The outbox: its events may be in the journal from a certain place on, where a start looks for them.

    Raises:
        errors.StorageError: the store cannot be read.
    """
    tx = store.transaction()
    positions = {
        worker: min((row.since for _, row in tx.scan(OUTBOX, f"{worker}/")), default=_ALL)
        for worker in workers
    }
    return Follower(name="the outbox", positions=positions)
