"""GetAccountAuthorizationDetails: everything that decides what an account's identities may do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from keystead.api import Call, Target, operation
from keystead.api.directory import GROUPS, POLICIES, ROLES, USERS
from keystead.api.operation import always
from keystead.identity import Group, ManagedPolicy, Role, User
from keystead.policy.aws_managed import AWS_MANAGED, AwsManagedPolicy
from keystead.services.iam.documents import shown_trust
from keystead.services.iam.groups import groups_of
from keystead.services.iam.paging import named_rows, page
from keystead.services.iam.shown import (
    shown_attached,
    shown_boundary,
    shown_document,
    shown_inline,
    shown_tags,
)
from keystead.services.iam.targets import on_account
from keystead.wire.models import iam as wire


class _Counts(NamedTuple):
    attached: int
    boundaries: int


def _counts(call: Call, policy_arn: str) -> _Counts:
    """How many of the account's identities a managed policy is attached to, and bounds."""
    here = f"{call.account}/"

    def those(index: str, *tables: Any) -> int:
        return sum(
            1 for table in tables for key in call.tx.find(table, index, policy_arn) if key.startswith(here)
        )

    return _Counts(those("attached", USERS, GROUPS, ROLES), those("boundary", USERS, ROLES))


# --------------------------------------------------------------------------------- one of each


def _user(call: Call, user: User) -> wire.UserDetail:
    return wire.UserDetail(
        path=user.path,
        user_name=user.name,
        user_id=user.id,
        arn=user.arn,
        create_date=user.created,
        user_policy_list=shown_inline(user.inline) or None,
        group_list=[group.name for group in groups_of(call, user)],
        attached_managed_policies=shown_attached(user.attached),
        permissions_boundary=shown_boundary(user.boundary),
        tags=shown_tags(user.tags),
    )


def _group(_call: Call, group: Group) -> wire.GroupDetail:
    return wire.GroupDetail(
        path=group.path,
        group_name=group.name,
        group_id=group.id,
        arn=group.arn,
        create_date=group.created,
        group_policy_list=shown_inline(group.inline),
        attached_managed_policies=shown_attached(group.attached),
    )


def _role(call: Call, role: Role) -> wire.RoleDetail:
    use = call.usage.callers.last(call.tx, role.account, role.id)
    used = wire.RoleLastUsed(last_used_date=use.at, region=use.region) if use else wire.RoleLastUsed()
    return wire.RoleDetail(
        path=role.path,
        role_name=role.name,
        role_id=role.id,
        arn=role.arn,
        create_date=role.created,
        assume_role_policy_document=shown_trust(call, role),
        instance_profile_list=[],
        role_policy_list=shown_inline(role.inline),
        attached_managed_policies=shown_attached(role.attached),
        permissions_boundary=shown_boundary(role.boundary),
        tags=shown_tags(role.tags),
        role_last_used=used,
    )


def _local_policy(call: Call, policy: ManagedPolicy) -> wire.ManagedPolicyDetail:
    counts = _counts(call, policy.arn)
    return wire.ManagedPolicyDetail(
        policy_name=policy.name,
        policy_id=policy.id,
        arn=policy.arn,
        path=policy.path,
        default_version_id=policy.default,
        attachment_count=counts.attached,
        permissions_boundary_usage_count=counts.boundaries,
        is_attachable=True,
        description=policy.description or None,
        create_date=policy.created,
        update_date=policy.updated,
        policy_version_list=[
            wire.PolicyVersion(
                document=shown_document(version.document),
                version_id=version.id,
                is_default_version=version.id == policy.default,
                create_date=version.created,
            )
            for version in policy.versions
        ],
    )


def _aws_policy(call: Call, policy: AwsManagedPolicy) -> wire.ManagedPolicyDetail:
    counts = _counts(call, policy.arn)
    version = wire.PolicyVersion(
        document=shown_document(policy.document),
        version_id=policy.version,
        is_default_version=True,
        create_date=policy.updated,
    )
    return wire.ManagedPolicyDetail(
        policy_name=policy.name,
        policy_id=policy.id,
        arn=policy.arn,
        path=policy.path,
        default_version_id=policy.version,
        attachment_count=counts.attached,
        permissions_boundary_usage_count=counts.boundaries,
        is_attachable=True,
        create_date=policy.created,
        update_date=policy.updated,
        policy_version_list=[version],
    )


# ------------------------------------------------------------------------------------- pages

_Entries = Iterator[tuple[str, Any]]


def _local_policies(call: Call, after: str | None) -> _Entries:
    prefix = f"{call.account}/"
    for place, policy in call.tx.scan(POLICIES, prefix, after=None if after is None else prefix + after):
        yield place[len(prefix) :], policy


def _aws_policies(call: Call, after: str | None) -> _Entries:
    """Those of AWS's policies that the account uses, as AWS lists them."""
    for name in sorted(AWS_MANAGED):
        if (after is None or name > after) and any(_counts(call, name)):
            yield name, AWS_MANAGED[name]


class _Kind(NamedTuple):
    """A kind of thing: what the request calls it, what it is in the answer, and how one is found and shown."""

    name: str
    member: str
    rows: Callable[[Call, str | None], _Entries]
    shown: Callable[[Call, Any], Any]


_KINDS: Final = (
    _Kind("User", "user_detail_list", lambda call, after: named_rows(call, "user", USERS, after), _user),
    _Kind("Group", "group_detail_list", lambda call, after: named_rows(call, "group", GROUPS, after), _group),
    _Kind("Role", "role_detail_list", lambda call, after: named_rows(call, "role", ROLES, after), _role),
    _Kind("LocalManagedPolicy", "policies", _local_policies, _local_policy),
    _Kind("AWSManagedPolicy", "policies", _aws_policies, _aws_policy),
)


def _all(call: Call, kinds: list[_Kind], after: str | None) -> Iterator[tuple[str, tuple[_Kind, Any]]]:
    """Everything of these kinds, one kind after the other; a position is a kind's number and a place in it."""
    start, _, within = (after or "0:").partition(":")
    for number, kind in enumerate(kinds):
        if number < int(start):
            continue
        first = within or None if number == int(start) else None
        for place, found in kind.rows(call, first):
            yield f"{number}:{place}", (kind, found)


@operation(
    "GetAccountAuthorizationDetails", targets=on_account("GetAccountAuthorizationDetails"), slow=always
)
def get_account_authorization_details(
    call: Call, request: wire.GetAccountAuthorizationDetailsRequest, _account: Target
) -> wire.GetAccountAuthorizationDetailsResponse:
    """Return a page of the account's users, groups, roles and policies with their documents."""
    wanted = frozenset(request.filter or ())
    kinds = [kind for kind in _KINDS if not wanted or kind.name in wanted]
    scope = ",".join(sorted(wanted))
    found, marker = page(call, request, lambda after: _all(call, kinds, after), scope)
    lists: dict[str, list[Any]] = {kind.member: [] for kind in _KINDS}
    for kind, entity in found:
        lists[kind.member].append(kind.shown(call, entity))
    return wire.GetAccountAuthorizationDetailsResponse(
        is_truncated=marker is not None, marker=marker, **lists
    )


OPERATIONS = (get_account_authorization_details,)
