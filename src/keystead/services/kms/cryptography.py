"""Encrypt, Decrypt, ReEncrypt and GenerateRandom."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keystead import errors
from keystead.api import Call, Target, operation
from keystead.crypto import ciphertext
from keystead.crypto.ciphertext import HEADER_BYTES
from keystead.keyring.keyring import SALT
from keystead.keys import Key
from keystead.keys import spec as specs
from keystead.keys.state import check_state
from keystead.services.kms.lending import lend_material
from keystead.services.kms.recipient import attested, delivered
from keystead.services.kms.tables import KEYS
from keystead.services.kms.targets import named_key, on_key
from keystead.services.kms.use import check_dry_run, check_grant_tokens, check_use, is_slow
from keystead.wire.models import kms as wire

DEFAULT_ALGORITHM = specs.SYMMETRIC_DEFAULT
_IGNORE_CIPHERTEXT = "IGNORE_CIPHERTEXT"
_ABSENT = (
    "1 validation error detected: Value null at '{}' failed to satisfy constraint: Member must not be null"
)


def _encryption_facts(_call: Call, request: Any) -> dict[str, str | list[str]]:
    return {"kms:EncryptionAlgorithm": request.encryption_algorithm or DEFAULT_ALGORITHM}


# ---------------------------------------------------------------------------- the cipher


def seal(call: Call, key: Key, algorithm: str, plaintext: bytes, context: Mapping[str, str] | None) -> bytes:
    """`plaintext` encrypted under the key's current material.

    Raises:
        errors.Validation: the plaintext does not fit the algorithm, or a context where none is allowed.
        errors.KeyUnavailable: the material is gone.
    """
    ability, header = lend_material(call, key, key.current), key.header
    if header is not None:
        return ciphertext.encrypt(ability, header, plaintext, context, call.entropy.random(SALT))
    _refuse_context(context)
    try:
        sealed: bytes = ability.encrypt(plaintext, algorithm)
    except errors.PlaintextTooLong as error:
        raise errors.Validation(
            f"Algorithm {algorithm} and key spec {key.spec} cannot encrypt data larger than {error.limit} bytes."
        ) from None
    return sealed


def unseal(
    call: Call, key: Key, algorithm: str, blob: bytes, context: Mapping[str, str] | None
) -> tuple[bytes, str | None]:
    """The plaintext, and the id of the material that it was encrypted under (symmetric keys only).

    Raises:
        errors.InvalidCiphertext: anything about the ciphertext, its context or its material is wrong.
    """
    try:
        if key.key_spec.is_encryption_key:
            material = key.makers.get(blob[:HEADER_BYTES])
            if material is None:
                raise errors.DecryptionFailed  # noqa: TRY301  one answer for whatever is wrong
            return ciphertext.decrypt(lend_material(call, key, material), blob, context), material.id
        _refuse_context(context)
        assert key.current is not None
        return lend_material(call, key, key.current).decrypt(blob, algorithm), None
    except errors.DecryptionFailed:
        raise errors.InvalidCiphertext from None


def _refuse_context(context: Mapping[str, str] | None) -> None:
    if context:
        raise errors.Validation("EncryptionContext is not supported for asymmetric KMS keys.")


def material_shown(key: Key, material_id: str | None) -> str | None:
    """The KeyMaterialId that an answer names: symmetric encryption keys only."""
    return material_id if key.key_spec.is_encryption_key else None


# ------------------------------------------------------------------------------- Encrypt


@operation(
    "Encrypt",
    targets=on_key("Encrypt", aliases=True, cross_account=True, facts=_encryption_facts),
    slow=is_slow,
    tracks_use=True,
)
def encrypt(call: Call, request: wire.EncryptRequest, target: Target) -> wire.EncryptResponse:
    """Encrypt up to 4,096 bytes (less for RSA) under a KMS key."""
    key = target.found
    algorithm = request.encryption_algorithm or DEFAULT_ALGORITHM
    check_use(call, request.grant_tokens, key, "Encrypt", specs.ENCRYPT_DECRYPT, algorithm)
    assert request.plaintext is not None
    blob = seal(call, key, algorithm, request.plaintext, request.encryption_context)
    check_dry_run(request.dry_run)
    return wire.EncryptResponse(ciphertext_blob=blob, key_id=key.arn, encryption_algorithm=algorithm)


# ------------------------------------------------------------------------------- Decrypt


def ciphertext_target(
    call: Call,
    permission: str,
    blob: bytes,
    named: str | None,
    context: Mapping[str, str] | None,
    facts: dict[str, str | list[str]],
) -> Target:
    """The key to decrypt `blob` with: the one named, else the one its header names.

    Raises:
        errors.InvalidCiphertext: no key is named and no key here made the blob.
        errors.NotFound, errors.AccessDenied, errors.InvalidArn: as `named_key`.
    """
    if named is None:
        key = _maker(call, blob)
        if key is None:
            raise errors.InvalidCiphertext
    else:
        try:
            return named_key(call, permission, named, aliases=True, context=dict(context or {}), facts=facts)
        except errors.NotFound:
            # Decrypt in the API reference: the id alone will do for another account's key, since the ciphertext says whose.
            key = _maker(call, blob)
            if key is None or key.id != named:
                raise
    return Target(permission, key.arn, key.account, key, None, context, facts, from_ciphertext=True)


def _maker(call: Call, blob: bytes) -> Key | None:
    """The key that a blob's header names; None unless that key has the material that the header names.

    A material id is not to be guessed. So whoever changes bits of a header, or makes one up, learns nothing of
    which keys there are: the answer is the one for any other damage.
    """
    try:
        header = ciphertext.header_of(blob)
    except errors.DecryptionFailed:
        return None
    key = call.tx.get(KEYS, f"{header.account}/{call.region}/{header.key_id}")
    return key if key is not None and blob[:HEADER_BYTES] in key.makers else None


def check_ciphertext_key(call: Call, target: Target, blob: bytes) -> None:
    """Return unless another key than the named one made the blob.

    Raises:
        errors.IncorrectKey: another key made it.
    """
    maker = _maker(call, blob)
    if maker is not None and maker.id != target.found.id:
        raise errors.IncorrectKey(
            "The key ID in the request does not identify a CMK that can perform this operation."
        )


def ignores_ciphertext(request: wire.DecryptRequest | wire.ReEncryptRequest) -> bool:
    """True for a dry run that asks for permissions only (DryRunModifiers IGNORE_CIPHERTEXT)."""
    return bool(request.dry_run) and _IGNORE_CIPHERTEXT in (request.dry_run_modifiers or ())


def given_blob(request: wire.DecryptRequest | wire.ReEncryptRequest, named: str | None) -> bytes:
    """The ciphertext; empty where it may be left out, which the wire model cannot say.

    Raises:
        errors.Validation: it is missing, or nothing else names a key.
    """
    if request.ciphertext_blob is not None:
        return request.ciphertext_blob
    if not ignores_ciphertext(request):
        raise errors.Validation(_ABSENT.format("ciphertextBlob"))
    if named is None:
        raise errors.Validation(_ABSENT.format("keyId"))
    return b""


def _decrypt_targets(call: Call, request: wire.DecryptRequest) -> tuple[Target, ...]:
    facts = _encryption_facts(call, request)
    blob = request.ciphertext_blob or given_blob(request, request.key_id)
    return (ciphertext_target(call, "kms:Decrypt", blob, request.key_id, request.encryption_context, facts),)


@operation("Decrypt", targets=attested(_decrypt_targets), slow=is_slow, tracks_use=True)
def decrypt(call: Call, request: wire.DecryptRequest, target: Target) -> wire.DecryptResponse:
    """Decrypt what Encrypt or GenerateDataKey* made, or what a client encrypted to an RSA public key."""
    key = target.found
    algorithm = request.encryption_algorithm or DEFAULT_ALGORITHM
    tokens = request.grant_tokens
    blob = request.ciphertext_blob or b""  # the key was found by it already, unless it is not needed
    if request.key_id is not None:
        check_grant_tokens(call, tokens)
        check_state("Decrypt", key.state, key.arn)
        check_ciphertext_key(call, target, blob)
    check_use(call, tokens, key, "Decrypt", specs.ENCRYPT_DECRYPT, algorithm)
    if request.dry_run and ignores_ciphertext(request):
        check_dry_run(dry_run=True)
    plaintext, material_id = unseal(call, key, algorithm, blob, request.encryption_context)
    check_dry_run(request.dry_run)
    plain, enveloped = delivered(call, target, plaintext)
    return wire.DecryptResponse(
        key_id=key.arn,
        plaintext=plain,
        encryption_algorithm=algorithm,
        ciphertext_for_recipient=enveloped,
        key_material_id=material_id,
    )


OPERATIONS = (encrypt, decrypt)
