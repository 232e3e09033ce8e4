"""What was judged, as findings: failures, and where a scanner will say the opposite."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from keystead.analysis.posture.checks import Judged
from keystead.analysis.report import Finding


def told(
    judged: Iterable[Judged], *, everything: bool, policy: str | None = None, line: int | None = None
) -> Iterator[Finding]:
    """A finding for each failure, for each scanner's opposite word, and with `everything` for all the rest."""
    for one in judged:
        failed = one.status in ("fail", "undecided")
        if failed or one.contradicted or everything:
            yield Finding(
                rule=one.check,
                level=one.level if failed else "note",
                message=_message(one),
                policy=policy,
                line=line,
                details={"subject": one.subject, "status": one.status, "scanners": one.said},
            )


def _message(one: Judged) -> str:
    answer = {
        "pass": "passes",
        "fail": "fails",
        "undecided": "is not decided",
        "not-applicable": "does not apply",
    }
    told = f"{one.subject}: {answer[one.status]}: {one.reason}"
    if not one.contradicted:
        return told
    said = "pass" if one.status == "fail" else "flag"
    return f"{told}. {', '.join(one.contradicted)} will {said} it"
