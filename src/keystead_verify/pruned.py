"""What the log says that it no longer holds: its signed note, without which missing entries are a deletion."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Final

from keystead_verify.findings import BAD_SIGNATURE, FORKED, MALFORMED, ROLLED_BACK, Malformed, Report
from keystead_verify.hashing import WIDTH
from keystead_verify.notes import BadSignature, Checkpoint, open_text
from keystead_verify.source import PRUNED, Source, read
from keystead_verify.together import MOST
from keystead_verify.trust import Trust

_KIND: Final = "keystead pruned 1"
_LONGEST: Final = 256 << 10


@dataclass(frozen=True)
class Pruned:
    """The entries below number `entries` may be gone; `following` is of each journal the first record behind them."""

    entries: int = 0
    following: dict[str, int] = field(default_factory=dict)
    newest: str = ""
    time: str = ""

    @property
    def bundles(self) -> int:
        """The bundles below this number may be gone."""
        return self.entries // WIDTH


def pruned_of(source: Source, head: Checkpoint, trust: Trust, report: Report) -> Pruned:
    """What the evidence tells to be pruned: nothing if it tells nothing, or, with a finding, nothing that holds."""
    if PRUNED not in source.names:
        return Pruned()
    try:
        text = open_text(read(source, PRUNED, _LONGEST) or b"", trust.log)[0]
        pruned = _parse(text, head, report)
    except Malformed as error:
        report.find(MALFORMED, PRUNED, str(error))
    except BadSignature as error:
        report.find(BAD_SIGNATURE, PRUNED, str(error))
    else:
        if pruned.entries:
            _tell(pruned, report)
        return pruned
    return Pruned()


def _parse(text: str, head: Checkpoint, report: Report) -> Pruned:
    lines = text[:-1].split("\n")
    if len(lines) != 3 or lines[1] != _KIND:  # noqa: PLR2004  origin, kind, JSON
        raise Malformed("it is no note of what is pruned")
    if lines[0] != head.origin:
        report.find(FORKED, PRUNED, f"it is of another log: {lines[0]}, not {head.origin}")
        return Pruned()
    try:
        told = json.loads(lines[2])
    except (ValueError, RecursionError):
        raise Malformed("what it tells is not JSON") from None
    pruned = _members(told)
    if not pruned.entries <= sum(pruned.following.values()) <= MOST * pruned.entries:
        raise Malformed("so many records as it tells of are not in so many entries")
    if pruned.entries > head.size:
        detail = f"{pruned.entries} entries were pruned, and the log shows {head.size} now"
        report.find(ROLLED_BACK, PRUNED, detail)
        return Pruned()
    return pruned


def _members(told: Any) -> Pruned:
    try:
        bundles, following = told["bundles"], told["following"]
        newest, time = told["newest"], told["time"]
        numbers = [bundles, *following.values()]
    except (KeyError, TypeError, AttributeError):
        raise Malformed("it does not tell what is pruned") from None
    if not all(type(number) is int and number >= 0 for number in numbers):
        raise Malformed("it does not tell what is pruned")
    if type(newest) is not str or type(time) is not str:
        raise Malformed("it does not tell what is pruned")
    return Pruned(bundles * WIDTH, dict(following), newest, time)


def _tell(pruned: Pruned, report: Report) -> None:
    report.facts["pruned"] = {
        "entries": pruned.entries,
        "newest_time": pruned.newest,
        "decided": pruned.time,
        "journals": pruned.following,
    }
    report.limits.append(
        f"what the first {pruned.entries} entries say, as far as they are gone: the log pruned them (the newest is of "
        f"{pruned.newest or 'no known time'}); their hashes are there, so whoever kept an entry can prove it"
    )
