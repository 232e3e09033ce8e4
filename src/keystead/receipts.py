"""Receipts for callers: how a client asks for them, and how it checks that what it did is in the log.

    from keystead.receipts import Receipts

    Receipts(VKEY).register(kms.meta.events)
    answer = kms.encrypt(KeyId="alias/notes", Plaintext=b"…")
    receipt = answer["ResponseMetadata"]["KeysteadReceipt"]

The log's key must come from somewhere else than the server that is to be held to its word. Keep `receipt.text`: it
convicts a log that later shows another history (`keystead-verify entry EVIDENCE --receipt FILE`).
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

import msgspec

from keystead.errors import LogError
from keystead.tlog import Opening, ids_of, leaf_hash, verify_inclusion
from keystead.tlog.checkpoint import (
    LOG,
    WITNESS,
    Checkpoint,
    VerifierKey,
    parse_checkpoint,
    parse_note,
    parse_vkey,
    verify_signature,
)
from keystead.tlog.entry import VERSIONS
from keystead.tlog.entry2 import TOGETHER
from keystead.tlog.names import event_name
from keystead.tlog.opening import check_event, check_opening
from keystead.tlog.together import IDS

HEADER: Final = "x-keystead-receipt"
"""In a request it asks for a receipt (`1`, or `1; cosignatures=N`), in an answer it is one."""
MISSING_HEADER: Final = "x-keystead-receipt-missing"
"""In an answer: why there is none, and the event's id."""
METADATA: Final = "KeysteadReceipt"
"""Where boto3 answers have the receipt, below `ResponseMetadata`."""

MISSING: Final = "missing"
MALFORMED: Final = "malformed"
BAD_SIGNATURE: Final = "bad-signature"
UNWITNESSED: Final = "unwitnessed"
NOT_LOGGED: Final = "not-logged"
FALSE_OPENING: Final = "false-opening"
OTHER_CALL: Final = "other-call"

_FAILURE: Final = 300
"""The lowest HTTP status that boto3 raises for."""


class ReceiptError(Exception):
    """There is no receipt, or it does not prove what it must; `kind` says which, as `keystead-verify` does.

    What was called is done nevertheless: `answer` is its answer, if there is one.
    """

    def __init__(self, kind: str, detail: str, answer: Mapping[str, Any] | None = None) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind
        self.answer = answer


class Receipt(msgspec.Struct, frozen=True):
    """A receipt that holds: under a root that the log signed, entry number `index` is `entry`.

    `event` is the whole event that the entry commits to, None if it was not opened. `witnesses` are the names of those
    of the given witnesses that signed. `text` is what came, to be kept.

    Of an entry that several events share, `entry` has besides what was logged the `requestID` and `eventID` of the one that is
    meant: the opened one, or that of the given request.
    """

    text: str
    index: int
    entry: dict[str, Any]
    event: dict[str, Any] | None
    origin: str
    size: int
    witnesses: tuple[str, ...]


class _Proof(msgspec.Struct, frozen=True):
    index: int
    leaf: bytes
    checkpoint: str
    proof: list[bytes]
    openings: list[Opening] = []


def verify(
    text: str,
    vkey: str,
    *,
    witnesses: Sequence[str] = (),
    quorum: int | None = None,
    request_id: str | None = None,
    operation: str | None = None,
) -> Receipt:
    """The receipt in `text`, once all of it has been checked.

    Args:
        text: the header's value, or the JSON in it.
        vkey: the log's verifier key, which `keystead audit key` shows.
        witnesses: verifier keys of witnesses.
        quorum: how many of them must have signed; all by default.
        request_id: the answer's request id, which the entry must tell.
        operation: the name of what was called, which the entry must tell.

    Raises:
        ReceiptError: it does not hold.
        ValueError: a key is none, or of the other kind, or the quorum cannot be reached.
    """
    log, others = _key(vkey, LOG), [_key(each, WITNESS) for each in witnesses]
    needed = _needed(others, quorum)
    proof = _parse(text)
    checkpoint, signed = _opened(proof.checkpoint, log, others)
    if len(signed) < needed:
        raise ReceiptError(UNWITNESSED, f"{len(signed)} of the witnesses signed, {needed} are asked for")
    try:
        verify_inclusion(leaf_hash(proof.leaf), proof.index, checkpoint.size, proof.proof, checkpoint.root)
    except LogError as error:
        raise ReceiptError(NOT_LOGGED, str(error)) from None
    entry, event = _entry(proof.leaf), _event(proof)
    entry |= _own_ids(entry, event, request_id)
    _require(entry, "requestID", request_id)
    _require(entry, "eventName", None if operation is None else event_name(operation))
    return Receipt(text, proof.index, entry, event, checkpoint.origin, checkpoint.size, tuple(signed))


def _needed(witnesses: Sequence[object], quorum: int | None) -> int:
    needed = len(witnesses) if quorum is None else quorum
    if not 0 <= needed <= len(witnesses):
        raise ValueError(f"of {len(witnesses)} witnesses {needed} cannot sign")
    return needed


def _key(text: str, kind: int) -> VerifierKey:
    try:
        key = parse_vkey(text.strip())
    except LogError as error:
        raise ValueError(str(error)) from None
    if key.kind != kind:
        raise ValueError(f"a verifier key of type {kind} is needed, not {key.kind}")
    return key


def _parse(text: str) -> _Proof:
    stripped = text.strip()
    try:
        data = stripped.encode() if stripped.startswith("{") else b64decode(stripped, validate=True)
        return msgspec.json.decode(data, type=_Proof)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise ReceiptError(MALFORMED, "a receipt is an index, a leaf, a checkpoint and a proof") from None


