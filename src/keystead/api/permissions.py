"""Every permission that there is: what no service knows can be allowed by nobody, not even by `*`.

KMS has its catalogue in `policy.actions`. The other services ask for a permission of the operation's name, by
the models of their APIs; the few that have no operation of their own are named here.
"""

from __future__ import annotations

from typing import Final

from keystead.errors import KeysteadError
from keystead.policy.actions import ACTIONS
from keystead.wire.models import cloudtrail, iam, organizations, sts

WITHOUT_OPERATION: Final = frozenset({"sts:SetSourceIdentity", "sts:TagSession"})
"""Needed beside AssumeRole and its like, for what these hand on (IAM User Guide, "Pass session tags")."""

PERMISSIONS: Final[frozenset[str]] = (
    frozenset(ACTIONS)
    | WITHOUT_OPERATION
    | {
        f"{service.name}:{operation}"
        for service in (cloudtrail.SERVICE, iam.SERVICE, organizations.SERVICE, sts.SERVICE)
        for operation in service.operations
    }
)
"""By their full names, in AWS's spelling."""


class UnknownPermissionError(KeysteadError):
    """An operation asks for a permission that is in no catalogue: a defect, so nobody has it."""


def require_known(action: str) -> None:
    """Return if there is such a permission.

    Raises:
        UnknownPermissionError: there is none, so no policy can have meant it.
    """
    if action not in PERMISSIONS:
        raise UnknownPermissionError(action)
