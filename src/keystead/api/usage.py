"""When each key, access key and role was last used, kept in memory and flushed now and then.

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
from keystead.api.directory import CREDENTIALS, ROLES
from keystead.api.refusals import Refusals
from keystead.identity import Caller
from keystead.identity.caller import ASSUMED_ROLE
from keystead.identity.names import ROLE
from keystead.storage import Table, Transaction


class LastUse(msgspec.Struct, frozen=True, gc=False):
    """One key's last successful cryptographic operation."""

    operation: str
    at: float
    event_id: str
    request_id: str


LAST_USE: Table[LastUse] = Table("last_use", LastUse)
"""account/region/key id"""


class CallerUse(msgspec.Struct, frozen=True, gc=False):
    """The last signed request of an access key or a role's session: when, to which service, in which Region."""

    at: float
    service: str
    region: str


CALLER_USE: Table[CallerUse] = Table("caller_use", CallerUse)
"""account/access key id, or account/role's unique id"""


class Position(msgspec.Struct, frozen=True):
    """The journal index up to which uses are in the table."""

    index: int


USES_UP_TO: Table[Position] = Table("uses_up_to", Position)
"""worker"""


class UsageTracker:
    """The uses since the last flush, by the key's place in the store; and what callers did with theirs."""

    def __init__(self) -> None:
        self._recent: dict[str, LastUse] = {}
        self._lock = Lock()
        self.callers = CallerUses()
        self.refusals = Refusals()

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


class CallerUses:
    """The last requests since the last flush, by access key or role. Written on the event loop's thread only."""

    def __init__(self) -> None:
        self._recent: dict[tuple[str, str], tuple[float, str, str]] = {}

    def note(self, caller: Caller, at: float, service: str, region: str) -> None:
        """Remember a request of `caller`, at `at` epoch seconds, as the last one."""
        # No struct: this runs for every request, and most of what it makes is soon replaced.
        if caller.session is None:
            self._recent[caller.account, caller.access_key_id] = (at, service, region)
        elif caller.kind == ASSUMED_ROLE and caller.issuer is not None:
            self._recent[caller.account, caller.issuer.id] = (at, service, region)

    def note_found(self, account: str, who: str, use: CallerUse) -> None:
        """Remember a use that a journal tells of, unless a newer one is known."""
        known = self._recent.get((account, who))
        if known is None or known[0] < use.at:
            self._recent[account, who] = (use.at, use.service, use.region)

    def last(self, tx: Transaction, account: str, who: str) -> CallerUse | None:
        """The last use of an access key, or of a role by its unique id; None if there was none."""
        recent = self._recent.get((account, who))
        return CallerUse(*recent) if recent is not None else tx.get(CALLER_USE, f"{account}/{who}")

    def take(self) -> dict[tuple[str, str], tuple[float, str, str]]:
        """Everything noted since the last take, for a flush; `give_back` it if the flush fails."""
        taken, self._recent = self._recent, {}
        return taken

    def give_back(self, taken: dict[tuple[str, str], tuple[float, str, str]]) -> None:
        """Undo a take whose flush failed; what came since is newer and stays."""
        self._recent = {**taken, **self._recent}

    def flush(self, tx: Transaction, taken: dict[tuple[str, str], tuple[float, str, str]]) -> None:
        """None; what was taken will be stored, except of who is gone."""
        for (account, who), use in taken.items():
            if _is_there(tx, account, who):
                tx.put(CALLER_USE, f"{account}/{who}", CallerUse(*use))


def _is_there(tx: Transaction, account: str, who: str) -> bool:
    if who.startswith(ROLE) and tx.get(ROLES, f"{account}/{who}") is not None:
        return True
    return tx.get(CREDENTIALS, who) is not None


def forget_caller(tx: Transaction, account: str, who: str) -> None:
    """None; the last use of an access key, or of a role by its unique id, will be gone with it."""
    tx.delete(CALLER_USE, f"{account}/{who}")


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


def replay(records: Iterable[bytes], tracked: frozenset[str], tracker: UsageTracker) -> None:
    """Note the uses that audit events tell of, where nothing newer is known: what a crash left unflushed."""
    for record in records:
        event = _decode(record)
        _note_caller(event, tracker.callers)
        if event.errorCode is not None or event.eventName not in tracked:
            continue
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
