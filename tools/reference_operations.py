"""What the reference page of operations says: which there are, which permissions they take, and which there are not.

`generate_docs.py` writes the page. How a table is written says `reference_pages.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from keystead.api.operation import Operation, always, never
from keystead.api.service import Service
from keystead.keys.state import OPERATION_STATES, KeyState
from keystead.policy.actions import ACTIONS, GRANT_OPERATIONS
from keystead.services.accessanalyzer import ACCESS_ANALYZER
from keystead.services.cloudtrail.service import CLOUDTRAIL
from keystead.services.iam.service import IAM
from keystead.services.keystead import KEYSTEAD
from keystead.services.kms.service import KMS
from keystead.services.organizations.service import ORGANIZATIONS
from keystead.services.s3.service import S3
from keystead.services.sts import STS
from reference_pages import code, first_line, mark, table

KMS_PERMISSIONS: Final = {
    "CreateKey": ("kms:CreateKey on `*`", "kms:TagResource on `*`, if tags are given"),
    "ReEncrypt": ("kms:ReEncryptFrom on the key", "kms:ReEncryptTo on the other key"),
    "ReplicateKey": (
        "kms:ReplicateKey on the key",
        "kms:CreateKey on `*` of the replica's Region",
        "kms:TagResource there, if tags are given",
    ),
    "UpdateAlias": (
        "kms:UpdateAlias on the alias",
        "on the key it points to",
        "on the key it is to point to",
    ),
    "UpdatePrimaryRegion": ("kms:UpdatePrimaryRegion on the primary key", "on the replica key"),
}
"""Operations of KMS whose permissions are not simply the action of the same name on its targets."""

_TAGS: Final = "if tags are given"
FURTHER: Final = {
    "sts": {
        "GetCallerIdentity": None,
        "GetSessionToken": None,
        "AssumeRole": (
            "sts:TagSession, if the session has tags",
            "sts:SetSourceIdentity, if it has a source identity",
        ),
        "AssumeRoleWithWebIdentity": (
            "sts:TagSession, if the token has tags",
            "sts:SetSourceIdentity, if it has a source identity",
        ),
        "GetFederationToken": (f"sts:TagSession, {_TAGS}",),
    },
    "iam": {
        "CreateOpenIDConnectProvider": (f"iam:TagOpenIDConnectProvider, {_TAGS}",),
        "CreatePolicy": (f"iam:TagPolicy, {_TAGS}",),
        "CreateRole": (f"iam:TagRole, {_TAGS}",),
        "CreateUser": (f"iam:TagUser, {_TAGS}",),
        "CreateVirtualMFADevice": (f"iam:TagMFADevice, {_TAGS}",),
        "UpdateGroup": ("the same on the group's new name",),
        "UpdateUser": ("the same on the user's new name",),
    },
    "s3": {},
    "keystead": {},
    "access-analyzer": {},
    "cloudtrail": {"CreateTrail": ("cloudtrail:AddTags, if tags are given",)},
    "organizations": {
        "AttachPolicy": ("the same on the node",),
        "CreateAccount": (f"organizations:TagResource, {_TAGS}",),
        "CreateOrganizationalUnit": (f"organizations:TagResource, {_TAGS}",),
        "CreatePolicy": (f"organizations:TagResource, {_TAGS}",),
        "DetachPolicy": ("the same on the node",),
        "InviteAccountToOrganization": (f"organizations:TagResource, {_TAGS}",),
        "MoveAccount": ("the same on the two parents",),
    },
}
"""What operations take besides the permission of their own name, by service; None: no permission at all."""

WORDS: Final = {"key": "the key", "alias": "the alias", "principal": "the retiring principal", "*": "`*`"}


# -------------------------------------------------------------------------------- columns


def kms_permissions(name: str) -> str:
    """Which actions an operation of KMS is checked for, and on what."""
    if name in KMS_PERMISSIONS:
        return "<br>".join(KMS_PERMISSIONS[name])
    action = ACTIONS[f"kms:{name}"]
    first, *others = (WORDS[target] for target in action.targets)
    return "<br>".join([f"{action.name} on {first}", *(f"on {other}" for other in others)])


S3_PERMISSIONS: Final = {
    "AbortMultipartUpload": "s3:AbortMultipartUpload",
    "CompleteMultipartUpload": "s3:PutObject",
    "CopyObject": "s3:GetObject on the source<br>s3:PutObject<br>s3:GetObjectTagging, s3:PutObjectTagging, for tags",
    "CreateMultipartUpload": "s3:PutObject<br>s3:PutObjectTagging, if tags are given",
    "DeleteBucketCors": "s3:PutBucketCORS",
    "DeleteBucketEncryption": "s3:PutEncryptionConfiguration",
    "DeleteBucketLifecycle": "s3:PutLifecycleConfiguration",
    "DeleteBucketOwnershipControls": "s3:PutBucketOwnershipControls",
    "DeleteBucketTagging": "s3:PutBucketTagging",
    "DeleteObject": "s3:DeleteObject, of a version s3:DeleteObjectVersion",
    "DeleteObjects": "s3:DeleteObject or s3:DeleteObjectVersion, on each by itself",
    "DeletePublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "GetBucketAccelerateConfiguration": "s3:GetAccelerateConfiguration",
    "GetBucketAnalyticsConfiguration": "s3:GetAnalyticsConfiguration",
    "GetBucketCors": "s3:GetBucketCORS",
    "GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "GetBucketIntelligentTieringConfiguration": "s3:GetIntelligentTieringConfiguration",
    "GetBucketInventoryConfiguration": "s3:GetInventoryConfiguration",
    "GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
    "GetBucketMetadataConfiguration": "s3:GetBucketMetadataTableConfiguration",
    "GetBucketMetricsConfiguration": "s3:GetMetricsConfiguration",
    "GetBucketNotificationConfiguration": "s3:GetBucketNotification",
    "GetBucketReplication": "s3:GetReplicationConfiguration",
    "GetObject": "s3:GetObject, of a version s3:GetObjectVersion",
    "GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "HeadBucket": "s3:ListBucket",
    "HeadObject": "s3:GetObject, of a version s3:GetObjectVersion",
    "ListBucketAnalyticsConfigurations": "s3:GetAnalyticsConfiguration",
    "ListBucketIntelligentTieringConfigurations": "s3:GetIntelligentTieringConfiguration",
    "ListBucketInventoryConfigurations": "s3:GetInventoryConfiguration",
    "ListBucketMetricsConfigurations": "s3:GetMetricsConfiguration",
    "ListBuckets": "s3:ListAllMyBuckets",
    "ListMultipartUploads": "s3:ListBucketMultipartUploads",
    "ListObjectVersions": "s3:ListBucketVersions",
    "ListObjects": "s3:ListBucket",
    "ListObjectsV2": "s3:ListBucket",
    "ListParts": "s3:ListMultipartUploadParts",
    "PutBucketCors": "s3:PutBucketCORS",
    "PutBucketEncryption": "s3:PutEncryptionConfiguration",
    "PutBucketLifecycleConfiguration": "s3:PutLifecycleConfiguration",
    "PutObject": "s3:PutObject<br>s3:PutObjectTagging, if tags are given",
    "PutPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "UploadPart": "s3:PutObject",
    "UploadPartCopy": "s3:GetObject on the source<br>s3:PutObject",
}
"""Operations of S3 whose permissions are not simply the action of the same name."""


def permissions(service: str, name: str) -> str:
    """Which actions an operation of another service is checked for."""
    if service == "s3":
        return S3_PERMISSIONS.get(name, f"s3:{name}")
    further = FURTHER[service].get(name, ())
    return "none" if further is None else "<br>".join([f"{service}:{name}", *further])


def crosses(name: str) -> bool:
    """Whether an operation can work on a key of another account."""
    action = ACTIONS.get(f"kms:{name}") or ACTIONS.get(f"kms:{name}From")
    return action is not None and action.cross_account and "key" in action.targets


def runs(operation: Operation) -> str:
    """Where an operation is carried out."""
    return {never: "event loop", always: "thread"}.get(operation.slow, "by request")


# ----------------------------------------------------------------------------------- parts

KMS_HEAD: Final = (
    "Operation",
    "What it does",
    "Permissions",
    "Other accounts' keys",
    "Changes",
    "Use",
    "Grant",
    "Runs in",
)
HEAD: Final = ("Operation", "What it does", "Permissions", "Changes", "Runs in")


def kms_rows() -> Iterator[list[str]]:
    """A row for each operation of KMS."""
    for name, op in sorted(KMS.operations.items()):
        yield [
            f"`{name}`",
            first_line(op.perform),
            kms_permissions(name),
            mark(crosses(name)),
            mark(op.changes),
            mark(op.tracks_use),
            mark({name, f"{name}From"} & GRANT_OPERATIONS),
            runs(op),
        ]


def rows(service: Service) -> Iterator[list[str]]:
    """A row for each operation of another service."""
    for name, op in sorted(service.operations.items()):
        yield [
            f"`{name}`",
            first_line(op.perform),
            permissions(service.name, name),
            mark(op.changes),
            runs(op) if service.name != "s3" else "thread",
        ]


class Part(msgspec.Struct, frozen=True):
    """One service on the page; `where` tells what its permissions are asked on."""

    title: str
    service: Service
    head: tuple[str, ...] = HEAD
    rows: Callable[[Service], Iterator[list[str]]] = rows
    where: str = ""


SERVICES: Final = (
    Part("AWS KMS", KMS, KMS_HEAD, lambda _service: kms_rows()),
    Part(
        "AWS STS",
        STS,
        where="The permissions of AssumeRole and AssumeRoleWithWebIdentity are asked on the role, whose trust "
        "policy has a say; those of GetFederationToken on the federated user.",
    ),
    Part(
        "AWS IAM",
        IAM,
        where="Each permission is asked on the identity, policy, device or provider that the request names, whether "
        "or not it exists, and otherwise on `*`; of listings, on all of their kind below the path asked for.",
    ),
    Part(
        "AWS Organizations",
        ORGANIZATIONS,
        where="Each permission is asked on the root, unit, account, policy or handshake that the request names, and "
        "otherwise on `*`.",
    ),
    Part(
        "AWS CloudTrail",
        CLOUDTRAIL,
        where="Each permission is asked on the trail that the request names, whether or not it exists, and otherwise "
        "on `*`.",
    ),
    Part(
        "AWS IAM Access Analyzer",
        ACCESS_ANALYZER,
        where="Each permission is asked on the analyzer or archive rule that the request names, whether or not it "
        "exists, and otherwise on `*`. Of checks, the documents in the request are all that is looked at.",
    ),
    Part(
        "Amazon S3",
        S3,
        where="Permissions are asked on the bucket or object that the request names. What is not offered is answered with "
        "`NotImplemented`. With a key of KMS the caller also needs kms:GenerateDataKey to put and kms:Decrypt to get.",
    ),
    Part(
        "Keystead",
        KEYSTEAD,
        where="Clients sign for the service `keystead` and send JSON 1.1 with `X-Amz-Target: Keystead.GetAdvice`. The permission is "
        "asked on the key that `KeyId` names, whether or not it is there, else on `*`; only policies of the caller's side "
        "give it.",
    ),
)
"""The services in the order of the page."""


def missing(service: Service) -> list[str]:
    """The operations of AWS's model that are not here."""
    return sorted(set(service.model.operations) - set(service.operations))


