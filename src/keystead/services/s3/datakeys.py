"""The data key of an object: made or asked for when it is put, and asked for again at every read.

Keys of KMS are used as the caller, through the one pipeline: key policies and grants decide, each use has its event,
and a key that is disabled, denied or gone opens nothing any more.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any, Final

import msgspec

from keystead import errors
from keystead.api import Call
from keystead.api.client import Client
from keystead.crypto.aead import Aead
from keystead.crypto.derive import subkey
from keystead.crypto.secret import SECRET_ACCESS, Secret
from keystead.objects import ObjectKey
from keystead.services.s3 import bucketkeys, ownkey
from keystead.services.s3.encryption import OWN, TWO_LAYERS, Choice, CustomerKey
from keystead.services.s3.tables import Envelope
from keystead.wire.models import kms

PRINCIPAL: Final = "s3.amazonaws.com"
_KEY_BYTES: Final = 32
_SALT_BYTES: Final = 32

_TOLD: Final[dict[str, type[errors.S3Error]]] = {
    "DisabledException": errors.KmsDisabledKey,
    "KMSInvalidStateException": errors.KmsInvalidKeyState,
    "NotFoundException": errors.KmsNoSuchKey,
    "InvalidKeyUsageException": errors.KmsInvalidUse,
    "InvalidArnException": errors.KmsNoSuchKey,
    "KeyUnavailableException": errors.KmsUnavailableKey,
    "ValidationException": errors.InvalidS3Argument,
}
"""What S3 makes of errors of KMS (Amazon S3 API Reference, "Error Responses")."""


def fresh(call: Call, choice: Choice, where: str) -> tuple[ObjectKey, Envelope]:
    """A new data key and what it takes to have it again; `where` is what the envelope belongs to.

    Raises:
        errors.AccessDenied: the caller may not use the key.
        errors.S3Error: the key cannot be used.
    """
    if choice.customer is not None:
        return _of_caller(call, choice.customer)
    if choice.algorithm == OWN:
        plain = call.entropy.random(_KEY_BYTES)
        sealed, own = ownkey.seal(call, plain, where)
        return ObjectKey(Secret(plain)), Envelope(algorithm=OWN, wrapped=sealed, own=own)
    if choice.bucket_key:
        return _of_bucket(call, choice, where)
    answer = _ask(
        call,
        "GenerateDataKey",
        kms.GenerateDataKeyRequest(key_id=choice.key, key_spec="AES_256", encryption_context=choice.context),
    )
    envelope = Envelope(
        algorithm=choice.algorithm, wrapped=answer.ciphertext_blob, key=answer.key_id, context=choice.context
    )
    if choice.algorithm != TWO_LAYERS:
        return ObjectKey(Secret(answer.plaintext)), envelope
    # The outer layer's key is independent of the first, and of KMS.
    outer = call.entropy.random(_KEY_BYTES)
    sealed, own = ownkey.seal(call, outer, where)
    envelope = msgspec.structs.replace(envelope, outer=sealed, own=own)
    return ObjectKey(Secret(answer.plaintext), Secret(outer)), envelope


def wrapped_anew(call: Call, data_key: ObjectKey, choice: Choice, where: str) -> Envelope:
    """The envelope of a data key that is there already, under a key of KMS; the data key stays the same.

    Raises:
        errors.AccessDenied: the caller may not use the key of KMS.
        errors.S3Error: the key cannot be used.
    """
    (secret,) = data_key.layers
    plain = secret.expose(SECRET_ACCESS)
    if choice.bucket_key:
        # A bucket's key makes data keys; one that is there already is sealed with what it makes.
        made, envelope = _of_bucket(call, choice, where)
        sealed = _sealer(made).seal(plain, where.encode(), call.entropy.random(_SALT_BYTES))
        return msgspec.structs.replace(envelope, sealed=sealed)
    answer = _ask(
        call,
        "Encrypt",
        kms.EncryptRequest(key_id=choice.key, plaintext=plain, encryption_context=choice.context),
    )
    return Envelope(
        algorithm=choice.algorithm, wrapped=answer.ciphertext_blob, key=answer.key_id, context=choice.context
    )


def again(call: Call, envelope: Envelope, where: str, customer: CustomerKey | None) -> ObjectKey:
    """The data key of an envelope; `customer` is the key that the caller brings, if it brings one.

    Raises:
        errors.AccessDenied: the caller may not use the key.
        errors.S3AccessDenied: the caller brings another key than the object was put with.
        errors.S3Error: the key cannot be used, or the caller must bring one, or must not.
    """
    if envelope.check:
        return _brought_again(envelope, customer)
    if customer is not None:
        raise errors.InvalidS3Request("The encryption parameters are not applicable to this object.")
    if envelope.algorithm == OWN:
        return ObjectKey(Secret(ownkey.open_(call, envelope.wrapped, envelope.own, where)))
    if envelope.bucket_key:
        made = _of_bucket_again(call, envelope, where)
        if not envelope.sealed:
            return made
        return ObjectKey(Secret(_sealer(made).open(envelope.sealed, where.encode())))
    answer = _ask(
        call,
        "Decrypt",
        kms.DecryptRequest(
            ciphertext_blob=envelope.wrapped, key_id=envelope.key, encryption_context=envelope.context
        ),
    )
    if not envelope.outer:
        return ObjectKey(Secret(answer.plaintext))
    outer = ownkey.open_(call, envelope.outer, envelope.own, where)
    return ObjectKey(Secret(answer.plaintext), Secret(outer))


def _sealer(key: ObjectKey) -> Aead:
    return Aead(key.layers[0].expose(SECRET_ACCESS))


# ------------------------------------------------------------------------------ keys of buckets


def _of_bucket(call: Call, choice: Choice, where: str) -> tuple[ObjectKey, Envelope]:
    held = bucketkeys.for_new(call, choice.key, choice.context, PRINCIPAL)
    if held is None:
        request = kms.GenerateDataKeyRequest(
            key_id=choice.key, key_spec="AES_256", encryption_context=choice.context
        )
        answer = _ask(call, "GenerateDataKey", request)
        held = bucketkeys.held_now(call, answer.plaintext, answer.ciphertext_blob, answer.key_id)
        bucketkeys.hold_new(call, choice.key, choice.context, held)
    salt = call.entropy.random(_SALT_BYTES)
    envelope = Envelope(
        algorithm=choice.algorithm,
        wrapped=held.wrapped,
        key=held.owner,
        context=choice.context,
        bucket_key=True,
        salt=salt,
    )
    return ObjectKey(bucketkeys.derived(held, salt, where)), envelope


def _of_bucket_again(call: Call, envelope: Envelope, where: str) -> ObjectKey:
    held = bucketkeys.for_old(call, envelope.wrapped, envelope.key, envelope.context, PRINCIPAL)
    if held is None:
        request = kms.DecryptRequest(
            ciphertext_blob=envelope.wrapped, key_id=envelope.key, encryption_context=envelope.context
        )
        plaintext = _ask(call, "Decrypt", request).plaintext
        held = bucketkeys.held_now(call, plaintext, envelope.wrapped, envelope.key)
        bucketkeys.hold_old(call, held)
    return ObjectKey(bucketkeys.derived(held, envelope.salt, where))


# ------------------------------------------------------------------------------ keys of callers


def _of_caller(call: Call, customer: CustomerKey) -> tuple[ObjectKey, Envelope]:
    salt = call.entropy.random(_SALT_BYTES)
    envelope = Envelope(algorithm="", salt=salt, check=_check_value(customer.key, salt), key_md5=customer.md5)
    return ObjectKey(_derived(customer.key, salt)), envelope


def _brought_again(envelope: Envelope, customer: CustomerKey | None) -> ObjectKey:
    if customer is None:
        raise errors.InvalidS3Request(
            "The object was stored using a form of Server Side Encryption. The correct parameters must be "
            "provided to retrieve the object."
        )
    if not hmac.compare_digest(_check_value(customer.key, envelope.salt), envelope.check):
        raise errors.S3AccessDenied(
            "Requests specifying Server Side Encryption with Customer provided keys must provide the correct secret key."
        )
    return ObjectKey(_derived(customer.key, envelope.salt))


def _derived(key: bytes, salt: bytes) -> Secret:
    return Secret(subkey(key, "s3 customer key", salt))


def _check_value(key: bytes, salt: bytes) -> bytes:
    """Tells the same key again, and whoever reads it nothing: keyed by another subkey than the data key."""
    return hmac.digest(subkey(key, "s3 customer key check", salt), salt, hashlib.sha256)


# ------------------------------------------------------------------------------ keys of KMS


def _ask(call: Call, operation: str, request: Any) -> Any:
    """The answer of KMS to the caller.

    Raises:
        errors.AccessDenied, errors.S3Error: what S3 makes of its error.
    """
    try:
        return Client(call, PRINCIPAL).call("kms", operation, request)
    except errors.AccessDenied as error:
        raise errors.AccessDenied(error.message, error.refused) from None
    except errors.ApiError as error:
        told = _TOLD.get(error.code)
        if told is None:
            raise
        raise told(error.message) from None
