"""Openings: values of events that were shown, checked against what the entries committed to."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

from keystead_verify.commands import prove_entry
from keystead_verify.findings import FALSE_OPENING, MALFORMED, Malformed, Report, UsageError
from keystead_verify.leaves import parse_leaf
from keystead_verify.notes import Checkpoint, base64
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
                opening = _parse(line)
                if opening["index"] != entry[0]:  # openings of one entry stand together
                    entry = opening["index"], _entry(source, opening["index"], head, report)
                if entry[1] is not None:
                    _check(opening, parse_leaf(entry[1]), report)
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


def _parse(line: bytes) -> dict[str, Any]:
    try:
        opening = json.loads(line)
    except (ValueError, RecursionError):
        raise Malformed("it is not JSON") from None
    shape = {"index": int, "pointer": str, "salt": str, "value": str}
    if not isinstance(opening, dict) or not all(
        type(opening.get(name)) is kind for name, kind in shape.items()
    ):
        raise Malformed("an opening has an index, a pointer, a salt and a value")
    return opening


def _check(opening: Mapping[str, Any], leaf: Mapping[str, Any], report: Report) -> None:
    pointer, value = opening["pointer"], opening["value"]
    held = leaf.get("commitments", {}).get(pointer) if pointer else leaf.get("event")
    parts = (b"keystead commitment 1\0", base64(opening["salt"]), pointer.encode(), b"\0", value.encode())
    if held != b64encode(sha256(b"".join(parts)).digest()).decode():
        detail = f"the value at {pointer or 'the whole event'} is not what was committed to"
        report.find(FALSE_OPENING, f"entry {opening['index']}", detail)
