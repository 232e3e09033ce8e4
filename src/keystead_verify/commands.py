"""What each command verifies; each fills a report."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from keystead_verify.findings import EDITED, FORKED, MALFORMED, NOT_LOGGED, Malformed, Report, UsageError
from keystead_verify.hashing import WIDTH, consistency, grew, includes, inclusion, leaf, root
from keystead_verify.leaves import TOLERANCE, Order, check_time, parse_leaf, time_text
from keystead_verify.notes import Checkpoint, base64
from keystead_verify.pruned import Pruned, pruned_of
from keystead_verify.receipts import check_receipt, load_receipt
from keystead_verify.source import Source, open_source
from keystead_verify.tiles import ENTRIES, entry_at, load, split_bundle, subtree_reader, versions
from keystead_verify.together import each_of, shown, told_in
from keystead_verify.trust import Trust, contradicts, head_of, older_of, open_head, open_known, with_keys_of
from keystead_verify.walk import Visitor, Walk

SHOWN = (
    "journal",
    "index",
    "eventTime",
    "eventName",
    "eventSource",
    "errorCode",
    "eventID",
    "identityType",
    "recipientAccountId",
)
"""Members of an entry that a list of entries shows."""


def verify_bundle(path: Path, trust: Trust, report: Report) -> None:
    """None; everything that can be checked of the evidence at `path` was."""
    with closing(open_source(path)) as source:
        _walk(source, trust, report, lambda _number, _leaf: None)


def _walk(source: Source, trust: Trust, report: Report, visit: Visitor) -> Checkpoint | None:
    """The head, after a pass over everything; None with a finding if its signature does not hold."""
    trust = with_keys_of(source, trust, report)
    head = head_of(source, trust, report)
    if head is None:
        return None
    older = older_of(source, head, trust, report)
    pruned = pruned_of(source, head, trust, report)
    order = Order(report, _latest([head, *older]), pruned.following)
    walk = Walk(source, head, older, report, order, pruned)
    walk.run(visit)
    report.facts |= {
        "entries": walk.entries,
        "journals": order.journals,
        "first_time": order.first_time,
        "last_time": order.last_time,
        "older_checkpoints": len(older),
    }
    if order.moved:
        report.facts["clock_moved"] = order.moved
        report.limits.append(
            f"the log says that its clock was moved ahead by {order.moved} seconds (a development server's can be): "
            "no time that it tells is proof of anything"
        )
    return head


def _latest(checkpoints: list[Checkpoint]) -> list[tuple[int, str]]:
    """By when the entries below which size were there: what witnesses saw, and now."""
    seen = [(c.size, seconds) for c in checkpoints for _, seconds in c.witnesses]
    now = (max((c.size for c in checkpoints), default=0), int(time.time()))
    return [(size, time_text(min(seconds, now[1]) + TOLERANCE)) for size, seconds in sorted([*seen, now])]


# ------------------------------------------------------------------------------- entry


def verify_entry(path: Path, index: int | None, event_id: str | None, trust: Trust, report: Report) -> None:
    """None; the entry by its number or its event's id is proved to be under the signed root."""
    with closing(open_source(path)) as source:
        trust = with_keys_of(source, trust, report)
        head = head_of(source, trust, report)
        if head is None:
            return
        pruned = pruned_of(source, head, trust, report)
        found = index if event_id is None else _find(source, head.size, event_id)
        if found is not None and 0 <= found < head.size:
            _refuse_pruned(source, found, pruned)
            prove_entry(source, found, head, report)
        elif event_id is not None and pruned.entries:
            raise UsageError(
                f"no entry that is left has this event id; the first {pruned.entries} are pruned"
            )
        else:
            report.find(NOT_LOGGED, str(path), f"the log's {head.size} entries do not include it")


