"""No operation of any service is reached without a decision, but for those that say why."""

import ast
import re
from pathlib import Path

import msgspec
import pytest
from botocore.exceptions import ClientError

import keystead.services
from keystead.api.operation import UndecidedError
from keystead.api.permissions import PERMISSIONS, UnknownPermissionError, require_known
from keystead.app import SERVICES
from keystead.policy.condition_keys import CONDITION_KEYS
from keystead.testing import RunningServer

OPERATIONS = [
    (name, operation) for name, service in SERVICES.items() for operation in service.operations.values()
]
WITHOUT_DECISION = {
    ("sts", "GetCallerIdentity"): "No permission is needed, and a Deny has no effect",
    ("sts", "GetSessionToken"): "policies do not decide how users authenticate themselves",
    ("s3", "DeleteObjects"): "each object that it names is decided on by itself",
}
"""All that anybody with credentials may do; AWS's reference pages say so of each. DeleteObjects asks for each object."""
UNSIGNED = {("sts", "AssumeRoleWithWebIdentity")}
"""Not signed, yet decided: the trust policy of the role is asked about what the token proves."""
BY_CERTIFICATE = {("sts", "AssumeRole")}


def test_only_these_operations_need_no_decision():
    found = {(name, operation.name): operation.undecided for name, operation in OPERATIONS}
    declared = {which: reason for which, reason in found.items() if reason}
    assert declared.keys() == WITHOUT_DECISION.keys()
    for which, reason in declared.items():
        assert WITHOUT_DECISION[which] in reason


def test_only_these_operations_need_no_signature():
    assert {(name, op.name) for name, op in OPERATIONS if op.identify is not None} == UNSIGNED
    assert {(name, op.name) for name, op in OPERATIONS if op.certified is not None} == BY_CERTIFICATE


@pytest.mark.parametrize(
    ("name", "operation"), OPERATIONS, ids=lambda part: part if isinstance(part, str) else part.name
)
def test_an_operation_that_finds_no_target_is_refused(name, operation):
    if (name, operation.name) in WITHOUT_DECISION:
        assert operation.nothing() == ()
    else:
        with pytest.raises(UndecidedError, match=operation.name):
            operation.nothing()


# ------------------------------------------------------------------------- the catalogue


def _strings(path):
    """Every string in a module's code, docstrings and comments aside."""
    tree = ast.parse(path.read_text())
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose
    }


def _first_arguments(path, functions):
    """What calls of these functions have as their first argument, and by the keywords for more."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in functions:
            named = [word.value for word in node.keywords if word.arg in {"tagging", "versioned"}]
            for argument in (*node.args[:1], *named):
                if isinstance(argument, ast.Constant):
                    yield argument.value


def _modules(service):
    return sorted((Path(keystead.services.__file__).parent / service.replace("-", "")).rglob("*.py"))


HELPERS = {
    "kms": {"on_key", "on_account"},
    "iam": {
        "on_account", "on_device", "on_group", "on_listing", "on_new", "on_own_user", "on_policy",
        "on_provider", "on_role", "on_source", "on_user",
    },
    "organizations": {
        "on_any", "on_attachment", "on_handshake", "on_invited", "on_node", "on_policy", "on_tagged",
    },
    "cloudtrail": {"on_any", "on_trail", "on_trails"},
    "sts": set(),
    "keystead": set(),
    "s3": {"on_bucket", "on_object", "on_put", "on_service"},
    "access-analyzer": {"on_analyzer", "on_any", "on_named", "on_rule"},
}  # fmt: skip
"""The functions that take an action's name without its service."""


def test_the_functions_that_take_an_action_are_known():
    """A new one would be overlooked by the next test."""
    for service in SERVICES:
        defined = {
            node.name
            for path in _modules(service)
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.FunctionDef) and node.name.startswith("on_")
        }
        assert defined == HELPERS[service]


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_every_permission_that_a_service_asks_for_is_in_the_catalogue(service):
    named = {
        f"{service}:{action}"
        for path in _modules(service)
        for action in _first_arguments(path, HELPERS[service])
    }
    prefixes = tuple(f"{name}:" for name in SERVICES)
    spelt = {text for path in _modules(service) for text in _strings(path) if text.startswith(prefixes)}
    conditions = {text for text in spelt if text.lower() in CONDITION_KEYS or text in CONDITIONS}
    asked = named | {text for text in spelt - conditions if ACTION.fullmatch(text)}
    assert asked
    assert asked <= PERMISSIONS


ACTION = re.compile(r"[a-z-]+:[A-Z][A-Za-z]+")
CONDITIONS = {
    "iam:AWSServiceName", "iam:PassedToService", "iam:PermissionsBoundary", "iam:PolicyARN", "iam:ResourceTag",
    "organizations:PolicyType", "sts:ExternalId", "sts:RoleSessionName", "sts:SourceIdentity",
    "sts:TransitiveTagKeys",
}  # fmt: skip
"""Condition keys of the other services, which look like their actions."""


