"""Holding the store against the digests that changes left in the evidence: was it changed by anything else?

The evidence is replayed: of each record it tells the digest that the newest change left there. Journals of several
workers are not in the order of commits, but nearly every change names its commit. Where one does not (its worker
was stopped between commit and journal), it only tells before which commit it was made, and all digests that may be
the newest then are accepted.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec

from keystead.audit.change import Change, decode_writes, split
from keystead.audit.outbox import OUTBOX
from keystead.audit.segment import Frame
from keystead.audit.verify import Leaf
from keystead.storage.store import Store
from keystead.storage.table import Table, split_place
from keystead.tlog import StateDigests

_ABSENT: Final = b""
_FEW: Final = 4
_FOREVER: Final = 1 << 63


class Wrote(msgspec.Struct, frozen=True, gc=False):
    """One change's write of one record. `commit` made it; without `exact`, it or one before it. `entry` -1: none yet."""

    commit: int
    exact: bool
    order: int
    digest: bytes
    entry: int
    journal: str
    index: int
    name: str

    @property
    def rank(self) -> tuple[int, int]:
        """What is larger for a later write, of those whose commit is known."""
        return self.commit, self.order

    @property
    def source(self) -> str:
        """Where the evidence tells of it."""
        entry = f"entry {self.entry}, " if self.entry >= 0 else ""
        return f"{entry}record {self.index} of journal {self.journal} ({self.name})"


class StateChecked(msgspec.Struct, frozen=True):
    """How many records of how many tables were compared, and a line for each that differs.

    `untold` records were last written by changes that the evidence does not keep any more.
    """

    records: int
    tables: int
    untold: int
    findings: tuple[str, ...]


class _Named(msgspec.Struct, gc=False):
    eventName: str = ""  # noqa: N815  as in events
    what: str = ""


class StateCheck:
    """First hears of every stored record, then of everything in the evidence, then concludes.

    `since` is the store's commit before the first record was heard.
    """

    def __init__(self, digests: StateDigests, tables: Sequence[Table[Any]], since: int) -> None:
        self._digests = digests
        self._names = {digests.table(table.name): table.name for table in tables}
        self._left_out = frozenset(table.name for table in tables if not table.evident)
        self._since = since
        self._stored: dict[bytes, tuple[str, str, bytes]] = {}
        self._written: dict[bytes, list[Wrote]] = {}
        self._order = 0
        self._newest = 0

    # ------------------------------------------------------------------------- hearing

    def stored(self, place: bytes, value: bytes) -> None:
        """Nothing; a record that the store has, see `Store.verify_all`."""
        table, key = split_place(place)
        if table not in self._left_out:
            written, digest = self._digests.write(table, key.encode(), value)
            self._stored[written] = table, key, digest

    def waiting(self, store: Store) -> None:
        """Nothing; changes are taken in that no journal may have yet. Asked before the evidence is heard."""
        commit = store.commit_number
        for place, row in store.transaction().scan(OUTBOX, ""):
            event, change = split(row.event)
            if change is None:
                change = Change(row.commit or commit, bool(row.commit), row.writes)
            self._take(-1, place, 0, event, change)

    def recorded(self, number: int | None, journal: str, leaf: Leaf | None, frame: Frame | None) -> None:
        """Nothing; a record of the evidence, see `verify.Visitor`."""
        if frame is not None and frame.change is not None:
            self._take(-1 if number is None else number, journal, frame.index, frame.payload, frame.change)
        elif frame is None and leaf is not None and leaf.writes:
            commit = leaf.commit if leaf.commit is not None else leaf.commitUpTo or 0
            self._add(
                leaf.writes, commit, leaf.commit is not None, (number or 0, journal, leaf.index, "pruned")
            )

    def _take(self, number: int, journal: str, index: int, payload: bytes, change: Change) -> None:
        source = number, journal, index, _name(payload)
        self._add(decode_writes(change.writes), change.commit, change.exact, source)

    def _add(
        self,
        writes: Iterable[tuple[bytes, bytes]],
        commit: int,
        exact: bool,
        source: tuple[int, str, int, str],
    ) -> None:
        self._order += 1
        if exact:
            self._newest = max(self._newest, commit)
        for place, digest in writes:
            known = self._written.setdefault(place, [])
            known.append(Wrote(commit, exact, self._order, digest, *source))
            if len(known) > _FEW:
                known[:] = _newest(known, self._since)

    # ---------------------------------------------------------------------- concluding

    def conclude(self, commit: int, *, partial: bool) -> StateChecked:
        """What was found. `commit` is the store's now; `partial`: some of the evidence is kept no more, or was lost."""
        # A store that is older than its evidence is compared with the newest of it all.
        since = _FOREVER if self._newest > commit else self._since
        findings = list(self._differences(since, partial=partial))
        if self._newest > commit:
            findings.insert(
                0, f"state: the store is at commit {commit}, changes tell of commit {self._newest}"
            )
        untold = len(self._stored.keys() - self._written.keys()) if partial else 0
        tables = {table for table, _, _ in self._stored.values()}
        return StateChecked(len(self._stored) - untold, len(tables), untold, tuple(findings))

    def _differences(self, since: int, *, partial: bool) -> Iterator[str]:
        for place, (table, key, digest) in self._stored.items():
            known = self._written.get(place)
            if known is None:
                if not partial:
                    yield f"state: {table} {key}: no change in the evidence wrote it; it was added outside"
            elif digest not in (allowed := _allowed(known, since)):
                last = max(known, key=lambda wrote: wrote.rank)
                what = (
                    f"{last.source} deleted it"
                    if allowed == {_ABSENT}
                    else f"{last.source} wrote something else"
                )
                yield f"state: {table} {key}: {what}; it was edited or put back outside"
        for place, known in self._written.items():
            if place not in self._stored and _ABSENT not in _allowed(known, since):
                last = max(known, key=lambda wrote: wrote.rank)
                table = self._names.get(place[: len(self._digests.table(""))], "unknown")
                yield f"state: {table}: the record that {last.source} wrote is missing; it was deleted outside"


def _name(payload: bytes) -> str:
    try:
        named = msgspec.json.decode(payload, type=_Named)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return "?"
    return sys.intern(named.eventName or named.what)


def _newest(known: Sequence[Wrote], since: int) -> list[Wrote]:
    """Those that may be the newest at some commit from `since` on."""
    base = max((w for w in known if w.exact and w.commit <= since), key=lambda w: w.rank, default=None)
    return [
        wrote
        for wrote in known
        if wrote is base
        or (wrote.exact and wrote.commit > since)
        or (not wrote.exact and (base is None or wrote.commit >= base.commit))
    ]


def _allowed(known: Sequence[Wrote], since: int) -> set[bytes]:
    """The digests that the record may have; `_ABSENT` among them if it need not be there."""
    newest = _newest(known, since)
    allowed = {wrote.digest for wrote in newest}
    if not any(wrote.commit <= since for wrote in newest):
        allowed.add(_ABSENT)  # it was written first while the store was read
    return allowed
