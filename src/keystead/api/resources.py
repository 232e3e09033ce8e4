"""What a path and its query name at S3, and what is told whoever asks it for something that it does not do.

S3 calls resources in its errors as it does in server access logs: source: Amazon S3 User Guide, "Amazon S3 server
access log format" (Operation, `REST.HTTP_method.resource_type`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from keystead import errors
from keystead.wire.address import Address

_TYPES: Final = {
    "accelerate": "ACCELERATE",
    "acl": "ACL",
    "analytics": "ANALYTICS",
    "cors": "CORS",
    "delete": "MULTI_OBJECT_DELETE",
    "encryption": "ENCRYPTION",
    "intelligent-tiering": "INTELLIGENT_TIERING",
    "inventory": "INVENTORY",
    "legal-hold": "OBJECT_LOCK_LEGALHOLD",
    "lifecycle": "LIFECYCLE",
    "location": "LOCATION",
    "logging": "LOGGING_STATUS",
    "metrics": "METRICS",
    "notification": "NOTIFICATION",
    "object-lock": "OBJECT_LOCK_CONFIGURATION",
    "ownershipControls": "OWNERSHIP_CONTROLS",
    "policy": "BUCKETPOLICY",
    "policyStatus": "POLICY_STATUS",
    "publicAccessBlock": "PUBLIC_ACCESS_BLOCK",
    "replication": "REPLICATION",
    "requestPayment": "REQUEST_PAYMENT",
    "restore": "RESTORE",
    "retention": "OBJECT_LOCK_RETENTION",
    "tagging": "TAGGING",
    "torrent": "TORRENT",
    "uploadId": "UPLOAD",
    "uploads": "UPLOADS",
    "versioning": "VERSIONING",
    "versions": "BUCKETVERSIONS",
    "website": "WEBSITE",
}
_NO_FORM: Final = "Bucket POST must be of the enclosure-type multipart/form-data"
_OF_AN_OBJECT: Final = {"tagging": "OBJECT_TAGGING"}
_NOT_OF_A_KEY: Final[Mapping[str, tuple[type[errors.S3Error], str]]] = {
    "logging": (errors.NoLoggingOfKey, "There is no such thing as the ?logging sub-resource for a key"),
    "uploads": (errors.InvalidS3Request, "Key is not expected for the GET method ?uploads subresource"),
    "versions": (
        errors.InvalidS3Request,
        "There is no such thing as the ?versions sub-resource for a key",
    ),
}
"""What S3 says of questions about a bucket that are asked of an object, where it has words for it."""


def type_of(address: Address, selector: str = "") -> str:
    """What S3 calls the resource; `selector` is the name in the query that chooses a part of it."""
    if selector:
        special = _OF_AN_OBJECT.get(selector) if address.key else None
        return special or _TYPES.get(selector) or selector.upper().replace("-", "_")
    return "OBJECT" if address.key else "BUCKET" if address.bucket else "SERVICE"


def not_taken(method: str, address: Address, selector: str, allowed: Iterable[str]) -> errors.S3Error:
    """The refusal of a request that its resource does not take; `allowed` are the methods that it does."""
    if method == "GET" and address.key and selector in _NOT_OF_A_KEY:
        kind, said = _NOT_OF_A_KEY[selector]
        return kind(said)
    if method == "POST" and address.bucket and not (address.key or selector):
        return errors.PreconditionFailed(about={"Condition": _NO_FORM})
    return errors.UnsupportedMethod(method, type_of(address, selector), allowed)
