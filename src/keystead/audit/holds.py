"""Holds: what of the evidence must stay however old it is. They are records that commands write, each with an event."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from keystead.audit.segment import Frame, Kind
from keystead.audit.terms import Event, read_event, seconds_of
from keystead.storage.table import Table


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """One hold. What is given limits it, all of it together; times are epoch seconds, both included, 0 is open.

    Attributes:
        keys: ARNs of KMS keys; an event is covered that acted on one of them.
        principals: ARNs of callers; a role's covers its sessions too.
        everything: it covers all there is; nothing else is given.
    """

    name: str
    reason: str
    placed: float
    everything: bool = False
    keys: tuple[str, ...] = ()
    principals: tuple[str, ...] = ()
    since: float = 0.0
    until: float = 0.0

    @property
    def limited(self) -> bool:
        """Whether something is given that says what it covers."""
        return bool(self.keys or self.principals or self.since or self.until)

    def covers(self, record: Record) -> bool:
        """Whether the record must stay because of this hold. What cannot be judged is covered."""
        if self.everything:
            return True
        return (
            self._in_time(record.time)
            and _meet(self.keys, record.resources)
            and _meet(self.principals, record.callers)
        )

    def _in_time(self, time: int | None) -> bool:
        if not self.since and not self.until:
            return True
        return time is None or (self.since <= time and (not self.until or time <= self.until))


class Record(msgspec.Struct, frozen=True, gc=False):
    """What holds and ages go by: `time` in epoch seconds, None if it tells none; None of ARNs: nobody knows them."""

    time: int | None
    resources: frozenset[str] | None = None
    callers: frozenset[str] | None = None


class _Note(msgspec.Struct, gc=False):
    time: str = ""


_read_note: Final = msgspec.json.Decoder(_Note).decode
_NOBODY: Final = frozenset[str]()

HOLDS: Table[Hold] = Table("hold", Hold)
"""name"""


def _meet(wanted: tuple[str, ...], there: frozenset[str] | None) -> bool:
    return not wanted or there is None or not there.isdisjoint(wanted)


def record_of(frame: Frame) -> Record:
    """What a journal's record says of itself. A note of a change names nobody; others do not tell a time either."""
    try:
        if frame.kind is Kind.NOTE:
            text = _read_note(frame.payload).time
            return Record(seconds_of(text) if text else None, _NOBODY, _NOBODY)
        event = read_event(frame.payload)
        return Record(event.time, frozenset(name for _, name in event.named), _callers(event))
    except (msgspec.MsgspecError, ValueError):
        return Record(None)


def _callers(event: Event) -> frozenset[str]:
    session = event.userIdentity.session_context
    issuer = session.session_issuer.arn if session is not None and session.session_issuer is not None else ""
    return frozenset({event.principal, issuer}) - {""}


def covering(holds: Iterable[Hold], record: Record) -> Hold | None:
    """The first hold that covers the record."""
    return next((hold for hold in holds if hold.covers(record)), None)
