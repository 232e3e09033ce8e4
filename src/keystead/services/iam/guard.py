"""Which operations of IAM change what people may do with keys, or who may be one of them: for the account's guard."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from keystead.api import Call, Operation, Target
from keystead.api.guarded_people import people_changes
from keystead.api.guarding import Changed, guarded
from keystead.api.guards import Guard

GUARDED: Final = frozenset({
    "AddUserToGroup", "AttachGroupPolicy", "AttachRolePolicy", "AttachUserPolicy", "CreatePolicyVersion",
    "CreateRole", "CreateUser", "DeleteGroupPolicy", "DeleteRole", "DeleteRolePermissionsBoundary",
    "DeleteRolePolicy", "DeleteUser", "DeleteUserPermissionsBoundary", "DeleteUserPolicy",
    "DetachGroupPolicy", "DetachRolePolicy", "DetachUserPolicy", "PutGroupPolicy",
    "PutRolePermissionsBoundary", "PutRolePolicy", "PutUserPermissionsBoundary", "PutUserPolicy",
    "RemoveUserFromGroup", "SetDefaultPolicyVersion", "TagRole", "TagUser", "UntagRole", "UntagUser",
    "UpdateAssumeRolePolicy",
})  # fmt: skip
"""What can give somebody more, let somebody in, or take from the last one who keeps a key's policy."""


def guard_of(operation: Operation) -> Operation:
    """The operation, with the guard behind it if it changes what people may do."""
    return guarded(operation, _changes) if operation.name in GUARDED else operation


def _changes(
    call: Call, _targets: tuple[Target, ...], _answer: Any, guard: Guard, account: str
) -> Iterator[Changed]:
    return people_changes(call, account, guard)
