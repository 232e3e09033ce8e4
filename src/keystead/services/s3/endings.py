"""Uploads that have ended: how a completed one was answered, and what must not stay behind of any.

Who did not hear the answer completes again, and is answered again: Amazon S3 takes CompleteMultipartUpload as often as
it comes. What was answered is kept for a week, and then forgotten by work that falls due. The same work, a while
after any upload ended, drops parts that arrived while it did.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from keystead import errors
from keystead.api.schedule import DueCall, DueEvent, put_due
from keystead.services.s3.garbage import GRACE, discard_pieces
from keystead.services.s3.tables import PARTS, UPLOADS, Bucket, Change, Piece, Upload, version_place
from keystead.services.s3.versions import peek
from keystead.storage import Table
from keystead.wire.models import s3 as wire

DUE: Final = "s3UploadEnd"
KEPT: Final = 7 * 86_400
"""Seconds for which a completion can be asked for again."""


class Completion(msgspec.Struct, frozen=True, kw_only=True):
    """An upload that became an object: of which parts (number and ETag), and what was answered, in JSON."""

    bucket: str
    key: str
    parts: tuple[tuple[int, str], ...]
    answer: str
    until: float


COMPLETIONS: Table[Completion] = Table("s3_completion", Completion)
"""upload id"""


def named_parts(request: Any) -> tuple[tuple[int, str], ...]:
    """What the request puts together: numbers and ETags without quotes.

    Raises:
        errors.MalformedXml: it names none.
    """
    named = request.multipart_upload.parts if request.multipart_upload is not None else None
    if not named:
        raise errors.MalformedXml
    return tuple((row.part_number or 0, (row.e_tag or "").strip('"')) for row in named)


def keep(call: Change, bucket: Bucket, upload: Upload, request: Any, answer: Any) -> None:
    """None; the answer can be given again."""
    until = call.now + KEPT
    completion = Completion(
        bucket=bucket.id,
        key=upload.key,
        parts=named_parts(request),
        answer=msgspec.json.encode(answer).decode(),
        until=until,
    )
    call.tx.insert(COMPLETIONS, upload.id, completion)
    put_due(call.tx, until, DUE, upload.id)


def answered(call: Change, bucket: Bucket, request: Any) -> wire.CompleteMultipartUploadOutput | None:
    """What was answered to the same completion before, if what it made is still there."""
    text = request.upload_id or ""
    found = call.tx.get(COMPLETIONS, text) if text.isalnum() else None
    if found is None or (found.bucket, found.key) != (bucket.id, request.key):
        return None
    if found.parts != named_parts(request):
        return None
    answer = msgspec.json.decode(found.answer, type=wire.CompleteMultipartUploadOutput)
    made = peek(call, bucket, found.key, answer.version_id)
    return answer if made is not None and made.place == text else None


def end(call: Change, bucket: Bucket, upload: Upload, kept: frozenset[int]) -> None:
    """Remove the upload, and of its parts what is not kept; those that arrive meanwhile a while later."""
    put_due(call.tx, call.now + GRACE, DUE, upload.id)
    call.tx.delete(UPLOADS, version_place(bucket.id, upload.key, upload.id))
    for place, part in call.tx.scan(PARTS, f"{upload.id}/"):
        # Read as well, so that a part that is replaced meanwhile makes this run again.
        now = call.tx.get(PARTS, place)
        call.tx.delete(PARTS, place)
        if part.number not in kept and now is not None:
            discard_pieces(call, (Piece(now.blob, now.size),))


def look_after(call: DueCall, subject: str) -> list[DueEvent]:
    """Drop what is left of an upload that has ended: parts that came too late, and in time its answer."""
    for place, part in call.tx.scan(PARTS, f"{subject}/"):
        call.tx.delete(PARTS, place)
        discard_pieces(call, (Piece(part.blob, part.size),))
    found = call.tx.get(COMPLETIONS, subject)
    if found is not None and found.until <= call.now:
        call.tx.delete(COMPLETIONS, subject)
    return []
