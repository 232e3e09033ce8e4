"""Managed policies: CreatePolicy, GetPolicy, ListPolicies, DeletePolicy, ListEntitiesForPolicy.

AWS's own policies stand beside the account's: everybody can read and attach them, nobody can change them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from keystead import errors
from keystead.api import Call, Target, operation
from keystead.api.directory import POLICIES, policy_place
from keystead.api.operation import always
from keystead.identity import Group, ManagedPolicy, PolicyVersion, Role, User
from keystead.identity.names import POLICY, new_unique_id
from keystead.policy.aws_managed import AWS_MANAGED
from keystead.services.iam.documents import checked_managed
from keystead.services.iam.managed import (
    Managed,
    attached_to,
    attachments,
    boundaries,
    bounded_by,
    existing_policy,
    own_policy,
    put_policy,
)
from keystead.services.iam.paging import page, page_list, under
from keystead.services.iam.quotas import count_gone, count_new
from keystead.services.iam.shown import shown_tags
from keystead.services.iam.tag_rules import new_tags
from keystead.services.iam.targets import on_listing, on_new, on_policy, request_tags
from keystead.wire.models import iam as wire

_BATCH: Final = 100


def shown_policy(call: Call, policy: Managed, *, whole: bool = True) -> wire.Policy:
    """The policy with how often it is used; lists leave out description and tags (`whole` False)."""
    own = policy if isinstance(policy, ManagedPolicy) else None
    return wire.Policy(
        policy_name=policy.name,
        policy_id=policy.id,
        arn=policy.arn,
        path=policy.path,
        default_version_id=policy.default if isinstance(policy, ManagedPolicy) else policy.version,
        attachment_count=attachments(call, policy.arn),
        permissions_boundary_usage_count=boundaries(call, policy.arn),
        is_attachable=True,
        description=(policy.description or None) if whole else None,
        create_date=policy.created,
        update_date=policy.updated,
        tags=shown_tags(own.tags if own is not None else {}) if whole else None,
    )


@operation(
    "CreatePolicy",
    targets=on_new("CreatePolicy", "policy", "policy_name", request_tags, tagging="TagPolicy"),
    changes=True,
)
def create_policy(
    call: Call, request: wire.CreatePolicyRequest, *_targets: Target
) -> wire.CreatePolicyResponse:
    """Make a managed policy, whose first version is the default."""
    document = checked_managed(request.policy_document)
    policy = ManagedPolicy(
        account=call.account,
        name=request.policy_name or "",
        id=new_unique_id(POLICY, call.entropy),
        created=call.now,
        updated=call.now,
        versions=(PolicyVersion(id="v1", document=document, created=call.now),),
        path=request.path or "/",
        description=request.description or "",
        tags=new_tags(request.tags),
    )
    place = policy_place(policy.arn)
    assert place is not None
    if call.tx.get(POLICIES, place) is not None:
        raise errors.EntityAlreadyExists(
            f"A policy called {policy.name} already exists. Duplicate names are not allowed."
        )
    count_new(call, "policy")
    put_policy(call, policy)
    return wire.CreatePolicyResponse(policy=shown_policy(call, policy))


@operation("GetPolicy", targets=on_policy("GetPolicy"))
def get_policy(call: Call, request: wire.GetPolicyRequest, _policy: Target) -> wire.GetPolicyResponse:
    """Return a managed policy without its document, which belongs to a version."""
    policy = existing_policy(call, request.policy_arn)
    return wire.GetPolicyResponse(policy=shown_policy(call, policy))


@operation("DeletePolicy", targets=on_policy("DeletePolicy"), changes=True)
def delete_policy(call: Call, request: wire.DeletePolicyRequest, _policy: Target) -> None:
    """Delete a policy that nobody uses and that has one version."""
    policy = own_policy(call, request.policy_arn)
    if attachments(call, policy.arn) or boundaries(call, policy.arn):
        raise errors.DeleteConflict("Cannot delete a policy attached to entities.")
    if len(policy.versions) > 1:
        raise errors.DeleteConflict(
            "This policy has more than one version. Before you delete a policy, you must delete the policy's "
            "versions. The default version is deleted with the policy."
        )
    place = policy_place(policy.arn)
    assert place is not None
    call.tx.delete(POLICIES, place)
    count_gone(call, "policy")


# ------------------------------------------------------------------------------ ListPolicies


@operation("ListPolicies", targets=on_listing("ListPolicies", "policy"), slow=always)
def list_policies(
    call: Call, request: wire.ListPoliciesRequest, _policies: Target
) -> wire.ListPoliciesResponse:
    """Return a page of the account's policies, and of AWS's, as scope and filters ask."""
    wanted = _wanted(call, request)
    rows = _rows(call, request.scope or "All")
    found, marker = page(
        call, request, lambda after: ((where, policy) for where, policy in rows(after) if wanted(policy))
    )
    return wire.ListPoliciesResponse(
        policies=[shown_policy(call, policy, whole=False) for policy in found],
        is_truncated=marker is not None,
        marker=marker,
    )


def _wanted(call: Call, request: wire.ListPoliciesRequest) -> Callable[[Managed], bool]:
    """PolicyUsageFilter keeps the policies that are used so; OnlyAttached those that are used at all."""
    usage, below = request.policy_usage_filter, under(request)
    counts: list[Callable[[Call, str], int]] = []
    if usage == "PermissionsBoundary":
        counts = [boundaries]
    elif usage == "PermissionsPolicy":
        counts = [attachments]
    elif request.only_attached:
        counts = [attachments, boundaries]

    def wanted(policy: Managed) -> bool:
        return below(policy) and (not counts or any(count(call, policy.arn) for count in counts))

    return wanted


def _rows(call: Call, scope: str) -> Callable[[str | None], Iterator[tuple[str, Managed]]]:
    """The account's policies by name, and AWS's by ARN; the first character of a position says which."""

    def rows(after: str | None) -> Iterator[tuple[str, Managed]]:
        if scope != "AWS" and not (after or "").startswith("1"):
            yield from _local(call, after[1:] if after else None)
        if scope != "Local":
            start = after[1:] if after is not None and after.startswith("1") else ""
            yield from ((f"1{arn}", AWS_MANAGED[arn]) for arn in sorted(AWS_MANAGED) if arn > start)

    return rows


def _local(call: Call, after: str | None) -> Iterator[tuple[str, Managed]]:
    prefix = f"{call.account}/"
    place = None if after is None else prefix + after
    while True:
        found = call.tx.scan(POLICIES, prefix, after=place, limit=_BATCH)
        for place, policy in found:
            yield f"0{place[len(prefix) :]}", policy
        if len(found) < _BATCH:
            return


# --------------------------------------------------------------------- ListEntitiesForPolicy

_FILTERS: Final[dict[str, type[User | Group | Role]]] = {"User": User, "Group": Group, "Role": Role}


@operation("ListEntitiesForPolicy", targets=on_policy("ListEntitiesForPolicy"), slow=always)
def list_entities_for_policy(
    call: Call, request: wire.ListEntitiesForPolicyRequest, _policy: Target
) -> wire.ListEntitiesForPolicyResponse:
    """Return a page of the users, groups and roles that use a policy."""
    policy = existing_policy(call, request.policy_arn)
    usage, below = request.policy_usage_filter, under(request)
    users: list[User | Group | Role] = []
    if usage != "PermissionsBoundary":
        users += attached_to(call, policy.arn)
    if usage != "PermissionsPolicy":
        users += [entity for entity in bounded_by(call, policy.arn) if entity not in users]
    if request.entity_filter is not None:
        kind = _FILTERS.get(request.entity_filter)
        users = [entity for entity in users if kind is not None and isinstance(entity, kind)]
    found, marker = page_list(call, request, [entity for entity in users if below(entity)], policy.arn)
    return wire.ListEntitiesForPolicyResponse(
        policy_groups=_shown(found, Group, lambda it: wire.PolicyGroup(group_name=it.name, group_id=it.id)),
        policy_users=_shown(found, User, lambda it: wire.PolicyUser(user_name=it.name, user_id=it.id)),
        policy_roles=_shown(found, Role, lambda it: wire.PolicyRole(role_name=it.name, role_id=it.id)),
        is_truncated=marker is not None,
        marker=marker,
    )


def _shown(found: list[User | Group | Role], kind: type[Any], shown: Callable[[Any], Any]) -> list[Any]:
    return [shown(entity) for entity in found if isinstance(entity, kind)]


OPERATIONS = (create_policy, get_policy, delete_policy, list_policies, list_entities_for_policy)