def offered(part: Part) -> str:
    """How much of a service there is, and what there is not."""
    known, here = part.service.model, part.service.operations
    told = f"Of the {len(known.operations)} operations (API version {known.version}), {len(here)} are here."
    absent = missing(part.service)
    if part.service is KEYSTEAD:
        return "AWS has no such operations."
    if not absent:
        return f"{told} None is missing."
    return f"{told} These are not, and say so when they are called: {code(absent)}."


def section(part: Part) -> str:
    """One service's part of the page."""
    parts = [f"## {part.title}", offered(part), part.where, table(part.head, part.rows(part.service))]
    return "\n\n".join(filter(None, parts))


def state_table() -> str:
    """Which operation goes ahead in which key state."""
    order = sorted(value for name, value in vars(KeyState).items() if name.isupper())
    rows = (
        [f"`{name}`", *(mark(state in allowed) for state in order)]
        for name, allowed in sorted(OPERATION_STATES.items())
    )
    return table(("Operation", *order), rows)


def operations() -> str:
    """The page of operations."""
    services = "\n\n".join(map(section, SERVICES))
    return f"""# Operations

* *Permissions*: each line is one check, and all must pass.
* *Other accounts' keys*: a key of another account can be named, by ARN, if its policy allows that.
* *Changes*: the call writes. Its change and its event are stored together, and the same signed request is refused
  a second time.
* *Use*: a success counts for `GetKeyLastUsage`.
* *Grant*: a grant can permit it.
* *Runs in*: operations that take milliseconds run in a thread, so that short ones do not wait for them.

An operation that AWS has and this server has not is answered with `UnsupportedOperationException`
(`UnsupportedOperation` at STS and IAM): *Operation … is not supported by this server.*

{services}

## Key states

The states in which an operation on a key goes ahead; in any other it is refused. ReEncrypt has a row for each of
its two keys.

{state_table()}"""
