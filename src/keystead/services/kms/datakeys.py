"""GenerateDataKey and GenerateDataKeyPair, each with and without plaintext.

Data keys are not kept: the caller gets the plaintext, the ciphertext, or both.
"""

from __future__ import annotations

from typing import Any

from keystead import errors
from keystead.api import Call, Target, operation
from keystead.crypto.secret import SECRET_ACCESS
from keystead.crypto.spec import KEY_TYPES
from keystead.keyring.fresh import FreshPair
from keystead.keys import Key
from keystead.keys import spec as specs
from keystead.services.kms.cryptography import DEFAULT_ALGORITHM, seal
from keystead.services.kms.recipient import attested, delivered
from keystead.services.kms.targets import on_key
from keystead.services.kms.use import check_dry_run, check_use
from keystead.wire.models import kms as wire

DATA_KEY_BYTES = {"AES_128": 16, "AES_256": 32}

# ------------------------------------------------------------------------ symmetric keys


def _facts(_call: Call, _request: Any) -> dict[str, str | list[str]]:
    return {"kms:EncryptionAlgorithm": DEFAULT_ALGORITHM}


def _length(request: Any) -> int:
    """The data key's length in bytes."""
    if (request.key_spec is None) == (request.number_of_bytes is None):
        raise errors.Validation("Please specify either number of bytes or key spec.")
    length: int = request.number_of_bytes or DATA_KEY_BYTES[request.key_spec]
    return length


def _data_key(call: Call, key: Key, request: Any) -> tuple[bytes, bytes]:
    """A fresh data key, in plaintext and encrypted."""
    length = _length(request)
    check_use(call, request.grant_tokens, key, call.operation, specs.ENCRYPT_DECRYPT, DEFAULT_ALGORITHM)
    plaintext = call.entropy.random(length)
    sealed = seal(call, key, DEFAULT_ALGORITHM, plaintext, request.encryption_context)
    check_dry_run(request.dry_run)
    return plaintext, sealed


@operation(
    "GenerateDataKey",
    targets=attested(on_key("GenerateDataKey", aliases=True, cross_account=True, facts=_facts)),
    tracks_use=True,
)
def generate_data_key(
    call: Call, request: wire.GenerateDataKeyRequest, target: Target
) -> wire.GenerateDataKeyResponse:
    """Return a fresh data key, in plaintext and encrypted under the key."""
    key = target.found
    data_key, sealed = _data_key(call, key, request)
    plain, enveloped = delivered(call, target, data_key)
    return wire.GenerateDataKeyResponse(
        ciphertext_blob=sealed,
        plaintext=plain,
        key_id=key.arn,
        ciphertext_for_recipient=enveloped,
        key_material_id=key.current_id,
    )


@operation(
    "GenerateDataKeyWithoutPlaintext",
    targets=on_key("GenerateDataKeyWithoutPlaintext", aliases=True, cross_account=True, facts=_facts),
    tracks_use=True,
)
def generate_data_key_without_plaintext(
    call: Call, request: wire.GenerateDataKeyWithoutPlaintextRequest, target: Target
) -> wire.GenerateDataKeyWithoutPlaintextResponse:
    """Return a fresh data key, encrypted under the key."""
    key = target.found
    _, sealed = _data_key(call, key, request)
    return wire.GenerateDataKeyWithoutPlaintextResponse(
        ciphertext_blob=sealed, key_id=key.arn, key_material_id=key.current_id
    )


# ----------------------------------------------------------------------------- key pairs


def _pair_facts(call: Call, request: Any) -> dict[str, str | list[str]]:
    return {**_facts(call, request), "kms:DataKeyPairSpec": request.key_pair_spec}


def _pair_is_slow(request: Any, _targets: tuple[Target, ...]) -> bool:
    kind = KEY_TYPES.get(request.key_pair_spec)
    return kind is not None and kind.slow


def _pair(call: Call, key: Key, request: Any) -> tuple[FreshPair, bytes]:
    """A fresh key pair, and its private key encrypted."""
    check_use(call, request.grant_tokens, key, call.operation, specs.ENCRYPT_DECRYPT, DEFAULT_ALGORITHM)
    spec = specs.spec_named(request.key_pair_spec)
    # Before an RSA key is searched for: nothing after this can fail because of the request.
    check_dry_run(request.dry_run)
    pair = FreshPair(spec.name)
    private = pair.private.expose(SECRET_ACCESS)
    return pair, seal(call, key, DEFAULT_ALGORITHM, private, request.encryption_context)


@operation(
    "GenerateDataKeyPair",
    targets=attested(on_key("GenerateDataKeyPair", aliases=True, cross_account=True, facts=_pair_facts)),
    slow=_pair_is_slow,
    tracks_use=True,
)
def generate_data_key_pair(
    call: Call, request: wire.GenerateDataKeyPairRequest, target: Target
) -> wire.GenerateDataKeyPairResponse:
    """Return a fresh key pair: public, private, and private encrypted under the key."""
    key = target.found
    pair, sealed = _pair(call, key, request)
    plain, enveloped = delivered(call, target, pair.private.expose(SECRET_ACCESS))
    return wire.GenerateDataKeyPairResponse(
        private_key_ciphertext_blob=sealed,
        public_key=pair.public_der,
        key_id=key.arn,
        key_pair_spec=request.key_pair_spec,
        key_material_id=key.current_id,
        private_key_plaintext=plain,
        ciphertext_for_recipient=enveloped,
    )


@operation(
    "GenerateDataKeyPairWithoutPlaintext",
    targets=on_key(
        "GenerateDataKeyPairWithoutPlaintext", aliases=True, cross_account=True, facts=_pair_facts
    ),
    slow=_pair_is_slow,
    tracks_use=True,
)
def generate_data_key_pair_without_plaintext(
    call: Call, request: wire.GenerateDataKeyPairWithoutPlaintextRequest, target: Target
) -> wire.GenerateDataKeyPairWithoutPlaintextResponse:
    """Return a fresh key pair: public, and private encrypted under the key."""
    key = target.found
    pair, sealed = _pair(call, key, request)
    return wire.GenerateDataKeyPairWithoutPlaintextResponse(
        private_key_ciphertext_blob=sealed,
        public_key=pair.public_der,
        key_id=key.arn,
        key_pair_spec=request.key_pair_spec,
        key_material_id=key.current_id,
    )


OPERATIONS = (
    generate_data_key,
    generate_data_key_without_plaintext,
    generate_data_key_pair,
    generate_data_key_pair_without_plaintext,
)