def _refuse_pruned(source: Source, index: int, pruned: Pruned) -> None:
    """None.

    Raises:
        UsageError: the entry is gone, and rightly so.
    """
    if index < pruned.entries and (ENTRIES, index // WIDTH) not in versions(source):
        raise UsageError(f"entry {index} is pruned; who kept it, in a receipt or an archive, can prove it")


def _find(source: Source, size: int, event_id: str) -> int | None:
    """The number of the entry with this event id, which is a guess until it is proved."""
    told, there = told_in(event_id), versions(source)
    for start in range(0, size, WIDTH):
        data = load(source, ENTRIES, start // WIDTH, min(WIDTH, size - start), there) or b""
        if told(data):
            return next(start + inner for inner, entry in enumerate(split_bundle(data)) if told(entry))
    return None


def prove_entry(
    source: Source, index: int, head: Checkpoint, report: Report, kept: bytes | None = None
) -> bytes | None:
    """The entry, which is under the head's root; None with a finding if it is not.

    `kept` is the entry as somebody kept it, where the log has pruned it.
    """
    try:
        entry = entry_at(source, index, head.size) if kept is None else kept
        proof = inclusion(index, head.size, subtree_reader(source, head.size))
    except Malformed as error:
        report.find(MALFORMED, f"entry {index}", str(error))
        return None
    if not includes(leaf(entry), index, head.size, proof, head.root):
        report.find(NOT_LOGGED, f"entry {index}", "no path leads from it to the signed root")
        return None
    report.facts["entry"] = {**shown(index, parse_leaf(entry)), "proof": [part.hex() for part in proof]}
    return entry


def verify_receipt(file: Path, trust: Trust, report: Report) -> None:
    """None; the receipt's entry is proved to be under the root that the receipt's checkpoint signs."""
    if not trust.log:
        raise UsageError("give --vkey: a receipt brings no key along")
    receipt = load_receipt(_read(file))
    head = open_head(receipt.checkpoint, str(file), trust, report)
    if head is not None:
        check_receipt(receipt, head, report)


def verify_receipt_in(path: Path, file: Path, trust: Trust, report: Report) -> None:
    """None; the receipt holds, and the log at `path` has its entry at its place."""
    receipt = load_receipt(_read(file))
    with closing(open_source(path)) as source:
        trust = with_keys_of(source, trust, report)
        promised = open_head(receipt.checkpoint, str(file), trust, report)
        head = head_of(source, trust, report)
        if promised is None or head is None or not check_receipt(receipt, promised, report):
            return
        if contradicts(promised, head, str(file), report):
            return
        pruned = pruned_of(source, head, trust, report)
        gone = receipt.index < pruned.entries and (ENTRIES, receipt.index // WIDTH) not in versions(source)
        kept = receipt.leaf if gone else None
        held = prove_entry(source, receipt.index, head, report, kept)
        if held is not None and held != receipt.leaf:
            report.find(FORKED, f"entry {receipt.index}", "the log has another entry where the receipt's was")


# ------------------------------------------------------------------------- consistency


def verify_consistency(old: Path, new: Path, proof: Path | None, trust: Trust, report: Report) -> None:
    """None; the log of the checkpoint in `new` (a file, or evidence) is that of `old` with entries appended."""
    if _is_note(new):
        if not trust.log:
            raise UsageError("give --vkey: checkpoints alone bring no key along")
        head = open_head(_read(new), str(new), trust, report)
        if (known := _grown_from(old, head, trust, report)) and head is not None:
            _check_growth(known, head, _given_proof(proof), report)
        return
    with closing(open_source(new)) as source:
        trust = with_keys_of(source, trust, report)
        head = head_of(source, trust, report)
        if (known := _grown_from(old, head, trust, report)) and head is not None:
            _check_growth(known, head, _proof_in(source, known, head, report), report)


def _grown_from(old: Path, head: Checkpoint | None, trust: Trust, report: Report) -> Checkpoint | None:
    """The old checkpoint, if a proof is needed that the log grew from it to `head`; None also after a finding."""
    known = open_known(_read(old), str(old), trust, report)
    if known is None or head is None or contradicts(known, head, str(old), report):
        return None
    report.facts["grew_from"] = known.size
    return None if known.size in {0, head.size} else known


def _given_proof(file: Path | None) -> list[bytes]:
    if file is None:
        raise UsageError("two checkpoints of different sizes need --proof FILE, or evidence as NEW")
    return [base64(line) for line in _read(file).decode("ascii", "replace").split()]


def _is_note(path: Path) -> bool:
    return not path.is_dir() and b"\n\n\xe2\x80\x94 " in _read(path)[: 1 << 16]


def _proof_in(source: Source, known: Checkpoint, head: Checkpoint, report: Report) -> list[bytes] | None:
    """The proof that the tiles give; None with a finding if they are not those of the head."""
    subtrees = subtree_reader(source, head.size)
    if root(head.size, subtrees) != head.root:
        report.find(EDITED, "tiles", "they do not give the root that the log signed")
        return None
    return consistency(known.size, head.size, subtrees)


def _check_growth(known: Checkpoint, head: Checkpoint, proof: list[bytes] | None, report: Report) -> None:
    if proof is None:
        return
    report.facts["proof"] = [part.hex() for part in proof]
    if not grew(known.size, known.root, head.size, head.root, proof):
        report.find(FORKED, f"size {known.size}", "the log does not begin as it did when it was that large")


# -------------------------------------------------------------------------------- used


def verify_used(
    path: Path, key: str, start: str | None, end: str | None, trust: Trust, report: Report
) -> None:
    """None; the report lists every event that names the key, in evidence that was verified as a whole."""
    since, until = check_time(start or "0000-01-01T00:00:00Z"), check_time(end or "9999-12-31T23:59:59Z")
    uses: list[dict[str, Any]] = []

    def visit(number: int, members: Mapping[str, Any]) -> None:
        keys, when = members.get("keys"), members.get("eventTime")
        if type(keys) is list and key in keys and type(when) is str and since <= when <= until:
            for event in each_of(members):
                told = {name: event[name] for name in SHOWN if name in event}
                uses.append({"number": number, **told})

    with closing(open_source(path)) as source:
        if _walk(source, trust, report, visit) is None:
            return
    report.facts |= {"key": key, "from": start, "to": end, "uses": uses, "used": bool(uses)}
    last = report.facts["last_time"]
    report.limits += [
        f"what was called after {last or 'the log began'}, the time of the newest entry: the log does not reach further",
        "calls that the server was made not to record; the log proves that nothing recorded was changed or removed",
    ]
    if end is None or end > last:
        asked = f"asked for until {end}" if end else "asked for without an end"
        report.limits.append(f"the time after {last or 'the beginning'}, which was {asked}")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
