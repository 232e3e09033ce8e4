"""UpdateObjectEncryption: another key for an object that is there, without moving its bytes.

The data key is opened with the old key and wrapped with the new one. So who was told the data key before (nobody is,
by this API) could still use it; who may use the old key only, no longer can read.

Source: Amazon S3 API Reference, UpdateObjectEncryption, whose words the refusals are.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from keystead import arn, errors
from keystead.api import Call, Target, operation
from keystead.services.s3.access import bucket_named, object_key, on_object
from keystead.services.s3.brake import hold
from keystead.services.s3.datakeys import wrapped_anew
from keystead.services.s3.encryption import ARN_PAIR, KMS, TWO_LAYERS, Choice
from keystead.services.s3.protecting import is_protected
from keystead.services.s3.reading import key_of
from keystead.services.s3.tables import Bucket
from keystead.services.s3.versions import find, store
from keystead.services.s3.writing import where
from keystead.wire.models import s3 as wire

_NO_TYPE: Final = (
    "Requests that modify an object encryption configuration require a valid new encryption type. Valid values are "
    "SSEKMS. Modify the request to specify SSE-KMS for the updated encryption type, and then try again."
)
_NO_ARN: Final = (
    "Requests that modify an object's encryption type to SSE-KMS require a valid AWS KMS key Amazon Resource Name (ARN). "
    "Confirm that you have a correctly formatted KMS key ARN in your request, and then try again."
)
_UNSUPPORTED: Final = (
    "The UpdateObjectEncryption operation doesn't support source objects with the encryption type DSSE-KMS or SSE-C. "
    "Only source objects encrypted with SSE-S3 or SSE-KMS are supported."
)
_PROTECTED: Final = "The encryption of an object that is protected by Object Lock cannot be changed."
_OF_ANOTHER_ACCOUNT: Final = (
    "The AWS KMS key in the request must be owned by the same account as the bucket. Modify the request to specify a KMS "
    "key from the same account, and then try again."
)


@operation("UpdateObjectEncryption", targets=on_object("UpdateObjectEncryption"), changes=True)
def update_object_encryption(
    call: Call, request: wire.UpdateObjectEncryptionRequest, _object: Target
) -> wire.UpdateObjectEncryptionResponse:
    """Have a version's data key wrapped by another key of KMS; its bytes and all else stay as they are."""
    bucket, key = bucket_named(call, request.bucket), object_key(request.key)
    choice = _choice(bucket, key, request.object_encryption)
    hold(call, bucket)
    version = find(call, bucket, key, request.version_id)
    if version.envelope.check or version.envelope.algorithm == TWO_LAYERS:
        raise errors.InvalidS3Request(_UNSUPPORTED)
    if is_protected(version, call.now):
        raise errors.S3AccessDenied(_PROTECTED)
    data_key = key_of(call, bucket, key, version, None)
    envelope = wrapped_anew(call, data_key, choice, where(bucket.name, key, version.place))
    store(call, bucket, key, msgspec.structs.replace(version, envelope=envelope))
    return wire.UpdateObjectEncryptionResponse()


def _choice(bucket: Bucket, key: str, wanted: Any) -> Choice:
    """What the request asks for.

    Raises:
        errors.InvalidS3Request: it names no key of KMS by its ARN.
        errors.S3AccessDenied: the key is another account's.
    """
    asked = None if wanted is None else wanted.ssekms
    if asked is None:
        raise errors.InvalidS3Request(_NO_TYPE)
    try:
        named = arn.parse(asked.kms_key_arn or "")
    except ValueError:
        raise errors.InvalidS3Request(_NO_ARN) from None
    if named.service != "kms" or not named.resource.startswith("key/"):
        raise errors.InvalidS3Request(_NO_ARN)
    if named.account != bucket.account:
        raise errors.S3AccessDenied(_OF_ANOTHER_ACCOUNT)
    bucket_key = bool(asked.bucket_key_enabled)
    resource = bucket.arn if bucket_key else f"{bucket.arn}/{key}"
    return Choice(algorithm=KMS, key=str(named), context={ARN_PAIR: resource}, bucket_key=bucket_key)


OPERATIONS = (update_object_encryption,)
