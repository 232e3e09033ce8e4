"""The condition keys of Amazon S3: one row each, read by what evaluates, by the linter and by the reference.

Source: Service Authorization Reference, "Actions, resources, and condition keys for Amazon S3". Only those have a row
to which a request here can give a value; `parameter` is the attribute of the request that does, where one does.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

KeyType = Literal["string", "number", "date"]


class S3Key(msgspec.Struct, frozen=True):
    """A condition key, or with `family` all whose names begin so. `said` tells where its value comes from."""

    name: str
    type: KeyType = "string"
    parameter: str = ""
    said: str = ""
    multi: bool = False
    family: bool = False


_ROWS: Final = (
    S3Key("s3:authType", said="`REST-HEADER`, `REST-QUERY-STRING` or `POST`: where the signature is"),
    S3Key("s3:delimiter", parameter="delimiter"),
    S3Key("s3:ExistingObjectTag/", said="a tag of the object", family=True),
    S3Key("s3:if-match", parameter="if_match"),
    S3Key("s3:if-none-match", parameter="if_none_match"),
    S3Key("s3:locationconstraint", said="the Region in the request of CreateBucket"),
    S3Key("s3:max-keys", "number", parameter="max_keys"),
    S3Key("s3:object-lock-legal-hold", said="the legal hold that the request sets"),
    S3Key("s3:object-lock-mode", said="the retention mode that the request sets"),
    S3Key(
        "s3:object-lock-remaining-retention-days", "number", said="for how long the request retains a version"
    ),
    S3Key("s3:object-lock-retain-until-date", "date", said="until when the request retains a version"),
    S3Key("s3:prefix", parameter="prefix"),
    S3Key("s3:RequestObjectTag/", said="a tag in the request", family=True),
    S3Key("s3:RequestObjectTagKeys", said="the names of the tags in the request", multi=True),
    S3Key("s3:ResourceAccount", said="the account of the bucket"),
    S3Key("s3:signatureversion", said="`AWS4-HMAC-SHA256`, or `AWS` for version 2"),
    S3Key("s3:TlsVersion", "number", said="the version of TLS that the request came over"),
    S3Key("s3:VersionId", parameter="version_id"),
    S3Key("s3:x-amz-acl", parameter="acl"),
    S3Key("s3:x-amz-copy-source", parameter="copy_source"),
    S3Key("s3:x-amz-metadata-directive", parameter="metadata_directive"),
    S3Key("s3:x-amz-object-ownership", parameter="object_ownership"),
    S3Key("s3:x-amz-server-side-encryption", parameter="server_side_encryption"),
    S3Key("s3:x-amz-server-side-encryption-aws-kms-key-id", parameter="ssekms_key_id"),
    S3Key("s3:x-amz-server-side-encryption-customer-algorithm", parameter="sse_customer_algorithm"),
    S3Key("s3:x-amz-storage-class", parameter="storage_class"),
    S3Key("s3:x-amz-website-redirect-location", parameter="website_redirect_location"),
)

S3_KEYS: Final[dict[str, S3Key]] = {row.name.lower(): row for row in _ROWS}
"""Every row by its name in lower case."""

PARAMETERS: Final[dict[str, str]] = {row.parameter: row.name for row in _ROWS if row.parameter}
"""Condition keys that are parameters, by the attribute that holds them."""


ABSENT: Final = frozenset(
    f"s3:{name}".lower()
    for name in [
        "AccessGrantsInstanceArn",
        "AccessPointNetworkOrigin",
        "AccessPointTag/",
        "BucketTag/",
        "DataAccessPointAccount",
        "DataAccessPointArn",
        "DestinationRegion",
        "ExistingJobOperation",
        "ExistingJobPriority",
        "InventoryAccessibleOptionalFields",
        "isReplicationPauseRequest",
        "JobSuspendedCause",
        "ObjectCreationOperation",
        "RequestJobOperation",
        "RequestJobPriority",
        "signatureAge",
        "x-amz-content-sha256",
        "x-amz-grant-full-control",
        "x-amz-grant-read",
        "x-amz-grant-read-acp",
        "x-amz-grant-write",
        "x-amz-grant-write-acp",
    ]
)
"""Those that AWS has besides: no request here has a value for them, so a policy that asks for one does not hold."""


def is_s3_key(name: str) -> bool:
    """Whether Amazon S3 has a condition key of this name, with a value here or without."""
    head, slash, _ = name.lower().partition("/")
    return s3_key(name) is not None or head + slash in ABSENT


def s3_key(name: str) -> S3Key | None:
    """The row of the condition key with this name (case does not count), None if S3 here has no such key."""
    folded = name.lower()
    row = S3_KEYS.get(folded)
    if row is not None and not row.family:
        return row
    head, slash, tag = folded.partition("/")
    found = S3_KEYS.get(head + slash) if tag else None
    return found if found is not None and found.family else None
