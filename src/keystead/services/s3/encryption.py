"""How an object is encrypted: what the request asks for, or else the bucket, or else S3's own key.

Source: Amazon S3 User Guide, "Protecting data with encryption".
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from typing import Any, Final

import msgspec

from keystead import errors
from keystead.api import Call
from keystead.services.s3.tables import Bucket, DefaultEncryption

OWN: Final = "AES256"
KMS: Final = "aws:kms"
TWO_LAYERS: Final = "aws:kms:dsse"
ALGORITHMS: Final = frozenset({OWN, KMS, TWO_LAYERS})
DEFAULT_KEY: Final = "alias/aws/s3"
ARN_PAIR: Final = "aws:s3:arn"
_CUSTOMER_ALGORITHM: Final = "AES256"
_KEY_BYTES: Final = 32
_HEADER: Final = "x-amz-server-side-encryption"
_KEY_HEADER: Final = f"{_HEADER}-aws-kms-key-id"
_PROVIDE: Final = "Requests specifying Server Side Encryption with Customer provided keys must provide"


class CustomerKey(msgspec.Struct, frozen=True):
    """A key that the caller brings, and what it says of it; nothing of this is stored."""

    key: bytes
    md5: str

    def __repr__(self) -> str:
        return "<CustomerKey>"


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done: an algorithm as headers write it, or the caller's own key."""

    algorithm: str
    key: str = ""
    context: dict[str, str] = {}
    bucket_key: bool = False
    customer: CustomerKey | None = None


def chosen(call: Call, bucket: Bucket, key: str, request: Any) -> Choice:
    """How a new object is to be encrypted.

    Raises:
        errors.InvalidS3Argument, errors.InvalidS3Request: what is asked for makes no sense.
        errors.S3AccessDenied: the bucket takes no keys of callers.
    """
    customer = customer_key(
        call, request.sse_customer_algorithm, request.sse_customer_key, request.sse_customer_key_md5
    )
    asked = request.server_side_encryption
    if customer is not None:
        if asked is not None:
            raise errors.InvalidS3Argument(
                "Server Side Encryption with Customer provided key is incompatible with the encryption method specified",
                _named(_HEADER, asked),
            )
        if not bucket.encryption.customer_keys:
            raise errors.S3AccessDenied(
                "The bucket does not accept server-side encryption with customer-provided keys (SSE-C)."
            )
        return Choice(algorithm="", customer=customer)
    default = bucket.encryption
    algorithm = asked or default.algorithm
    if algorithm not in ALGORITHMS:
        raise errors.InvalidS3Argument(
            "The encryption method specified is not supported", _named(_HEADER, algorithm)
        )
    if algorithm == OWN:
        _refuse_key_headers(request)
        return Choice(algorithm=OWN)
    return _with_kms(bucket, key, request, default, algorithm)


def _with_kms(bucket: Bucket, key: str, request: Any, default: DefaultEncryption, algorithm: str) -> Choice:
    named = request.ssekms_key_id or (default.key if default.algorithm == algorithm else "")
    wanted = request.bucket_key_enabled
    bucket_key = default.bucket_key if wanted is None else wanted
    bucket_key = bucket_key and algorithm == KMS  # two layers take a data key for each object
    own = _given_context(request.ssekms_encryption_context)
    resource = bucket.arn if bucket_key else f"{bucket.arn}/{key}"
    return Choice(
        algorithm=algorithm,
        key=named or DEFAULT_KEY,
        context={**own, ARN_PAIR: resource},
        bucket_key=bucket_key,
    )


def _refuse_key_headers(request: Any) -> None:
    if request.ssekms_key_id is not None or request.ssekms_encryption_context is not None:
        raise errors.InvalidS3Argument(
            "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms",
            _named(_KEY_HEADER, request.ssekms_key_id or "null"),
        )


def _given_context(text: str | None) -> dict[str, str]:
    """The encryption context of a header: base64 of a JSON object of texts."""
    if text is None:
        return {}
    try:
        found = json.loads(base64.b64decode(text, validate=True))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise errors.InvalidS3Argument(
            f"The header '{_HEADER}-context' shall be Base64-encoded UTF-8 string holding JSON which represents a "
            "string-string map"
        )
    if ARN_PAIR in found:
        raise errors.InvalidS3Argument(f"The encryption context must not have the key {ARN_PAIR}.")
    return found


def customer_key(call: Call, algorithm: str | None, key: str | None, md5: str | None) -> CustomerKey | None:
    """The key that the caller brings in three headers, None if it brings none.

    Raises:
        errors.InvalidS3Argument: the headers do not hold a key.
        errors.InvalidS3Request: the key came over a connection that anybody can read.
    """
    if algorithm is None and key is None and md5 is None:
        return None
    if algorithm is None:
        raise errors.InvalidS3Argument(f"{_PROVIDE} a valid encryption algorithm.", _named(_HEADER, "null"))
    if algorithm != _CUSTOMER_ALGORITHM:
        raise errors.InvalidEncryptionAlgorithm(about=_named(_HEADER, algorithm))
    if key is None:
        raise errors.InvalidS3Argument(f"{_PROVIDE} an appropriate secret key.", _named(_HEADER, "null"))
    if md5 is None:
        raise errors.InvalidS3Argument(
            f"{_PROVIDE} the client calculated MD5 of the secret key.", _named(_HEADER, "null")
        )
    try:
        plain = base64.b64decode(key, validate=True)
        told = base64.b64decode(md5, validate=True)
    except (binascii.Error, ValueError):
        plain, told = b"", b""
    if hashlib.md5(plain, usedforsecurity=False).digest() != told and plain:
        raise errors.InvalidS3Argument(
            "The calculated MD5 hash of the key did not match the hash that was provided.",
            _named(_HEADER, "null"),
        )
    if len(plain) != _KEY_BYTES:
        raise errors.InvalidS3Argument(
            "The secret key was invalid for the specified algorithm.", _named(_HEADER, "null")
        )
    if not call.secure and not _is_loopback(call.source_ip):
        raise errors.InvalidS3Request(
            "Requests specifying Server Side Encryption with Customer provided keys must be made over a secure connection."
        )
    return CustomerKey(plain, md5)


def _named(header: str, value: str) -> dict[str, str]:
    return {"ArgumentName": header, "ArgumentValue": value}


def _is_loopback(address: str) -> bool:
    return address.startswith("127.") or address == "::1"
