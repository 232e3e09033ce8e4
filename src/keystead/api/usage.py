"""When each key was last used, kept in memory and flushed now and then.

The journal holds every use, durably, before the caller hears of it; this is an index over it
that a restart rebuilds from the last flush on. A write to the store for each Encrypt would cost
more than the Encrypt.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from threading import Lock

import msgspec

from keystead import arn
from keystead.storage import Table


class LastUse(msgspec.Struct, frozen=True, gc=False):
    """One key's last successful cryptographic operation."""

    operation: str
    at: float
    event_id: str
    request_id: str


LAST_USE: Table[LastUse] = Table("last_use", LastUse)
"""account/region/key id"""


class Position(msgspec.Struct, frozen=True):
    """The journal index up to which uses are in the table."""

    index: int


USES_UP_TO: Table[Position] = Table("uses_up_to", Position)
"""worker"""


class UsageTracker:
    """The uses since the last flush, by the key's place in the store."""

    def __init__(self) -> None:
        self._recent: dict[str, LastUse] = {}
        self._lock = Lock()

    def note(self, place: str, use: LastUse) -> None:
        """Remember `use` as the last one of the key at `place`."""
        self._recent[place] = use

    def recent(self, place: str) -> LastUse | None:
        """The last use since the last flush, None if there was none."""
        return self._recent.get(place)

    def take(self) -> dict[str, LastUse]:
        """Everything noted since the last take, for a flush; `give_back` it if the flush fails."""
        with self._lock:
            taken, self._recent = self._recent, {}
        return taken

    def give_back(self, taken: dict[str, LastUse]) -> None:
        """Undo a take whose flush failed; what came since is newer and stays."""
        with self._lock:
            self._recent = {**taken, **self._recent}


class _Resource(msgspec.Struct):
    ARN: str
    type: str


class _Event(msgspec.Struct):
    """The members of an audit event that tell of a use."""

    eventName: str  # noqa: N815  CloudTrail's names, here and below
    eventTime: datetime  # noqa: N815
    eventID: str  # noqa: N815
    requestID: str = ""  # noqa: N815
    errorCode: str | None = None  # noqa: N815
    resources: list[_Resource] = []


_decode = msgspec.json.Decoder(_Event).decode


def replay(records: Iterable[bytes], tracked: frozenset[str], tracker: UsageTracker) -> None:
    """Note the uses that audit events tell of, where nothing newer is known: what a crash left unflushed."""
    for record in records:
        event = _decode(record)
        if event.errorCode is not None or event.eventName not in tracked:
            continue
        use = LastUse(event.eventName, event.eventTime.timestamp(), event.eventID, event.requestID)
        for resource in event.resources:
            parts = arn.parse(resource.ARN)
            place = f"{parts.account}/{parts.region}/{parts.resource.removeprefix('key/')}"
            known = tracker.recent(place)
            if known is None or known.at < use.at:
                tracker.note(place, use)
