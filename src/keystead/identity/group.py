"""Groups: policies that several users share. A group is no principal."""

from __future__ import annotations

import msgspec

from keystead.identity.names import iam_arn


class Group(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An IAM group; its members are the users whose `groups` hold its id."""

    account: str
    name: str
    id: str
    created: float
    path: str = "/"
    inline: dict[str, str] = {}
    attached: tuple[str, ...] = ()

    @property
    def arn(self) -> str:
        """The group's ARN, with its path."""
        return iam_arn(self.account, "group", self.path, self.name)
