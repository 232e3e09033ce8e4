"""Whose signatures count: keys given by the caller outrank those that the evidence brings along."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from keystead_verify.findings import (
    BAD_SIGNATURE,
    FORKED,
    MALFORMED,
    ROLLED_BACK,
    UNWITNESSED,
    Malformed,
    Report,
    UsageError,
)
from keystead_verify.leaves import time_text
from keystead_verify.notes import LOG, WITNESS, BadSignature, Checkpoint, Key, open_note, parse_key
from keystead_verify.source import CHECKPOINT, KEYS, OLDER, Source, read

OWN_KEYS = "no --vkey was given, so the evidence was checked with the keys that it brought along itself"


@dataclass(frozen=True)
class Trust:
    """Keys of the log and of witnesses; `quorum` of the witnesses must have signed."""

    log: tuple[Key, ...]
    witnesses: tuple[Key, ...]
    quorum: int

    @property
    def keys(self) -> tuple[Key, ...]:
        """All of them."""
        return (*self.log, *self.witnesses)


def trust_of(vkeys: Sequence[str], witness_vkeys: Sequence[str], quorum: int | None) -> Trust:
    """What the caller trusts.

    Raises:
        UsageError: a key is malformed or of the other kind, or the quorum cannot be reached.
    """
    log = tuple(_given(text, LOG, "--vkey") for text in vkeys)
    witnesses = tuple(dict.fromkeys(_given(text, WITNESS, "--witness-vkey") for text in witness_vkeys))
    needed = len(witnesses) if quorum is None else quorum
    if not 0 <= needed <= len(witnesses):
        raise UsageError(f"--quorum {needed}: there are {len(witnesses)} keys of witnesses")
    return Trust(log, witnesses, needed)


def _given(text: str, kind: int, option: str) -> Key:
    try:
        key = parse_key(text)
    except Malformed as error:
        raise UsageError(f"{option}: {error}") from None
    if key.kind != kind:
        raise UsageError(f"{option}: a key of type {kind} is needed, not {key.kind}")
    return key


def with_keys_of(source: Source, trust: Trust, report: Report) -> Trust:
    """The same, or with the evidence's own log keys where the caller gave none.

    Raises:
        UsageError: there are no keys anywhere.
        Malformed: the evidence's keys cannot be read.
    """
    report.facts["trust"] = "given" if trust.log else "own"
    if trust.log:
        return trust
    text = (read(source, KEYS) or b"").decode("utf-8", "replace")
    keys = [parse_key(line) for line in text.splitlines() if line.strip()]
    log = tuple(key for key in keys if key.kind == LOG)
    if not log:
        raise UsageError(f"give --vkey: the evidence has no {KEYS} with a log's key")
    report.limits.append(OWN_KEYS)
    return Trust(log, trust.witnesses, trust.quorum)


def open_head(note: bytes, where: str, trust: Trust, report: Report) -> Checkpoint | None:
    """The checkpoint, and a finding if too few witnesses signed it; None with a finding if it does not hold."""
    head = open_known(note, where, trust, report)
    if head is None:
        return None
    report.facts["checkpoint"] = {
        "origin": head.origin,
        "size": head.size,
        "root": head.root.hex(),
        "witnessed": {key.name: time_text(time) for key, time in head.witnesses},
    }
    if len(head.witnesses) < trust.quorum:
        detail = f"{len(head.witnesses)} of the witnesses signed, {trust.quorum} are asked for"
        report.find(UNWITNESSED, where, detail)
    return head


def open_known(note: bytes, where: str, trust: Trust, report: Report) -> Checkpoint | None:
    """A checkpoint that the log signed; None with a finding if it does not hold."""
    try:
        return open_note(note, trust.keys)
    except Malformed as error:
        report.find(MALFORMED, where, str(error))
    except BadSignature as error:
        report.find(BAD_SIGNATURE, where, str(error))
    return None


def head_of(source: Source, trust: Trust, report: Report) -> Checkpoint | None:
    """The evidence's own checkpoint; None with a finding if it does not hold."""
    return open_head(read(source, CHECKPOINT) or b"", CHECKPOINT, trust, report)


def older_of(source: Source, head: Checkpoint, trust: Trust, report: Report) -> list[Checkpoint]:
    """The evidence's other checkpoints that are not newer than `head`; what contradicts it is a finding."""
    found = []
    for name in sorted(name for name in source.names if name.startswith(OLDER)):
        checkpoint = open_known(read(source, name) or b"", name, trust, report)
        if checkpoint is None or contradicts(checkpoint, head, name, report):
            continue
        found.append(checkpoint)
    return found


def contradicts(known: Checkpoint, head: Checkpoint, where: str, report: Report) -> bool:
    """Whether a checkpoint that was `known` before and `head` cannot both be told without proof; a finding then."""
    before = len(report.findings)
    if known.origin != head.origin:
        report.find(FORKED, where, f"it is of another log: {known.origin}, not {head.origin}")
    elif known.size > head.size:
        detail = f"the log had {known.size} entries, and shows {head.size} now"
        report.find(ROLLED_BACK, where, detail)
    elif known.size == head.size and known.root != head.root:
        report.find(FORKED, where, f"the log signed two trees of {head.size} entries")
    return len(report.findings) > before
