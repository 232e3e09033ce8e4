"""Encapsulate and Decapsulate (ML-KEM, FIPS 203)."""

from __future__ import annotations

from typing import Any

from keystead import errors
from keystead.api import Call, Target, operation
from keystead.keys import Key
from keystead.keys import spec as specs
from keystead.services.kms.lending import lend_current
from keystead.services.kms.targets import on_key
from keystead.services.kms.use import check_dry_run, check_use, is_slow
from keystead.wire.models import kms as wire


def _ability(call: Call, key: Key, request: Any) -> Any:
    check_use(
        call,
        request.grant_tokens,
        key,
        call.operation,
        specs.ENCAPSULATE_DECAPSULATE,
        request.encapsulation_algorithm,
    )
    return lend_current(call, key)


@operation(
    "Encapsulate",
    targets=on_key("Encapsulate", aliases=True, cross_account=True),
    slow=is_slow,
    tracks_use=True,
)
def encapsulate(call: Call, request: wire.EncapsulateRequest, target: Target) -> wire.EncapsulateResponse:
    """Return a fresh shared secret, and the ciphertext from which the key recovers it."""
    key = target.found
    secret, blob = _ability(call, key, request).encapsulate()
    check_dry_run(request.dry_run)
    return wire.EncapsulateResponse(
        key_id=key.arn,
        shared_secret=secret,
        shared_secret_ciphertext_blob=blob,
        encapsulation_algorithm=request.encapsulation_algorithm,
    )


@operation(
    "Decapsulate",
    targets=on_key("Decapsulate", aliases=True, cross_account=True),
    slow=is_slow,
    tracks_use=True,
)
def decapsulate(call: Call, request: wire.DecapsulateRequest, target: Target) -> wire.DecapsulateResponse:
    """Return the shared secret; a ciphertext of another key gives another secret and no error."""
    key = target.found
    try:
        secret = _ability(call, key, request).decapsulate(request.shared_secret_ciphertext_blob)
    except errors.DecryptionFailed:
        raise errors.InvalidCiphertext from None
    check_dry_run(request.dry_run)
    return wire.DecapsulateResponse(
        key_id=key.arn, shared_secret=secret, encapsulation_algorithm=request.encapsulation_algorithm
    )


OPERATIONS = (encapsulate, decapsulate)
