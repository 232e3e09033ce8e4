"""Sign, Verify, GetPublicKey, DeriveSharedSecret."""

from __future__ import annotations

from typing import Any

from keystead import errors
from keystead.api import Call, Target, operation
from keystead.crypto import message as messages
from keystead.crypto.spec import MESSAGE_TYPES
from keystead.keys import Key
from keystead.keys import spec as specs
from keystead.keys.state import check_state
from keystead.services.kms.lending import lend_current
from keystead.services.kms.metadata import algorithm_members
from keystead.services.kms.recipient import attested, delivered
from keystead.services.kms.targets import on_key
from keystead.services.kms.use import check_dry_run, check_grant_tokens, check_use, is_slow
from keystead.wire.models import kms as wire

# ------------------------------------------------------------------------- Sign, Verify


def _signing_facts(_call: Call, request: Any) -> dict[str, str | list[str]]:
    return {
        "kms:SigningAlgorithm": request.signing_algorithm,
        "kms:MessageType": request.message_type or messages.RAW,
    }


def _signer(call: Call, key: Key, request: Any) -> tuple[Any, str]:
    """What signs and verifies, and the message type, once it and the algorithm are known to fit the key."""
    check_use(call, request.grant_tokens, key, call.operation, specs.SIGN_VERIFY, request.signing_algorithm)
    kind = request.message_type or messages.RAW
    if kind not in MESSAGE_TYPES[request.signing_algorithm]:
        raise errors.Validation(
            f"MessageType {kind} is incompatible with algorithm {request.signing_algorithm}."
        )
    return lend_current(call, key), kind


def _bad_digest(request: Any) -> errors.ApiError:
    return errors.Validation(f"Digest is invalid length for algorithm {request.signing_algorithm}.")


@operation(
    "Sign",
    targets=on_key("Sign", aliases=True, cross_account=True, facts=_signing_facts),
    slow=is_slow,
    tracks_use=True,
)
def sign(call: Call, request: wire.SignRequest, target: Target) -> wire.SignResponse:
    """Sign a message, or a digest that the caller made of it."""
    key = target.found
    signer, kind = _signer(call, key, request)
    algorithm = request.signing_algorithm
    try:
        signature = signer.sign(request.message, algorithm, kind)
    except errors.BadDigestLength:
        raise _bad_digest(request) from None
    check_dry_run(request.dry_run)
    return wire.SignResponse(key_id=key.arn, signature=signature, signing_algorithm=algorithm)


@operation(
    "Verify",
    targets=on_key("Verify", aliases=True, cross_account=True, facts=_signing_facts),
    slow=is_slow,
    tracks_use=True,
)
def verify(call: Call, request: wire.VerifyRequest, target: Target) -> wire.VerifyResponse:
    """Answer that a signature is the message's; any other is an error."""
    key = target.found
    signer, kind = _signer(call, key, request)
    try:
        signer.verify(request.message, request.signature, request.signing_algorithm, kind)
    except errors.BadDigestLength:
        raise _bad_digest(request) from None
    except errors.VerificationFailed:
        raise errors.InvalidMessageSignature from None
    check_dry_run(request.dry_run)
    return wire.VerifyResponse(
        key_id=key.arn, signature_valid=True, signing_algorithm=request.signing_algorithm
    )


# -------------------------------------------------------------------------- GetPublicKey


@operation("GetPublicKey", targets=on_key("GetPublicKey", aliases=True, cross_account=True), slow=is_slow)
def get_public_key(
    call: Call, request: wire.GetPublicKeyRequest, target: Target
) -> wire.GetPublicKeyResponse:
    """Return the public half of a key pair, with what it may be used for."""
    key = target.found
    check_grant_tokens(call, request.grant_tokens)
    check_state("GetPublicKey", key.state, key.arn)
    if key.key_spec.symmetric:
        raise errors.UnsupportedOperation(
            f"{key.arn} key spec is {key.spec} which is not valid for this operation."
        )
    return wire.GetPublicKeyResponse(
        key_id=key.arn,
        public_key=lend_current(call, key).public_der,
        # Deprecated and still the only one that some clients read.
        customer_master_key_spec=key.spec,
        key_spec=key.spec,
        key_usage=key.usage,
        **algorithm_members(key),
    )


# -------------------------------------------------------------------- DeriveSharedSecret


def _agreement_facts(_call: Call, request: Any) -> dict[str, str | list[str]]:
    return {"kms:KeyAgreementAlgorithm": request.key_agreement_algorithm}


@operation(
    "DeriveSharedSecret",
    targets=attested(on_key("DeriveSharedSecret", aliases=True, cross_account=True, facts=_agreement_facts)),
    slow=is_slow,
    tracks_use=True,
)
def derive_shared_secret(
    call: Call, request: wire.DeriveSharedSecretRequest, target: Target
) -> wire.DeriveSharedSecretResponse:
    """Return the raw secret (the x-coordinate) that the key shares with a peer's public key."""
    key = target.found
    algorithm = request.key_agreement_algorithm
    check_use(call, request.grant_tokens, key, "DeriveSharedSecret", specs.KEY_AGREEMENT, algorithm)
    try:
        secret = lend_current(call, key).derive(request.public_key)
    except errors.BadPublicKey:
        raise errors.Validation from None
    check_dry_run(request.dry_run)
    plain, enveloped = delivered(call, target, secret)
    return wire.DeriveSharedSecretResponse(
        key_id=key.arn,
        key_agreement_algorithm=algorithm,
        key_origin=key.origin,
        shared_secret=plain,
        ciphertext_for_recipient=enveloped,
    )


OPERATIONS = (sign, verify, get_public_key, derive_shared_secret)
