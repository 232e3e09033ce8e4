"""Alarms raised from the journals, beside whoever writes them: what was read and what waits to be told is on the disk.

The place in each journal moves on in the same step that keeps the alarms found up to there, so a stop at any moment
loses none; an alarm may be told twice, under the same id. While too many wait, the journals are not read on:
they are the queue.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from keystead.audit.alarm_rules import AlarmRule, Event, decode
from keystead.audit.follow import Cursor, parts
from keystead.errors import JournalError

MOST_WAITING: Final = 10_000
_MOST_PRINCIPALS: Final = 100_000
_MOST_TALLIES: Final = 10_000


class Notice(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One alarm as receivers get it: which rule, and the event that it was raised by. No request parameters.

    `error_code` is empty of a call that succeeded.
    """

    id: str
    rule: str
    title: str
    event_id: str = msgspec.field(name="eventID")
    event_time: str
    event_name: str
    event_source: str
    error_code: str = ""
    account: str
    region: str
    principal: str
    resources: tuple[str, ...] = ()
    count: int = 1


class Tally(msgspec.Struct, array_like=True):
    """How often a rule held for a principal since `start` (epoch seconds)."""

    start: float
    count: int


class State(msgspec.Struct):
    """What the disk keeps; see the module."""

    cursors: dict[str, Cursor] = {}
    known: dict[str, list[str]] = {}
    """By rule: the principals that it has seen."""
    tallies: dict[str, dict[str, Tally]] = {}
    waiting: list[Notice] = []


def read_from_the_start(directory: Path) -> None:
    """None; if alarms are watched for, the journals are read from their first record on, since they are others now.

    Raises:
        JournalError: the watch's file cannot be read or written.
    """
    watch = Watch(directory, ())
    watch.reset()


class Watch:
    """Reads the journals of `directory` and keeps the alarms that wait; one thread at a time uses it."""

    def __init__(self, directory: Path, rules: Iterable[AlarmRule]) -> None:
        """The watch as it was left.

        Raises:
            JournalError: its file cannot be read.
        """
        self._directory = directory
        self._path = directory / "alarms" / "state.json"
        self._rules = tuple(rules)
        self._state, self._fresh = self._load()
        self._known = {name: set(seen) for name, seen in self._state.known.items()}

    def waiting(self) -> tuple[Notice, ...]:
        """The alarms that are to be told, oldest first."""
        return tuple(self._state.waiting)

    def told(self, notice: Notice) -> None:
        """None; the alarm has been delivered and is kept no longer.

        Raises:
            JournalError: that cannot be written; it will be told again.
        """
        self._state.waiting.remove(notice)
        self._save()

    def look(self) -> tuple[Notice, ...]:
        """The alarms that the events since the last look raise; they wait now, durably.

        The first look of a deployment's first watch raises none: it learns who is known.

        Raises:
            JournalError: a journal cannot be read, or the alarms cannot be written.
        """
        if len(self._state.waiting) >= MOST_WAITING:
            return ()
        found: list[Notice] = []
        before = dict(self._state.cursors)
        for worker in self._workers():
            for part in parts(self._directory, worker, self._state.cursors.get(worker)):
                for event in part.events:
                    found += self._judge(event.payload)
                self._state.cursors[worker] = part.cursor
                if len(self._state.waiting) + len(found) >= MOST_WAITING:
                    break
        raised = () if self._fresh else tuple(found)
        self._state.waiting += raised
        if self._fresh or self._state.cursors != before:
            self._save()
        self._fresh = False
        return raised

    def reset(self) -> None:
        """None; the next look reads the journals from the start. Nothing is written where there was no look yet.

        Raises:
            JournalError: that cannot be written.
        """
        if not self._fresh:
            self._state.cursors.clear()
            self._save()

    # ------------------------------------------------------------------------- judging

    def _judge(self, record: bytes) -> list[Notice]:
        event = decode(record)
        if event.user_identity.elsewhere:  # the same call has an event in its caller's account
            return []
        found = []
        for rule in self._rules:
            if rule.matches(event):
                count = self._count(rule, event)
                if count:
                    found.append(_notice(rule, event, count))
        return found

    def _count(self, rule: AlarmRule, event: Event) -> int:
        """How many events the alarm stands for that is to be raised now, 0 for none."""
        who = event.user_identity.who
        if rule.once:
            seen = self._known.setdefault(rule.name, set())
            if who in seen or len(seen) >= _MOST_PRINCIPALS:
                return 0
            seen.add(who)
            return 1
        if not rule.window:
            return 1
        tallies, now = self._state.tallies.setdefault(rule.name, {}), event.event_time.timestamp()
        tally = tallies.get(who)
        if tally is None or not 0 <= now - tally.start < rule.window:
            if len(tallies) >= _MOST_TALLIES:
                tallies.pop(next(iter(tallies)))
            tally = tallies[who] = Tally(now, 0)
        tally.count += 1
        return rule.count if tally.count == rule.count else 0

    # ------------------------------------------------------------------------ the disk

    def _workers(self) -> list[str]:
        try:
            return sorted(entry.name for entry in (self._directory / "journal").iterdir() if entry.is_dir())
        except FileNotFoundError:
            return []

    def _load(self) -> tuple[State, bool]:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=State), False
        except FileNotFoundError:
            return State(), True
        except (OSError, msgspec.MsgspecError) as error:
            raise JournalError(f"{self._path} cannot be read: {error}") from error

    def _save(self) -> None:
        self._state.known = {name: sorted(seen) for name, seen in self._known.items()}
        new = self._path.with_suffix(".new")
        try:
            self._path.parent.mkdir(mode=0o700, exist_ok=True)
            handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(msgspec.json.encode(self._state))
                file.flush()
                os.fsync(file.fileno())
            new.replace(self._path)
            _sync_names(self._path.parent)
        except OSError as error:
            raise JournalError(f"{self._path} cannot be written: {error.strerror}") from error


def _sync_names(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _notice(rule: AlarmRule, event: Event, count: int) -> Notice:
    return Notice(
        id=f"{rule.name}/{event.event_id}",
        rule=rule.name,
        title=rule.title,
        event_id=event.event_id,
        event_time=event.event_time.strftime("%Y-%m-%dT%H:%M:%SZ"),
        event_name=event.event_name,
        event_source=event.event_source,
        error_code=event.error_code,
        account=event.recipient_account_id,
        region=event.aws_region,
        principal=event.user_identity.who,
        resources=tuple(resource.ARN for resource in event.resources),
        count=count,
    )
