"""Finds again in the journals when keys and callers were last used: what a crash left unflushed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import msgspec
import structlog

from keystead import arn, errors
from keystead.api.usage import USES_UP_TO, CallerUse, CallerUses, LastUse, UsageTracker
from keystead.audit.journal import Journal
from keystead.audit.reader import read_journal
from keystead.audit.segment import Frame, Kind
from keystead.identity.caller import ASSUMED_ROLE
from keystead.storage import Transaction

log = structlog.get_logger("keystead.usage")


class _Resource(msgspec.Struct):
    ARN: str
    type: str


class _Issuer(msgspec.Struct, frozen=True):
    principalId: str = ""  # noqa: N815  CloudTrail's names, here and below


class _SessionContext(msgspec.Struct, frozen=True):
    sessionIssuer: _Issuer = _Issuer()  # noqa: N815


class _Identity(msgspec.Struct, frozen=True):
    type: str = ""
    accountId: str = ""  # noqa: N815
    accessKeyId: str = ""  # noqa: N815
    sessionContext: _SessionContext | None = None  # noqa: N815


class _Event(msgspec.Struct):
    """The members of an audit event that tell of a use."""

    eventName: str  # noqa: N815
    eventTime: datetime  # noqa: N815
    eventID: str  # noqa: N815
    requestID: str = ""  # noqa: N815
    errorCode: str | None = None  # noqa: N815
    eventSource: str = ""  # noqa: N815
    awsRegion: str = ""  # noqa: N815
    userIdentity: _Identity = _Identity()  # noqa: N815
    resources: list[_Resource] = []


_decode = msgspec.json.Decoder(_Event).decode


def replay(frames: Iterable[Frame], tracked: frozenset[str], tracker: UsageTracker) -> int:
    """The index behind the last record (0 without any), after noting the uses that its events tell of.

    They are noted where nothing newer is known: what a crash left unflushed.

    Raises:
        errors.JournalError: the journal is damaged.
        msgspec.MsgspecError: a record is no event.
    """
    end = 0
    for frame in frames:
        end = frame.index + 1
        if frame.kind is Kind.EVENT:
            _note_event(_decode(frame.payload), tracked, tracker)
    return end


def _note_event(event: _Event, tracked: frozenset[str], tracker: UsageTracker) -> None:
    _note_caller(event, tracker.callers)
    if event.errorCode is not None or event.eventName not in tracked:
        return
    use = LastUse(event.eventName, event.eventTime.timestamp(), event.eventID, event.requestID)
    for resource in event.resources:
        parts = arn.parse(resource.ARN)
        place = f"{parts.account}/{parts.region}/{parts.resource.removeprefix('key/')}"
        known = tracker.recent(place)
        if known is None or known.at < use.at:
            tracker.note(place, use)


def _note_caller(event: _Event, callers: CallerUses) -> None:
    identity = event.userIdentity
    who = identity.accessKeyId
    if identity.sessionContext is not None:
        who = identity.sessionContext.sessionIssuer.principalId if identity.type == ASSUMED_ROLE else ""
    if who:
        use = CallerUse(event.eventTime.timestamp(), event.eventSource.partition(".")[0], event.awsRegion)
        callers.note_found(identity.accountId, who, use)


def rebuild(
    tx: Transaction,
    directory: Path,
    journal: Journal,
    others: Iterable[str],
    tracked: frozenset[str],
    tracker: UsageTracker,
) -> None:
    """None; the uses that this worker's journal and those of `others` tell of since the last flush are noted.

    `others` are workers that are no longer run. A journal that cannot be read is told in the log: the
    verification of the evidence says more, and last uses are no reason to refuse service.
    """
    for worker in (journal.worker, *others):
        position = tx.get(USES_UP_TO, worker)
        since = position.index if position else 0
        own = worker == journal.worker
        try:
            end = replay(
                journal.frames(since) if own else read_journal(directory, worker, since), tracked, tracker
            )
        except (errors.OperatorError, msgspec.MsgspecError) as error:
            log.error("last uses cannot be rebuilt from a journal", worker=worker, reason=str(error))
        else:
            if end and not own:
                tracker.replayed[worker] = end