NAMED_OTHERWISE = {
    ("kms", "ReEncrypt"): {"kms:ReEncryptFrom", "kms:ReEncryptTo"},
    ("access-analyzer", "GetFindingV2"): {"access-analyzer:GetFinding"},
    ("access-analyzer", "ListFindingsV2"): {"access-analyzer:ListFindings"},
    **{
        ("s3", operation): {f"s3:{permission}"}
        for operation, permission in {
            "CompleteMultipartUpload": "PutObject",
            "CopyObject": "PutObject",
            "CreateMultipartUpload": "PutObject",
            "DeleteBucketCors": "PutBucketCORS",
            "DeleteBucketEncryption": "PutEncryptionConfiguration",
            "DeleteBucketLifecycle": "PutLifecycleConfiguration",
            "DeleteBucketTagging": "PutBucketTagging",
            "DeleteObjects": "DeleteObject",
            "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
            "GetBucketCors": "GetBucketCORS",
            "GetBucketEncryption": "GetEncryptionConfiguration",
            "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
            "GetBucketAccelerateConfiguration": "GetAccelerateConfiguration",
            "GetBucketAnalyticsConfiguration": "GetAnalyticsConfiguration",
            "GetBucketIntelligentTieringConfiguration": "GetIntelligentTieringConfiguration",
            "GetBucketInventoryConfiguration": "GetInventoryConfiguration",
            "GetBucketMetadataConfiguration": "GetBucketMetadataTableConfiguration",
            "GetBucketMetricsConfiguration": "GetMetricsConfiguration",
            "GetBucketNotificationConfiguration": "GetBucketNotification",
            "GetBucketReplication": "GetReplicationConfiguration",
            "ListBucketAnalyticsConfigurations": "GetAnalyticsConfiguration",
            "ListBucketIntelligentTieringConfigurations": "GetIntelligentTieringConfiguration",
            "ListBucketInventoryConfigurations": "GetInventoryConfiguration",
            "ListBucketMetricsConfigurations": "GetMetricsConfiguration",
            "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
            "HeadBucket": "ListBucket",
            "HeadObject": "GetObject",
            "ListBuckets": "ListAllMyBuckets",
            "ListMultipartUploads": "ListBucketMultipartUploads",
            "ListObjectVersions": "ListBucketVersions",
            "ListObjects": "ListBucket",
            "ListObjectsV2": "ListBucket",
            "ListParts": "ListMultipartUploadParts",
            "PutBucketCors": "PutBucketCORS",
            "PutBucketEncryption": "PutEncryptionConfiguration",
            "GetObjectLockConfiguration": "GetBucketObjectLockConfiguration",
            "PutObjectLockConfiguration": "PutBucketObjectLockConfiguration",
            "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
            "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
            "UploadPart": "PutObject",
            "UploadPartCopy": "PutObject",
        }.items()
    },
}
"""Operations whose permissions have other names (Amazon S3 User Guide, "Required permissions for Amazon S3 API operations";
IAM Access Analyzer API reference)."""


@pytest.mark.parametrize(("name", "operation"), [(name, op.name) for name, op in OPERATIONS])
def test_every_operation_has_a_permission_of_its_name_or_of_another_that_is_known(name, operation):
    own = f"{name}:{operation}"
    needed = NAMED_OTHERWISE.get((name, operation), {own})
    assert needed <= PERMISSIONS
    assert (own in PERMISSIONS) is (own in needed)


@pytest.mark.parametrize("action", ["kms:Melt", "kms:decrypt", "iam:PassEverything", "Decrypt", "*", ""])
def test_a_permission_that_is_in_no_catalogue_is_nobodys(action):
    with pytest.raises(UnknownPermissionError):
        require_known(action)


# ------------------------------------------------------------------------ a running server


@pytest.fixture
def melted(monkeypatch):
    """ListKeys asks for a permission that does not exist, and ListAliases for none at all."""
    operations = SERVICES["kms"].operations
    targets = operations["ListKeys"].targets

    def misspelt(call, request):
        return tuple(msgspec.structs.replace(t, action="kms:ListKeyz") for t in targets(call, request))

    changed = {
        "ListKeys": msgspec.structs.replace(operations["ListKeys"], targets=misspelt),
        "ListAliases": msgspec.structs.replace(operations["ListAliases"], targets=lambda *_: ()),
    }
    for name, operation in changed.items():
        monkeypatch.setitem(operations, name, operation)


@pytest.mark.usefixtures("melted")
def test_a_defect_in_what_an_operation_asks_for_refuses_even_the_root():
    with RunningServer() as server:
        kms = server.client("kms")
        for call in (kms.list_keys, kms.list_aliases):
            with pytest.raises(ClientError) as caught:
                call()
            assert caught.value.response["Error"]["Code"] == "KMSInternalException"
        assert kms.create_key()["KeyMetadata"]["Enabled"]
