"""What each operation's event shows, as data: the members named here and no others.

A path names a member as events do, the first letter in lower case, with a dot before a member of a
structure (`tags.tagKey`, also where the structure stands in a list). The source of the KMS rows is
the AWS KMS Developer Guide, "Logging AWS KMS API calls with AWS CloudTrail" and the entries below it.

What IAM, STS and Organizations take are names and policies, so their events show every member that `members`
lists, and the answers of what changes something: AWS CloudTrail User Guide, "CloudTrail record contents";
IAM User Guide, "Logging IAM and AWS STS API calls with AWS CloudTrail".
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from keystead.audit.members import MEMBERS

HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"
SYMMETRIC_DEFAULT = "SYMMETRIC_DEFAULT"

Paths = tuple[str, ...]
EVERYTHING: Paths = ("*",)
SECRET = frozenset(
    {"AuthenticationCode1", "AuthenticationCode2", "ContextAssertion", "SessionToken", "TokenCode"}
)
"""Members that are secret though no model marks them as sensitive: one-time passwords and bearer tokens."""


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """What an operation's event shows.

    Attributes:
        read_only: the operation changes nothing.
        request: paths of the request that requestParameters shows, or EVERYTHING among `members`: what is
            secret is shown as `HIDDEN`.
        hidden: paths of the request that are shown as `HIDDEN` when they were sent.
        defaults: what requestParameters says for a member that was not sent.
        response: paths of the answer that responseElements shows, or EVERYTHING among `members` but what is
            secret; nothing shown makes it null.
        echoed: members of the request that responseElements repeats.
        members: names that EVERYTHING shows, at any depth.
        key_arn: responseElements holds the key's ARN as keyId, so that searches by ARN find changes.
        data: the event is one of data, not of management: of what is in a resource.
    """

    read_only: bool
    request: Paths = ()
    hidden: Paths = ()
    defaults: Mapping[str, str] = {}
    response: Paths = ()
    echoed: Paths = ()
    members: frozenset[str] = frozenset()
    key_arn: bool = False
    data: bool = False


def _under(member: str, paths: Paths) -> Paths:
    return tuple(f"{member}.{path}" for path in paths)


def _change(*request: str) -> Rule:
    return Rule(read_only=False, request=request, key_arn=True)


def _use(*request: str, **defaults: str) -> Rule:
    return Rule(read_only=True, request=request, defaults=defaults)


_TAGS = _under("tags", ("tagKey", "tagValue"))
_REPLICA = ("arn", "region")
_KEY_METADATA = (
    "AWSAccountId",
    "keyId",
    "arn",
    "creationDate",
    "enabled",
    "description",
    "keyUsage",
    "keyState",
    "deletionDate",
    "validTo",
    "origin",
    "customKeyStoreId",
    "cloudHsmClusterId",
    "expirationModel",
    "keyManager",
    "customerMasterKeySpec",
    "keySpec",
    "encryptionAlgorithms",
    "signingAlgorithms",
    "keyAgreementAlgorithms",
    "encapsulationAlgorithms",
    "macAlgorithms",
    "multiRegion",
    "multiRegionConfiguration.multiRegionKeyType",
    *_under("multiRegionConfiguration.primaryKey", _REPLICA),
    *_under("multiRegionConfiguration.replicaKeys", _REPLICA),
    "pendingDeletionWindowInDays",
    "xksKeyConfiguration.id",
    "currentKeyMaterialId",
)
_STORE = (
    "cloudHsmClusterId",
    "xksProxyUriEndpoint",
    "xksProxyUriPath",
    "xksProxyVpcEndpointServiceName",
    "xksProxyVpcEndpointServiceOwner",
    "xksProxyConnectivity",
)
_STORE_SECRETS = (
    "keyStorePassword",
    *_under("xksProxyAuthenticationCredential", ("accessKeyId", "rawSecretAccessKey")),
)
_CONSTRAINTS = ("encryptionContextSubset", "encryptionContextEquals", "sourceArn")
_PAGE = ("limit", "marker")
_PAIR = ("keyId", "keyPairSpec", "encryptionContext")

KMS: Mapping[str, Rule] = {
    # keys
    "CreateKey": Rule(
        read_only=False,
        request=(
            "description",
            "keyUsage",
            "keySpec",
            "customerMasterKeySpec",
            "origin",
            "multiRegion",
            "bypassPolicyLockoutSafetyCheck",
            "policy",
            *_TAGS,
            "customKeyStoreId",
            "xksKeyId",
        ),
        response=_under("keyMetadata", _KEY_METADATA),
    ),
    "ReplicateKey": Rule(
        read_only=False,
        request=(
            "keyId",
            "replicaRegion",
            "policy",
            "bypassPolicyLockoutSafetyCheck",
            "description",
            *_TAGS,
        ),
        response=(
            *_under("replicaKeyMetadata", _KEY_METADATA),
            "replicaPolicy",
            *_under("replicaTags", ("tagKey", "tagValue")),
        ),
    ),
    "EnableKey": _change("keyId"),
    "DisableKey": _change("keyId"),
    "UpdateKeyDescription": _change("keyId", "description"),
    "UpdatePrimaryRegion": _change("keyId", "primaryRegion"),
    "ScheduleKeyDeletion": Rule(
        read_only=False,
        request=("keyId", "pendingWindowInDays"),
        response=("keyId", "keyState", "deletionDate", "pendingWindowInDays"),
    ),
    "CancelKeyDeletion": _change("keyId"),
    "DescribeKey": _use("keyId"),
    "ListKeys": _use(*_PAGE, "resourceOwners"),
    "GetKeyLastUsage": _use("keyId"),
    # rotation and imported material
    "EnableKeyRotation": _change("keyId", "rotationPeriodInDays"),
    "DisableKeyRotation": _change("keyId"),
    "RotateKeyOnDemand": _change("keyId"),
    "GetKeyRotationStatus": _use("keyId"),
    "ListKeyRotations": _use("keyId", "includeKeyMaterial", *_PAGE),
    "GetParametersForImport": _use("keyId", "wrappingAlgorithm", "wrappingKeySpec"),
    "ImportKeyMaterial": _change(
        "keyId",
        "validTo",
        "expirationModel",
        "importType",
        "keyMaterialDescription",
        "keyMaterialId",
    ),
    "DeleteImportedKeyMaterial": _change("keyId", "keyMaterialId"),
    # policies, grants, aliases, tags
    "PutKeyPolicy": _change("keyId", "policyName", "policy", "bypassPolicyLockoutSafetyCheck"),
    "GetKeyPolicy": _use("keyId", "policyName"),
    "ListKeyPolicies": _use("keyId", *_PAGE),
    "CreateGrant": Rule(
        read_only=False,
        request=(
            "keyId",
            "granteePrincipal",
            "retiringPrincipal",
            "granteeServicePrincipal",
            "retiringServicePrincipal",
            "operations",
            *_under("constraints", _CONSTRAINTS),
            "name",
        ),
        # Never the grant token: who holds it can use the grant at once.
        response=("grantId",),
        key_arn=True,
    ),
    "RetireGrant": _change("keyId", "grantId"),
    "RevokeGrant": _change("keyId", "grantId"),
    "ListGrants": _use("keyId", "grantId", "granteePrincipal", "granteeServicePrincipal", *_PAGE),
    "ListRetirableGrants": _use("retiringPrincipal", "retiringServicePrincipal", *_PAGE),
    "CreateAlias": Rule(read_only=False, request=("aliasName", "targetKeyId")),
    "UpdateAlias": Rule(read_only=False, request=("aliasName", "targetKeyId")),
    "DeleteAlias": Rule(read_only=False, request=("aliasName",)),
    "ListAliases": _use("keyId", *_PAGE),
    "TagResource": _change("keyId", *_TAGS),
    "UntagResource": _change("keyId", "tagKeys"),
    "ListResourceTags": _use("keyId", *_PAGE),
    # cryptography: the algorithm is told even if the caller left it to the default
    "Encrypt": _use(
        "keyId", "encryptionAlgorithm", "encryptionContext", encryptionAlgorithm=SYMMETRIC_DEFAULT
    ),
    "Decrypt": _use(
        "keyId", "encryptionAlgorithm", "encryptionContext", encryptionAlgorithm=SYMMETRIC_DEFAULT
    ),
    "ReEncrypt": _use(
        "sourceKeyId",
        "sourceEncryptionContext",
        "sourceEncryptionAlgorithm",
        "destinationKeyId",
        "destinationEncryptionContext",
        "destinationEncryptionAlgorithm",
        sourceEncryptionAlgorithm=SYMMETRIC_DEFAULT,
        destinationEncryptionAlgorithm=SYMMETRIC_DEFAULT,
    ),
    "GenerateDataKey": _use("keyId", "keySpec", "numberOfBytes", "encryptionContext"),
    "GenerateDataKeyWithoutPlaintext": _use("keyId", "keySpec", "numberOfBytes", "encryptionContext"),
    "GenerateDataKeyPair": _use(*_PAIR),
    "GenerateDataKeyPairWithoutPlaintext": _use(*_PAIR),
    "Sign": _use("keyId", "messageType", "signingAlgorithm"),
    "Verify": _use("keyId", "messageType", "signingAlgorithm"),
    "GenerateMac": _use("keyId", "macAlgorithm"),
    "VerifyMac": _use("keyId", "macAlgorithm"),
    "GetPublicKey": _use("keyId"),
    "DeriveSharedSecret": _use("keyId", "keyAgreementAlgorithm", "publicKey"),
    "Encapsulate": _use("keyId", "encapsulationAlgorithm"),
    "Decapsulate": _use("keyId", "encapsulationAlgorithm"),
    "GenerateRandom": _use("numberOfBytes", "customKeyStoreId"),
    # custom key stores
    "CreateCustomKeyStore": Rule(
        read_only=False,
        request=("customKeyStoreName", "customKeyStoreType", *_STORE),
        hidden=_STORE_SECRETS,
        response=("customKeyStoreId",),
    ),
    "UpdateCustomKeyStore": Rule(
        read_only=False,
        request=("customKeyStoreId", "newCustomKeyStoreName", *_STORE),
        hidden=_STORE_SECRETS,
        echoed=("customKeyStoreId",),
    ),
    "ConnectCustomKeyStore": Rule(read_only=False, request=("customKeyStoreId",)),
    "DisconnectCustomKeyStore": Rule(read_only=False, request=("customKeyStoreId",)),
    "DeleteCustomKeyStore": Rule(read_only=False, request=("customKeyStoreId",)),
    "DescribeCustomKeyStores": _use("customKeyStoreId", "customKeyStoreName", *_PAGE),
}

_READS = {
    "iam": ("Get", "List", "Simulate", "Generate"),
    "sts": ("",),
    "organizations": ("Describe", "List"),
    "cloudtrail": ("Describe", "Get", "List", "Lookup", "Search"),
    "s3": ("Get", "Head", "List"),
    "access-analyzer": ("Check", "Get", "List", "Validate"),
    "keystead": ("Get",),
}
"""How the operations of a service that change nothing begin; no operation of STS does."""
_ANSWERING = ("AssumeRole", "AssumeRoot", "GetSessionToken", "GetFederationToken")
"""How the operations of STS begin whose answers are told, though they change nothing: who became whom."""


_DATA = {
    "s3": frozenset(
        {
            "AbortMultipartUpload",
            "CompleteMultipartUpload",
            "CopyObject",
            "CreateMultipartUpload",
            "DeleteObject",
            "DeleteObjectTagging",
            "DeleteObjects",
            "GetObject",
            "GetObjectAcl",
            "GetObjectAttributes",
            "GetObjectLegalHold",
            "GetObjectRetention",
            "GetObjectTagging",
            "HeadBucket",
            "HeadObject",
            "ListMultipartUploads",
            "ListObjectVersions",
            "ListObjects",
            "ListObjectsV2",
            "ListParts",
            "PutObject",
            "PutObjectLegalHold",
            "PutObjectRetention",
            "PutObjectTagging",
            "UploadPart",
            "UploadPartCopy",
        }
    )
}
"""Operations whose events are of data (Amazon S3 User Guide, "Amazon S3 CloudTrail events")."""


def rule_of(service: str, operation: str) -> Rule:
    """What the events of an operation show.

    Raises:
        KeyError: nothing is known of the service, or of an operation of KMS.
    """
    if service == "kms":
        return KMS[operation]
    read_only = operation.startswith(_READS[service])
    told = not read_only or (service == "sts" and operation.startswith(_ANSWERING))
    return Rule(
        read_only=read_only,
        request=EVERYTHING,
        response=EVERYTHING if told else (),
        members=MEMBERS[service],
        data=operation in _DATA.get(service, ()),
    )
