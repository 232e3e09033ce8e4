"""Versions of managed policies: Create, Get, List, Delete, SetDefault. A policy has at most five."""

from __future__ import annotations

from typing import Final

import msgspec

from keystead import errors
from keystead.api import Call, Target, operation
from keystead.identity import ManagedPolicy, PolicyVersion
from keystead.services.iam.documents import checked_managed
from keystead.services.iam.managed import Managed, existing_policy, own_policy, put_policy
from keystead.services.iam.paging import page_list
from keystead.services.iam.shown import shown_document
from keystead.services.iam.targets import on_policy
from keystead.wire.models import iam as wire

_MOST: Final = 5
"""IAM User Guide, "IAM and AWS STS quotas"."""


def _versions(policy: Managed) -> tuple[tuple[PolicyVersion, ...], str]:
    """The versions there are, and the id of the default one; of AWS's policies only that one is known."""
    if isinstance(policy, ManagedPolicy):
        return policy.versions, policy.default
    version = PolicyVersion(id=policy.version, document=policy.document, created=policy.updated)
    return (version,), policy.version


def _version(policy: Managed, identifier: str | None) -> PolicyVersion:
    found = next((version for version in _versions(policy)[0] if version.id == identifier), None)
    if found is None:
        raise errors.NoSuchEntity(f"Policy {policy.arn} version {identifier} does not exist.")
    return found


def _shown(policy: Managed, version: PolicyVersion, *, document: bool = False) -> wire.PolicyVersion:
    return wire.PolicyVersion(
        document=shown_document(version.document) if document else None,
        version_id=version.id,
        is_default_version=version.id == _versions(policy)[1],
        create_date=version.created,
    )


@operation("CreatePolicyVersion", targets=on_policy("CreatePolicyVersion"), changes=True)
def create_policy_version(
    call: Call, request: wire.CreatePolicyVersionRequest, _policy: Target
) -> wire.CreatePolicyVersionResponse:
    """Add a version to a policy, and make it the default if asked to."""
    policy = own_policy(call, request.policy_arn)
    document = checked_managed(request.policy_document)
    if len(policy.versions) >= _MOST:
        raise errors.LimitExceeded(
            f"A managed policy can have up to {_MOST} versions. Before you create a new version, you must "
            "delete an existing version."
        )
    number = policy.issued + 1
    version = PolicyVersion(id=f"v{number}", document=document, created=call.now)
    new = msgspec.structs.replace(
        policy,
        versions=(*policy.versions, version),
        issued=number,
        default=version.id if request.set_as_default else policy.default,
        updated=call.now,
    )
    put_policy(call, new)
    return wire.CreatePolicyVersionResponse(policy_version=_shown(new, version))


@operation("GetPolicyVersion", targets=on_policy("GetPolicyVersion"))
def get_policy_version(
    call: Call, request: wire.GetPolicyVersionRequest, _policy: Target
) -> wire.GetPolicyVersionResponse:
    """Return one version of a policy with its document."""
    policy = existing_policy(call, request.policy_arn)
    version = _version(policy, request.version_id)
    return wire.GetPolicyVersionResponse(policy_version=_shown(policy, version, document=True))


@operation("ListPolicyVersions", targets=on_policy("ListPolicyVersions"))
def list_policy_versions(
    call: Call, request: wire.ListPolicyVersionsRequest, _policy: Target
) -> wire.ListPolicyVersionsResponse:
    """Return a page of a policy's versions, the newest first, without their documents."""
    policy = existing_policy(call, request.policy_arn)
    versions, marker = page_list(call, request, _versions(policy)[0][::-1], policy.arn)
    return wire.ListPolicyVersionsResponse(
        versions=[_shown(policy, version) for version in versions],
        is_truncated=marker is not None,
        marker=marker,
    )


@operation("DeletePolicyVersion", targets=on_policy("DeletePolicyVersion"), changes=True)
def delete_policy_version(call: Call, request: wire.DeletePolicyVersionRequest, _policy: Target) -> None:
    """Delete a version that is not the default."""
    policy = own_policy(call, request.policy_arn)
    version = _version(policy, request.version_id)
    if version.id == policy.default:
        raise errors.DeleteConflict("Cannot delete the default version of a policy.")
    left = tuple(other for other in policy.versions if other.id != version.id)
    put_policy(call, msgspec.structs.replace(policy, versions=left))


@operation("SetDefaultPolicyVersion", targets=on_policy("SetDefaultPolicyVersion"), changes=True)
def set_default_policy_version(
    call: Call, request: wire.SetDefaultPolicyVersionRequest, _policy: Target
) -> None:
    """Let a version count wherever the policy is attached, from the next request on."""
    policy = own_policy(call, request.policy_arn)
    version = _version(policy, request.version_id)
    put_policy(call, msgspec.structs.replace(policy, default=version.id, updated=call.now))


OPERATIONS = (
    create_policy_version,
    get_policy_version,
    list_policy_versions,
    delete_policy_version,
    set_default_policy_version,
)
