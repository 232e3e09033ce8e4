"""Roles as what can be assumed: how a request names one, and what its trust policy is asked.

A role that does not exist is asked like one that trusts nobody, so an answer never tells whether it exists.
"""

from __future__ import annotations

from typing import Any, Final

from keystead import arn, errors
from keystead.api import Call, Target
from keystead.api.directory import role_named
from keystead.api.people import trust_policy
from keystead.identity import Role
from keystead.policy import CompiledPolicy

FactValues = dict[str, str | list[str]]

_NOBODY: Final = CompiledPolicy((), None)
"""The trust policy of a role that does not exist."""

TAG_SESSION: Final = "sts:TagSession"
SET_SOURCE_IDENTITY: Final = "sts:SetSourceIdentity"


def role_at(call: Call, role_arn: str) -> Role | None:
    """The role with exactly this ARN, or None.

    Raises:
        errors.Validation: it is no ARN of a role.
    """
    parts = _parts(role_arn)
    role = role_named(call.tx, parts.account, parts.resource.rpartition("/")[2])
    return role if role is not None and role.arn == role_arn else None


def existing_role(call: Call, role_arn: str) -> Role:
    """The role with this ARN, whose trust policy has allowed the call."""
    role = role_at(call, role_arn)
    assert role is not None, "what does not exist trusts nobody"
    return role


def account_of_role(role_arn: str) -> str:
    """The account in a role's ARN, whether the role exists or not.

    Raises:
        errors.Validation: it is no ARN of a role.
    """
    return _parts(role_arn).account


def _parts(role_arn: str) -> arn.Arn:
    try:
        parts = arn.parse(role_arn)
    except ValueError:
        raise errors.Validation("Request ARN is invalid") from None
    kind, _, name = parts.resource.partition("/")
    if (parts.partition, parts.service, parts.region, kind) != (arn.PARTITION, "iam", "", "role") or not name:
        raise errors.Validation(f"{role_arn} is invalid")
    return parts


def role_targets(
    call: Call, role_arn: str, actions: tuple[str, ...], facts: FactValues
) -> tuple[Target, ...]:
    """One target for each action that assuming the role takes, all with the same facts.

    Raises:
        errors.Validation: `role_arn` is no ARN of a role.
    """
    account = _parts(role_arn).account
    role = role_at(call, role_arn)
    trust = _NOBODY if role is None else trust_policy(role)
    given = {**(_role_facts(role) if role is not None else {}), **facts}
    return tuple(Target(action, role_arn, account, facts=given, trust=trust) for action in actions)


def _role_facts(role: Role) -> FactValues:
    """What conditions can ask of the role: its tags, which IAM knows by two names."""
    named = ("aws:ResourceTag", "iam:ResourceTag")
    return {f"{name}/{key}": value for name in named for key, value in role.tags.items()}


def tag_facts(tags: dict[str, str], transitive: Any) -> FactValues:
    """What conditions can ask of session tags (IAM User Guide, "Pass session tags in AWS STS")."""
    facts: FactValues = {f"aws:RequestTag/{key}": value for key, value in tags.items()}
    if tags:
        facts["aws:TagKeys"] = list(tags)
    if transitive:
        facts["sts:TransitiveTagKeys"] = list(transitive)
    return facts
