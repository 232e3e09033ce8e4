"""What a witness is asked and what it must answer (C2SP tlog-witness), without sockets and without its memory."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from keystead.errors import LogError
from keystead.tlog.checkpoint import (
    Checkpoint,
    VerifierKey,
    parse_checkpoint,
    parse_note,
    parse_proof,
    verify,
)
from keystead.tlog.merkle import EMPTY_ROOT
from keystead.tlog.proof import LONGEST, verify_consistency

PATH: Final = "/add-checkpoint"
SIZE_TYPE: Final = "text/x.tlog.size"

_OLD: Final = re.compile(r"old (0|[1-9][0-9]{0,18})")


class Refused(Exception):  # noqa: N818 - an answer of the protocol, not a fault
    """The witness does not sign: HTTP `status`, and for 409 the `size` that it knows."""

    def __init__(self, status: int, reason: str, size: int | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.size = size


class Submission(msgspec.Struct, frozen=True):
    """A checkpoint's note, with the proof that the log only grew since it had `old` entries."""

    old: int
    proof: tuple[bytes, ...]
    note: str


class Seen(msgspec.Struct, frozen=True):
    """What the witness last signed of a log: its size and root, and when (epoch seconds)."""

    size: int
    root: bytes
    time: int


NOTHING: Final = Seen(0, EMPTY_ROOT, 0)
"""Of a log of which nothing was signed yet."""


def encode_submission(submission: Submission) -> bytes:
    """The body of the request."""
    proof = "".join(f"{b64encode(part).decode()}\n" for part in submission.proof)
    return f"old {submission.old}\n{proof}\n{submission.note}".encode()


def parse_submission(body: bytes) -> Submission:
    """What is submitted.

    Raises:
        LogError: it is malformed; the note within may still be.
    """
    try:
        head, empty, note = body.decode().partition("\n\n")
    except UnicodeDecodeError:
        raise LogError("a submission is UTF-8") from None
    old, *proof = head.split("\n")
    found = _OLD.fullmatch(old)
    if not empty or found is None or len(proof) > LONGEST:
        raise LogError("a submission is an old size, a proof, an empty line and a checkpoint")
    return Submission(int(found[1]), tuple(parse_proof(proof)), note)


def judge(body: bytes, logs: Mapping[str, Sequence[VerifierKey]], seen: Callable[[str], Seen]) -> Checkpoint:
    """The checkpoint that may be signed: it continues what was seen of its log.

    `logs` are the keys of each log by its origin. Between `seen` and the recording of what is returned here, nothing
    else of the log may be signed.

    Raises:
        Refused: it may not.
    """
    submission, checkpoint = _checked(body, logs)
    known = seen(checkpoint.origin)
    if submission.old > checkpoint.size:
        raise Refused(400, "the old size is larger than the checkpoint's")
    if submission.old != known.size:
        raise Refused(409, "another checkpoint was signed last", known.size)
    if submission.old == checkpoint.size and checkpoint.root != known.root:
        raise Refused(409, "the log signed two trees of this size", known.size)
    try:
        verify_consistency(known.size, known.root, checkpoint.size, checkpoint.root, submission.proof)
    except LogError as error:
        raise Refused(422, str(error)) from None
    return checkpoint


def _checked(body: bytes, logs: Mapping[str, Sequence[VerifierKey]]) -> tuple[Submission, Checkpoint]:
    """The submission and its checkpoint, which a known log signed.

    Raises:
        Refused: it is malformed (400), of an unknown log (404), or not signed by its log (403).
    """
    try:
        submission = parse_submission(body)
        note = parse_note(submission.note)
        checkpoint = parse_checkpoint(note.text)
    except LogError as error:
        raise Refused(400, str(error)) from None
    keys = logs.get(checkpoint.origin)
    if keys is None:
        raise Refused(404, "no such log is witnessed here")
    try:
        verify(note, keys)
    except LogError as error:
        raise Refused(403, str(error)) from None
    return submission, checkpoint