def _opened(
    note: str, log: VerifierKey, witnesses: Sequence[VerifierKey]
) -> tuple[Checkpoint, dict[str, None]]:
    """The checkpoint, which the log signed, and the names of the witnesses that signed it too."""
    try:
        parsed = parse_note(note)
        checkpoint = parse_checkpoint(parsed.text)
    except LogError as error:
        raise ReceiptError(MALFORMED, str(error)) from None
    known = {(key.name, key.id): key for key in (log, *witnesses)}
    signed = dict[VerifierKey, None]()
    for signature in parsed.signatures:
        key = known.get((signature.name, signature.id))
        if key is not None:
            try:
                verify_signature(key, parsed.text, signature.data)
            except LogError as error:
                raise ReceiptError(BAD_SIGNATURE, f"{key.name}: {error}") from None
            signed[key] = None
    if log not in signed:
        raise ReceiptError(BAD_SIGNATURE, "the log's key did not sign the checkpoint")
    return checkpoint, {key.name: None for key in signed if key != log}


def _entry(leaf: bytes) -> dict[str, Any]:
    try:
        entry = msgspec.json.decode(leaf, type=dict[str, Any])
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise ReceiptError(MALFORMED, "the entry is no JSON object") from None
    if entry.get("v") not in VERSIONS:
        raise ReceiptError(MALFORMED, "the entry is of a version that is not known here")
    if entry["v"] == TOGETHER and not _tells_ids(entry):
        raise ReceiptError(MALFORMED, "the entry does not tell the ids of several events")
    return entry


def _tells_ids(entry: Mapping[str, Any]) -> bool:
    try:
        return len(ids_of(entry)) > 1 and entry.keys().isdisjoint(IDS)
    except LogError:
        return False


def _own_ids(
    entry: Mapping[str, Any], event: Mapping[str, Any] | None, request_id: str | None
) -> dict[str, str]:
    """Of an entry of several events the ids of the one that is meant: the opened event, or that of the request."""
    if entry["v"] != TOGETHER or (event is None and request_id is None):
        return {}
    opened = None if event is None else (event.get("requestID"), event.get("eventID"))
    meant = [ids for ids in ids_of(entry) if opened in (None, ids) and request_id in (None, ids[0])]
    return dict(zip(IDS, meant[0], strict=True)) if meant else {}


def _require(entry: Mapping[str, Any], name: str, expected: str | None) -> None:
    if expected is not None and entry.get(name) != expected:
        raise ReceiptError(OTHER_CALL, f"the entry's {name} is not that of the call")


def _event(proof: _Proof) -> dict[str, Any] | None:
    """The whole event if it was opened. Every opening is checked."""
    event: dict[str, Any] | None = None
    for opening in proof.openings:
        try:
            check_opening(proof.leaf, opening)
            if not opening.pointer:
                event = check_event(proof.leaf, opening.value)
        except (LogError, RecursionError) as error:
            raise ReceiptError(FALSE_OPENING, f"{opening.pointer or 'the event'}: {error}") from None
    return event


# -------------------------------------------------------------------------------- boto3


class Events(Protocol):
    """What botocore's clients (`client.meta.events`) and sessions (`session.events`) emit their events by."""

    def register(self, event_name: str, handler: Callable[..., None]) -> None:
        """Have `handler` called at each event of that name."""
        ...


class Receipts:
    """Has every call of a client ask for a receipt, and checks what comes.

    `keep` is called with each receipt that holds. One that does not raises ReceiptError from the call; so does an answer
    without any, unless `required` is false. Where a call is refused without a receipt, boto3's own error is raised.

    Raises:
        ValueError: as `verify` says.
    """

    def __init__(
        self,
        vkey: str,
        *,
        witnesses: Sequence[str] = (),
        quorum: int | None = None,
        keep: Callable[[Receipt], object] | None = None,
        required: bool = True,
    ) -> None:
        _key(vkey, LOG)
        self._vkey = vkey
        self._witnesses = tuple(witnesses)
        self._quorum = _needed(self._witnesses, quorum)
        self._keep = keep
        self._required = required

    def register(self, events: Events) -> None:
        """None; from now on every call of the client or session asks and checks."""
        events.register("before-call", self._ask)
        events.register("after-call", self._check)

    def _ask(self, params: dict[str, Any], **_rest: Any) -> None:
        params["headers"][HEADER] = f"1; cosignatures={self._quorum}" if self._quorum else "1"

    def _check(self, parsed: dict[str, Any], model: Any, **_rest: Any) -> None:
        metadata = parsed["ResponseMetadata"]
        text = metadata["HTTPHeaders"].get(HEADER)
        if text is None:
            self._miss(parsed, metadata)
            return
        try:
            receipt = verify(
                text,
                self._vkey,
                witnesses=self._witnesses,
                quorum=self._quorum,
                request_id=metadata.get("RequestId"),
                operation=model.name,
            )
        except ReceiptError as error:
            error.answer = parsed
            raise
        metadata[METADATA] = receipt
        if self._keep is not None:
            self._keep(receipt)

    def _miss(self, parsed: dict[str, Any], metadata: Mapping[str, Any]) -> None:
        if self._required and metadata["HTTPStatusCode"] < _FAILURE:
            why = metadata["HTTPHeaders"].get(MISSING_HEADER, "the server gives no receipts")
            raise ReceiptError(MISSING, why, parsed)
