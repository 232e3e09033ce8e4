"""Receipts: the proof that an answer's caller was given that its entry is in the log."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from keystead_verify.findings import NOT_LOGGED, Malformed, Report
from keystead_verify.hashing import includes, leaf
from keystead_verify.leaves import parse_leaf
from keystead_verify.notes import Checkpoint, base64
from keystead_verify.openings import check_form, check_opening
from keystead_verify.together import shown as shown_entry


@dataclass(frozen=True)
class Receipt:
    """The entry and its number, a checkpoint's note, the path from the one to the other, and openings of the entry."""

    index: int
    leaf: bytes
    checkpoint: bytes
    proof: tuple[bytes, ...]
    openings: tuple[dict[str, Any], ...]


def load_receipt(data: bytes) -> Receipt:
    """The receipt in a file: the header's value as it came, or the JSON in it.

    Raises:
        Malformed: it is none.
    """
    text = data.decode("utf-8", "replace").strip()
    if not text.startswith("{"):
        text = base64(text).decode("utf-8", "replace")
    try:
        members = json.loads(text)
    except (ValueError, RecursionError):
        raise Malformed("a receipt is JSON, or that in Base64") from None
    return _receipt(members)


def _receipt(members: Any) -> Receipt:
    try:
        index, proof = members["index"], members["proof"]
        openings = tuple(members.get("openings", ()))
        texts = [members["leaf"], members["checkpoint"], *proof]
    except (AttributeError, KeyError, TypeError):
        raise Malformed("a receipt has an index, a leaf, a checkpoint and a proof") from None
    if type(index) is not int or not all(isinstance(text, str) for text in texts):
        raise Malformed("a receipt has an index, a leaf, a checkpoint and a proof")
    if any(check_form(opening)["index"] != index for opening in openings):
        raise Malformed("a receipt opens its own entry only")
    path = tuple(base64(part) for part in proof)
    return Receipt(index, base64(texts[0]), texts[1].encode("utf-8", "replace"), path, openings)


def check_receipt(receipt: Receipt, head: Checkpoint, report: Report) -> bool:
    """Whether the receipt's entry is under the root of `head`, and is what its openings show; findings if not."""
    if not includes(leaf(receipt.leaf), receipt.index, head.size, receipt.proof, head.root):
        detail = "the receipt's proof does not lead from its entry to its checkpoint"
        report.find(NOT_LOGGED, f"entry {receipt.index}", detail)
        return False
    content = parse_leaf(receipt.leaf)
    report.facts["entry"] = shown_entry(receipt.index, content)
    before = len(report.findings)
    for opening in receipt.openings:
        check_opening(opening, content, report)
    shown = [{"pointer": opening["pointer"], "value": opening["value"]} for opening in receipt.openings]
    if shown and len(report.findings) == before:
        report.facts["opened"] = shown
    return len(report.findings) == before
