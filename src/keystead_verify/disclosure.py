"""What a bundle discloses: its openings, checked against what the entries committed to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from keystead_verify.commands import prove_entry
from keystead_verify.findings import MALFORMED, Malformed, Report, UsageError
from keystead_verify.leaves import parse_leaf
from keystead_verify.notes import Checkpoint
from keystead_verify.openings import check_opening, load_opening
from keystead_verify.source import OPENINGS, Source, open_source
from keystead_verify.trust import Trust, head_of, with_keys_of


def verify_openings(path: Path, trust: Trust, report: Report) -> None:
    """None; the report shows each value that was opened, and which are false."""
    with closing(open_source(path)) as source:
        if OPENINGS not in source.names:
            raise UsageError(f"{path} holds no {OPENINGS}")
        trust = with_keys_of(source, trust, report)
        head = head_of(source, trust, report)
        if head is not None:
            report.facts["opened"] = list(_opened(source, head, report))
            report.facts.pop("entry", None)


def _opened(source: Source, head: Checkpoint, report: Report) -> Iterator[dict[str, Any]]:
    entry: tuple[int, bytes | None] = (-1, None)
    with source.open(OPENINGS) as file:
        for number, line in enumerate(file, 1):
            try:
                opening = load_opening(line)
                if opening["index"] != entry[0]:  # openings of one entry stand together
                    entry = opening["index"], _entry(source, opening["index"], head, report)
                if entry[1] is not None:
                    check_opening(opening, parse_leaf(entry[1]), report)
                    yield {
                        "number": opening["index"],
                        "pointer": opening["pointer"],
                        "value": opening["value"],
                    }
            except Malformed as error:
                report.find(MALFORMED, f"{OPENINGS} line {number}", str(error))


def _entry(source: Source, index: int, head: Checkpoint, report: Report) -> bytes | None:
    if not 0 <= index < head.size:
        raise Malformed("it opens an entry that the log does not have")
    return prove_entry(source, index, head, report)
