"""GenerateRandom."""

from __future__ import annotations

from keystead import errors
from keystead.api import Call, Target, operation
from keystead.services.kms.custom_key_stores import stores_of
from keystead.services.kms.key_stores import EXTERNAL
from keystead.services.kms.recipient import attested, delivered
from keystead.services.kms.targets import on_account
from keystead.wire.models import kms as wire


@operation("GenerateRandom", targets=attested(on_account("GenerateRandom")))
def generate_random(
    call: Call, request: wire.GenerateRandomRequest, target: Target
) -> wire.GenerateRandomResponse:
    """Return 1 to 1,024 random bytes."""
    if request.custom_key_store_id is not None:
        store = stores_of(call).find(request.custom_key_store_id)
        raise errors.UnsupportedOperation(
            f"Custom key store {store.id} has the type {EXTERNAL}, which is not valid for this operation."
        )
    if request.number_of_bytes is None:
        raise errors.Validation("NumberOfBytes is required.")
    fresh = call.entropy.random(request.number_of_bytes)
    plain, enveloped = delivered(call, target, fresh)
    return wire.GenerateRandomResponse(plaintext=plain, ciphertext_for_recipient=enveloped)


OPERATIONS = (generate_random,)
