"""Work that falls due: deletions, expiries, rotations, ends of transient states.

A due row says when to look at something; the thing itself says what is due. So a row that is
late, doubled or outdated does no harm: the handler looks, does what is due now, and drops the row in
the same batch. Work is late after downtime, never early, and never done twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from keystead.storage import Table, Transaction


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """`kind` names the handler; `subject` is the record key of what it is to look at."""

    kind: str
    subject: str
    at: float


DUE: Table[Due] = Table("due", Due, evident=False)  # reminders: the things themselves say what is due
"""due time (zero-padded milliseconds)/kind/subject"""


class DueCall(msgspec.Struct, frozen=True):
    """What a handler is given besides the row: the transaction to write to, and the time."""

    tx: Transaction
    now: float


DueEvent = dict[str, object]
"""A service event for the audit record: CloudTrail members beyond the common ones."""

Handler = Callable[[DueCall, str], list[DueEvent]]
"""Does what is due for the subject and returns the service events to record (see audit.event)."""

Handlers = Mapping[str, Handler]


def due_place(at: float, kind: str, subject: str) -> str:
    """The key of a due row; rows sort by time."""
    return f"{int(at * 1000):015d}/{kind}/{subject}"


def put_due(tx: Transaction, at: float, kind: str, subject: str) -> None:
    """Have `kind`'s handler look at `subject` at time `at` or soon after."""
    tx.put(DUE, due_place(at, kind, subject), Due(kind=kind, subject=subject, at=at))
