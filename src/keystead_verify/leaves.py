"""The form of an entry, and what one journal's entries and their times must be like."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from keystead_verify.findings import (
    DELETED,
    DUPLICATED,
    MALFORMED,
    MISDATED,
    REORDERED,
    Malformed,
    Report,
)
from keystead_verify.together import check_together, count_of

TOLERANCE: Final = 300
"""Seconds by which clocks of log and witness, or log and verifier, may differ."""

_VERSIONS: Final = frozenset({1, 2, 3, 4})
_COMMITS: Final = {1: "event", 2: "commitments", 3: "commitments", 4: "commitments"}
"""Version: the member that commits to the whole event."""

_MOST_GAPS: Final = 10_000
_TIME: Final = re.compile("[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]Z")
_canonical: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode
_decode: Final = json.JSONDecoder().decode


def time_text(seconds: float) -> str:
    """The time as entries tell it; such texts sort as their times do."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def check_time(text: str) -> str:
    """`text` itself.

    Raises:
        Malformed: it is not a time of the form YYYY-MM-DDTHH:MM:SSZ.
    """
    if not _TIME.fullmatch(text):
        raise Malformed(f"a time has the form YYYY-MM-DDTHH:MM:SSZ, not {text!r}")
    return text


def parse_leaf(entry: bytes) -> dict[str, Any]:
    """The members of an entry.

    Raises:
        Malformed: it is not canonical JSON of the published form.
    """
    try:
        text = entry.decode()
        leaf = _decode(text)
    except ValueError:
        raise Malformed("it is not JSON") from None
    except RecursionError:
        raise Malformed("it is nested too deeply") from None
    if not isinstance(leaf, dict) or type(leaf.get("v")) is not int or leaf["v"] not in _VERSIONS:
        raise Malformed("it is of no version that this program reads")
    if type(leaf.get("index")) is not int or type(leaf.get("journal")) is not str:
        raise Malformed("it does not tell its journal and its number there")
    if not isinstance(leaf.get("note"), dict):
        _check_event(leaf)
    check_together(leaf)
    if _canonical(leaf) != text:
        raise Malformed("its JSON is not canonical")
    return leaf


def advanced(note: Mapping[str, Any]) -> int:
    """Seconds by which the note says that the clock was moved; 0 if it says nothing of it."""
    seconds = note.get("advanced") if note.get("note") == "clock" else 0
    return seconds if type(seconds) is int and seconds > 0 else 0


def _seconds(time: str) -> int:
    return int(datetime.fromisoformat(time).timestamp())


def _check_event(leaf: dict[str, Any]) -> None:
    keys = leaf.get("keys")
    if type(leaf.get(_COMMITS[leaf["v"]])) is not str or type(keys) is not list:
        raise Malformed("it commits to no event, or names no keys")
    if not all(type(key) is str for key in keys):
        raise Malformed("its keys are not ARNs")


class Order:
    """Watches that each journal's records are all there, once, in their order, and dated sanely.

    `latest` bounds the times of entries: (size, time) says that the entries below that size were
    there at that time; the last pair is what holds for all. A note that the clock was moved explains times that are later
    by no more than that; it may come behind them, from another worker's journal. `following` is where journals begin whose older
    records are pruned.
    """

    def __init__(
        self, report: Report, latest: Sequence[tuple[int, str]], following: Mapping[str, int] | None = None
    ) -> None:
        self._report = report
        self._next = dict(following or {})
        self._gaps: dict[tuple[str, int], int] = {}
        self._far = 0
        self._early: list[tuple[int, str, str, int]] = []
        self.moved = 0
        self._sizes = [size for size, _ in latest]
        self._bounds = [min(time for _, time in latest[at:]) for at in range(len(latest))]
        self.first_time = ""
        self.last_time = ""

    @property
    def journals(self) -> dict[str, int]:
        """Each journal, and how many of its records the log continues from."""
        return dict(self._next)

    def see(self, number: int, leaf: dict[str, Any]) -> None:
        """None; entry `number` of the log has this content."""
        journal, index = leaf["journal"], leaf["index"]
        behind, expected = index + count_of(leaf), self._next.get(journal, 0)
        if index > expected:
            self._skip(journal, expected, index, number)
        elif index < expected:
            self._return(journal, range(index, min(behind, expected)), number)
        self._next[journal] = max(behind, expected)
        time = leaf.get("eventTime")
        if time is not None:
            self._date(number, time)
        elif "note" in leaf:
            self.moved += advanced(leaf["note"])

    def _skip(self, journal: str, expected: int, index: int, number: int) -> None:
        if index - expected > _MOST_GAPS or len(self._gaps) > _MOST_GAPS:
            self._far += index - expected
            self._tell_missing(journal, expected, index - 1, number)
            return
        self._gaps.update({(journal, missing): number for missing in range(expected, index)})

    def _return(self, journal: str, records: range, number: int) -> None:
        """None; the entry has these records, and others that are later were there already."""
        missed = [index for index in records if self._gaps.pop((journal, index), None) is not None]
        again = [index for index in records if index not in missed]
        for kind, found, what in (
            (REORDERED, missed, "behind later ones"),
            (DUPLICATED, again, "there before"),
        ):
            if found:
                self._report.find(kind, f"entry {number}", f"{_which(found)} of journal {journal} {what}")

    def _date(self, number: int, time: Any) -> None:
        if type(time) is not str or not _TIME.fullmatch(time):
            self._report.find(MALFORMED, f"entry {number}", "its time is none")
            return
        bound = self._bounds[bisect_right(self._sizes, number, hi=len(self._sizes) - 1)]
        if time > bound:
            self._date_early(number, time, bound)
        self.first_time = min(self.first_time or time, time)
        self.last_time = max(self.last_time, time)

    def _date_early(self, number: int, time: str, bound: str) -> None:
        """None; it is a finding unless the clock was moved as far, now or as it may turn out."""
        try:
            early = (number, time, bound, _seconds(time) - _seconds(bound))
        except ValueError:  # such as the 31st of a month that has 30 days
            self._report.find(MALFORMED, f"entry {number}", "its time is none")
            return
        if early[-1] <= self.moved:
            return
        if len(self._early) < _MOST_GAPS:
            self._early.append(early)
        else:
            self._tell_early(early)

    def _tell_early(self, early: tuple[int, str, str, int]) -> None:
        number, time, bound, _ = early
        self._report.find(MISDATED, f"entry {number}", f"it tells {time}, but was there by {bound}")

    def finish(self) -> int:
        """How many records are missing between others, which is reported; so is what is dated too early to be true."""
        for early in self._early:
            if early[-1] > self.moved:
                self._tell_early(early)
        self._early.clear()
        start: tuple[str, int, int] | None = None
        previous: tuple[str, int] = ("", -1)
        for (journal, index), number in sorted(self._gaps.items()):
            if start is None or previous != (journal, index - 1):
                if start is not None:
                    self._tell_missing(start[0], start[1], previous[1], start[2])
                start = (journal, index, number)
            previous = (journal, index)
        if start is not None:
            self._tell_missing(start[0], start[1], previous[1], start[2])
        return self._far + len(self._gaps)

    def _tell_missing(self, journal: str, first: int, last: int, number: int) -> None:
        detail = f"{_which(range(first, last + 1))} of journal {journal} missing"
        self._report.find(DELETED, f"before entry {number}", detail)


def _which(indices: Sequence[int]) -> str:
    """The records, one at least, in their order."""
    first, last = indices[0], indices[-1]
    if last - first + 1 != len(indices):
        return f"records {', '.join(map(str, indices))}"
    return f"record {first}" if first == last else f"records {first} to {last}"
