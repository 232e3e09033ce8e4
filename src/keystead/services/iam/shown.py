"""Identities and policies as IAM's answers show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from keystead.identity import Group, User
from keystead.wire.models import iam as wire


def shown_document(text: str) -> str:
    """A policy document as IAM returns it: URL-encoded (RFC 3986)."""
    return quote(text, safe="-_.~")


def shown_user(user: User, *, whole: bool = True) -> wire.User:
    """The user; lists leave out the tags and the permissions boundary (`whole` False)."""
    return wire.User(
        path=user.path,
        user_name=user.name,
        user_id=user.id,
        arn=user.arn,
        create_date=user.created,
        permissions_boundary=shown_boundary(user.boundary) if whole else None,
        tags=(shown_tags(user.tags) or None) if whole else None,
    )


def shown_group(group: Group) -> wire.Group:
    """The group."""
    return wire.Group(
        path=group.path,
        group_name=group.name,
        group_id=group.id,
        arn=group.arn,
        create_date=group.created,
    )


def shown_boundary(policy_arn: str) -> wire.AttachedPermissionsBoundary | None:
    """A permissions boundary by its policy's ARN; None for the empty text, which is none."""
    if not policy_arn:
        return None
    # The API reference says `Policy`; what AWS answers, and Terraform expects, is this.
    return wire.AttachedPermissionsBoundary(
        permissions_boundary_type="PermissionsBoundaryPolicy", permissions_boundary_arn=policy_arn
    )


def shown_tags(tags: Mapping[str, str]) -> list[wire.Tag]:
    """Tags as a list."""
    return [wire.Tag(key=key, value=value) for key, value in tags.items()]


def shown_inline(documents: Mapping[str, str]) -> list[wire.PolicyDetail]:
    """Inline policies with their documents."""
    return [
        wire.PolicyDetail(policy_name=name, policy_document=shown_document(text))
        for name, text in documents.items()
    ]


def shown_attached(arns: Sequence[str]) -> list[wire.AttachedPolicy]:
    """Managed policies by name and ARN."""
    return [wire.AttachedPolicy(policy_name=each.rpartition("/")[2], policy_arn=each) for each in arns]
