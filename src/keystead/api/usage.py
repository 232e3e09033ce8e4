"""When each key, access key and role was last used, kept in memory and flushed now and then.

The journal holds every use, durably, before the caller hears of it; this is an index over it
that a restart rebuilds from the last flush on. A write to the store for each Encrypt would cost
more than the Encrypt.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING

import msgspec

from keystead.api.directory import CREDENTIALS, ROLES
from keystead.api.refusals import Refusals
from keystead.identity import Caller
from keystead.identity.caller import ASSUMED_ROLE
from keystead.identity.names import ROLE
from keystead.storage import Table, Transaction

if TYPE_CHECKING:
    from keystead.api.call import Call
    from keystead.api.parts import Attempt


class LastUse(msgspec.Struct, frozen=True, gc=False):
    """One key's last successful cryptographic operation."""

    operation: str
    at: float
    event_id: str
    request_id: str


LAST_USE: Table[LastUse] = Table("last_use", LastUse, evident=False)  # drawn from the journal
"""account/region/key id"""


class CallerUse(msgspec.Struct, frozen=True, gc=False):
    """The last signed request of an access key or a role's session: when, to which service, in which Region."""

    at: float
    service: str
    region: str


CALLER_USE: Table[CallerUse] = Table("caller_use", CallerUse, evident=False)  # drawn from calls
"""account/access key id, or account/role's unique id"""


class Position(msgspec.Struct, frozen=True):
    """The journal index up to which uses are in the table."""

    index: int


USES_UP_TO: Table[Position] = Table("uses_up_to", Position, evident=False)  # how far
"""worker"""


CallersTaken = dict[tuple[str, str], tuple[float, str, str]]
"""By account and access key id or role: when, the service, the Region."""


class UsageTracker:
    """The uses since the last flush, by the key's place in the store; and what callers did with theirs."""

    def __init__(self) -> None:
        self._recent: dict[str, LastUse] = {}
        self.callers = CallerUses()
        self.replayed: dict[str, int] = {}
        """Journals of workers that are no longer run, and the index up to which their uses were noted here."""
        self.refusals = Refusals()

    def note(self, place: str, use: LastUse) -> None:
        """Remember `use` as the last one of the key at `place`."""
        self._recent[place] = use

    def note_all(self, attempts: Sequence[Attempt]) -> None:
        """None; each of these counts for GetKeyLastUsage, if its operation is one that does: all have succeeded."""
        last: dict[str, Call] = {}  # requests that came together often use the same key
        for attempt in attempts:
            if attempt.route.tracked:
                for target in attempt.targets:
                    key = target.key
                    if key is not None:
                        last[key.place] = attempt.call
        for place, call in last.items():
            self._recent[place] = LastUse(call.operation, call.now, call.event_id, call.request_id)

    def recent(self, place: str) -> LastUse | None:
        """The last use since the last flush, None if there was none."""
        return self._recent.get(place)

    def __len__(self) -> int:
        """How many keys were used since their last flush."""
        return len(self._recent)

    def take(self, most: int) -> dict[str, LastUse]:
        """Uses to flush, of the keys that have waited longest, at most `most`; `give_back` them if the flush fails."""
        # One step each, so that whatever thread notes a use meanwhile is not lost.
        return {place: self._recent.pop(place) for place in list(islice(self._recent, most))}

    def give_back(self, taken: dict[str, LastUse]) -> None:
        """Undo a take whose flush failed; what came since is newer and stays."""
        for place, use in taken.items():
            self._recent.setdefault(place, use)


class CallerUses:
    """The last requests since the last flush, by access key or role. Written on the event loop's thread only."""

    def __init__(self) -> None:
        self._recent: CallersTaken = {}

    def note(self, caller: Caller, at: float, service: str, region: str) -> None:
        """Remember a request of `caller`, at `at` epoch seconds, as the last one."""
        # No struct: this runs for every request, and most of what it makes is soon replaced.
        if caller.session is None:
            self._recent[caller.account, caller.access_key_id] = (at, service, region)
        elif caller.kind == ASSUMED_ROLE and caller.issuer is not None:
            self._recent[caller.account, caller.issuer.id] = (at, service, region)

    def note_all(self, attempts: Sequence[Attempt]) -> None:
        """Remember these requests as the last ones of who sent them."""
        for attempt in {attempt.call.standing: attempt for attempt in attempts}.values():
            call = attempt.call
            self.note(call.caller, call.now, attempt.route.name, call.region)

    def note_found(self, account: str, who: str, use: CallerUse) -> None:
        """Remember a use that a journal tells of, unless a newer one is known."""
        known = self._recent.get((account, who))
        if known is None or known[0] < use.at:
            self._recent[account, who] = (use.at, use.service, use.region)

    def last(self, tx: Transaction, account: str, who: str) -> CallerUse | None:
        """The last use of an access key, or of a role by its unique id; None if there was none."""
        recent, flushed = self._recent.get((account, who)), tx.get(CALLER_USE, f"{account}/{who}")
        if recent is None or (flushed is not None and flushed.at > recent[0]):  # by another worker
            return flushed
        return CallerUse(*recent)

    def take(self) -> CallersTaken:
        """Everything noted since the last take, for a flush; `give_back` it if the flush fails."""
        taken, self._recent = self._recent, {}
        return taken

    def give_back(self, taken: CallersTaken) -> None:
        """Undo a take whose flush failed; what came since is newer and stays."""
        self._recent = {**taken, **self._recent}

    def flush(self, tx: Transaction, taken: CallersTaken) -> None:
        """None; what was taken will be stored, except of who is gone."""
        for (account, who), use in taken.items():
            known = tx.get(CALLER_USE, f"{account}/{who}")  # another worker may have seen a later one
            if _is_there(tx, account, who) and (known is None or known.at <= use[0]):
                tx.put(CALLER_USE, f"{account}/{who}", CallerUse(*use))


def _is_there(tx: Transaction, account: str, who: str) -> bool:
    if who.startswith(ROLE) and tx.get(ROLES, f"{account}/{who}") is not None:
        return True
    return tx.get(CREDENTIALS, who) is not None


def forget_caller(tx: Transaction, account: str, who: str) -> None:
    """None; the last use of an access key, or of a role by its unique id, will be gone with it."""
    tx.delete(CALLER_USE, f"{account}/{who}")
