"""Managed policies that a request names, AWS's own among them, and who uses each."""

from __future__ import annotations

from itertools import takewhile
from typing import Any, Final

from keystead import errors
from keystead.api import Call
from keystead.api.directory import GROUPS, POLICIES, ROLES, USERS, policy_at, policy_place
from keystead.identity import Group, ManagedPolicy, Role, User
from keystead.policy.aws_managed import AWS_MANAGED, AwsManagedPolicy
from keystead.storage import Table

Managed = ManagedPolicy | AwsManagedPolicy

_HELD_BY: Final[tuple[Table[Any], ...]] = (USERS, GROUPS, ROLES)
_BOUNDED: Final[tuple[Table[Any], ...]] = (USERS, ROLES)


def find_policy(call: Call, policy_arn: str) -> Managed | None:
    """The managed policy with this ARN, None if there is none."""
    return AWS_MANAGED.get(policy_arn) or policy_at(call.tx, policy_arn)


def existing_policy(call: Call, policy_arn: str | None) -> Managed:
    """The managed policy with this ARN, AWS's or an account's.

    Raises:
        errors.NoSuchEntity: there is none.
    """
    found = find_policy(call, policy_arn or "")
    if found is None:
        raise errors.NoSuchEntity(f"Policy {policy_arn} was not found.")
    return found


def own_policy(call: Call, policy_arn: str | None) -> ManagedPolicy:
    """The customer managed policy with this ARN, which may be changed.

    Raises:
        errors.NoSuchEntity: there is none.
        errors.AccessDenied: it is one of AWS's.
    """
    found = existing_policy(call, policy_arn)
    if not isinstance(found, ManagedPolicy):
        raise errors.AccessDenied(
            f"User: {call.caller.arn} is not authorized to perform: iam:{call.operation} "
            f"on resource: policy {policy_arn}"
        )
    return found


def put_policy(call: Call, policy: ManagedPolicy) -> None:
    """None; the policy will be stored as it is here."""
    place = policy_place(policy.arn)
    assert place is not None
    call.tx.put(POLICIES, place, policy)


def hold_policy(call: Call, policy_arn: str) -> bool:
    """Whether the caller's account can use the policy; if so it is held until the call is through.

    The policy is written again, unchanged: a call that deletes it at the same time has then read another
    version, and finds the new user of the policy when it is run again.
    """
    if policy_arn in AWS_MANAGED:
        return True
    policy = policy_at(call.tx, policy_arn)
    if policy is None or policy.account != call.account:
        return False
    put_policy(call, policy)
    return True


# ------------------------------------------------------------------------------------- users


def attached_to(call: Call, policy_arn: str) -> list[User | Group | Role]:
    """The account's users, groups and roles that the policy is attached to, as permissions."""
    return [
        entity
        for table in _HELD_BY
        for entity in _found(call, table, _places(call, table, "attached", policy_arn))
    ]


def bounded_by(call: Call, policy_arn: str) -> list[User | Group | Role]:
    """The account's users and roles whose permissions boundary the policy is."""
    return [
        entity
        for table in _BOUNDED
        for entity in _found(call, table, _places(call, table, "boundary", policy_arn))
    ]


def attachments(call: Call, policy_arn: str) -> int:
    """How many identities of the account the policy is attached to."""
    return sum(len(_places(call, table, "attached", policy_arn)) for table in _HELD_BY)


def boundaries(call: Call, policy_arn: str) -> int:
    """How many identities of the account have the policy as permissions boundary."""
    return sum(len(_places(call, table, "boundary", policy_arn)) for table in _BOUNDED)


def _places(call: Call, table: Table[Any], index: str, policy_arn: str) -> list[str]:
    """Of the caller's account: every account may use AWS's policies."""
    mine = f"{call.account}/"
    found = call.tx.find(table, index, policy_arn, after=mine)
    return list(takewhile(lambda place: place.startswith(mine), found))


def _found(call: Call, table: Table[Any], places: list[str]) -> list[Any]:
    return [entity for place in places if (entity := call.tx.get(table, place)) is not None]
