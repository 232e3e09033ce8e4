"""Every permission that there is: what no service knows can be allowed by nobody, not even by `*`.

KMS has its catalogue in `policy.actions`, S3 has one here. The other services ask for a permission of the operation's name, by
the models of their APIs; the few that have no operation of their own are named here.
"""

from __future__ import annotations

from typing import Final

from keystead.errors import KeysteadError
from keystead.policy.actions import ACTIONS
from keystead.wire import own
from keystead.wire.models import accessanalyzer, cloudtrail, iam, organizations, sts

WITHOUT_OPERATION: Final = frozenset({"iam:PassRole", "sts:SetSourceIdentity", "sts:TagSession"})
"""To give a role to a service, and what AssumeRole and its like need for what they hand on (IAM User Guide, "Pass session tags")."""

WITHOUT_PERMISSION: Final = frozenset({"access-analyzer:GetFindingV2", "access-analyzer:ListFindingsV2"})
"""Operations that ask for the permission of what they came after (IAM Access Analyzer API reference)."""

S3: Final = frozenset(
    f"s3:{name}"
    for name in [
        "AbortMultipartUpload",
        "BypassGovernanceRetention",
        "CreateBucket",
        "DeleteBucket",
        "DeleteBucketOwnershipControls",
        "DeleteBucketPolicy",
        "DeleteObject",
        "DeleteObjectTagging",
        "DeleteObjectVersion",
        "DeleteObjectVersionTagging",
        "GetAccelerateConfiguration",
        "GetAnalyticsConfiguration",
        "GetBucketAbac",
        "GetBucketAcl",
        "GetBucketCORS",
        "GetBucketLocation",
        "GetBucketLogging",
        "GetBucketMetadataTableConfiguration",
        "GetBucketNotification",
        "GetBucketObjectLockConfiguration",
        "GetBucketOwnershipControls",
        "GetBucketPolicy",
        "GetBucketPolicyStatus",
        "GetBucketPublicAccessBlock",
        "GetBucketRequestPayment",
        "GetBucketTagging",
        "GetBucketVersioning",
        "GetBucketWebsite",
        "GetEncryptionConfiguration",
        "GetIntelligentTieringConfiguration",
        "GetInventoryConfiguration",
        "GetLifecycleConfiguration",
        "GetMetricsConfiguration",
        "GetObject",
        "GetObjectAcl",
        "GetObjectAttributes",
        "GetObjectLegalHold",
        "GetObjectRetention",
        "GetObjectTagging",
        "GetObjectVersion",
        "GetObjectVersionAcl",
        "GetObjectVersionAttributes",
        "GetObjectVersionTagging",
        "GetReplicationConfiguration",
        "ListAllMyBuckets",
        "ListBucket",
        "ListBucketMultipartUploads",
        "ListBucketVersions",
        "ListMultipartUploadParts",
        "PutBucketCORS",
        "PutBucketObjectLockConfiguration",
        "PutBucketOwnershipControls",
        "PutBucketPolicy",
        "PutBucketPublicAccessBlock",
        "PutBucketTagging",
        "PutBucketVersioning",
        "PutEncryptionConfiguration",
        "PutLifecycleConfiguration",
        "PutObject",
        "PutObjectLegalHold",
        "PutObjectRetention",
        "PutObjectTagging",
        "PutObjectVersionTagging",
        "UpdateObjectEncryption",
    ]
)
"""Those of S3 that something here asks for: they are not named after operations (Service Authorization Reference)."""

OVERRIDE_GUARD: Final = "keystead:OverrideGuard"
"""Taken by a request that overrides its account's guard; AWS has no such thing, so no name of AWS's is taken for it."""

OVERRIDE_BRAKE: Final = "keystead:OverrideBrake"
"""Taken by who deletes or re-encrypts more objects than the brake lets one caller; likewise no name of AWS's."""

PERMISSIONS: Final[frozenset[str]] = (
    frozenset(ACTIONS)
    | WITHOUT_OPERATION
    | {OVERRIDE_GUARD, OVERRIDE_BRAKE}
    | S3
    | {
        f"{service.name}:{operation}"
        for service in (
            accessanalyzer.SERVICE,
            cloudtrail.SERVICE,
            iam.SERVICE,
            organizations.SERVICE,
            own.SERVICE,
            sts.SERVICE,
        )
        for operation in service.operations
    }
) - WITHOUT_PERMISSION
"""By their full names, in AWS's spelling."""


class UnknownPermissionError(KeysteadError):
    """An operation asks for a permission that is in no catalogue: a defect, so nobody has it."""


def require_known(action: str) -> None:
    """Return if there is such a permission.

    Raises:
        UnknownPermissionError: there is none, so no policy can have meant it.
    """
    if action not in PERMISSIONS:
        raise UnknownPermissionError(action)
