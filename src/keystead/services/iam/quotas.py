"""How many of each thing an account may have. Source: IAM User Guide, "IAM and AWS STS quotas" (defaults)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from keystead import errors
from keystead.api import Call
from keystead.api.identities import counter

PER_ACCOUNT: Final[Mapping[str, tuple[str, int]]] = {
    "user": ("UsersPerAccount", 5000),
    "group": ("GroupsPerAccount", 300),
    "role": ("RolesPerAccount", 1000),
    "policy": ("PoliciesPerAccount", 1500),
}
"""What AWS calls the quota, and its default, by kind."""

KEYS_PER_USER: Final = ("AccessKeysPerUser", 2)
GROUPS_PER_USER: Final = ("GroupsPerUser", 10)
DEVICES_PER_USER: Final = ("MFADevicesPerUser", 8)
ATTACHED_POLICIES: Final = 10


def check_quota(quota: tuple[str, int], held: int) -> None:
    """Return if one more than `held` is within the quota.

    Raises:
        errors.LimitExceeded: it is not; in AWS's words.
    """
    name, most = quota
    if held >= most:
        raise errors.LimitExceeded(f"Cannot exceed quota for {name}: {most}")


def count_new(call: Call, kind: str) -> None:
    """None; the account will have one more of this kind.

    Raises:
        errors.LimitExceeded: it has as many as it may.
    """
    check_quota(PER_ACCOUNT[kind], counted(call, kind))
    call.tx.bump(counter(call.account, kind), 1)


def count_gone(call: Call, kind: str) -> None:
    """None; the account will have one less of this kind."""
    call.tx.bump(counter(call.account, kind), -1)


def counted(call: Call, kind: str) -> int:
    """How many of this kind the account has."""
    return call.tx.count(counter(call.account, kind))
