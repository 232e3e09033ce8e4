"""What a verification found: each finding has a kind, a place and a sentence."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Final

EDITED: Final = "edited"
DELETED: Final = "deleted"
INSERTED: Final = "inserted"
DUPLICATED: Final = "duplicated"
REORDERED: Final = "reordered"
TRUNCATED: Final = "truncated"
FORKED: Final = "forked"
ROLLED_BACK: Final = "rolled-back"
BAD_SIGNATURE: Final = "bad-signature"
MALFORMED: Final = "malformed"
MISDATED: Final = "misdated"
UNWITNESSED: Final = "unwitnessed"
FALSE_OPENING: Final = "false-opening"
NOT_LOGGED: Final = "not-logged"

MEANING: Final = {
    EDITED: "an entry or a tile is not what it was",
    DELETED: "a record is missing between others",
    INSERTED: "there is an entry that was not there",
    DUPLICATED: "a journal's record is there twice",
    REORDERED: "entries are in another order",
    TRUNCATED: "the newest entries are missing",
    FORKED: "the log signed two histories",
    ROLLED_BACK: "the log signed more than it shows now",
    BAD_SIGNATURE: "a signature is wrong, or none is by a trusted key",
    MALFORMED: "something is not in the published form",
    MISDATED: "an entry tells a time after it was witnessed, or in the future",
    UNWITNESSED: "fewer witnesses than asked for have signed",
    FALSE_OPENING: "an opened value is not what was committed to",
    NOT_LOGGED: "an entry is not in the log",
}
"""Kind of finding: what it means."""

MOST_TOLD: Final = 100


class Malformed(Exception):  # noqa: N818 - named as the finding it becomes
    """Something read is not in its published form."""


class UsageError(Exception):
    """What was asked for cannot be done as it was asked; exit status 2."""


@dataclass(frozen=True)
class Finding:
    """One thing that is not as the log left it."""

    kind: str
    where: str
    detail: str


@dataclass
class Report:
    """What a command found out: facts for the reader, findings, and what it cannot know."""

    facts: dict[str, Any] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    limits: list[str] = field(default_factory=list)
    untold: int = 0

    def find(self, kind: str, where: str, detail: str) -> None:
        """None; the finding is in the report, or counted if there are very many."""
        if len(self.findings) < MOST_TOLD:
            self.findings.append(Finding(kind, where, detail))
        else:
            self.untold += 1

    def as_json(self) -> dict[str, Any]:
        """The whole report as JSON values."""
        return {
            "status": "tampering" if self.findings else "verified",
            "findings": [asdict(finding) for finding in self.findings],
            "findings_not_listed": self.untold,
            **self.facts,
            "cannot_know": self.limits,
        }
