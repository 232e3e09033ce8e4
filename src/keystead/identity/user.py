"""Users: people and programs with long-term credentials."""

from __future__ import annotations

import msgspec

from keystead.identity.names import iam_arn


class User(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An IAM user.

    `inline` holds policy documents as they were put, by name; `attached` the ARNs of managed policies;
    `boundary` the ARN of the permissions boundary, empty if none; `groups` the unique ids of its groups.
    """

    account: str
    name: str
    id: str
    created: float
    path: str = "/"
    tags: dict[str, str] = {}
    boundary: str = ""
    inline: dict[str, str] = {}
    attached: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    @property
    def arn(self) -> str:
        """The user's ARN, with its path."""
        return iam_arn(self.account, "user", self.path, self.name)
