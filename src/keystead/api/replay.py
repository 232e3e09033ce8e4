"""A changing call is carried out once: the same signed request again is refused.

The proof that a request was carried out is stored in the same batch as its change, so it holds on every
worker and after a restart. AWS clients that sign within one second send equal signatures for equal calls
and tell them apart by `amz-sdk-invocation-id` and the attempt number, which some of them sign (the SDKs for
JavaScript and Go) and others do not (botocore); they are part of the identity here. Reads and cryptographic operations may be repeated: they change nothing.
"""

from __future__ import annotations

from hashlib import sha256

import msgspec

from keystead import errors
from keystead.api.call import Call
from keystead.storage import Table
from keystead.wire import sigv4
from keystead.wire.http import Request
from keystead.wire.signing import SKEW


class Seen(msgspec.Struct, frozen=True):
    """A signed request that was carried out; forgotten once its signature has expired anyway."""

    until: int
    """Epoch seconds."""


SEEN: Table[Seen] = Table("seen", Seen, evident=False)  # of minutes only, and in the journal
"""expiry (zero-padded epoch seconds)/SHA-256 of signature and invocation"""

_MARGIN = 60
"""Seconds that a proof is kept beyond the last moment at which its signature would still be taken."""


def _expiry(claim: sigv4.Claim) -> int:
    lives = claim.expires if claim.expires is not None else SKEW
    return claim.time + lives + _MARGIN


def refuse_replay(call: Call, claim: sigv4.Claim, request: Request) -> None:
    """Return for a request that was not carried out yet, and have `call.tx` remember it.

    Raises:
        errors.InvalidSignature: it was.
    """
    identity = sha256(
        b"\0".join(
            part.encode()
            for part in (
                claim.signature,
                request.headers.get("amz-sdk-invocation-id", ""),
                request.headers.get("amz-sdk-request", ""),
            )
        )
    ).hexdigest()
    place = f"{_expiry(claim):012d}/{identity}"
    if call.tx.get(SEEN, place) is not None:
        raise errors.InvalidSignature(
            "The request was already carried out: its signature cannot be used again."
        )
    call.tx.insert(SEEN, place, Seen(_expiry(claim)))
