"""The three kinds of identity that hold policies, as a table: what is the same for all is written once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from keystead import errors
from keystead.api import Call
from keystead.api.directory import GROUPS, ROLES, USERS
from keystead.api.operation import Targets
from keystead.identity import Group, Role, User
from keystead.services.iam.entities import existing_group, existing_role, existing_user
from keystead.services.iam.targets import Facts, on_group, on_role, on_user
from keystead.storage import Table

Identity = User | Group | Role


class Holder(msgspec.Struct, frozen=True):
    """One kind of identity.

    Attributes:
        noun: as it stands in names of operations (`User`).
        find: the one that a name names.
        change: the same, for a change of its policies.
        on: makes the targets of an operation on it.
        table: where it is stored.
        inline: the most characters of its inline policies together, without white space.
    """

    noun: str
    find: Callable[[Call, str], Identity]
    change: Callable[[Call, str], Identity]
    on: Callable[[str, Facts | None], Targets]
    table: Table[Any]
    inline: int

    @property
    def word(self) -> str:
        """The noun as messages have it."""
        return self.noun.lower()

    def name(self, request: Any) -> str:
        """The name that a request gives."""
        return getattr(request, f"{self.word}_name") or ""


def modifiable_role(call: Call, name: str | None) -> Role:
    """The role with this name, which is not a service's.

    Raises:
        errors.NoSuchEntity: there is none in the caller's account.
        errors.UnmodifiableEntity: it is linked to a service, which alone may change it.
    """
    role = existing_role(call, name)
    if role.service_linked:
        raise errors.UnmodifiableEntity(
            f"Cannot perform the operation on the protected role '{role.name}' - "
            "this role is only modifiable by AWS"
        )
    return role


HOLDERS: Final = (
    Holder("User", existing_user, existing_user, on_user, USERS, 2048),
    Holder("Group", existing_group, existing_group, on_group, GROUPS, 5120),
    Holder("Role", existing_role, modifiable_role, on_role, ROLES, 10_240),
)
"""Limits: IAM User Guide, "IAM and AWS STS quotas"."""
